"""CSV and Parquet snapshots become sorted rows of the right types, or a clear refusal."""

from __future__ import annotations

import datetime
import gzip
import os
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from increstore.chain.merge import SLICE_ROWS
from increstore.chain.schema import Column, TableSchema
from increstore.chain.snapshot import read_snapshot
from increstore.chain.spool import Spool
from increstore.chain.table_rules import TableRules
from increstore.errors import SnapshotRefused

ID = pa.int64()


def remembered(**types: pa.DataType) -> TableSchema:
    """Columns by name; the first is the key."""
    columns = tuple(Column(name, kind) for name, kind in types.items())
    return TableSchema(columns, (columns[0].name,))


@dataclass(frozen=True)
class Snapshot:
    """One that was read to its end."""

    schema: TableSchema
    batches: tuple[pa.RecordBatch, ...]


def read(
    path: Path, *key: str, schema: TableSchema | None = None, **types: pa.DataType
) -> Snapshot:
    with tempfile.TemporaryDirectory() as folder:
        rules = TableRules(key or ("id",), schema, types)
        found = read_snapshot(path, rules, Spool(Path(folder)))
        return Snapshot(found.schema, tuple(found.batches()))


def read_text(folder: Path, text: str | bytes, *key: str, **options: object) -> Snapshot:
    path = folder / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, *key, **options)


def column(snapshot: Snapshot, name: str = "v") -> list:
    return [value for batch in snapshot.batches for value in batch.column(name).to_pylist()]


def of_values(folder: Path, *values: str) -> Snapshot:
    """A snapshot with the column `v` of these fields, as written."""
    lines = [f"{number},{value}" for number, value in enumerate(values)]
    return read_text(folder, "\n".join(["id,v", *lines, ""]))


# --- Types of a first CSV.


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", "0"], pa.int64()),
        (["9223372036854775807", "-9223372036854775808"], pa.int64()),
        (["9223372036854775808"], pa.string()),
        (["1", "2.5"], pa.float64()),
        (["0.1", "1e400"], pa.string()),
        (["0.5", "123456789012345678.99"], pa.string()),
        (["0.5", "0.12345678901234567"], pa.float64()),
        (["0.5", "2.50000000000000000000"], pa.float64()),
        (["1.0", "2.0"], pa.float64()),
        (["-0.5e-3", "1"], pa.float64()),
        (["0.5", "12345678901234567890"], pa.string()),
        (["007", "12"], pa.string()),
        (["00.5"], pa.string()),
        (["+4922112345"], pa.string()),
        (["1 000"], pa.string()),
        (["1_000"], pa.string()),
        (["0x10"], pa.string()),
        (["NaN"], pa.string()),
        (["true", "False"], pa.bool_()),
        (["t", "f"], pa.string()),
        (["yes"], pa.string()),
        (["2024-02-29"], pa.date32()),
        (["2023-02-29"], pa.string()),
        (["2024-02-29", "soon"], pa.string()),
        (["2024-02-29 12:00:00", "2024-02-29T12:00:00.25"], pa.timestamp("us")),
        (["2024-02-29T12:00:00Z"], pa.timestamp("us", tz="UTC")),
        (["2024-02-29T12:00:00+02:00"], pa.string()),
        (["12:00:00"], pa.string()),
        (["", ""], pa.string()),
        (["", "5"], pa.int64()),
        (['""', "5"], pa.int64()),
    ],
)
def test_a_column_gets_the_type_that_every_value_plainly_has(tmp_path, values, kind):
    assert of_values(tmp_path, *values).schema.type_of("v") == kind


def test_a_type_is_found_by_the_whole_file_not_its_beginning(tmp_path):
    values = ["1"] * 5000
    assert of_values(tmp_path, *values, "x").schema.type_of("v") == pa.string()
    assert of_values(tmp_path, *values, "1.5").schema.type_of("v") == pa.float64()


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["1", "2"], pa.int64()),
        (["1", "02"], pa.string()),
        (["2024-01-01"], pa.string()),
        (["1.5"], pa.string()),
        (["true"], pa.string()),
    ],
)
def test_a_key_is_an_integer_or_stays_text(tmp_path, ids, kind):
    text = "\n".join(["id,v", *(f"{value},x" for value in ids), ""])
    assert read_text(tmp_path, text).schema.type_of("id") == kind


