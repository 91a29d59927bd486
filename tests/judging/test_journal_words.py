"""What a journal file tells in detail is read back as it was."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.journal import DETAIL_EVENTS, Journal
from increstore.judging import journal_words as words
from increstore.judging.journal_player import IGNORED, PLAYED
from increstore.protocol import messages as m
from increstore.protocol import records as r
from increstore.protocol.policy import CoordinatorConfig
from increstore.protocol.ready import ApplyBatch, Batch, PageRead, Received
from increstore.protocol.source_shard import SourceConfig
from increstore.protocol.target_state import StreamState, TargetState
from increstore.protocol.topology import TableTopology, Topology
from increstore.runtime import narrate
from increstore.scenario.words import DETAILS, EVENTS

DIGESTS = st.integers(0, (1 << 64) - 1)
COUNTS = st.integers(0, 1 << 40)
NAMES = st.sampled_from(["orders/s0", "shop/lines/t11", "süd/s3"])
SCANS = st.builds(m.ScanId, st.just("r1"), st.integers(0, 99), NAMES, st.integers(1, 9))
STREAMS = st.lists(st.builds(m.StreamEvidence, NAMES, COUNTS, COUNTS, COUNTS, DIGESTS)).map(tuple)
EVIDENCE = st.lists(st.builds(m.Evidence, NAMES, COUNTS, COUNTS, DIGESTS)).map(tuple)
TEXTS = st.text(max_size=20)
FIELDS = {
    "scan": SCANS,
    "restore": st.just("r1"),
    "fingerprint": TEXTS,
    "digest": DIGESTS,
    "payload": st.just(b""),
    "evidence": EVIDENCE,
    "sent": STREAMS,
    "applied": STREAMS,
    "status": st.sampled_from(m.Status),
    "unapplied": st.dictionaries(NAMES, COUNTS).map(lambda owed: tuple(owed.items())),
    "error": TEXTS,
    "detail": TEXTS,
    "target": NAMES,
}


def any_of(kind):
    """Any value of a message or record class."""
    own = dict(FIELDS)
    if kind is m.Refused:
        own.update(reason=st.sampled_from(m.Reason), scan=st.none())
    elif "reason" in kind.__dataclass_fields__:
        own["reason"] = TEXTS
    names = kind.__dataclass_fields__
    return st.builds(kind, **{name: own.get(name, COUNTS) for name in names})


def told(tell) -> list[tuple[str, dict]]:
    """(event, facts) of what is narrated, through JSON."""
    found, journal = [], Journal()
    journal.subscribe(lambda event: found.append(event.in_detail()), details=True)
    tell(journal)
    lines = [json.loads(json.dumps(line)) for line in found]
    return [(line["event"], line) for line in lines]


@pytest.mark.parametrize("kind", get_args(m.Message), ids=lambda kind: kind.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_message_is_read_back_as_it_was_but_for_its_payload(kind, data):
    message = data.draw(any_of(kind))
    ((name, facts),) = told(lambda j: narrate.narrate_messages(j, "a", [("b", message)]))
    assert (name, facts["to"]) == ("message.sent", "b")
    assert words.message_of(facts) == message

    name, facts = told(lambda j: narrate.narrate_event(j, "b", Received("a", message)))[-1]
    assert (name, facts["from"]) == ("message.received", "a")
    assert words.message_of(facts) == message


def test_a_refusal_of_a_scan_is_read_back():
    refused = m.Refused("r1", 3, 7, m.ScanId("r1", 7, "a/s0", 2), m.Reason.STALE_ATTEMPT, "no")
    ((_, facts),) = told(lambda j: narrate.narrate_messages(j, "a", [("b", refused)]))
    assert words.message_of(facts) == refused


def test_a_message_that_this_version_does_not_know_is_none():
    assert words.message_of({"kind": "SplitShard", "at": 7}) is None


@pytest.mark.parametrize("kind", get_args(r.Record), ids=lambda kind: kind.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_record_is_read_back_as_it_was(kind, data):
    record = data.draw(any_of(kind))
    ((name, facts),) = told(lambda j: narrate.narrate_records(j, "a", [record]))
    assert words.record_of(name, facts, "r1") == record


def test_what_is_told_without_details_is_read_as_far_as_it_goes():
    scan = m.ScanId("r1", 3, "orders/s0", 2)
    record = r.ScanReported(scan, m.Status.FATAL, 7, (), "page 0: damaged", 99)
    found, journal = [], Journal()
    journal.subscribe(found.append)
    narrate.narrate_records(journal, "coordinator", [record])
    read = words.record_of(found[0].name, found[0].facts, "r1")
    assert read == r.ScanReported(scan, m.Status.FATAL, 7, (), "page 0: damaged", 0)


@settings(max_examples=15)
@given(SCANS, STREAMS, DIGESTS, st.booleans())
def test_what_a_target_has_found_is_read_back(scan, streams, digest, is_final):
    state = TargetState(
        4,
        {0: streams, 2: ()},
        {scan: StreamState(3, 40, digest)},
        (7, digest) if is_final else None,
    )
    ((name, facts),) = told(lambda j: narrate.narrate_recovery(j, "orders/t0", state))
    assert name == "shard.recovered"
    assert words.state_of(facts) == state


def test_pages_batches_and_seals_are_read_back():
    scan = m.ScanId("r1", 1, "orders/s0", 2)
    batches = (Batch("orders/t0", 3, 77, b""), Batch("orders/t1", 2, (1 << 64) - 1, b""))
    page = PageRead(scan, 4, 5, batches, True)
    ((_, facts),) = told(lambda j: narrate.narrate_event(j, "orders/s0", page))
    assert (words.scan_of(facts), words.batches_of(facts)) == (scan, batches)
    assert (facts["page"], facts["rows"], facts["last"]) == (4, 5, True)

    applied = ApplyBatch(scan, 9, 3, 77, b"payload")
    ((_, facts),) = told(lambda j: narrate.narrate_applied(j, "orders/t0", [applied]))
    assert words.scan_of(facts) == scan
    assert (facts["order"], facts["rows"], int(facts["digest"], 16)) == (9, 3, 77)
    assert "payload" not in facts

    streams = (m.StreamEvidence("orders/s0", 2, 3, 1, 77),)
    ((_, facts),) = told(lambda j: narrate.narrate_seal(j, "orders/t0", 1, streams))
    assert words.streams_of(facts) == streams


def test_a_plan_is_read_back_with_its_policies():
    table = TableTopology("orders", ("orders/s0",), ("orders/t0",), (0, 2), 40, (1 << 64) - 1)
    topology = Topology("r1", 2, (table,))
    coordinator = CoordinatorConfig(scans_in_flight=3, stage_deadline_ns=5)
    source = SourceConfig(window_batches=2, bytes_max=99)
    history = [r.RestoreAccepted("r1", "plan", 7), r.GenerationStarted(1, 8)]

    (_, plan), (_, found) = told(
        lambda j: narrate.narrate_plan(
            j, "coordinator", topology, coordinator, source, history, "tcp"
        )
    )

    assert words.topology_of(plan) == topology
    config = words.config_of({**plan, "policy": {**plan["policy"], "of_later": 1}}, 5)
    assert (config.scans_in_flight, config.stage_deadline_ns) == (3, 5)
    assert (config.window_batches, config.source_bytes_max) == (2, 99)
    assert plan["mode"] == "tcp"
    assert [words.record_of(t["event"], t, "r1") for t in found["records"]] == history


def test_nothing_is_made_when_nobody_wants_details():
    found, journal = [], Journal()
    journal.subscribe(found.append)
    message = m.Finalize("r1", 1)
    narrate.narrate_messages(journal, "a", [("b", message)])
    narrate.narrate_event(journal, "b", Received("a", message))
    narrate.narrate_life(journal, "a")
    narrate.narrate_recovery(journal, "a", TargetState())
    assert found == []


def test_whoever_wants_no_details_gets_none_beside_one_who_does():
    plain, detailed, journal = [], [], Journal()
    journal.subscribe(lambda event: plain.append(event.as_json()))
    journal.subscribe(lambda event: detailed.append(event.in_detail()), details=True)
    narrate.narrate_messages(journal, "a", [("b", m.Finalize("r1", 1))])
    narrate.narrate_records(journal, "a", [r.GenerationStarted(1, 8)])
    assert [(line["event"], "started_at" in line) for line in plain] == [
        ("coordinator.started", False)
    ]
    assert [line["event"] for line in detailed] == ["message.sent", "coordinator.started"]
    assert detailed[1]["started_at"] == 8


def test_every_event_of_a_journal_is_read_or_known_to_say_nothing():
    known = set(words.RECORDS) | set(PLAYED) | IGNORED
    assert set(EVENTS) - known == set()
    assert set(DETAILS) - known == set()
    assert set(DETAILS) == DETAIL_EVENTS
