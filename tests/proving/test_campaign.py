"""Campaigns: which runs are made, and whether modes have ended alike."""

from __future__ import annotations

import pytest

from increstore.errors import UsageError
from increstore.proving.campaign import (
    FileReport,
    find_scenarios,
    load_all,
    parity_faults,
    plan_campaign,
)
from increstore.proving.verdict import Verdict
from tests.proving.builders import a_scenario_file

EVERYWHERE = 'on = ["memory", "simulation", "tcp"]\nseeds = "3..5"\n'


def plans_of(folder, text="", mode=None, seeds=None):
    path = a_scenario_file(folder, text)
    plans, skipped = plan_campaign(load_all([path]), mode, seeds)
    return [(plan.mode, list(plan.seeds)) for plan in plans], skipped


def a_report(folder, mode, state="completed", rows=12, seeds=(0,)):
    (path,) = find_scenarios([a_scenario_file(folder)])
    plans, _ = plan_campaign(load_all([path]), None, None)
    report = FileReport(plans[0])
    for seed in seeds:
        evidence = {"orders": {0: 40, 1: rows, 2: 0}}
        verdict = Verdict(str(path), "t", mode, seed, state, "", None, 1.0, evidence=evidence)
        report.count(verdict)
    return report


def test_without_a_mode_a_scenario_runs_where_it_is_quickest(tmp_path):
    assert plans_of(tmp_path, EVERYWHERE)[0] == [("simulation", [3, 4, 5])]


def test_all_modes_are_those_of_the_file_and_real_ones_make_one_run(tmp_path):
    assert plans_of(tmp_path, EVERYWHERE, "all")[0] == [
        ("simulation", [3, 4, 5]),
        ("memory", [3]),
        ("tcp", [3]),
    ]


def test_seeds_that_are_asked_for_are_run_in_every_mode(tmp_path):
    assert plans_of(tmp_path, EVERYWHERE, "memory", range(7, 9))[0] == [("memory", [7, 8])]


def test_what_cannot_run_in_the_mode_is_told_and_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="runs on simulation only"):
        plans_of(tmp_path, "", "tcp")


def test_a_path_that_does_not_exist_and_a_folder_without_scenarios_are_errors(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        find_scenarios([tmp_path / "nothing.toml"])
    with pytest.raises(UsageError, match="no scenario file"):
        find_scenarios([tmp_path])


def test_equal_ends_are_alike_also_when_one_mode_counts_empty_incrementals(tmp_path):
    one, other = a_report(tmp_path, "simulation"), a_report(tmp_path, "tcp")
    del other.first.evidence["orders"][2]

    assert parity_faults([one, other]) == []


@pytest.mark.parametrize("change", [{"rows": 11}, {"state": "failed"}])
def test_another_end_or_another_number_of_rows_is_told_with_both_modes(tmp_path, change):
    reports = [a_report(tmp_path, "simulation"), a_report(tmp_path, "tcp", **change)]

    (fault,) = parity_faults(reports)

    assert "simulation ended completed" in fault.says
    assert "tcp" in fault.says
    path = reports[0].plan.path
    assert fault.replay_command() == f"increstore run {path} --on all --seed {fault.first.seed}"


def test_how_far_a_paused_restore_got_is_no_difference(tmp_path):
    reports = [
        a_report(tmp_path, "simulation", state="paused", rows=0),
        a_report(tmp_path, "memory", state="paused", rows=12),
    ]

    assert parity_faults(reports) == []


def test_every_seed_is_compared_and_not_the_first_alone(tmp_path):
    one = a_report(tmp_path, "simulation", seeds=(3, 4))
    other = a_report(tmp_path, "memory", seeds=(3, 4))
    other.compared[1].evidence["orders"][1] -= 1

    (fault,) = parity_faults([one, other])

    assert "seed 4: simulation ended completed" in fault.says
