"""The overview: what is on the screen is what the journal says."""

from __future__ import annotations

import pytest

from increstore.tui.playback import seam
from increstore.tui.widgets.event_log import EventLog
from increstore.tui.widgets.painting import GRACE_NS
from increstore.tui.widgets.shard_grid import ShardGrid
from increstore.view.glyphs import LOOKS
from tests.tui.fixed import EVERYTHING, FixedPlayback, dashboard, run
from tests.view.journals import SECOND, SILENT, STORM, an_event, journal_of

TWO_TABLES = f"[cluster]\nsources = 3\ntargets = 2\n{STORM}"
LIVE = EVERYTHING - {"seek"}


def planned(sources=4, targets=2, tables=("orders",), incrementals=3, **facts):
    def names(table, letter, number):
        return [f"{table}/{letter}{one}" for one in range(number)]

    told = [
        {
            "name": table,
            "sources": names(table, "s", sources),
            "targets": names(table, "t", targets),
            "incrementals": list(range(incrementals + 1)),
        }
        for table in tables
    ]
    return an_event("restore.planned", tables=told, last_incremental=incrementals, **facts)


def well_begun():
    """An eighth of the rows is restored, and that has taken one second."""
    return [
        planned(rows_by_backup=[100] * 4),
        an_event("restore.accepted"),
        an_event("incremental.started", incremental=0),
        an_event(
            "scan.reported", incremental=0, source="orders/s0", attempt=1, status="success",
            rows=50, at_s=1.0,
        ),
    ]  # fmt: skip


def lines_of(text, start):
    return [line for line in text.splitlines() if line.lstrip("│╭ ─").startswith(start)]


# --- Equal to the journal.


@pytest.mark.parametrize("upto", [1, 60, 200, 500, 900, 10_000])
@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
def test_what_is_on_the_screen_is_what_the_journal_says(size, upto):
    events = journal_of(TWO_TABLES)[1][:upto]

    async def go():
        async with dashboard(FixedPlayback(events, can=LIVE), size=size) as d:
            text = await d.text()
            view = d.app.history.view_at(upto)

            assert f" {view.state}" in text.splitlines()[0]
            for one in view.incrementals:
                name = "full" if one.number == 0 else f"inc{one.number}"
                count = f" {len(one.reported)}/{one.expected}" if one.expected else ""
                assert f"{LOOKS[one.state].glyph} {name}{count}" in text
            for role in ("source", "target"):
                grid = d.app.screen.query_one(f"#{role}s", ShardGrid)
                shards = [shard for shard in view.shards.values() if shard.role == role]
                assert seen_in(grid) == [glyph_of(shard, view.now) for shard in shards]

    run(go())


def glyph_of(shard, now):
    """A report that is on its way for a moment only is not missed yet."""
    is_on_its_way = shard.state == "unnotified" and now - shard.since < GRACE_NS
    return LOOKS["sending" if is_on_its_way else shard.state].glyph


def seen_in(grid):
    """The glyph of every cell of a grid, as painted."""
    glyphs = []
    for number, row in enumerate(grid._grid.rows):
        grid.scroll_to(y=number, animate=False, force=True)
        line = grid.render_line(number - grid.scroll_offset.y).text
        starts = range(grid._grid.label, len(line), grid._grid.cell)
        glyphs += [line[start] for start in starts[: row.stop - row.start]]
    return glyphs


def test_the_scan_that_ended_unheard_is_told_with_its_age():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1])) as d:
            text = await d.text()

            assert "? scan ended, coordinator not notified: orders/s1 for 3.0 s" in text
            assert "? 1 done, not notified" in text

    run(go())


def reporting():
    return [
        planned(),
        an_event("restore.accepted"),
        an_event("incremental.started", incremental=0),
        an_event("scan.asked", "orders/s1", source="orders/s1", incremental=0, attempt=1),
        an_event(
            "message.sent", "orders/s1", 1.0, kind="CompletionNotification",
            incremental=0, attempt=1, to="coordinator",
        ),
    ]  # fmt: skip


def test_a_report_that_is_merely_on_its_way_is_no_alarm():
    async def go():
        async with dashboard(FixedPlayback(reporting())) as d:
            text = await d.text()

            assert "» 1 reporting" in text
            assert "not notified" not in text
            assert "?" not in text.replace("? Help", "")

    run(go())


