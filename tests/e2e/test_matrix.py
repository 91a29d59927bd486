"""A chain restores to the same rows however it is divided and whatever carries it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from increstore.protocol.coordinator import RestoreState
from increstore.runtime.request import RestoreRequest
from increstore.verification.verify import verify

from .builders import (
    Depot,
    a_varied_depot,
    increstore_ends,
    many_tiny_tables,
    restore_here,
    visible_rows,
)

MATRIX = list(product((1, 3, 8), (1, 2, 5)))


@pytest.mark.parametrize(("sources", "targets"), MATRIX)
def test_every_division_restores_every_value(varied: Depot, tmp_path: Path, sources, targets):
    target = tmp_path / "target"
    run = restore_here(RestoreRequest(varied.path, target, sources=sources, targets=targets))
    assert run.outcome.state is RestoreState.COMPLETED
    assert visible_rows(target) == varied.expected[-1]
    assert verify(target, varied.path).is_equal


@pytest.mark.parametrize(("sources", "targets"), MATRIX)
def test_every_division_restores_every_value_over_tcp(varied, tmp_path, sources, targets):
    target = tmp_path / "target"
    request = RestoreRequest(varied.path, target, sources=sources, targets=targets, on="tcp")
    run = restore_here(request)
    assert run.outcome.state is RestoreState.COMPLETED
    assert visible_rows(target) == varied.expected[-1]
    assert verify(target, varied.path).is_equal


def test_incrementals_complete_strictly_in_order(varied: Depot, tmp_path: Path):
    run = restore_here(RestoreRequest(varied.path, tmp_path / "target", sources=3, targets=2))
    names = ("incremental.started", "incremental.completed")
    steps = [(e.name, e.facts["incremental"]) for e in run.events if e.name in names]
    assert steps == [(name, number) for number in range(6) for name in names]


@pytest.mark.parametrize("position", range(6))
def test_upto_restores_the_rows_as_they_were_after_each_backup(varied, tmp_path, position):
    target, upto = tmp_path / "target", varied.backups[position]
    restore_here(RestoreRequest(varied.path, target, upto=upto))
    assert visible_rows(target) == varied.expected[position]
    assert verify(target, varied.path, upto=upto).is_equal


@pytest.mark.parametrize("seed", [2, 3])
def test_other_chains_restore_as_well(tmp_path: Path, seed):
    depot = a_varied_depot(tmp_path / "depot", seed=seed, rows=150, incrementals=7)
    target = tmp_path / "target"
    restore_here(RestoreRequest(depot.path, target, sources=3, targets=3))
    assert visible_rows(target) == depot.expected[-1]


def test_chosen_tables_are_restored_and_no_others(varied: Depot, tmp_path: Path):
    target, chosen = tmp_path / "target", ("people", "shop/lines")
    restore_here(RestoreRequest(varied.path, target, tables=chosen))
    assert visible_rows(target) == {name: varied.expected[-1][name] for name in chosen}


def test_what_is_not_restored_yet_is_not_visible(varied: Depot, tmp_path: Path):
    target, seen = tmp_path / "target", []

    def look(event) -> None:
        if event.name in ("incremental.completed", "rows.finalized", "target.finalized"):
            seen.append(visible_rows(target))

    restore_here(RestoreRequest(varied.path, target), on_event=look)
    assert len(seen) > 6
    assert not any(seen)


def test_a_completed_target_holds_its_tables_and_little_else(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    restore_here(RestoreRequest(varied.path, target, sources=2, targets=2))
    top = sorted(entry.name for entry in target.iterdir())
    assert top == [".increstore", *sorted({name.split("/")[0] for name in varied.expected[-1]})]
    assert not list((target / ".increstore").rglob("*.parquet"))
    assert not list((target / ".increstore").rglob("*.changes"))


@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_many_small_tables_are_restored(tmp_path: Path, on):
    depot = many_tiny_tables(tmp_path / "depot", tables=24)
    target = tmp_path / "target"
    restore_here(RestoreRequest(depot.path, target, sources=2, targets=2, on=on))
    assert visible_rows(target) == depot.expected[-1]


@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_the_command_restores_and_verifies(varied: Depot, tmp_path: Path, on):
    target = tmp_path / "target"
    restored = increstore_ends("restore", varied.path, "--into", target, "--on", on)
    verified = increstore_ends("verify", target, "--against", varied.path)
    assert (restored.code, verified.code) == (0, 0), restored.err + verified.err
    assert visible_rows(target) == varied.expected[-1]
