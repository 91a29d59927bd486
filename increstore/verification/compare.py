"""The expected rows of one key range against the rows that were restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from increstore.verification.report import Example, TableReport, json_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.verification.numbering import Flags, Integers, Numbering
    from increstore.verification.report import Kind
    from increstore.verification.state import TableState


def compare(
    state: TableState, actual: pa.Table, numbering: Numbering, columns: Sequence[str],
    report: TableReport,
) -> None:  # fmt: skip
    """Add to `report` how `actual`, the last of the numbered inputs, differs from `state`.

    Compares the value columns named in `columns`; NaN equals NaN, and 0.0 equals -0.0.
    """
    numbers = numbering.of_inputs[-1]
    copies = np.bincount(numbers, minlength=numbering.keys)
    report.rows_expected += int(np.count_nonzero(state.lives))
    report.missing += _note(report, "missing", numbering, state.lives & (copies == 0))
    _note(report, "surplus", numbering, ~state.lives & (copies > 0))
    report.surplus += int(copies[~state.lives].sum())
    doubled = state.lives & (copies > 1)
    _note(report, "duplicate", numbering, doubled)
    report.duplicates += int((copies[doubled] - 1).sum())

    places = np.flatnonzero(state.lives[numbers])
    differs = np.zeros(len(places), np.bool_)
    for name in columns:
        differs |= _compare_column(name, state, actual, numbering, places, report)
    report.differing += int(np.count_nonzero(differs))


def _compare_column(
    name: str, state: TableState, actual: pa.Table, numbering: Numbering, places: Integers,
    report: TableReport,
) -> Flags:  # fmt: skip
    """Per place of `actual`, whether its value of the column is not the expected one."""
    numbers = numbering.of_inputs[-1][places]
    got = actual.column(name).combine_chunks()
    if len(places) < len(got):
        got = got.take(pa.array(places))
    expected = state.values(name, numbers, got.type)
    differs = different(expected, got)
    found = np.flatnonzero(differs)
    if len(found):
        report.columns[name] = report.columns.get(name, 0) + len(found)
    for row in found[: report.room_for("value", name)]:
        key = _json_key(numbering, int(numbers[row]))
        expected_json, got_json = json_value(expected[int(row)]), json_value(got[int(row)])
        report.add(Example("value", key, name, expected_json, got_json))
    return differs


def different(expected: pa.Array, got: pa.Array) -> Flags:
    """Per row, whether two columns of one type differ; NULL equals NULL only, NaN equals NaN."""
    same = pc.fill_null(pc.equal(expected, got), False)
    if expected.null_count and got.null_count:
        same = pc.or_(same, pc.and_(expected.is_null(), got.is_null()))
    if pa.types.is_floating(expected.type):
        both_nan = pc.and_(pc.is_nan(expected), pc.is_nan(got))
        same = pc.or_(same, pc.fill_null(both_nan, False))
    flags: Flags = pc.invert(same).to_numpy(zero_copy_only=False)
    return flags


def _note(report: TableReport, kind: Kind, numbering: Numbering, keys: Flags) -> int:
    """Add examples for the flagged keys; how many keys are flagged."""
    found = np.flatnonzero(keys)
    for number in found[: report.room_for(kind)]:
        report.add(Example(kind, _json_key(numbering, int(number))))
    return len(found)


def _json_key(numbering: Numbering, number: int) -> tuple[Any, ...]:
    return tuple(json_value(part) for part in numbering.key(number))