def test_an_empty_field_is_null_and_a_quoted_one_is_the_empty_text(tmp_path):
    assert column(of_values(tmp_path, "", '""', "x")) == [None, "", "x"]
    assert column(of_values(tmp_path, "", '""', "7")) == [None, None, 7]


def test_quoted_text_may_hold_delimiters_quotes_and_lines(tmp_path):
    snapshot = of_values(tmp_path, '"a,b"', '"say ""hi"""', '"two\nlines"', "NULL")
    assert column(snapshot) == ["a,b", 'say "hi"', "two\nlines", "NULL"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r\0"))))
def test_any_text_comes_back_as_it_was_quoted(tmp_path, texts):
    fields = ["" if text is None else '"' + text.replace('"', '""') + '"' for text in texts]
    schema = remembered(id=ID, v=pa.string())
    lines = [f"{number},{field}" for number, field in enumerate(fields)]
    snapshot = read_text(tmp_path, "\n".join(["id,v", *lines, ""]), schema=schema)
    assert column(snapshot) == texts


def test_types_asked_for_win(tmp_path):
    snapshot = read_text(
        tmp_path,
        "id,price,day,at,n,raw,clock,wait\n1,1.50,2024-01-02,2024-01-02T03:04:05+01:00,7,ab,"
        "03:04:05.5,90\n",
        price=pa.decimal128(12, 2), day=pa.string(), at=pa.timestamp("us", tz="UTC"),
        n=pa.float32(), raw=pa.binary(), clock=pa.time64("us"), wait=pa.duration("s"),
    )  # fmt: skip
    assert snapshot.batches[0].to_pylist() == [
        {
            "id": 1,
            "price": Decimal("1.50"),
            "day": "2024-01-02",
            "at": datetime.datetime(2024, 1, 2, 2, 4, 5, tzinfo=datetime.UTC),
            "n": 7.0,
            "raw": b"ab",
            "clock": datetime.time(3, 4, 5, 500_000),
            "wait": datetime.timedelta(seconds=90),
        }
    ]


# --- Later CSVs.


def test_a_later_csv_is_read_by_the_remembered_types(tmp_path):
    schema = remembered(id=pa.string(), code=pa.string(), height=pa.float64(), n=pa.int64())
    snapshot = read_text(tmp_path, "id,code,height,n\n7,12,252, 4 \n8,13,,450.0\n", schema=schema)
    assert snapshot.schema == schema
    assert snapshot.batches[0].to_pylist() == [
        {"id": "7", "code": "12", "height": 252.0, "n": 4},
        {"id": "8", "code": "13", "height": None, "n": 450},
    ]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.int64(), "450.5"),
        (pa.int64(), "many"),
        (pa.uint8(), "256"),
        (pa.float64(), "1,5"),
        (pa.bool_(), "maybe"),
        (pa.date32(), "2024-02-30"),
        (pa.timestamp("us"), "yesterday"),
        (pa.time64("us"), "25:00:00"),
        (pa.decimal128(5, 2), "1.234"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_line_column_and_type(tmp_path, kind, value):
    schema = remembered(id=ID, text=pa.string(), v=kind)
    lines = ['1,"two\nlines",', '2,,""', f'3,,"{value}"', "4,,"]
    with pytest.raises(SnapshotRefused) as caught:
        read_text(tmp_path, "\n".join(["id,text,v", *lines, ""]), schema=schema)
    message = str(caught.value)
    assert f"t.csv: line 5, column 'v': {value!r} is not of type {kind}" in message
    assert "take a new full backup" in message


def test_new_columns_are_added_at_the_end_and_lost_ones_dropped(tmp_path):
    schema = remembered(id=ID, gone=pa.string(), kept=pa.string())
    snapshot = read_text(tmp_path, "new,kept,id\n1,2,3\n", schema=schema)
    assert snapshot.schema == remembered(id=ID, kept=pa.string(), new=pa.int64())


# --- Rows.


@pytest.mark.parametrize("count", [0, 1, 70_000])
def test_rows_are_sorted_whatever_their_order_in_the_file(tmp_path, count):
    ids = [(number * 7919) % count for number in range(count)] if count else []
    snapshot = read_text(tmp_path, "\n".join(["id,v", *(f"{i},x{i}" for i in ids), ""]), id=ID)
    assert column(snapshot, "id") == list(range(count))
    assert column(snapshot) == [f"x{i}" for i in range(count)]
    assert all(batch.schema.equals(snapshot.schema.arrow()) for batch in snapshot.batches)
    assert all(batch.num_rows <= SLICE_ROWS * 3 // 2 for batch in snapshot.batches)


def test_a_composite_key_sorts_by_its_columns_in_their_order(tmp_path):
    text = "b,a,v\n1,y,1\n2,x,2\n1,x,3\n10,x,4\n"
    snapshot = read_text(tmp_path, text, "a", "b")
    assert column(snapshot) == [3, 2, 4, 1]


def test_text_keys_sort_by_code_point(tmp_path):
    snapshot = read_text(tmp_path, "id,v\né,1\nZ,2\na,3\n\U0001f600,4\n\uffee,5\n")
    assert column(snapshot, "id") == ["Z", "a", "é", "\uffee", "\U0001f600"]


def test_a_doubled_key_is_named_with_both_lines(tmp_path):
    with pytest.raises(SnapshotRefused, match=r"line 2 and line 4: key \(id\) 7 comes twice"):
        read_text(tmp_path, "id,v\n7,a\n1,b\n7,c\n")
    with pytest.raises(SnapshotRefused, match=r"line 3 and line 4: key \(id\) 7 comes twice"):
        read_text(tmp_path, "id,v\n1,a\n7,b\n7,c\n")


def test_a_null_in_a_key_is_named_with_its_line(tmp_path):
    with pytest.raises(SnapshotRefused, match=r"line 3: key \(id\) NULL is NULL"):
        read_text(tmp_path, "id,v\n1,a\n,b\n")
    with pytest.raises(SnapshotRefused, match=r"line 3: key \(a, b\) \('x', NULL\) is NULL"):
        read_text(tmp_path, "a,b,v\nx,1,\nx,,\n", "a", "b")


# --- Files.


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("id,v,id\n1,2,3\n", "names column 'id' twice"),
        ("id,,v\n1,2,3\n", "column 2 has no name"),
        ("id,__op\n1,2\n", "'__op' is reserved"),
        ("id,__set\n1,2\n", "'__set' is reserved"),
        ("a,b\n1,2\n", r"no column 'id', which is in the key \(columns: a, b\)"),
        ("id,v\n1,2\n3\n", r"Row #3: Expected 2 columns, got 1"),
        ("id,v\n1,2\n3,4,5\n", r"Row #3: Expected 2 columns, got 3"),
        (b"id,v\n1,2\n3,\xff\n", "not UTF-8|invalid UTF8"),
        (b"id,\xff\n1,2\n", "not UTF-8"),
        ('id,v\n1,"abc\n', "ends inside quotes"),
        ('id,v\n1,"abc', "ends inside quotes"),
        ('id,v\n1,"x\n2,y\n3,z\n', "ends inside quotes"),
        ('id\na\n"b\n', "ends inside quotes"),
        ("id;v\n1;2\n", "separated by ';'"),
    ],
)  # fmt: skip
def test_a_csv_that_cannot_be_read_is_refused_with_the_place(tmp_path, text, complaint):
    with pytest.raises(SnapshotRefused, match=complaint):
        read_text(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id,v", []),
        ("id,v\n", []),
        ("id,v\n1,a", [(1, "a")]),
        ('id,v\r\n1,"a\r\n"', [(1, "a\r\n")]),
        ('id,v\n1,""""\n2,"\n"\n', [(1, '"'), (2, "\n")]),
        ("id,v\r1,a\r2,b\r", [(1, "a"), (2, "b")]),
        ("id,v\n1,\n", [(1, None)]),
    ],
)
def test_a_file_may_end_as_it_likes(tmp_path, text, rows):
    snapshot = read_text(tmp_path, text)
    ids = column(snapshot, "id")
    assert list(zip(ids, column(snapshot), strict=True)) == rows


