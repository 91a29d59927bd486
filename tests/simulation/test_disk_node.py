"""Crash points around the durable work of targets: what a power cut leaves, and what follows."""

from __future__ import annotations

import pytest

from increstore.scenario.load import parse_scenario
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting

HEADER = 'format = 1\ntitle = "t"\nwhy = "w"\n'
WORK = ("ApplyBatch", "SealRun", "FinalizeRows")


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("point", ["before_append", "after_append", "after_sync"])
def test_a_target_can_crash_around_each_kind_of_its_work_and_nothing_is_lost(work, point):
    setting = prepare_setting(
        parse_scenario(
            f'{HEADER}[[fault]]\nkind = "crash"\nnode = "t0"\npoint = "{point}"\n'
            f'record = "{work}"\nrestart_after = "10ms"\n[expect]\nreached = ["fault: fault 1"]\n',
            "test",
        )
    )

    outcomes = [simulate(setting, seed) for seed in range(5)]

    for outcome in outcomes:
        assert (outcome.state, outcome.violation, outcome.not_reached) == ("completed", None, ())
        assert outcome.tables == setting.workload.model.rows_after(3)


def test_a_target_that_crashed_says_nothing_more_in_that_step():
    """A crash in the first of several effects must also stop the messages of the step."""
    setting = prepare_setting(
        parse_scenario(
            f'{HEADER}[[fault]]\nkind = "crash"\nnode = "t0"\npoint = "before_append"\n'
            'record = "ApplyBatch"\nrestart_after = "1s"\n',
            "test",
        )
    )
    told = []

    simulate(setting, 0, journal_to=told.append)

    crashed = next(event.at for event in told if event.name == "node.crashed")
    back = next(event.at for event in told if event.name == "node.restarted")
    assert back - crashed == 1_000_000_000
    assert [e for e in told if e.node == "orders/t0" and crashed < e.at < back] == []


def test_a_crash_at_a_point_is_told_when_it_happens():
    setting = prepare_setting(
        parse_scenario(
            f'{HEADER}[[fault]]\nkind = "crash"\nnode = "t0"\npoint = "after_sync"\n'
            'record = "SealRun"\nrestart_after = "10ms"\n',
            "test",
        )
    )
    told = []

    simulate(setting, 0, journal_to=told.append)

    injected = next(event.at for event in told if event.name == "fault.injected")
    assert injected == next(event.at for event in told if event.name == "node.crashed")
