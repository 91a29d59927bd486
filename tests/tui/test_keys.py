"""Each key of the table does what it says; what a source cannot do is said, not done."""

from __future__ import annotations

import pytest

from increstore.tui.keys import EVERYWHERE, KEYS, bindings, key_names
from increstore.tui.playback import seam
from increstore.tui.screens import screen_named
from increstore.tui.screens.overview import OverviewScreen
from increstore.tui.theme import LIGHT
from increstore.view.history import TROUBLE
from tests.tui.fixed import EVERYTHING, FixedPlayback, dashboard, run
from tests.view.journals import SILENT, journal_of

SCREENS = ("overview", "incremental", "messages", "log", "faults", "shard")
OF_TEXTUAL = {"ctrl+c", "super+c", "tab", "shift+tab", "ctrl+i"}
"""Keys that Textual itself gives to screens as well: to copy, and to change the focus."""


def silent():
    return FixedPlayback(journal_of(SILENT)[1])


def name_of(d):
    return type(d.app.screen).__name__


# --- What each action of the table does, seen after its key was pressed.


def told(*commands):
    return lambda d: d.app.playback.commands == list(commands)


def shows(name):
    return lambda d: name_of(d) == name


def past(count):
    return lambda d: d.app.history_index == count


TOTAL = len(journal_of(SILENT)[1])
DOES = {
    "drill": (lambda d: getattr(d.app.screen, "_shard", "") == "orders/s1", ()),
    "toggle_pause": (told(seam.Pause()), ()),
    "step('event')": (told(seam.Step("event")), ()),
    "step('notification')": (told(seam.Step("notification")), ()),
    "add_fault": (shows("FaultForm"), ()),
    "go('messages')": (shows("MessagesScreen"), ()),
    "filter": (shows("Prompt"), ()),
    "help": (shows("HelpScreen"), ()),
    "quit_watch": (lambda d: d.app.playback.stops == 1 and d.app.return_code == 0, ()),
    "go_back": (lambda d: d.app.goes_back and d.app.return_code == 0, ()),
    "command_palette": (shows("CommandPalette"), ()),
    "leave_or_return": (shows("OverviewScreen"), ("m",)),
    "go('overview')": (shows("OverviewScreen"), ("m",)),
    "go('incremental')": (shows("IncrementalScreen"), ()),
    "go('log')": (shows("LogScreen"), ()),
    "go('faults')": (shows("FaultsScreen"), ()),
    "remove_fault": (told(seam.Heal("silence")), ()),
    "operate": (shows("Prompt"), ()),
    "heal_all": (told(seam.Heal(None)), ()),
    "faster": (told(seam.Speed(2.0)), ()),
    "slower": (told(seam.Speed(0.5)), ()),
    "normal_speed": (told(seam.Speed(1.0)), ()),
    "flat_out": (told(seam.Speed(seam.FLAT_OUT)), ()),
    "toggle_freeze": (past(TOTAL), ()),
    "scrub(-1)": (past(TOTAL - 1), ()),
    "scrub(1)": (past(TOTAL - 1), ("comma", "comma")),
    "scrub_to('start')": (past(1), ()),
    "scrub_to('end')": (past(None), ("comma", "comma")),
    "go_to": (shows("Prompt"), ()),
    "fork": (told(seam.Fork(None)), ()),
    "toggle_tail": (lambda d: not d.app.follows_tail, ()),
    "toggle_trouble": (lambda d: d.app.event_filter.only_trouble, ()),
    "export": (shows("Prompt"), ()),
    "save": (shows("Prompt"), ()),
    "toggle_theme": (lambda d: d.app.theme == LIGHT.name, ()),
}
"""By action: what is then so, and the keys pressed before."""


def shown_event(d):
    """The name of the event that the past which is looked at ends with."""
    index = d.app.history_index
    return "" if index is None else d.app.history.event(index - 1).name


def names_trouble(d):
    return shown_event(d) in TROUBLE


def passes_filter(d):
    return shown_event(d) == "incremental.started"


DOES |= {
    "scrub_to('previous')": (names_trouble, ("comma",) * 5),
    "scrub_to('next')": (names_trouble, ("g",)),
    "find('next')": (passes_filter, ("g", "slash", *"kind:incremental.st", "enter")),
    "find('previous')": (passes_filter, ("slash", *"kind:incremental.st", "enter")),
}


@pytest.mark.parametrize(
    ("name", "action"),
    [(name, key.action) for key in KEYS for name in key.keys.split(",")],
)
def test_each_key_does_what_the_table_says(name, action):
    is_so, before = DOES[action]

    async def go():
        playback = FixedPlayback(journal_of(SILENT)[1], can=EVERYTHING - {"seek"})
        async with dashboard(playback, can_go_back=True) as d:
            await d.press(*before)
            assert not is_so(d)
            await d.press(name)
            assert is_so(d), (name, name_of(d), playback.commands, d.app.history_index)

    run(go())


ASKED_OF_THE_SOURCE = {key for key in KEYS if key.ability}


