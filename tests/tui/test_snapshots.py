"""The look: each screen as a picture, compared with the one that a person has looked at.

After a change that is wanted: `make test ARGS="tests/tui/test_snapshots.py --snapshot-update"`,
then look at every picture in `__snapshots__` that has changed.
"""

from __future__ import annotations

import pytest

from increstore.tui.app import WatchApp
from tests.tui.fixed import FixedPlayback
from tests.view.journals import an_event, journal_of

SILENT = """
[cluster]
sources = 6
targets = 3
[workload]
rows = 240
[policy]
repeat = "200ms"
stage_deadline = "3s"
[[fault]]
id = "silence"
kind = "drop"
message = "CompletionNotification"
from = "s3"
incremental = 2
permanent = true
[expect]
outcome = "paused"
"""
STORM = """
[cluster]
sources = 9
targets = 4
[workload]
tables = 2
rows = 900
[network]
loss = "3%"
duplicate = "2%"
[[fault]]
id = "cut"
kind = "partition"
groups = [["coordinator"], ["people/s2"]]
after = { event = "incremental.started", incremental = 1 }
duration = "4s"
[[fault]]
id = "power"
kind = "crash"
node = "orders/s4"
after = { event = "incremental.started", incremental = 1 }
restart_after = "3s"
[[fault]]
id = "page"
kind = "page"
node = "orders/s7"
incremental = 1
transient = true
times = 1
"""
MISSED, MIDDLE = 610, 2_445
"""Events until the report of the silent source is missed; until the storm is at its height."""


@pytest.fixture
def looks_as_before(snap_compare):
    """Whether a screen, after these events and keys, is the picture that is kept."""

    def compare(events, *keys, size=(80, 24), **look):
        app = WatchApp(FixedPlayback(events, is_repeatable=True), ticks=False, **look)

        async def before(pilot):
            await pilot.pause()
            app.tick()
            await pilot.pause()
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            app.repaint()
            await pilot.pause()

        return snap_compare(app, run_before=before, terminal_size=size)

    return compare


def silent(upto=MISSED):
    return journal_of(SILENT)[1][:upto]


def storm(upto=MIDDLE):
    return journal_of(STORM, 3)[1][:upto]


def test_overview_of_a_missed_report(looks_as_before):
    assert looks_as_before(silent())


def test_overview_where_there_is_room(looks_as_before):
    assert looks_as_before(storm(), size=(120, 36))


def test_overview_on_a_light_background(looks_as_before):
    assert looks_as_before(silent(), size=(120, 36), theme="light")


def test_overview_without_characters_beyond_ascii(looks_as_before):
    assert looks_as_before(silent(), is_ascii=True)


def test_overview_without_colours(looks_as_before):
    assert looks_as_before(silent(), has_colour=False)


def test_overview_of_what_has_ended(looks_as_before):
    assert looks_as_before(silent(None))


def test_overview_of_a_thousand_shards(looks_as_before):
    assert looks_as_before(a_thousand_shards(), size=(120, 36))


def test_a_shard_that_nobody_heard_of(looks_as_before):
    assert looks_as_before(silent(), "enter")


def test_an_incremental_and_who_made_everybody_wait(looks_as_before):
    assert looks_as_before(storm(), "i", size=(120, 36))


def test_messages_that_went_wrong(looks_as_before):
    assert looks_as_before(storm(), "m", "c")


def test_messages_between_nodes(looks_as_before):
    assert looks_as_before(silent(), "m")


def test_messages_on_a_light_background(looks_as_before):
    assert looks_as_before(storm(), "m", size=(120, 36), theme="light")


def test_faults(looks_as_before):
    assert looks_as_before(storm(), "5", "down")


def test_the_form_for_a_fault(looks_as_before):
    assert looks_as_before(silent(), "right", "f", "down", "down")


def test_help(looks_as_before):
    assert looks_as_before(silent(), "question_mark", size=(100, 50))


def test_a_moment_of_the_past(looks_as_before):
    assert looks_as_before(silent(), "left_square_bracket", "left_square_bracket")


def a_thousand_shards():
    """In the middle of an incremental: most have reported, some scan, a few are in trouble."""
    sources = [f"events/s{number}" for number in range(936)]
    targets = [f"events/t{number}" for number in range(64)]
    table = {"table": "events", "sources": sources, "targets": targets, "incrementals": [0, 1, 2]}
    yield an_event("restore.planned", title="a large one", tables=[table], last_incremental=2)
    yield an_event("coordinator.started", generation=1)
    yield an_event("incremental.started", incremental=0)
    for number, name in enumerate(sources):
        scan = {"source": name, "incremental": 0, "attempt": 1}
        at = 0.1 + number / 1_000
        yield an_event("scan.asked", at_s=at, **scan)
        if number % 7:
            yield an_event("scan.reported", at_s=at + 1, **scan, status="success", rows=500)
        elif number % 5:
            rows = {"rows_scanned": 500, "rows_sent": 400, "rows_applied": number % 400}
            yield an_event("scan.progress", at_s=at + 1, **scan, **rows)
        elif number % 2:
            yield an_event("node.crashed", name, at + 1)
        else:
            yield an_event("scan.retry_scheduled", at_s=at + 1, **scan, error="no answer")
