"""Events of scans, targets and messages, folded into a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.view.shards import ATTEMPTS_KEPT, AttemptView, ShardView

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView
    from increstore.view.shards import StreamView

Facts = dict[str, Any]

# --- Scans.


def _attempt_of(shard: ShardView, facts: Facts, at: int) -> AttemptView:
    """The attempt that the facts name, to be changed; the last ones are kept.

    The list and what is in it are shared with earlier copies of the shard, so both are made anew.
    """
    incremental, number = int(facts["incremental"]), int(facts.get("attempt", 1))
    tries = shard.attempts[-ATTEMPTS_KEPT:]
    shard.attempts = tries
    for place in range(len(tries) - 1, -1, -1):
        if tries[place].incremental == incremental and tries[place].attempt == number:
            tries[place] = tries[place].clone()
            return tries[place]
    attempt = AttemptView(incremental, number, at)
    tries.append(attempt)
    del tries[:-ATTEMPTS_KEPT]
    return attempt


def asked(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    shard = view.shard(str(facts.get("source", node)))
    known = (shard.incremental, shard.attempt)
    attempt = _attempt_of(shard, facts, at)
    if known == (attempt.incremental, attempt.attempt):
        return  # Asked again, because it was not heard.
    shard.incremental, shard.attempt = attempt.incremental, attempt.attempt
    shard.rows_scanned = shard.rows_sent = shard.rows_applied = shard.unapplied = 0
    shard.knows_applied = False
    shard.error = ""
    shard.streams.clear()
    view.set_state(shard, "scanning", at)


def progress(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    shard = view.shard(str(facts.get("source", node)))
    if (shard.incremental, shard.attempt) > (facts["incremental"], facts.get("attempt", 1)):
        return
    asked = (facts["incremental"], facts.get("attempt", 1))
    if asked != (shard.incremental, shard.attempt):
        shard.rows_scanned = shard.rows_sent = shard.rows_applied = 0
    shard.incremental, shard.attempt = asked
    if int(facts.get("rows_applied", 0)) > shard.rows_applied:
        view.moved_at = at
    # A sample may be older than what the shard's own events have told already.
    shard.rows_scanned = max(shard.rows_scanned, int(facts.get("rows_scanned", 0)))
    shard.rows_sent = max(shard.rows_sent, int(facts.get("rows_sent", 0)))
    shard.rows_applied = max(shard.rows_applied, int(facts.get("rows_applied", 0)))
    shard.knows_applied = True
    shard.unapplied = sum(facts.get("unapplied", {}).values())
    if shard.state in ("idle", "retrying", "reported") and not _is_reported(shard):
        view.set_state(shard, "scanning", at)


def _is_reported(shard: ShardView) -> bool:
    last = shard.attempts[-1] if shard.attempts else None
    return last is not None and last.reported_at is not None


def page_read(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    shard = view.shard(node)
    shard.rows_scanned += int(facts.get("rows", 0))
    view.moved_at = at
    if facts.get("last") and shard.state == "scanning":
        view.set_state(shard, "sending", at)


def page_failed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.shard(node).error = str(facts.get("error", ""))


def reported(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    shard = view.shard(str(facts["source"]))
    attempt = _attempt_of(shard, facts, at)
    attempt.reported_at = at
    attempt.ended_at = attempt.ended_at or at
    attempt.status = str(facts.get("status", ""))
    attempt.rows = int(facts.get("rows", 0))
    attempt.error = str(facts.get("error", ""))
    shard.incremental, shard.attempt = attempt.incremental, attempt.attempt
    if attempt.status == "success":
        one = view.incremental_at(attempt.incremental)
        view.rows_applied += attempt.rows - one.reported.get(shard.name, 0)
        one.reported[shard.name] = attempt.rows
        shard.unapplied = 0
        shard.rows_scanned = shard.rows_sent = shard.rows_applied = attempt.rows
        shard.knows_applied = True
        view.moved_at = at
        view.set_state(shard, "reported", at)
    else:
        shard.error = attempt.error
        view.set_state(shard, "failed", at)


def retry(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    shard = view.shard(str(facts["source"]))
    view.incremental_at(int(facts["incremental"])).retries += 1
    view.set_state(shard, "retrying", at)


# --- Targets.


def applied(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    target = view.shard(node)
    incremental, attempt = int(facts["incremental"]), int(facts.get("attempt", 1))
    source = str(facts["source"])
    stream = view.stream(source, node, incremental, attempt)
    stream.watermark = max(stream.watermark, int(facts.get("watermark") or facts.get("order") or 0))
    stream.sent = max(stream.sent, stream.watermark)
    target.incremental = incremental
    if "rows" in facts:
        _count_applied(view, stream, target, int(facts["rows"]))
    view.moved_at = at
    if target.state not in ("sealing", "finalizing", "finalized"):
        view.set_state(target, "applying", at)


def _count_applied(view: ClusterView, stream: StreamView, target: ShardView, rows: int) -> None:
    """A target has told how many: those of the scan that runs are its source's, too."""
    stream.rows += rows
    target.rows_applied += rows
    target.knows_applied = True
    source = view.shard(stream.source)
    is_of_now = (source.incremental, source.attempt) == (stream.incremental, stream.attempt)
    if is_of_now and not _is_reported(source):
        source.rows_applied += rows
        source.knows_applied = True


def target_sealed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    one = view.incremental_at(int(facts["incremental"]))
    target = view.shard(str(facts["target"]))
    one.sealed[target.name] = int(facts.get("rows", 0))
    view.moved_at = at
    if one.state == "running":
        one.state = "sealing"
    target.streams.clear()
    view.set_state(target, "sealed", at)


def run_sealed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.set_state(view.shard(node), "sealed", at)


def finalizing(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.state = "finalizing"
    for target in view.targets:
        view.set_state(view.shard(target.name), "finalizing", at)


def finalized(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    target = view.shard(str(facts.get("target", node)))
    view.set_state(target, "finalized", at)


# --- Messages, as far as they tell what a shard does.


def sent(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    kind = facts.get("kind")
    if kind == "CompletionNotification":
        _notified(view, node, facts, at)
    elif kind == "ApplyChanges":
        _batch_sent(view, node, facts)
    elif kind == "SealIncremental":
        target = view.shard(str(facts["to"]))
        if target.state != "sealed" or target.incremental != facts.get("incremental"):
            target.incremental = int(facts.get("incremental", -1))
            view.set_state(target, "sealing", at)


def _notified(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    """A scan has ended and says so. Whether anybody hears it is another matter."""
    shard = view.shard(node)
    attempt = _attempt_of(shard, facts, at)
    attempt.ended_at = attempt.ended_at or at
    attempt.status = attempt.status or str(facts.get("status", ""))
    if attempt.reported_at is None:
        shard.error = str(facts.get("error", "") or shard.error)
        view.set_state(shard, "unnotified", at)


def _batch_sent(view: ClusterView, node: str, facts: Facts) -> None:
    incremental, attempt = int(facts["incremental"]), int(facts.get("attempt", 1))
    stream = view.stream(node, str(facts["to"]), incremental, attempt)
    order = int(facts.get("order", 0))
    if order > stream.sent:
        stream.sent = order
        view.shard(node).rows_sent += int(facts.get("rows", 0))
