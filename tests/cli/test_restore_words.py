"""What a restore says of itself when it begins and when it has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain.builder import Shop, a_shop_with_three_incrementals

from increstore.cli.display import opening, summary_lines
from increstore.protocol.coordinator import RestoreState
from increstore.protocol.records import IncrementalCompleted
from increstore.runtime.prepare import RestoreRequest, prepare
from increstore.runtime.restore import Outcome

WIDTH = 80


@pytest.fixture
def prepared(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    made = prepare(RestoreRequest(shop.path, tmp_path / "restored", sources=2, targets=2))
    yield made
    made.log.close()
    made.directory.close()


def rows_of(prepared, incremental: int) -> int:
    steps = [step for table in prepared.plan.tables for step in table.steps]
    return sum(step.rows for step in steps if step.incremental == incremental)


def test_a_restore_in_one_run_tells_of_every_row_of_the_chain(prepared):
    lines = summary_lines(prepared, Outcome(RestoreState.COMPLETED, ""), seconds=2.0)

    rows = prepared.plan.change_rows
    assert f"in 2.00 s: {rows} rows scanned ({rows / 2:,.0f} rows/s); counts" in lines[1]


def test_a_resumed_restore_tells_of_its_own_rows_and_of_those_before(prepared):
    resumed = replace(prepared, history=[IncrementalCompleted(0, completed_at=1)])
    before = rows_of(resumed, 0)
    assert before > 0

    lines = summary_lines(resumed, Outcome(RestoreState.COMPLETED, ""), seconds=2.0)

    rest = resumed.plan.change_rows - before
    assert f"{rest} rows scanned ({rest / 2:,.0f} rows/s), {before} in earlier runs" in lines[1]
    assert opening(resumed).startswith("resuming after 1 of 4 backups: ")


def test_one_row_is_one_row(tmp_path):
    shop = Shop(tmp_path)
    shop.full("id,v\n1,a\n")
    made = prepare(RestoreRequest(shop.path, tmp_path / "restored"))
    lines = summary_lines(made, Outcome(RestoreState.COMPLETED, ""), seconds=1.0)
    made.log.close()
    made.directory.close()
    assert ": 1 row scanned " in lines[1]
    assert "1 table, 1 backup, 1 row; " in opening(made)


def test_a_restore_that_was_complete_claims_no_work(prepared):
    outcome = Outcome(RestoreState.COMPLETED, "", was_complete=True)

    lines = summary_lines(prepared, outcome, seconds=2.0)

    assert lines[0].endswith("; nothing was done")
    assert not any("scanned" in line for line in lines)


def test_the_words_of_a_restore_fit_80_columns(prepared):
    lines = summary_lines(prepared, Outcome(RestoreState.COMPLETED, ""), seconds=2.0)

    assert [line for line in (opening(prepared), *lines[:2]) if len(line) > WIDTH] == []
