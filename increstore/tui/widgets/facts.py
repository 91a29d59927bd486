"""Blocks of facts about one shard or incremental, made from a view: lines of parts, no widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from increstore.tui.widgets.painting import Brush, Part, count, seconds
from increstore.view.critical import explain, paths_of
from increstore.view.glyphs import look_of

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView
    from increstore.view.shards import AttemptView, ShardView, StreamView

PLAIN = Style.null()
BOLD = Style(bold=True)
NAME_WIDTH = 11
NOT_KNOWN = "not known yet"
"""Of rows that nobody has told of: not every source of events has samples of them."""


def row(brush: Brush, name: str, *parts: Part) -> list[Part]:
    """`state      scanning`."""
    return [(f" {name:<{NAME_WIDTH}}", brush.role("calm")), *parts]


def shard_facts(brush: Brush, view: ClusterView, shard: ShardView) -> list[list[Part]]:
    """State, progress, streams and attempts of one shard."""
    look = look_of(shard.state)
    glyph = brush.state(shard.state)
    since = seconds(max(0, view.now - shard.since))
    lines = [
        [(f" {shard.name}", BOLD), (f"  {shard.role}", brush.role("calm"))],
        row(
            brush,
            "state",
            glyph,
            (f" {look.word}", brush.role(look.role)),
            (f" for {since}", PLAIN),
        ),
        row(brush, "life", (f"{shard.life}", PLAIN)),
    ]
    if shard.role == "source":
        lines += _scan_facts(brush, view, shard)
    elif shard.role == "target":
        told = f"{count(shard.rows_applied)} rows" if shard.knows_applied else NOT_KNOWN
        lines.append(row(brush, "applied", (told, PLAIN)))
    if shard.error:
        lines.append(row(brush, "last error", (shard.error, brush.role("bad"))))
    lines += _streams(brush, shard)
    if shard.attempts:
        lines += _attempts(brush, view, shard)
    return lines


def _scan_facts(brush: Brush, view: ClusterView, shard: ShardView) -> list[list[Part]]:
    done = shard.rows_applied / shard.rows_scanned if shard.rows_scanned else 0.0
    where = f"incremental {shard.incremental}, attempt {shard.attempt}"
    applied = f"{count(shard.rows_applied)} applied"
    applied = applied if shard.knows_applied else f"applied: {NOT_KNOWN}"
    lines = [
        row(brush, "scan", (where if shard.incremental >= 0 else "none yet", PLAIN)),
        row(brush, "rows", *brush.bar(done, 12),
            (f" {count(shard.rows_scanned)} scanned, {count(shard.rows_sent)} sent, {applied}",
             PLAIN)),
    ]  # fmt: skip
    if shard.unapplied:
        lines.append(row(brush, "owed", (f"{shard.unapplied} batches are not applied", PLAIN)))
    if shard.state == "unnotified":
        missed = f"CompletionNotification of incremental {shard.incremental}: not heard"
        lines.append(row(brush, "owes", (missed, brush.role("alarm"))))
    return lines


def _streams(brush: Brush, shard: ShardView) -> list[list[Part]]:
    if not shard.streams:
        return []
    other = "target" if shard.role == "source" else "source"
    title = "stream to" if shard.role == "source" else "stream from"
    head = f" {title:<24}{'sent':>8}{'durable':>9}{'rows':>9}"
    lines: list[list[Part]] = [[(head, brush.role("calm"))]]
    lines += [_stream(brush, stream, getattr(stream, other)) for stream in shard.streams.values()]
    return lines


def _stream(brush: Brush, stream: StreamView, other: str) -> list[Part]:
    behind = stream.sent - stream.watermark
    text = f" {other:<24}{stream.sent:>8}{stream.watermark:>9}"
    text += f"{count(stream.rows) if stream.rows or not stream.watermark else '-':>9}"
    return [(text, PLAIN), (f"   {behind} behind" if behind else "", brush.role("wait"))]


def _attempts(brush: Brush, view: ClusterView, shard: ShardView) -> list[list[Part]]:
    head = f" {'attempts':<14}{'asked':>9}{'ended':>9}{'reported':>10}  {'status':<10}{'rows':>8}"
    lines: list[list[Part]] = [[(head, brush.role("calm"))]]
    lines += [_attempt(brush, view, attempt) for attempt in reversed(shard.attempts)]
    return lines


def _attempt(brush: Brush, view: ClusterView, attempt: AttemptView) -> list[Part]:
    def when(at: int | None) -> str:
        return f"{(at - view.started_at) / 1e9:.3f}" if at is not None else "-"

    name = f"inc{attempt.incremental} try {attempt.attempt}"
    times = f"{when(attempt.asked_at):>9}{when(attempt.ended_at):>9}{when(attempt.reported_at):>10}"
    role = "good" if attempt.status == "success" else "bad" if attempt.status else "calm"
    return [
        (f" {name:<14}{times}  ", PLAIN),
        (f"{attempt.status or 'running':<10}", brush.role(role)),
        (f"{count(attempt.rows) if attempt.status else '-':>8}  {attempt.error}", PLAIN),
    ]


def incremental_facts(brush: Brush, view: ClusterView, number: int) -> list[list[Part]]:
    """One incremental: how far, who made everybody wait, and every shard's way through it."""
    if not 0 <= number < len(view.incrementals):
        return [[(f" no incremental {number}", brush.role("calm"))]]
    one = view.incrementals[number]
    name = "full backup" if number == 0 else f"incremental {number}"
    ended = one.done_at if one.done_at is not None else view.now
    took = seconds(ended - one.started_at) if one.started_at is not None else "not begun"
    took = "begun earlier" if one.is_earlier else took
    sealed = f"{len(one.sealed)} of {len(view.targets)} targets have sealed"
    return [
        [(f" {name}", BOLD), (f"  {one.backup}", brush.role("calm"))],
        row(brush, "state", brush.state(one.state), (f" {look_of(one.state).word}, {took}", PLAIN)),
        row(brush, "reports", (f"{len(one.reported)} of {one.expected} scans, ", PLAIN),
            (f"{count(one.rows)} rows, {one.retries} retries", PLAIN)),
        row(brush, "seals", (sealed, PLAIN),
            (f", {count(sum(one.sealed.values()))} rows applied", PLAIN)),
        row(brush, "slowest", (explain(view, number), brush.role("wait"))),
        *_ways(brush, view, number),
    ]  # fmt: skip


def _ways(brush: Brush, view: ClusterView, number: int) -> list[list[Part]]:
    paths = paths_of(view, number)
    longest = max((path.took(view.now) for path in paths), default=1) or 1
    head = f" {'shard':<22}{'took':>9}{'tries':>7}{'rows':>9}  asked to reported"
    lines: list[list[Part]] = [[(head, brush.role("calm"))]]
    for path in paths:
        took = path.took(view.now)
        is_unheard = path.reported_at is None and path.ended_at is not None
        role = "good" if path.reported_at is not None else "wait" if is_unheard else "busy"
        text = f" {path.shard:<22}{took / 1e9:>9.3f}{path.attempts:>7}{count(path.rows):>9}  "
        unheard = ("? ended, not heard", brush.role("alarm")) if is_unheard else ("", PLAIN)
        bar = brush.bar(took / longest, 20, role)
        lines.append([(text, PLAIN), *bar, (" ", PLAIN), unheard, (f" {path.error}", PLAIN)])
    return lines
