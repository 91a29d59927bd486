"""What chance decides before a run."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from increstore.scenario.director import compile_scenario
from increstore.scenario.swarm import is_settled, settle
from increstore.scenario.values import RATE_WHOLE, exactly
from tests.scenario.builders import a_scenario, benign, worst

SWARM = """
[network]
loss = "1%..5%"
duplicate = "2%"
[nodes]
crash = "0..0.2%"
[pages]
fail = "0..1%"
[swarm]
omit = "50%"
[[fault]]
id = "cut"
kind = "half_open"
[[fault]]
id = "late"
kind = "delay"
by = "1s"
[expect]
reached = ["fault: cut", "fault: late", "scan.asked"]
"""


def rates(scenario):
    return scenario.network.loss, scenario.network.duplicate, scenario.nodes.crash


def test_where_nothing_is_open_nothing_is_made_anew():
    scenario = a_scenario('[network]\nloss = "5%"\n[[fault]]\nkind = "drop"')
    assert settle(scenario, worst) is scenario
    assert is_settled(scenario)


def test_a_range_of_rates_becomes_one_value_for_the_run():
    scenario = a_scenario('[network]\nloss = "1%..5%"\n[nodes]\ncrash = "0..0.2%"')
    assert rates(settle(scenario, benign))[0] == exactly(1_000)
    settled = settle(scenario, worst)
    assert settled.network.loss == exactly(5_000)
    assert settled.nodes.crash == exactly(200)
    assert settled.network.latency == scenario.network.latency, "durations are drawn each time"


def test_chance_may_leave_out_faults_and_rates():
    nothing_left = settle(a_scenario(SWARM), benign)
    assert nothing_left.faults == ()
    assert rates(nothing_left) == (exactly(0), exactly(0), exactly(0))
    assert nothing_left.expect.reached == ("scan.asked",), "what is left out need not be seen"

    everything = settle(a_scenario(SWARM), worst)
    assert [fault.id for fault in everything.faults] == ["cut", "late"]
    assert rates(everything) == (exactly(5_000), exactly(2_000), exactly(200))


def test_a_settled_scenario_has_nothing_left_to_decide():
    for draw in (benign, worst):
        settled = settle(a_scenario(SWARM), draw)
        assert is_settled(settled)
        assert settle(settled, benign) is settled
        assert compile_scenario(settled).scenario is settled


@pytest.mark.parametrize(
    "open_to_chance",
    ['[network]\nloss = "1%..5%"', '[nodes]\ncrash = "0..0.2%"', '[swarm]\nomit = "50%"'],
)
def test_a_range_or_an_omission_is_left_for_chance_to_decide(open_to_chance):
    assert not is_settled(a_scenario(open_to_chance))


def test_each_decision_has_a_name_of_its_own():
    labels = []

    def draw(label, bound):
        labels.append(label)
        return bound - 1

    settle(a_scenario(SWARM), draw)
    assert len(labels) == len(set(labels))
    assert "swarm cut is left out" in labels
    assert "swarm network.loss" in labels


@given(st.integers(0, RATE_WHOLE - 1))
@example(29_999)
@example(30_000)
def test_the_share_of_what_is_left_out_is_the_one_asked_for(drawn):
    scenario = a_scenario('[swarm]\nomit = "30%"\n[[fault]]\nkind = "drop"')
    assert (settle(scenario, lambda label, bound: drawn).faults == ()) == (drawn < 30_000)