@pytest.mark.parametrize("mebibytes", [5, 20])
def test_a_row_may_be_long(tmp_path, mebibytes):
    long = "x" * (mebibytes << 20)
    assert column(read_text(tmp_path, f"id,v\n1,a\n2,{long}\n3,b\n")) == ["a", long, "b"]


def test_a_row_that_no_backup_takes_is_named(tmp_path):
    with pytest.raises(SnapshotRefused, match="a row takes at most 32 MiB"):
        read_text(tmp_path, f"id,v\n1,{'x' * (150 << 20)}\n")


def test_quotes_that_swallow_a_large_file_are_told_as_such(tmp_path):
    with pytest.raises(SnapshotRefused, match="ends inside quotes"):
        read_text(tmp_path, 'id,v\n1,"\n' + "2,abc\n" * 1_000_000)


def test_a_pipe_is_no_snapshot_since_it_is_read_twice(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(SnapshotRefused, match="is no regular file"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("value", ["1e400", "-1E999"])
def test_a_number_that_no_double_holds_does_not_become_infinite(tmp_path, value):
    schema = remembered(id=ID, v=pa.float64())
    assert column(read_text(tmp_path, "id,v\n1,-inf\n", schema=schema)) == [float("-inf")]
    with pytest.raises(SnapshotRefused, match=f"line 3, column 'v': '{value}'"):
        read_text(tmp_path, f"id,v\n1,Infinity\n2,{value}\n", schema=schema)


def test_bytes_that_are_no_text_are_found_far_into_a_file(tmp_path):
    lines = b"".join(b"%d,%200d\n" % (number, number) for number in range(9000))
    with pytest.raises(SnapshotRefused, match=r"Row #9002: .*invalid UTF8"):
        read_text(tmp_path, b"id,v\n" + lines + b"9999,\xff\n")


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint8(), pa.duration("s")])
@pytest.mark.parametrize("code", ["0x1F", "0XFF"])
def test_a_code_that_looks_hexadecimal_never_becomes_another_number(tmp_path, kind, code):
    """Arrow reads it as one, and 0xffffffffffffffff as -1; what is restored would be 31."""
    with pytest.raises(SnapshotRefused, match=f"line 3, column 'v': '{code}' is not of type"):
        read_text(tmp_path, f"id,v\n1,12\n2,{code}\n", schema=remembered(id=ID, v=kind))