def test_a_report_becomes_missed_by_time_alone():
    async def go():
        playback = FixedPlayback(reporting())
        async with dashboard(playback) as d:
            playback.status_facts["now_ns"] = d.app.view.now + SECOND
            await d.tick()
            text = await d.text()

            assert "? 1 done, not notified" in text
            assert "coordinator not notified: orders/s1 for 1.0 s" in text

    run(go())


def test_a_coordinator_that_is_down_is_told():
    async def go():
        events = [*reporting(), an_event("node.crashed", "coordinator", 2.0)]
        async with dashboard(FixedPlayback(events)) as d:
            assert "× coordinator crashed for 0.0 s" in await d.text()  # noqa: RUF001

    run(go())


def test_the_sentence_of_the_barrier_wraps_and_is_never_cut_silently():
    says = "incremental 2 waits for " + ", ".join(f"orders/s{n}" for n in range(60))

    async def go():
        events = [*reporting(), an_event("barrier.waits", at_s=2.0, says=says, incremental=2)]
        async with dashboard(FixedPlayback(events)) as d:
            lines = (await d.text()).splitlines()[2:5]

            assert lines[1].startswith(" incremental 2 waits for orders/s0, orders/s1")
            assert lines[2].endswith("…")
            assert max(map(len, lines)) <= 80

    run(go())


def test_who_is_awaited_stands_below_the_sentence_in_its_state():
    waiters = [{"shard": "orders/s1"}, {"shard": "orders/s3"}]

    async def go():
        told = an_event("barrier.waits", at_s=1.1, says="waits", incremental=0, waiters=waiters)
        async with dashboard(FixedPlayback([*reporting(), told])) as d:
            assert " awaited:  » orders/s1  · orders/s3" in await d.text()

    run(go())


def test_how_it_ended_takes_the_place_of_what_is_awaited():
    async def go():
        playback = FixedPlayback(reporting(), outcome="completed after 0.7 s, as expected")
        playback.state = "ended"
        async with dashboard(playback) as d:
            text = await d.text()

            assert "ENDED" in text
            assert "completed after 0.7 s, as expected" in text

    run(go())


def test_what_the_source_failed_with_is_told():
    async def go():
        playback = FixedPlayback(reporting(), error="connection refused")
        playback.state = "lost"
        async with dashboard(playback) as d:
            text = await d.text()

            assert "LOST, trying again" in text
            assert "! lost: connection refused" in text

    run(go())


# --- The title bar.


@pytest.mark.parametrize(
    ("state", "can", "word"),
    [
        ("running", EVERYTHING, "LIVE x1"),
        ("running", {"pause", "seek"}, "REPLAY x1"),
        ("paused", EVERYTHING, "PAUSED x1"),
        ("connecting", (), "CONNECTING"),
        ("seeking", EVERYTHING, "SEEKING"),
        ("failed", (), "FAILED"),
    ],
)
def test_the_title_bar_tells_how_the_source_is(state, can, word):
    async def go():
        playback = FixedPlayback(can=can)
        playback.state = state
        async with dashboard(playback) as d:
            assert word in (await d.text()).splitlines()[0]

    run(go())


def test_the_title_bar_tells_speed_seed_gaps_and_viewers():
    async def go():
        playback = FixedPlayback(
            [planned(seed=7), an_event("restore.accepted")],
            dropped=1204, viewers=3, title="t",
        )  # fmt: skip
        playback.speed = seam.FLAT_OUT
        async with dashboard(playback, size=(140, 24)) as d:
            line = (await d.text()).splitlines()[0]

            for told in ("flat out", "seed 7", "1204 events left out", "3 watching"):
                assert told in line

    run(go())


def test_a_run_in_which_nothing_moves_says_so_instead_of_how_long_it_takes():
    async def go():
        title = "a run whose title is long enough to be cut somewhere"
        playback = FixedPlayback(well_begun(), title=title)
        async with dashboard(playback) as d:
            assert "~7.0 s left" in (await d.text()).splitlines()[0]

            playback.feed([an_event("barrier.waits", at_s=9.0, says="waits for orders/s1")])
            await d.tick()

            line = (await d.text()).splitlines()[0]
            assert "no rows for 8.0 s" in line
            assert "left" not in line

            playback.state = "lost"
            await d.tick()
            assert "no rows" not in (await d.text()).splitlines()[0]

    run(go())


@pytest.mark.parametrize("state", ["paused", "lost", "ended"])
def test_how_long_it_takes_is_not_told_of_what_does_not_go_on(state):
    async def go():
        playback = FixedPlayback(well_begun())
        async with dashboard(playback) as d:
            assert " left" in (await d.text()).splitlines()[0]

            playback.state = state
            await d.tick()
            assert " left" not in (await d.text()).splitlines()[0]

    run(go())


