"""Shard, incremental and message screens: what they show is what the journal says."""

from __future__ import annotations

from rich.style import Style

from increstore.tui.widgets.fact_sheet import wrapped
from increstore.tui.widgets.facts import BOLD
from tests.tui.fixed import FixedPlayback, dashboard, run
from tests.view.journals import SILENT, STORM, an_event, journal_of

SIX = "[cluster]\nsources = 3\ntargets = 2\n[workload]\ntables = 2\n"


def shown(text, *keys, size=(80, 24), seed=0, upto=None):
    """The screen after these keys, over the journal of a simulated run."""

    async def look():
        events = journal_of(text, seed)[1]
        async with dashboard(FixedPlayback(events[:upto]), size=size) as found:
            await found.press(*keys)
            found.app.repaint()
            return await found.text()

    return run(look())


def test_a_shard_shows_its_state_its_streams_and_its_attempts():
    screen = shown(SIX, "right", "enter", size=(120, 60), upto=200)

    assert "orders/s0  source" in screen
    assert "inc0 try 1" in screen
    assert "stream to" in screen
    (stream,) = [line for line in screen.splitlines() if line.startswith("│ orders/t0 ")]
    sent, durable = map(int, stream.split()[2:4])
    assert sent >= durable >= 1


def test_the_shard_that_nobody_heard_of_says_what_it_owes():
    screen = shown(SILENT, "right", "right", "enter", size=(120, 40))

    assert "orders/s1  source" in screen
    assert "done, not notified" in screen
    assert "CompletionNotification of incremental 0" in screen


def test_a_target_shows_what_it_has_applied():
    screen = shown(SIX, "tab", "right", "enter", size=(120, 40))

    assert "orders/t0  target" in screen
    assert "finalized" in screen


def scanning(*more):
    told = {"source": "orders/s0", "incremental": 0, "attempt": 1}
    return [
        an_event("incremental.started", incremental=0),
        an_event("scan.asked", **told),
        an_event("page.read", "orders/s0", rows=300, last=False),
        an_event("changes.applied", "orders/t0", at_s=0.2, **told, watermark=2),
        *(an_event(name, node, at_s=0.3, **told, **facts) for name, node, facts in more),
    ]


def facts_of(events, shard):
    async def look():
        async with dashboard(FixedPlayback(events), size=(100, 40)) as found:
            found.app.selection = shard
            await found.press("enter")
            return await found.text()

    return run(look())


def test_rows_that_nobody_has_told_of_are_not_said_to_be_none():
    assert "300 scanned, 0 sent, applied: not known yet" in facts_of(scanning(), "orders/s0")
    assert "applied    not known yet" in facts_of(scanning(), "orders/t0")


def test_rows_are_shown_as_samples_tell_them_before_any_report():
    sample = ("scan.progress", "coordinator", {"rows_sent": 300, "rows_applied": 120})
    batch = ("batch.applied", "orders/t0", {"order": 3, "rows": 150})

    assert "300 scanned, 300 sent, 120 applied" in facts_of(scanning(sample), "orders/s0")
    assert "300 scanned, 0 sent, 150 applied" in facts_of(scanning(batch), "orders/s0")
    assert "applied    150 rows" in facts_of(scanning(batch), "orders/t0")


def test_an_incremental_of_an_earlier_command_says_so():
    records = [
        {"event": "incremental.started", "incremental": 0},
        {"event": "scan.reported", "incremental": 0, "source": "orders/s0", "attempt": 1,
         "status": "success", "rows": 70},
        {"event": "incremental.completed", "incremental": 0},
    ]  # fmt: skip

    async def look():
        events = [an_event("history.recovered", records=records)]
        async with dashboard(FixedPlayback(events)) as found:
            await found.press("2")
            return await found.text()

    screen = run(look())
    assert "done, begun earlier" in screen
    assert "70 rows" in screen


def test_enter_without_a_selection_looks_at_the_one_that_nobody_heard_of():
    screen = shown(SILENT, "enter", size=(120, 40))

    assert "orders/s1  source" in screen


def test_a_long_fact_goes_on_below():
    line = [(f" {'owes':<11}", Style.null()), ("one two three", BOLD), (" four", Style.null())]

    assert ["".join(text for text, _ in part) for part in wrapped(line, 21)] == [
        " owes       one two",
        "            three",
        "            four",
    ]
    assert wrapped(line, 30) == [line]


def test_an_incremental_names_who_made_everybody_wait_and_every_shards_way():
    screen = shown(STORM, "i", size=(120, 40), seed=2)

    assert "took longest" in screen
    assert screen.count("orders/s") >= 2
    assert "targets have sealed" in screen


def test_arrows_walk_through_the_chain():
    first = shown(SIX, "i", "left", "left", "left", size=(100, 30))

    assert "full backup" in first
    assert "2 rows" in first or "rows" in first


def test_messages_are_arrows_between_lanes_and_lost_ones_are_crossed():
    screen = shown(SILENT, "m", size=(120, 40))

    assert "coord" in screen
    lost = [line for line in screen.splitlines() if " LOST: " in line]
    assert len(lost) >= 5
    assert all("CompletionNotification" in line for line in lost)
    assert all("×" in line and "LOST: silence" in line for line in lost)  # noqa: RUF001
    assert any("▶" in line and "StartScan" in line for line in screen.splitlines())


def test_collapsing_leaves_only_what_went_wrong():
    screen = shown(SILENT, "m", "c", size=(120, 40))

    assert "StartScan" not in screen
    assert "only what went wrong" in screen


def test_messages_follow_the_selection_and_the_filter():
    of_shard = shown(SILENT, "right", "right", "m", size=(120, 40))
    filtered = shown(SILENT, "m", "slash", *"Applied", "enter", size=(120, 40))

    assert "orders/s0" not in of_shard.partition("time")[2].splitlines()[0]
    assert "StartScan" not in filtered
    assert "ChangesApplied" in filtered


def test_lanes_of_several_tables_are_told_apart():
    head = shown(STORM, "m", size=(160, 40)).splitlines()[2]

    assert "coord" in head
    assert "orde/s" in head or "peop/s" in head


def test_a_journal_without_messages_has_an_empty_diagram_and_no_error():
    async def look():
        events = [e for e in journal_of(SIX)[1] if not e.name.startswith("message")]
        async with dashboard(FixedPlayback(events)) as found:
            await found.press("m")
            return await found.text()

    assert "messages 0" in run(look())


def test_leaving_the_tail_is_told_at_once_though_nothing_happens():
    assert "tail off" not in shown(SILENT)
    assert "tail off" in shown(SILENT, "t")
    assert "tail off" not in shown(SILENT, "t", "t")