def test_a_byte_order_mark_and_windows_lines_are_no_trouble(tmp_path):
    snapshot = read_text(tmp_path, b"\xef\xbb\xbfid,v\r\n1,a\r\n2,\r\n")
    assert snapshot.schema.names == ("id", "v")
    assert column(snapshot) == ["a", None]


def test_compressed_and_tab_separated_files_are_read(tmp_path):
    text = b"id\tv\n2\tb,c\n1\ta\n"
    plain, gzipped, zstd = (tmp_path / f"t.tsv{suffix}" for suffix in ("", ".gz", ".zst"))
    plain.write_bytes(text)
    gzipped.write_bytes(gzip.compress(text))
    zstd.write_bytes(pa.compress(text, codec="zstd", asbytes=True))
    for path in (plain, gzipped, zstd):
        assert column(read(path)) == ["a", "b,c"]


GZIPPED = gzip.compress(b"id,v\n1,2\n" * 1000, mtime=0)
"""The same bytes at any time: they are a part of the test's name."""


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.csv.zst", b"id,v\n1,2\n", "cannot be"),
        ("t.csv.gz", GZIPPED[:-20], "cannot be|truncated|gzip"),
        ("t.parquet", b"PAR1 not", "not readable as Parquet"),
        ("t.json", b"{}", "unknown kind of file"),
        ("t", b"id,v\n", "unknown kind of file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, content, complaint):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SnapshotRefused, match=complaint):
        read(tmp_path / name)


def test_what_a_files_name_says_does_not_depend_on_capitals_or_on_other_dots_in_it(tmp_path):
    tabs, commas = b"id\tv\n1,5\ta\n", b"id,v\n1\t5,a\n"
    for name, content in (
        ("T.TSV", tabs), ("T.Tsv.GZ", gzip.compress(tabs)),
        ("t.tsv.CSV", commas), ("t.tsv.csv.gz", gzip.compress(commas)), ("t.gz.csv", commas),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert column(read(tmp_path / name)) == ["a"], name


def test_a_missing_file_is_refused(tmp_path):
    for name in ("t.csv", "t.parquet", "t.csv.zst"):
        with pytest.raises(SnapshotRefused, match=f"{name}: cannot be read: .*No such file"):
            read(tmp_path / name)


# --- Parquet.


def write(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_types_are_kept_or_stored_under_one_name_for_one_kind(tmp_path):
    path = write(
        tmp_path / "t.parquet",
        id=pa.array([2, 1], pa.uint16()),
        big=pa.array(["a", None], pa.large_string()),
        few=pa.array(["x", "y"]).dictionary_encode(),
        fixed=pa.array([b"ab", None], pa.binary(2)),
        day=pa.array([0, 86_400_000], pa.date64()),
        at=pa.array([0, 1], pa.timestamp("s", tz="UTC")),
        nothing=pa.nulls(2),
        cost=pa.array([Decimal("1.5"), None], pa.decimal128(9, 1)),
    )
    snapshot = read(path)
    assert [(c.name, str(c.type)) for c in snapshot.schema.columns] == [
        ("id", "uint16"), ("big", "string"), ("few", "string"), ("fixed", "binary"),
        ("day", "date32[day]"), ("at", "timestamp[ms, tz=UTC]"), ("nothing", "string"),
        ("cost", "decimal128(9, 1)"),
    ]  # fmt: skip
    assert snapshot.batches[0].column("few").to_pylist() == ["y", "x"]


def test_uuids_of_parquet_are_stored_as_bytes_and_json_as_text(tmp_path):
    """Many databases have them as keys and values; Parquet and Arrow as types of their own."""
    low, high = b"\x00" * 16, b"\xff" * 16
    path = write(
        tmp_path / "t.parquet",
        id=pa.array([high, low], pa.uuid()),
        v=pa.array(['{"a": 1}', None], pa.json_()),
        flag=pa.array([1, 0], pa.bool8()),
    )
    first = read(path)
    assert [str(c.type) for c in first.schema.columns] == ["binary", "string", "int8"]
    assert (column(first, "id"), column(first)) == ([low, high], [None, '{"a": 1}'])
    assert read(path, schema=first.schema).schema == first.schema


@pytest.mark.parametrize(
    "values", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([[("a", 1)]], pa.map_("string", ID))]
)
def test_nested_types_are_refused_by_column(tmp_path, values):
    path = write(tmp_path / "t.parquet", id=pa.array([1]), v=values)
    with pytest.raises(SnapshotRefused, match=r"column 'v' has type .* cannot be stored"):
        read(path)


@pytest.mark.parametrize("kind", [pa.float64(), pa.duration("us")])
def test_types_without_one_order_are_no_keys(tmp_path, kind):
    path = write(tmp_path / "t.parquet", id=pa.array([1], ID).cast(kind))
    with pytest.raises(SnapshotRefused, match=r"key column 'id' has type"):
        read(path)


@pytest.mark.parametrize(
    ("before", "found", "after"),
    [
        (pa.int32(), pa.int64(), pa.int64()),  # Wider: a schema step.
        (pa.int64(), pa.int32(), pa.int64()),  # Narrower: no step, no loss.
        (pa.int64(), pa.float64(), pa.int64()),  # pandas writes integers with gaps like this.
        (pa.float64(), pa.int64(), pa.float64()),
        (pa.string(), pa.large_string(), pa.string()),
        (pa.string(), pa.null(), pa.string()),
        (pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("us")),
        (pa.decimal128(20, 2), pa.decimal128(22, 3), pa.decimal128(22, 3)),
    ],
)
def test_a_later_parquet_takes_the_remembered_type_or_a_wider_one(tmp_path, before, found, after):
    one = Decimal(4000) if pa.types.is_decimal(found) else 4000
    values = pa.array([None if pa.types.is_null(found) else one]).cast(found)
    path = write(tmp_path / "t.parquet", id=pa.array([1]), v=values)
    snapshot = read(path, schema=remembered(id=ID, v=before))
    assert snapshot.schema.type_of("v") == after
    assert snapshot.batches[0].column("v").equals(values.cast(after))


@pytest.mark.parametrize(
    ("before", "values"),
    [
        (pa.int64(), pa.array([4.5])),
        (pa.int8(), pa.array([400.0])),
        (pa.int64(), pa.array(["4"])),
        (pa.string(), pa.array([4])),
        (pa.bool_(), pa.array([1])),
        (pa.date32(), pa.array([4])),
        (pa.timestamp("us"), pa.array([4], pa.timestamp("us", tz="UTC"))),
        (pa.timestamp("us"), pa.array([4], pa.timestamp("ns"))),
        (pa.string(), pa.array([b"4"])),
    ],
)
def test_a_later_parquet_that_would_lose_or_change_values_is_refused(tmp_path, before, values):
    path = write(tmp_path / "t.parquet", id=pa.array([1]), v=values)
    with pytest.raises(SnapshotRefused, match=r"column 'v' has type .* \(expected .*full backup"):
        read(path, schema=remembered(id=ID, v=before))


def test_a_folder_of_parquet_files_is_one_snapshot(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    write(folder / "part-1.parquet", id=pa.array([1, 4]), v=pa.array(["a", "d"]))
    write(folder / "part-0.parquet", id=pa.array([3, 2]), v=pa.array(["c", "b"]))
    assert column(read(folder)) == ["a", "b", "c", "d"]

    write(folder / "part-2.parquet", id=pa.array([9]), v=pa.array([9]))
    with pytest.raises(SnapshotRefused, match=r"part-2.parquet: its columns are not those of"):
        read(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SnapshotRefused, match=r"no .parquet file in this folder"):
        read(tmp_path / "empty")


def test_doubled_and_null_keys_of_parquet_are_named_by_row(tmp_path):
    path = write(tmp_path / "t.parquet", id=pa.array([1, 2, 1]))
    with pytest.raises(SnapshotRefused, match=r"row 1 and row 3: .* 1 comes twice"):
        read(path)
    path = write(tmp_path / "t.parquet", id=pa.array([1, None]))
    with pytest.raises(SnapshotRefused, match=r"row 2: .* is NULL"):
        read(path)


def damaged(kind: pa.DataType, *raw: pa.Array) -> pa.Array:
    """The buffers of one array as another type, which makes no promise that they hold any."""
    return pa.Array.from_buffers(kind, len(raw[0]), raw[0].buffers())


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (damaged(pa.string(), pa.array([b"M\xc3\xbcller", b"M\xfcller"])), "UTF8"),
        (damaged(pa.time64("us"), pa.array([0, 86_400_000_000])), "range"),
    ],
)
def test_a_parquet_value_that_no_restore_would_take_is_named_by_row_and_column(
    tmp_path, values, complaint
):
    path = write(tmp_path / "t.parquet", id=pa.array([1, 2]), v=values)
    with pytest.raises(SnapshotRefused, match=rf"t.parquet: row 2, column 'v': .*{complaint}"):
        read(path)
    path = write(tmp_path / "k.parquet", id=values)
    with pytest.raises(SnapshotRefused, match=rf"k.parquet: row 2, column 'id': .*{complaint}"):
        read(path)


def test_a_refused_key_of_days_and_moments_is_told_as_people_write_them(tmp_path):
    days = pa.array([18262, 0, 18262], pa.date32())
    moments = pa.array([1, 2, 1], pa.timestamp("us", tz="UTC"))
    path = write(tmp_path / "t.parquet", day=days, at=moments)
    key = r"\(2020-01-01, 1970-01-01 00:00:00.000001Z\)"
    with pytest.raises(
        SnapshotRefused, match=rf"row 1 and row 3: key \(day, at\) {key} comes twice"
    ):
        read(path, "day", "at")
    path = write(tmp_path / "t.parquet", day=days, at=moments.take(pa.array([0, 1, None])))
    with pytest.raises(
        SnapshotRefused, match=r"row 3: key \(day, at\) \(2020-01-01, NULL\) is NULL"
    ):
        read(path, "day", "at")


def test_a_refused_key_in_a_time_zone_that_nobody_knows_is_told_as_it_is_stored(tmp_path):
    moments = pa.array([5, 5], pa.timestamp("us", tz="Moon/X"))
    path = write(tmp_path / "t.parquet", at=moments)
    with pytest.raises(SnapshotRefused, match=r"row 1 and row 2: key \(at\) 5 comes twice"):
        read(path, "at")


def test_no_file_of_a_folder_is_left_out_in_silence(tmp_path):
    folder = tmp_path / "t"
    (folder / "day=2").mkdir(parents=True)
    write(folder / "a.parquet", id=pa.array([1]))
    write(folder / "b.pq", id=pa.array([2]))
    write(folder / "C.PARQUET", id=pa.array([3]))
    assert column(read(folder), "id") == [1, 2, 3]

    nested = write(folder / "day=2" / "d.parquet", id=pa.array([4]))
    with pytest.raises(SnapshotRefused, match=r"day=2/d.parquet: lies in a folder within t "):
        read(folder)
    nested.rename(folder / "day=2" / "d.txt")
    assert column(read(folder), "id") == [1, 2, 3]

    (folder / "e.parquet").symlink_to("nowhere")
    with pytest.raises(SnapshotRefused, match="No such file"):
        read(folder)
