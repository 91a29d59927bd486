"""Faults by hand: chosen, written as a scenario would, injected, seen, healed and saved."""

from __future__ import annotations

import pytest

from increstore.proving.simulated import run_simulated
from increstore.scenario.faults import FAULT_MODELS
from increstore.scenario.load import parse_scenario
from increstore.tui.fault_text import KINDS, parse_fault, template
from increstore.tui.playback import seam
from increstore.tui.playback.simulated import SimPlayback
from tests.tui.clocks import HandClock
from tests.tui.fixed import FixedPlayback, dashboard, run
from tests.view.journals import HEADER, SILENT, journal_of


def test_every_kind_of_fault_can_be_injected_by_hand_but_those_of_the_run_as_a_whole():
    offered = {kind for kind, _ in KINDS}

    assert offered <= set(FAULT_MODELS)
    assert set(FAULT_MODELS) - offered <= {"truncate", "reorder", "clock_drift"}


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
@pytest.mark.parametrize("node", ["orders/s1", "orders/t0", "coordinator", "sources"])
def test_every_template_is_a_fault_as_it_stands(kind, node):
    fault, mistakes = parse_fault(template(kind, node))

    assert mistakes == []
    assert fault.kind == kind
    assert fault.id == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "drop', "not TOML"),
        ('kind = "dorp"', "drop"),
        ('kind = "drop"\nform = "s1"', "did you mean 'from'"),
        ('kind = "delay"\nfrom = "s1"', "by"),
        ('kind = "pause"\nnode = "s1"\nduration = "5"', "duration"),
    ],
)
def test_mistakes_are_told_in_the_words_of_scenario_files(text, words):
    fault, mistakes = parse_fault(text)

    assert fault is None
    assert words in " ".join(mistakes)


def test_the_form_is_filled_in_for_the_selection_and_injects():
    async def look():
        playback = FixedPlayback(journal_of(SILENT)[1])
        async with dashboard(playback, size=(100, 30)) as found:
            await found.press("right", "right", "f")
            screen = await found.text()
            await found.press("down", "enter")
            return screen, playback.commands

    screen, commands = run(look())

    assert "target orders/s1" in screen
    (command,) = commands
    assert isinstance(command, seam.Inject)
    assert (command.fault.kind, command.fault.sender) == ("delay", ("orders/s1",))


def test_a_source_that_takes_no_faults_says_so():
    async def look():
        playback = FixedPlayback(journal_of(SILENT)[1], can={"pause"})
        async with dashboard(playback) as found:
            await found.press("f")
            return found.notes(), playback.commands

    notes, commands = run(look())

    assert any("takes no faults" in note for note in notes)
    assert commands == []


LOST_FOR_GOOD = """kind = "drop"
message = "CompletionNotification"
from = "orders/s1"
duration = "1h"
"""


def a_simulation():
    """A calm restore that stands still, and the clock that moves it: one virtual second each."""
    text = HEADER + '[policy]\nrepeat = "200ms"\n[expect]\nwithin = "60s"\n'
    clock = HandClock()
    scenario = parse_scenario(text, "test")
    return SimPlayback(scenario, 0, is_paused=True, speed=1.0, clock=clock), clock


async def the_bug_by_hand(found, clock):
    """Lose every notification of one shard, and let a virtual second pass."""
    fault, _ = parse_fault(LOST_FOR_GOOD)
    found.app.tell(seam.Inject(fault))
    found.app.tell(seam.Resume())
    for _ in range(20):
        clock.pass_by(50_000_000)
        await found.tick()


async def healed(found):
    """Heal everything, and let the world run to its end."""
    found.app.tell(seam.Heal(None))
    found.app.tell(seam.Speed(seam.FLAT_OUT))
    for _ in range(60):
        await found.tick()
        if found.app.playback.status.state == "ended":
            return


def test_the_bug_this_project_began_with_seen_by_hand_and_healed():
    """Drop the notifications of one shard, see the barrier explain itself, heal, see it finish."""

    async def look():
        playback, clock = a_simulation()
        async with dashboard(playback, size=(100, 30)) as found:
            await the_bug_by_hand(found, clock)
            found.app.repaint()
            missed = await found.text()
            await healed(found)
            return missed, found.app.view

    missed, view = run(look())

    assert "scan ended, coordinator not notified: orders/s1" in missed
    assert "waits for orders/s1" in missed
    assert view.state == "completed"
    assert view.unnotified == []


def test_what_was_done_by_hand_is_saved_as_a_scenario_that_does_it_again(tmp_path):
    path = tmp_path / "by_hand.toml"

    async def look():
        playback, clock = a_simulation()
        async with dashboard(playback) as found:
            await the_bug_by_hand(found, clock)
            await healed(found)
            found.app.tell(seam.SaveScenario(path))
            return found.app.view.state

    assert run(look()) == "completed"
    assert 'message = "CompletionNotification"' in path.read_text()
    verdict = run_simulated(str(path), 0)
    assert verdict.is_green
    assert verdict.seconds > 1


def test_the_list_of_faults_chooses_and_heals_one():
    async def look():
        playback = FixedPlayback(journal_of(SILENT)[1])
        async with dashboard(playback, size=(100, 30)) as found:
            await found.press("5", "down", "x")
            return await found.text(), playback.commands

    screen, commands = run(look())

    assert "silence" in screen
    assert commands == [seam.Heal("silence")]