def test_the_past_is_told_from_the_present():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1], can=LIVE)) as d:
            d.app.look_at(30)
            await d.pilot.pause()

            assert "PAST -3.0 s" in (await d.text()).splitlines()[0]

    run(go())


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_a_long_title_gives_way_to_what_matters(columns):
    async def go():
        playback = FixedPlayback(journal_of(SILENT)[1], title="a scenario " * 30)
        async with dashboard(playback, size=(columns, 24)) as d:
            line = (await d.text()).splitlines()[0]

            assert len(line) <= columns
            assert "LIVE x1 | 3.0 s |" in line
            assert "…" in line

    run(go())


# --- Shards.


def test_a_thousand_shards_are_shown_and_reached_by_keys():
    async def go():
        async with dashboard(FixedPlayback([planned(800, 200)])) as d:
            assert "sources 800" in await d.text()
            for _ in range(30):
                await d.press("down")

            assert d.app.selection == f"orders/s{21 * 38}"
            grid = d.app.screen.query_one("#sources", ShardGrid)
            assert grid.scroll_offset.y > 0
            assert f"{d.app.selection}: idle" in await d.text()

    run(go())


def test_several_tables_stand_in_lines_of_their_own():
    async def go():
        async with dashboard(FixedPlayback([planned(2, 1, ("orders", "people"))])) as d:
            text = await d.text()

            assert len(lines_of(text, "orders · s0")) == 1
            assert len(lines_of(text, "people · s0")) == 1

    run(go())


def test_an_event_repaints_only_the_lines_that_show_its_shard():
    async def go():
        playback = FixedPlayback([planned(40, 2), an_event("restore.accepted")])
        async with dashboard(playback) as d:
            grid = d.app.screen.query_one("#sources", ShardGrid)
            await d.text()
            painted = []
            paint = grid.render_line

            def counted(y):
                painted.append(y)
                return paint(y)

            grid.render_line = counted
            playback.feed([an_event("fault.ended", fault="none")])
            await d.tick()

            assert painted == []

    run(go())


def test_a_click_selects_a_shard_and_two_open_it():
    async def go():
        async with dashboard(FixedPlayback([planned()])) as d:
            await d.pilot.click("#sources", offset=(22, 1))
            await d.pilot.pause()
            assert d.app.selection == "orders/s1"

            await d.pilot.click("#sources", offset=(42, 1), times=2)
            await d.pilot.pause()
            assert type(d.app.screen).__name__ == "ShardScreen"
            assert d.app.selection == "orders/s2"

    run(go())


def test_enter_without_a_selection_opens_the_shard_that_is_waited_for():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1])) as d:
            await d.press("enter")

            assert d.app.selection == "orders/s1"

    run(go())


def test_enter_before_any_shard_is_known_says_so():
    async def go():
        async with dashboard(FixedPlayback()) as d:
            await d.press("enter")

            assert d.notes() == ["no shard is known yet"]

    run(go())


def test_a_click_on_the_chain_opens_that_incremental():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1])) as d:
            column = (await d.text()).splitlines()[1].index("inc2")
            await d.pilot.click("#chain", offset=(column, 0))
            await d.pilot.pause()

            assert type(d.app.screen).__name__ == "IncrementalScreen"
            assert d.app.selected_incremental == 2

    run(go())


def test_a_long_chain_shows_the_part_that_runs():
    async def go():
        events = [planned(incrementals=99), an_event("restore.accepted")]
        events += [an_event("incremental.completed", incremental=n) for n in range(50)]
        events += [an_event("incremental.started", incremental=50)]
        async with dashboard(FixedPlayback(events)) as d:
            line = (await d.text()).splitlines()[1]

            assert "▶ inc50" in line
            assert " done " in line
            assert line.endswith("more")
            assert len(line) <= 80

    run(go())


# --- Faults.


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
def test_an_active_fault_is_on_the_screen_and_a_click_chooses_it(size):
    async def go():
        playback = FixedPlayback(journal_of(SILENT)[1], can=LIVE)
        async with dashboard(playback, size=size) as d:
            text = await d.text()
            assert "! silence drop x15" in text
            row = next(n for n, line in enumerate(text.splitlines()) if "! silence" in line)
            column = text.splitlines()[row].index("silence")

            await d.pilot.click(offset=(column, row))
            await d.pilot.pause()

            assert d.app.selected_fault == "silence"

    run(go())


# --- The log.


