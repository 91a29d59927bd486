"""Scenarios written as files again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from increstore.scenario.load import load_scenario, parse_scenario
from increstore.scenario.model import (
    ClusterSpec,
    ExpectSpec,
    HealSpec,
    NetworkSpec,
    PolicySpec,
    Scenario,
    SwarmSpec,
    WorkloadSpec,
)
from increstore.scenario.text import to_toml
from increstore.scenario.values import RATE_WHOLE, Span
from increstore.scenario.words import EVENTS
from tests.scenario.builders import MS, SECOND, a_scenario
from tests.scenario.test_load import EXAMPLES

ROOT = Path(__file__).resolve().parent.parent.parent


def spans(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high)).map(
        lambda ends: Span(*sorted(ends))
    )


RATES = spans(0, RATE_WHOLE)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
CLUSTERS = st.builds(
    ClusterSpec, sources=st.integers(2, 5), scans_in_flight=st.sampled_from([-1, 1, 32])
)
WORKLOADS = st.builds(
    WorkloadSpec,
    seed=st.integers(0, 10**12),
    incrementals=st.integers(3, 9),
    deletes=st.integers(0, 50_000),
    empty=st.sets(st.integers(1, 3)).map(lambda found: tuple(sorted(found))),
    keys=st.sampled_from(["int", "text", "composite"]),
)
POLICIES = st.builds(
    PolicySpec,
    repeat=st.integers(1, 9 * SECOND),
    stage_deadline=st.none() | st.integers(1, 10**15),
)
NETWORKS = st.builds(
    NetworkSpec, kind=st.just("datagram"), latency=spans(0, SECOND), loss=RATES, reorder=RATES
)
MARKS = st.sets(st.sampled_from(sorted(EVENTS)), max_size=3).map(lambda found: tuple(sorted(found)))


@st.composite
def scenarios(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(EXAMPLES)), max_size=5))
    text = "".join(f'[[fault]]\nkind = "{kind}"\n{EXAMPLES[kind]}\n' for kind in kinds)
    faults = a_scenario(text).faults
    named = tuple(
        fault.model_copy(
            update={"id": draw(st.sampled_from([fault.id, f"{number}: {fault.kind}"]))}
        )
        for number, fault in enumerate(faults)
    )
    return Scenario(
        title=draw(TEXTS),
        why=draw(TEXTS),
        seeds=draw(spans(0, 10**9)),
        cluster=draw(CLUSTERS),
        workload=draw(WORKLOADS),
        policy=draw(POLICIES),
        network=draw(NETWORKS),
        swarm=SwarmSpec(omit=draw(st.integers(0, RATE_WHOLE))),
        heal=HealSpec(at=draw(st.integers(20 * SECOND, 10**13))),
        expect=ExpectSpec(outcome="failed", reason=draw(TEXTS), reached=draw(MARKS)),
    ).with_faults(named)


@given(scenarios())
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
def test_a_scenario_is_read_as_it_was_written(scenario):
    assert parse_scenario(to_toml(scenario), "again.toml") == scenario


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_of_fault_is_read_as_it_was_written(kind):
    scenario = a_scenario(f'[[fault]]\nkind = "{kind}"\n{EXAMPLES[kind]}')
    assert parse_scenario(to_toml(scenario), "again.toml") == scenario


@pytest.mark.parametrize(
    "text", ['"', "\\", "\n", "\t", "\x00", "\x7f", "\u2028", "\U0001f98a", "#"]
)
def test_any_text_may_be_a_title(text):
    scenario = a_scenario().model_copy(update={"title": text})
    assert parse_scenario(to_toml(scenario), "again.toml") == scenario


def test_only_what_differs_from_the_defaults_is_written():
    scenario = a_scenario(
        """
        seeds = "0"
        [cluster]
        sources = 3
        targets = 2
        [network]
        loss = "0..0.5%"
        latency = "1ms..5ms"
        [[fault]]
        kind = "crash"
        node = "one of targets"
        after = {event = "incremental.started", nth = 2, incremental = 1}
        restart_after = "1500ms"
        [heal]
        at = "90s"
        """
    )
    assert to_toml(scenario) == (
        'format = 1\ntitle = "t"\nwhy = "w"\n\n'
        "[cluster]\nsources = 3\n\n"
        '[network]\nloss = "0%..0.5%"\n\n'
        '[[fault]]\nkind = "crash"\n'
        'after = {event = "incremental.started", nth = 2, incremental = 1}\n'
        'node = "one of targets"\nrestart_after = "1500ms"\n\n'
        '[heal]\nat = "90s"\n'
    )


def test_a_fault_keeps_its_name_when_one_before_it_goes():
    scenario = a_scenario('[[fault]]\nkind = "drop"\n[[fault]]\nkind = "hold"')
    smaller = scenario.with_faults(scenario.faults[1:])
    assert 'id = "fault 2"' in to_toml(smaller)
    assert parse_scenario(to_toml(smaller), "smaller.toml").faults == smaller.faults


def test_every_shipped_scenario_is_valid_and_read_as_it_was_written():
    paths = sorted((ROOT / "scenarios").glob("*.toml"))
    assert paths
    for path in paths:
        scenario = load_scenario(path)
        assert parse_scenario(to_toml(scenario), "again.toml") == scenario


def test_durations_of_code_and_of_files_are_the_same_values():
    assert PolicySpec(repeat=250 * MS) == PolicySpec(repeat="250ms")
    assert json.loads(PolicySpec(repeat=250 * MS).model_dump_json())["repeat"] == "250ms"