@pytest.mark.parametrize("key", sorted(ASKED_OF_THE_SOURCE), ids=lambda key: key.action)
def test_what_the_source_cannot_do_is_said(key):
    async def go():
        playback = FixedPlayback(journal_of(SILENT)[1], can=())
        async with dashboard(playback) as d:
            notes = len(d.notes())
            await d.press(key.keys.split(",")[0])

            assert len(d.notes()) == notes + 1
            assert name_of(d) == "OverviewScreen"
            assert playback.state == "running"
            assert playback.speed == 1.0

    run(go())


def test_the_bottom_line_leaves_out_what_the_source_cannot_do():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1], can={"pause"})) as d:
            last = (await d.text()).splitlines()[-1]

            assert "Space Pause" in last
            assert "Fault" not in last
            assert "Step" not in last

    run(go())


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_of_the_bottom_line_is_cut_and_help_and_quit_are_always_there(screen):
    async def go():
        async with dashboard(silent()) as d:
            await show(d, screen)
            for columns in (40, 60, 80, 100, 120, 200):
                await d.pilot.resize_terminal(columns, 24)
                await d.tick()
                last = (await d.text()).splitlines()[-1]

                assert last.endswith("? Help  q Quit")
                assert len(last) <= columns

    run(go())


def test_a_click_on_the_bottom_line_is_the_key():
    async def go():
        async with dashboard(silent()) as d:
            column = (await d.text()).splitlines()[-1].index("Messages")
            await d.pilot.click("KeyLine", offset=(column, 0))
            await d.pilot.pause()

            assert name_of(d) == "MessagesScreen"

    run(go())


def test_letters_typed_into_a_prompt_are_letters():
    async def go():
        async with dashboard(silent()) as d:
            await d.press("slash", *"quit", "enter")

            assert d.app.event_filter.text == "quit"
            assert d.app.playback.stops == 0

    run(go())


# --- The table itself.


async def show(d, screen):
    if screen == "shard":
        await d.press("enter")
    elif screen != "overview":
        d.app.push_screen(screen_named(screen, d.app))
    await d.tick()


@pytest.mark.parametrize("screen", SCREENS)
def test_help_lists_every_key_that_works_on_the_screen(screen):
    async def go():
        async with dashboard(silent(), size=(100, 90)) as d:
            await show(d, screen)
            own = [
                one
                for found in d.app.screen._bindings.key_to_bindings.values()
                for one in found
                if one.tooltip
            ]
            await d.press("question_mark")
            text = await d.text()

            for key in KEYS:
                if key.is_on(screen):
                    assert f"{key_names(key.keys)} " in text, key
                    assert key.does[:40] in text, key
            for one in own:
                assert one.tooltip in text

    run(go())


@pytest.mark.parametrize("screen", SCREENS)
def test_no_two_actions_of_a_screen_share_a_key(screen):
    async def go():
        async with dashboard(silent()) as d:
            await show(d, screen)
            for focusable in d.app.screen.focus_chain or [d.app.screen]:
                shared = {key: names for key, names in of_keys(focusable) if len(names) > 1}

                # Where arrows choose, they do not scroll as well.
                assert not shared.keys() - OF_TEXTUAL - {"up", "down", "left", "right"}, shared

    run(go())


def of_keys(widget):
    """Each key that somebody hears while this widget has the focus, and what it would do."""
    actions: dict[str, set[str]] = {}
    for node in widget.ancestors_with_self:
        for key, found in node._bindings.key_to_bindings.items():
            actions.setdefault(key, set()).update(one.action for one in found)
    return actions.items()


def test_every_key_stands_once_in_the_table():
    for where in {EVERYWHERE, *(key.where for key in KEYS)}:
        names = [name for key in KEYS if key.is_on(where) for name in key.keys.split(",")]

        assert len(names) == len(set(names))


def test_every_action_stands_once_in_the_table():
    actions = [(key.where, key.action) for key in KEYS]

    assert len(actions) == len(set(actions))


def test_what_belongs_to_one_screen_is_bound_there():
    assert {one.action for one in bindings("overview")} == {"drill"}
    assert OverviewScreen.NAME == "overview"


# --- The palette.


def test_the_palette_has_every_action_of_the_table():
    async def go():
        async with dashboard(silent()) as d:
            titles = [one.title for one in d.app.get_system_commands(d.app.screen)]

            assert len(titles) == len(KEYS)

    run(go())


def test_the_palette_leaves_out_what_the_source_cannot_do():
    async def go():
        async with dashboard(FixedPlayback(can=())) as d:
            titles = [one.title for one in d.app.get_system_commands(d.app.screen)]

            assert len(titles) == len(KEYS) - len(ASKED_OF_THE_SOURCE)

    run(go())


def test_what_is_chosen_from_the_palette_happens():
    async def go():
        async with dashboard(silent()) as d:
            commands = {one.title: one.callback for one in d.app.get_system_commands(d.app.screen)}
            await commands["Look closer at the selection"]()
            await d.pilot.pause()
            assert name_of(d) == "ShardScreen"

            await commands["Heal every fault"]()
            assert d.app.playback.commands == [seam.Heal(None)]

    run(go())
