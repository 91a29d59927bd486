from __future__ import annotations

import pytest

from increstore.scenario.nodes import node_names, select, shard_names, table_names, unknown_words
from tests.scenario.builders import a_scenario

NODES = ("coordinator", "orders/s0", "orders/s1", "orders/t0", "shop/lines/s0", "shop/lines/t0")


def test_generated_tables_have_known_names_one_of_them_nested():
    assert table_names(1) == ("orders",)
    assert table_names(5) == ("orders", "people", "shop/lines", "table4", "table5")


def test_the_nodes_of_a_scenario_are_the_coordinator_and_each_tables_shards():
    scenario = a_scenario("[cluster]\nsources = 1\ntargets = 2\n[workload]\ntables = 2")
    assert node_names(scenario) == (
        "coordinator", "orders/s0", "orders/t0", "orders/t1",
        "people/s0", "people/t0", "people/t1",
    )  # fmt: skip


def test_the_shards_of_a_real_collection_are_known_once_its_tables_are():
    scenario = a_scenario(
        'on = ["memory"]\n[workload]\ncollection = "chain"\n[cluster]\nsources = 1\ntargets = 1'
    )
    assert node_names(scenario) == ("coordinator",)
    assert shard_names(("b",), scenario) == ("coordinator", "b/s0", "b/t0")


@pytest.mark.parametrize(
    ("word", "nodes"),
    [
        ("coordinator", {"coordinator"}),
        ("all", set(NODES)),
        ("shards", set(NODES) - {"coordinator"}),
        ("sources", {"orders/s0", "orders/s1", "shop/lines/s0"}),
        ("targets", {"orders/t0", "shop/lines/t0"}),
        ("orders/s1", {"orders/s1"}),
        ("s0", {"orders/s0", "shop/lines/s0"}),
        ("*/t*", {"orders/t0", "shop/lines/t0"}),
        ("shop/lines/*", {"shop/lines/s0", "shop/lines/t0"}),
        ("orders", set()),
        ("s9", set()),
    ],
)
def test_a_selector_names_nodes(word, nodes):
    assert set(select((word,), NODES).nodes) == nodes
    assert (unknown_words((word,), NODES) == [word]) == (not nodes)


def test_a_list_of_selectors_names_each_node_once():
    assert select(("s0", "orders/s0", "coordinator"), NODES).nodes == (
        "orders/s0", "shop/lines/s0", "coordinator",
    )  # fmt: skip


def test_one_of_leaves_the_choice_open():
    selected = select(("one of targets", "s1"), NODES)
    assert selected.nodes == ("orders/s1",)
    assert selected.choices == (("orders/t0", "shop/lines/t0"),)
    assert unknown_words(("one of tables",), NODES) == ["one of tables"]
