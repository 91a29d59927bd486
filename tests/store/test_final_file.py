"""The final rows as Parquet: every type comes back, and what is small is stored small."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.errors import StorageFailed
from increstore.store.final_file import ROW_GROUP_ROWS, FinalFile

from .builders import a_disk_that_takes_files_up_to

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678_901)
VALUES = {
    pa.bool_(): [True, False],
    pa.int8(): [-128, 127],
    pa.int64(): [-(2**63), 2**63 - 1],
    pa.uint32(): [0, 2**32 - 1],
    pa.uint64(): [2**64 - 1, 0],
    pa.float32(): [1.5, -0.0],
    pa.float64(): [1e300, 5e-324],
    pa.string(): ["", "blåbær"],
    pa.binary(): [b"\x00", b""],
    pa.date32(): [dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    pa.time32("ms"): [dt.time(0), dt.time(23, 59, 59, 999_000)],
    pa.time64("ns"): [dt.time(23, 59), dt.time(0, 0, 0, 1)],
    pa.duration("us"): [dt.timedelta(days=-1), dt.timedelta(microseconds=1)],
    pa.timestamp("us"): [MOMENT, dt.datetime(1900, 1, 1)],
    pa.timestamp("us", tz="Europe/Oslo"): [MOMENT.replace(tzinfo=dt.UTC)] * 2,
    pa.decimal128(20, 3): [Decimal("-1.500"), Decimal("12345678901234567.001")],
}
ROWS = pa.record_batch({"n": pa.array(range(ROW_GROUP_ROWS)), "text": ["rows"] * ROW_GROUP_ROWS})


def written(path, batch: pa.RecordBatch) -> pq.ParquetFile:
    file = FinalFile(path, batch.schema)
    file.add(batch)
    file.finish()
    return pq.ParquetFile(path)


def encodings_of(file: pq.ParquetFile) -> dict[str, tuple[str, bool]]:
    """Per column its compression, and whether it is stored as differences."""
    group = file.metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    return {
        column.path_in_schema: (column.compression, "DELTA_BINARY_PACKED" in column.encodings)
        for column in columns
    }


@pytest.mark.parametrize("kind", VALUES, ids=str)
def test_values_of_every_type_and_null_come_back(tmp_path, kind):
    values = pa.array([*VALUES[kind], None], kind)
    batch = pa.record_batch({"v": values})
    with written(tmp_path / "rows.parquet", batch) as file:
        assert file.read().column("v").combine_chunks().equals(values)


def test_numbers_are_stored_as_differences_and_text_is_compressed_where_it_shrinks(tmp_path):
    rows = 10_000
    batch = pa.record_batch(
        {
            "key": pa.array(range(rows), pa.int64()),
            "day": pa.array([dt.date(2026, 1, 1)] * rows),
            "same": ["the same words"] * rows,
            "other": [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(rows)],
        }
    )
    path = tmp_path / "rows.parquet"
    with written(path, batch) as file:
        assert encodings_of(file) == {
            "key": ("UNCOMPRESSED", True),
            "day": ("UNCOMPRESSED", True),
            "same": ("SNAPPY", False),
            "other": ("UNCOMPRESSED", False),
        }
    of_key_and_day = rows * (8 + 4)
    assert path.stat().st_size < of_key_and_day + rows * (16 + 4)


def test_row_groups_are_closed_at_their_size(tmp_path):
    file = FinalFile(tmp_path / "rows.parquet", pa.schema([("key", pa.int64())]))
    half = ROW_GROUP_ROWS // 2
    for start in range(0, 5 * half, half):
        file.add(pa.record_batch({"key": pa.array(range(start, start + half), pa.int64())}))
    file.finish()
    with pq.ParquetFile(tmp_path / "rows.parquet") as parquet:
        groups = [
            parquet.metadata.row_group(n).num_rows for n in range(parquet.metadata.num_row_groups)
        ]
        assert groups == [2 * half, 2 * half, half]
        assert parquet.read().column("key").to_pylist() == list(range(5 * half))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are not listed here")
@pytest.mark.parametrize("fails_at", ["first rows", "more rows", "end"])
def test_what_could_not_be_written_is_given_up_whole_and_frees_its_space(tmp_path, fails_at):
    file = FinalFile(tmp_path / "part-00000.parquet", ROWS.schema)
    if fails_at != "first rows":
        file.add(ROWS)
    with a_disk_that_takes_files_up_to(sum(path.stat().st_size for path in tmp_path.iterdir())):
        with pytest.raises(StorageFailed, match="final rows") as failed:
            file.finish() if fails_at == "end" else file.add(ROWS)
        # The end of the file finds no room either: it is not what anybody wants to hear of now.
        file.discard()
    assert list(tmp_path.iterdir()) == []
    # A deleted file takes its space for as long as somebody has it open, and whoever keeps the
    # error keeps everything that was there when it was raised.
    assert failed.value.__cause__ is not None
    assert [name for name in open_files() if name.startswith(str(tmp_path))] == []


def open_files():
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            yield str(entry.readlink())
