"""Messages, the critical path and plain lines."""

from __future__ import annotations

from increstore.view.cluster import ClusterView
from increstore.view.critical import explain, paths_of
from increstore.view.messages import pair
from increstore.view.plain import PlainLines, summary
from tests.view.journals import SILENT, an_event, journal_of
from tests.view.test_cluster import fold

SCAN = {"incremental": 2, "source": "orders/s0", "attempt": 1}


def sent(at_s, order=1, kind="ApplyChanges"):
    return an_event("message.sent", "orders/s0", at_s, kind=kind, to="orders/t0", order=order,
                    **SCAN)  # fmt: skip


def heard(at_s, order=1, kind="ApplyChanges"):
    return an_event("message.received", "orders/t0", at_s, kind=kind, order=order,
                    **{"from": "orders/s0"}, **SCAN)  # fmt: skip


def lost(at_s, order=1):
    return an_event("message.lost", "orders/s0", at_s, kind="ApplyChanges", order=order,
                    to="orders/t0", why="drop-1", **{"from": "orders/s0"}, **SCAN)  # fmt: skip


def states(*events):
    return [message.state for message in pair(enumerate(events))]


def test_what_was_sent_is_paired_with_what_was_heard_by_its_content():
    first, second = pair(enumerate([sent(1.0), sent(1.1, 2), heard(1.3, 2), heard(1.4)]))

    assert (first.heard_at - first.sent_at, second.heard_at - second.sent_at) == (
        400_000_000,
        200_000_000,
    )
    assert first.summary == "ApplyChanges inc2 try 1 #1"


def test_lost_late_open_and_doubled_messages_are_told_apart():
    assert states(sent(1.0), lost(1.0)) == ["lost"]
    assert states(sent(1.0), heard(4.0)) == ["late"]
    assert states(sent(1.0)) == ["open"]
    assert states(sent(1.0), heard(1.1), heard(1.2)) == ["heard", "duplicate"]


def test_what_is_sent_again_is_another_message():
    messages = pair(enumerate([sent(1.0), lost(1.0), sent(3.0), heard(3.1)]))

    assert [message.state for message in messages] == ["lost", "heard"]


def test_the_slowest_shard_of_an_incremental_is_named_with_the_reason():
    def scan(source, asked, reported, attempt=1):
        facts = {"incremental": 1, "source": source, "attempt": attempt}
        return [
            an_event("scan.asked", source, asked, **facts),
            an_event("scan.reported", at_s=reported, status="success", rows=5, **facts),
        ]

    view = fold([*scan("orders/s0", 0.0, 1.0), *scan("orders/s1", 0.0, 4.5)])

    assert [path.shard for path in paths_of(view, 1)] == ["orders/s1", "orders/s0"]
    assert explain(view, 1) == ("orders/s1 took longest: 4.500 s, 3.500 s after the others")


def test_a_scan_that_ended_without_a_report_is_told_by_the_critical_path_too():
    view = fold(journal_of(SILENT)[1])

    assert "orders/s1 took longest" in explain(view, 0)
    assert "the coordinator has no report" in explain(view, 0)


def test_plain_lines_tell_facts_and_the_missing_report_once():
    view = ClusterView()
    plain = PlainLines(view)
    lines = []
    for event in journal_of(SILENT)[1]:
        view.apply(event)
        lines += plain.lines_of(event)

    missing = [line for line in lines if "has no report" in line]
    assert len(missing) == 1
    assert "orders/s1" in missing[0]
    assert not any("scan.asked" in line for line in lines)
    assert summary(view).startswith("paused: deadline")


def test_what_a_real_link_has_lost_is_unheard_after_a_while():
    """Only a simulated network knows, and says, what it loses."""
    facts = {"kind": "CompletionNotification", "to": "coordinator", "incremental": 1}
    sent = an_event("message.sent", "orders/s1", 1.0, **facts)

    def state_at(at_s):
        (message,) = pair([(0, sent)], an_event("x", at_s=at_s).at)
        return message.state

    assert state_at(1.5) == "open"
    assert state_at(2.5) == "unheard"
