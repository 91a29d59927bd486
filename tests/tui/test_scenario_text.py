"""The page on a scenario tells of everything that its file lets happen."""

from __future__ import annotations

import pytest
from rich.console import Console

from increstore.scenario.load import parse_scenario
from increstore.scenario.model import NetworkSpec
from increstore.tui.scenario_text import describe

RATES = [name for name in NetworkSpec.model_fields if name not in ("kind", "latency")]


def page_of(network: str) -> str:
    text = f'format = 1\ntitle = "t"\nwhy = "w"\n[network]\nkind = "datagram"\n{network}\n'
    console = Console(width=80)
    with console.capture() as shown:
        console.print(describe(parse_scenario(text, "t"), seed=None))
    return shown.get()


def test_a_calm_network_is_told_as_such():
    assert "ambient nothing" in page_of("")


@pytest.mark.parametrize("rate", RATES)
def test_whatever_the_network_does_by_chance_is_told(rate):
    assert f"ambient {rate}" in page_of(f'{rate} = "1%"')