def test_the_log_stands_at_its_end_from_the_first_paint():
    async def go():
        async with dashboard(FixedPlayback(journal_of(TWO_TABLES)[1])) as d:
            await d.text()
            log = d.app.screen.query_one(EventLog)

            assert log.is_vertical_scroll_end
            assert log.scroll_offset.y > 0

    run(go())


def test_looking_back_leaves_the_tail_and_the_end_takes_it_again():
    async def go():
        async with dashboard(FixedPlayback(journal_of(TWO_TABLES)[1])) as d:
            log = d.app.screen.query_one(EventLog)
            log.focus()
            await d.press("pageup")
            await d.pilot.pause()
            assert not d.app.follows_tail
            assert "tail off" in await d.text()

            await d.press("end")
            await d.pilot.pause()
            assert d.app.follows_tail

    run(go())


def test_what_a_filter_says_is_not_taken_for_markup():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1])) as d:
            d.app.set_filter("[bold]x[/nothing]")

            assert "/[bold]x[/nothing]" in await d.text()

    run(go())


def test_only_what_passes_the_filter_is_in_the_log():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1])) as d:
            d.app.set_filter("kind:scan.reported")
            text = await d.text()

            assert "events 1  /kind:scan.reported" in text
            assert "restore.accepted" not in text

    run(go())


def test_a_double_click_on_an_event_looks_at_its_moment():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1], can=LIVE)) as d:
            log = d.app.screen.query_one(EventLog)
            await d.text()
            await d.pilot.click("#log", offset=(5, 2), times=2)
            await d.pilot.pause()

            wanted = log._matches
            assert d.app.history_index is not None
            assert d.app.history_index - 1 in wanted or d.app.history_index - 1 > wanted[-1]

    run(go())


def test_an_event_of_another_version_is_told_as_text():
    async def go():
        events = [planned(), an_event("moon.rose", "sky", 0.5, phase="full", things=[1] * 40)]
        async with dashboard(FixedPlayback(events)) as d:
            text = await d.text()

            assert "moon.rose phase=full things[40]" in text

    run(go())


# --- Without colours, without drawn lines.


@pytest.mark.parametrize(
    "screen", [None, "m", "l", "i", "5", "question_mark", "f", "slash", "enter", "ctrl+p"]
)
def test_ascii_is_ascii_on_every_screen(screen):
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1]), is_ascii=True) as d:
            if screen:
                await d.press(screen)
            text = await d.text()

            assert text.isascii(), sorted({one for one in text if not one.isascii()})

    run(go())


def test_without_colours_every_state_is_still_told_apart():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1]), has_colour=False) as d:
            grid = d.app.screen.query_one("#sources", ShardGrid)
            text = grid.render_line(0).text

            assert text.startswith("✓ s0")
            assert "? s1" in text

    run(go())


@pytest.mark.parametrize("screen", [None, "m", "l", "i", "5", "enter", "question_mark"])
def test_a_screen_of_any_size_is_painted(screen):
    async def go():
        async with dashboard(FixedPlayback(journal_of(TWO_TABLES)[1])) as d:
            await d.press(*([screen] if screen else []))
            for size in ((20, 5), (40, 10), (40, 12), (300, 90)):
                await d.pilot.resize_terminal(*size)
                assert len((await d.text()).splitlines()) == size[1]

                await d.pilot.resize_terminal(80, 24)
                assert len((await d.text()).splitlines()) == 24

    run(go())


@pytest.mark.parametrize("screen", [None, "m", "l", "i", "5", "enter"])
def test_what_comes_from_elsewhere_commands_no_terminal(screen):
    evil = "\x1b[2J\x07\x9b31m\n"

    async def go():
        events = [
            planned(tables=(f"or{evil}ders",)),
            an_event("incremental.started", incremental=0),
            an_event("scan.asked", source=f"or{evil}ders/s1", incremental=0, attempt=1),
            an_event("barrier.waits", says=f"waits for {evil}", waiters=[{"shard": evil}]),
            an_event(f"a.name{evil}", f"node{evil}", error=evil),
            an_event("message.sent", f"node{evil}", to=f"x{evil}", kind=f"Kind{evil}"),
            an_event("fault.injected", fault=f"id{evil}", kind=evil, where=evil, detail=evil),
        ]
        async with dashboard(FixedPlayback(events, title=f"t{evil}"), size=(120, 36)) as d:
            await d.press(*([screen] if screen else []))
            lines = (await d.text()).splitlines()

            assert len(lines) == 36
            assert all(line.isprintable() for line in lines)

    run(go())
