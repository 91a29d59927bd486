"""The ring between an engine and a slow reader: nothing waits, and nothing is lost in silence."""

from __future__ import annotations

import threading

from increstore.journal import JournalEvent
from increstore.runtime.event_ring import GAP, EventRing


def an_event(at, name="incremental.started", node="coordinator", **facts):
    return JournalEvent(at, node, name, facts)


def test_events_come_out_as_they_went_in():
    ring = EventRing()
    events = [an_event(number) for number in range(10)]
    for event in events:
        ring.put(event)

    assert ring.take(4) + ring.take(4) + ring.take(4) == events
    assert ring.take(4) == []
    assert ring.is_empty


def test_a_reader_that_is_behind_gets_every_fact_and_the_newest_samples():
    ring = EventRing(behind=2)
    for number in range(6):
        ring.put(an_event(number, "incremental.started", incremental=number))
        ring.put(an_event(number, "scan.progress", "coordinator", source="a/s0", rows=number))
        ring.put(an_event(number, "scan.progress", "coordinator", source="a/s1", rows=number))
        ring.put(an_event(number, "batch.applied", "a/t0", order=number))

    events = ring.take(100)

    facts = [event for event in events if event.name == "incremental.started"]
    assert [event.facts["incremental"] for event in facts] == [*range(6)]
    newest = {event.facts["source"]: event.facts["rows"] for event in events[:-1]
              if event.name == "scan.progress"}  # fmt: skip
    assert newest == {"a/s0": 5, "a/s1": 5}
    assert events[-1].name == GAP
    assert events[-1].facts["events"] == ring.dropped == 24 - (len(events) - 1)


def test_a_report_is_no_mass_ware_but_a_batch_is():
    ring = EventRing(behind=0)
    ring.put(an_event(1, "message.sent", kind="CompletionNotification"))
    ring.put(an_event(2, "message.sent", kind="ApplyChanges"))

    events = ring.take(10)

    assert [event.facts.get("kind") for event in events] == ["CompletionNotification", None]
    assert events[-1].facts == {"events": 1}


def test_even_facts_have_a_bound_and_what_exceeds_it_is_told():
    ring = EventRing(behind=0, facts_max=3)
    for number in range(5):
        ring.put(an_event(number))

    events = ring.take(10)

    assert [event.at for event in events[:3]] == [0, 1, 2]
    assert events[3].facts == {"events": 2}


def test_nothing_is_lost_between_two_threads():
    ring = EventRing()
    count = 20_000

    def write():
        for number in range(count):
            ring.put(an_event(number))

    writer = threading.Thread(target=write)
    writer.start()
    events = []
    while len(events) < count:
        events += ring.take(100)
    writer.join()

    assert [event.at for event in events] == [*range(count)]
