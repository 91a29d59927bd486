"""A view as one event: whoever gets it sees what the others see, and goes on like them."""

from __future__ import annotations

import msgpack
import pytest

from increstore.journal import JournalEvent
from increstore.view.cluster import ClusterView
from increstore.view.snapshots import snapshot_event
from tests.view.journals import SILENT, STORM, journal_of
from tests.view.test_cluster import fold, what_is_seen


def sent_over(event):
    """The event after a journey as bytes."""
    packed = msgpack.packb([event.at, event.node, event.name, event.facts])
    return JournalEvent(*msgpack.unpackb(packed))


@pytest.mark.parametrize("text", [SILENT, STORM], ids=["silent", "storm"])
@pytest.mark.parametrize("part", [0, 3, 50, 97, 100])
def test_a_late_viewer_sees_what_everybody_sees_from_then_on(text, part):
    events = journal_of(text)[1]
    count = len(events) * part // 100
    first, late = fold(events[:count]), ClusterView()

    late.apply(sent_over(snapshot_event(first)))

    assert what_is_seen(late) == what_is_seen(first)
    assert (late.title, late.seed, late.mode) == (first.title, first.seed, first.mode)
    for event in events[count:]:
        first.apply(event)
        late.apply(event)
    assert what_is_seen(late) == what_is_seen(first)
    assert late.now == first.now


def test_a_snapshot_does_not_change_while_the_view_goes_on():
    events = journal_of(STORM)[1]
    view = fold(events[:200])
    event = snapshot_event(view)
    before = msgpack.packb(event.facts)

    for later in events[200:]:
        view.apply(later)

    assert msgpack.packb(event.facts) == before


def test_what_a_newer_version_adds_is_ignored_and_what_it_left_out_has_its_default():
    event = snapshot_event(fold(journal_of(SILENT)[1]))
    facts = {**event.facts, "colour": "red", "shards": [
        {"name": "orders/s0", "role": "source", "table": "orders", "mood": "fine"},
    ]}  # fmt: skip
    view = ClusterView()

    view.apply(JournalEvent(event.at, "stream", event.name, facts))

    assert [*view.shards] == ["orders/s0"]
    assert view.shards["orders/s0"].state == "idle"
    assert not hasattr(view, "colour")
