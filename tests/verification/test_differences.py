"""A faithful target verifies; every kind of difference is found, counted and named."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.chain.schema import TableSchema
from increstore.verification.report import TableReport, VerificationReport
from increstore.verification.verify import verify

from .builder import (
    ChainBuilder,
    TableStep,
    a_schema,
    erase,
    plain_table,
    read_rows,
    reset,
    upsert,
    write_rows,
)

PEOPLE = a_schema(id=pa.int64(), name=pa.string(), age=pa.int32(), score=pa.float64())
NAN = float("nan")


@pytest.fixture
def chain(tmp_path: Path) -> ChainBuilder:
    """Ten people, then an update of one column, a reset, an erase and a new key."""
    chain = ChainBuilder(tmp_path / "collection")
    people = [upsert(id=n, name=f"p{n}", age=n, score=n / 2) for n in range(10)]
    chain.backup({"people": TableStep(PEOPLE, people, files=2)})
    changes = [
        upsert(id=2, age=None),
        upsert(id=3, name=""),
        reset(id=4, score=NAN),
        erase(id=5),
        upsert(id=99, name="new"),
    ]
    chain.backup({"people": TableStep(PEOPLE, changes, row_group_rows=2)})
    chain.restore(tmp_path / "target")
    return chain


def verified(tmp_path: Path, **options) -> VerificationReport:
    return verify(tmp_path / "target", tmp_path / "collection", **options)


def found(tmp_path: Path, **options) -> TableReport:
    """The report of the only table; the ranges are tiny, so that every case crosses some."""
    (table,) = verified(tmp_path, range_rows=4, **options).tables
    return table


def rewrite(tmp_path: Path, change) -> None:
    """Put the rows that `change` makes of the restored ones in their place."""
    rows = change(read_rows(tmp_path / "target", "people"))
    write_rows(tmp_path / "target", "people", rows, files=2)


def with_rows(tmp_path: Path, change) -> None:
    """The same for rows as a list of dicts."""

    def rebuilt(rows: pa.Table) -> pa.Table:
        return pa.Table.from_pylist(change(rows.to_pylist()), schema=rows.schema)

    rewrite(tmp_path, rebuilt)


def a_cell_set(key: int, column: str, value):
    return lambda rows: [{**r, column: value} if r["id"] == key else r for r in rows]


def examples(table: TableReport) -> list[str]:
    return [str(example) for example in table.examples]


def test_a_faithful_target_is_equal_whatever_the_size_of_the_ranges(tmp_path, chain):
    for range_rows in (1, 2, 3, 7, 100):
        report = verified(tmp_path, range_rows=range_rows)
        assert report.is_equal, report.tables
        assert report.rows_expected == report.tables[0].rows_actual == 10


def test_the_order_of_rows_and_files_in_the_target_does_not_matter(tmp_path, chain):
    rewrite(tmp_path, lambda rows: rows.take(list(reversed(range(rows.num_rows)))))
    assert found(tmp_path).is_equal


@pytest.mark.parametrize(
    ("key", "column", "value", "shown"),
    [
        (1, "name", "p2", 'key (1), column name: expected "p1", got "p2"'),
        (1, "name", None, 'key (1), column name: expected "p1", got NULL'),
        (2, "age", 2, "key (2), column age: expected NULL, got 2"),
        (3, "name", None, 'key (3), column name: expected "", got NULL'),
        (3, "name", "p3", 'key (3), column name: expected "", got "p3"'),
        (4, "name", "p4", 'key (4), column name: expected NULL, got "p4"'),
        (4, "name", "", 'key (4), column name: expected NULL, got ""'),
        (4, "score", None, 'key (4), column score: expected "nan", got NULL'),
        (4, "score", 2.0, 'key (4), column score: expected "nan", got 2.0'),
        (6, "score", NAN, 'key (6), column score: expected 3.0, got "nan"'),
        (99, "score", 0.0, "key (99), column score: expected NULL, got 0.0"),
    ],
)
def test_one_wrong_value_is_found_and_named(tmp_path, chain, key, column, value, shown):
    with_rows(tmp_path, a_cell_set(key, column, value))

    table = found(tmp_path)

    assert not table.is_equal
    assert (table.differing, table.columns) == (1, {column: 1})
    assert (table.missing, table.surplus, table.duplicates) == (0, 0, 0)
    assert examples(table) == [shown]


def test_a_missing_row_is_found_and_named(tmp_path, chain):
    with_rows(tmp_path, lambda rows: [row for row in rows if row["id"] != 7])
    table = found(tmp_path)
    assert (table.missing, table.rows_expected, table.rows_actual) == (1, 10, 9)
    assert examples(table) == ["missing key (7)"]


def test_a_key_that_came_back_to_life_is_surplus(tmp_path, chain):
    dead = {"id": 5, "name": "p5", "age": 5, "score": 2.5}
    with_rows(tmp_path, lambda rows: [*rows, dead])
    table = found(tmp_path)
    assert (table.surplus, table.missing, table.differing) == (1, 0, 0)
    assert examples(table) == ["surplus key (5)"]


@pytest.mark.parametrize("key", [-1_000_000, 50, 2**62])
def test_a_row_outside_every_key_of_the_chain_is_surplus(tmp_path, chain, key):
    with_rows(tmp_path, lambda rows: [*rows, {"id": key, "name": "stray"}])
    table = found(tmp_path)
    assert table.surplus == 1
    assert examples(table) == [f"surplus key ({key})"]


def test_a_row_twice_is_a_duplicate_even_in_another_file(tmp_path, chain):
    with_rows(tmp_path, lambda rows: [*rows, rows[0], rows[0]])
    table = found(tmp_path)
    assert (table.duplicates, table.surplus, table.differing) == (2, 0, 0)
    assert examples(table) == ["duplicate key (0)"]


def test_the_second_copy_of_a_row_is_compared_too(tmp_path, chain):
    with_rows(tmp_path, lambda rows: [*rows, {**rows[0], "name": "other"}])
    table = found(tmp_path)
    assert (table.duplicates, table.differing) == (1, 1)


@pytest.mark.parametrize("range_rows", [4, 1000])
def test_a_row_without_a_key_is_surplus(tmp_path, chain, range_rows):
    def with_null(rows: pa.Table) -> pa.Table:
        loose = pa.schema([pa.field(field.name, field.type) for field in rows.schema])
        stray = pa.Table.from_pylist([{"id": None, "name": "stray"}], schema=loose)
        return pa.concat_tables([stray, rows.cast(loose), stray])

    rewrite(tmp_path, with_null)
    (table,) = verified(tmp_path, range_rows=range_rows).tables
    assert (table.surplus, table.rows_actual) == (2, 12)
    assert examples(table) == ["surplus key (NULL)"]


def test_two_swapped_columns_of_one_type_are_found(tmp_path):
    schema = a_schema(id=pa.int64(), home=pa.string(), work=pa.string())
    chain = ChainBuilder(tmp_path / "collection")
    chain.backup({"people": TableStep(schema, [upsert(id=1, home="a", work="b")])})
    chain.restore(tmp_path / "target")
    with_rows(tmp_path, lambda rows: [{**r, "home": r["work"], "work": r["home"]} for r in rows])
    table = found(tmp_path)
    assert (table.differing, table.columns) == (1, {"home": 1, "work": 1})
    assert len(examples(table)) == 2


def test_another_order_of_the_columns_is_found(tmp_path, chain):
    rewrite(tmp_path, lambda rows: rows.select(["id", "age", "name", "score"]))
    table = found(tmp_path)
    assert not table.is_equal
    assert (table.differing, table.missing) == (0, 0)
    assert len(table.problems) == 2
    assert "order id, age, name, score, expected id, name, age, score" in table.problems[0]


def test_a_column_of_another_type_is_named_and_the_others_are_compared(tmp_path, chain):
    def widened(rows: pa.Table) -> pa.Table:
        schema = rows.schema.set(2, pa.field("age", pa.int64()))
        return rows.cast(schema)

    rewrite(tmp_path, widened)
    table = found(tmp_path)
    assert not table.is_equal
    assert table.is_compared
    assert "column 'age' is int64, expected int32" in table.problems[0]
    with_rows(tmp_path, a_cell_set(1, "name", "x"))
    assert found(tmp_path).columns == {"name": 1}


def test_a_key_of_another_type_is_named_and_nothing_is_compared(tmp_path, chain):
    rewrite(tmp_path, lambda rows: rows.set_column(0, "id", rows["id"].cast(pa.string())))
    table = found(tmp_path)
    assert not table.is_equal
    assert not table.is_compared
    assert table.as_json()["rows_expected"] is None


def test_a_missing_and_a_surplus_column_are_named(tmp_path, chain):
    rewrite(tmp_path, lambda rows: rows.rename_columns(["id", "nom", "age", "score"]))
    problems = " ".join(found(tmp_path).problems)
    assert "column 'name' is missing" in problems
    assert "column 'nom' is not in the chain" in problems


def test_at_most_five_examples_of_a_kind_are_kept_and_all_are_counted(tmp_path, chain):
    with_rows(tmp_path, lambda rows: [{**row, "name": "x", "score": -1.0} for row in rows])
    table = found(tmp_path)
    assert (table.differing, table.columns) == (10, {"name": 10, "score": 10})
    assert len(table.examples) == 5
    assert {example.column for example in table.examples} == {"name", "score"}


def test_values_of_a_column_that_was_dropped_and_added_again_do_not_come_back(tmp_path):
    without = a_schema(id=pa.int64(), name=pa.string())
    schema = a_schema(id=pa.int64(), name=pa.string(), note=pa.string())
    chain = ChainBuilder(tmp_path / "collection")
    full = [upsert(id=n, name="n", note="old") for n in range(3)]
    chain.backup({"people": TableStep(schema, full)})
    chain.backup({"people": TableStep(without)})
    chain.backup({"people": TableStep(schema, [upsert(id=1, note="new"), upsert(id=2, name="m")])})
    chain.restore(tmp_path / "target")
    assert [row["note"] for row in chain.states["people"].values()] == [None, "new", None]
    assert found(tmp_path).is_equal

    with_rows(tmp_path, a_cell_set(0, "note", "old"))

    assert examples(found(tmp_path)) == ['key (0), column note: expected NULL, got "old"']


def test_columns_added_dropped_and_widened_on_the_way_are_followed(tmp_path):
    first = a_schema(id=pa.int64(), small=pa.int16(), gone=pa.string(), price=pa.decimal128(5, 2))
    last = a_schema(extra=pa.float64(), id=pa.int64(), price=pa.decimal128(12, 4), small=pa.int64())
    chain = ChainBuilder(tmp_path / "collection")
    full = [upsert(id=n, small=n, gone="x", price=Decimal("1.25")) for n in range(4)]
    chain.backup({"people": TableStep(first, full)})
    chain.backup({"people": TableStep(last, [upsert(id=1, extra=0.5), upsert(id=2, small=2**40)])})
    chain.restore(tmp_path / "target")
    assert found(tmp_path).is_equal

    with_rows(tmp_path, a_cell_set(1, "price", Decimal("1.2500") + Decimal("0.0001")))

    assert examples(found(tmp_path)) == ['key (1), column price: expected "1.2500", got "1.2501"']


def test_unchanged_and_empty_tables_and_nested_names_are_verified(tmp_path):
    chain = ChainBuilder(tmp_path / "collection")
    schema = a_schema(id=pa.int64(), v=pa.string())
    chain.backup({
        "shop/orders": TableStep(schema, [upsert(id=1, v="a")]),
        "shop": TableStep(schema, []),
        "emptied": TableStep(schema, [upsert(id=1, v="a")]),
    })  # fmt: skip
    chain.backup({
        "shop/orders": TableStep(schema),
        "shop": TableStep(schema),
        "emptied": TableStep(schema, [erase(id=1), erase(id=2)]),
    })  # fmt: skip
    chain.restore(tmp_path / "target")
    report = verified(tmp_path)
    assert report.is_equal
    assert [table.rows_actual for table in report.tables] == [1, 0, 0]

    write_rows(tmp_path / "target", "shop", plain_table(schema, [{"id": 3, "v": "?"}]))

    shown = {table.table: examples(table) for table in verified(tmp_path).tables}
    assert shown == {"shop/orders": [], "shop": ["surplus key (3)"], "emptied": []}


KEYS = [
    (pa.bool_(), [False, True]),
    (pa.int8(), [-128, 0, 127]),
    (pa.uint64(), [0, 2**63, 2**64 - 1]),
    (pa.string(), ["", "a", "Z", "é", "\U0001f600", "a\x00b"]),
    (pa.binary(), [b"", b"\x00", b"\x00\x00", b"\xff"]),
    (pa.decimal128(10, 2), [Decimal("-1.50"), Decimal("0.00"), Decimal("1.5")]),
    (pa.decimal256(50, 3), [Decimal("-1.5"), Decimal(10) ** 40]),
    (pa.date32(), [-1, 0, 20_000]),
    (pa.time32("s"), [0, 86_399]),
    (pa.time64("ns"), [0, 1, 86_399_999_999_999]),
    (pa.timestamp("s"), [-1, 0, 2_000_000_000]),
    (pa.timestamp("ns"), [-1, 0, 1]),
    (pa.timestamp("us", tz="Europe/Amsterdam"), [-1, 0, 1]),
]


@pytest.mark.parametrize(("kind", "values"), KEYS, ids=lambda part: str(part)[:20])
@pytest.mark.parametrize("range_rows", [1, 100])
def test_every_type_of_key_is_ranged_numbered_and_shown(tmp_path, kind, values, range_rows):
    schema = a_schema(("a", "b"), b=pa.string(), a=kind, v=pa.int64())
    chain = ChainBuilder(tmp_path / "collection")
    rows = [upsert(a=value, b=b, v=n) for n, value in enumerate(values) for b in ("x", "y")]
    chain.backup({"people": TableStep(schema, rows, row_group_rows=2)})
    chain.backup({"people": TableStep(schema, [erase(a=values[0], b="x"),
                                               upsert(a=values[-1], b="y", v=None)])})  # fmt: skip
    chain.restore(tmp_path / "target")
    report = verified(tmp_path, range_rows=range_rows)
    assert report.is_equal, report.tables

    state = chain.states["people"]
    lost = state.pop((values[1], "x"))
    chain.restore(tmp_path / "target")
    assert lost["v"] == 1
    (table,) = verified(tmp_path, range_rows=range_rows).tables
    assert (table.missing, table.surplus, table.differing) == (1, 0, 0)
    assert len(table.examples) == 1


VALUES = [
    (pa.bool_(), True, False),
    (pa.float32(), 0.5, 0.25),
    (pa.uint64(), 2**64 - 1, 2**64 - 2),
    (pa.binary(), b"\xff\x00", b"\xff"),
    (pa.decimal256(60, 1), Decimal("0.1"), Decimal("0.2")),
    (pa.date32(), datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)),
    (pa.time32("s"), 1, 2),
    (pa.time64("ns"), 1, 2),
    (pa.duration("ns"), 1, 2),
    (pa.duration("s"), 1, 2),
    (pa.timestamp("s"), 1, 2),
    (pa.timestamp("ns", tz="UTC"), 1, 2),
    (pa.timestamp("ms", tz="+02:00"), 1, 2),
]


@pytest.mark.parametrize(("kind", "value", "other"), VALUES, ids=lambda part: str(part)[:20])
def test_every_type_of_value_is_compared_and_shown(tmp_path, kind, value, other):
    schema = a_schema(id=pa.int64(), v=kind)
    chain = ChainBuilder(tmp_path / "collection")
    chain.backup({"people": TableStep(schema, [upsert(id=1, v=value), upsert(id=2, v=None)])})
    chain.restore(tmp_path / "target")
    assert found(tmp_path).is_equal

    for wrong, key in ((other, 1), (None, 1), (other, 2)):
        chain.restore(tmp_path / "target")
        rows = [{"id": 1, "v": value}, {"id": 2, "v": None}]
        rows[key - 1]["v"] = wrong
        write_rows(tmp_path / "target", "people", plain_table(schema, rows))
        table = found(tmp_path)
        assert table.columns == {"v": 1}
        (example,) = table.examples
        assert example.expected != example.got


def test_a_column_name_with_a_dot_is_a_name_and_not_a_path(tmp_path):
    schema = TableSchema(
        (*a_schema(id=pa.int64(), a=pa.int64()).columns, *a_schema(**{"a.b": pa.int64()}).columns),
        ("id",),
    )
    chain = ChainBuilder(tmp_path / "collection")
    chain.backup({"people": TableStep(schema, [upsert(**{"id": 1, "a": 1, "a.b": 2})])})
    chain.backup({"people": TableStep(schema, [upsert(**{"id": 1, "a.b": 3}), upsert(id=2, a=1)])})
    chain.restore(tmp_path / "target")
    assert found(tmp_path).is_equal


def test_a_target_file_in_one_huge_row_group_is_read_range_by_range(tmp_path, chain):
    rows = read_rows(tmp_path / "target", "people")
    write_rows(tmp_path / "target", "people", rows, files=1, row_group_rows=1000)
    path = tmp_path / "target" / "people" / "part-00000.parquet"
    assert pq.ParquetFile(path).metadata.num_row_groups == 1
    assert found(tmp_path).is_equal
