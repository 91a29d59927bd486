"""What does not fit into memory waits on disk: the same rows come out, whatever the limits."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain.backup import TableSource, backup_full, backup_incremental
from increstore.chain.collection import Collection
from increstore.chain.runs import RowSorter
from increstore.chain.sorting import DoubledKey
from increstore.chain.spool import Backlog, Spool, SpoolLimits
from increstore.chain.state import STATE_RUNS_MAX
from increstore.chain.validate import require_valid
from increstore.errors import SnapshotRefused, StorageFailed

from . import strategies
from .builder import Shop, integers, state_batches
from .model import batch_of_rows, rows_of_batch

TINY = SpoolLimits(portion_bytes=1, run_bytes=1, batch_bytes=1, runs_max=2, slice_bytes=1)
"""Every row is a portion, a run and a batch."""


def limits() -> st.SearchStrategy[SpoolLimits]:
    size = st.sampled_from([1, 40, 100, 1 << 20])
    return st.builds(
        SpoolLimits,
        portion_bytes=size, run_bytes=size, batch_bytes=size, slice_bytes=size,
        runs_max=st.integers(2, 4),
    )  # fmt: skip


# --- Sorting.


@settings(max_examples=60, deadline=None)
@given(data=st.data(), key=st.sampled_from(sorted(strategies.KEYS)), memory=limits())
def test_rows_in_any_order_and_any_runs_come_out_sorted(data, key, memory):
    schema = strategies.schema_of(key)
    state = data.draw(strategies.states(key, schema))
    order = data.draw(st.permutations(sorted(state)))
    with tempfile.TemporaryDirectory() as folder:
        sorter = RowSorter(schema, Spool(Path(folder), memory))
        for one in order:
            row = batch_of_rows({one: state[one]}, schema)
            sorter.add(pa.Table.from_batches([row]))
        made = [row for batch in sorter.batches() for row in rows_of_batch(batch, schema)]
    assert made == sorted(state.items(), key=lambda item: item[0])


@settings(max_examples=40, deadline=None)
@given(ids=st.lists(st.integers(0, 6), min_size=1, max_size=12), memory=limits())
def test_a_doubled_key_is_found_in_whatever_runs_it_lies(ids, memory):
    schema = strategies.schema_of("int", ())
    doubled = [one for one in ids if ids.count(one) > 1]
    with tempfile.TemporaryDirectory() as folder:
        sorter = RowSorter(schema, Spool(Path(folder), memory))
        if doubled:
            with pytest.raises(DoubledKey) as caught:
                sorted_ids(sorter, ids)
            assert caught.value.key.column("id")[0].as_py() in doubled
        else:
            assert sorted_ids(sorter, ids) == sorted(ids)


def sorted_ids(sorter: RowSorter, ids: Iterable[int]) -> list[int]:
    for one in ids:
        sorter.add(pa.table({"id": pa.array([one], pa.int64())}))
    return [row["id"] for batch in sorter.batches() for row in batch.to_pylist()]


def test_rows_in_key_order_make_one_run_and_others_are_merged_level_by_level(tmp_path):
    """The files that are left say how many runs there are: fewer than two of each level."""
    schema = strategies.schema_of("int", ())
    left = []
    for number, ids in enumerate((range(16), range(16, 0, -1))):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert sorted_ids(RowSorter(schema, Spool(folder, TINY)), ids) == sorted(ids)
        left.append(len(list(folder.iterdir())))
    assert left == [1, 5]  # Of 15 ended runs 8 + 4 + 2 + 1, and the one that still grows.


# --- Whole backups.


@settings(max_examples=15, deadline=None)
@given(data=st.data(), key=st.sampled_from(sorted(strategies.KEYS)), memory=limits())
def test_a_chain_is_the_same_within_any_limits_on_memory(data, key, memory):
    """Rows, types and digests; in CSV, whose types are found out by all rows."""
    schema = strategies.schema_of(key)
    names = sorted(schema.names)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(3):
            state = data.draw(strategies.states(key, schema))
            order = data.draw(st.permutations(sorted(state)))
            rows = [{**dict(zip(schema.key, one, strict=True)), **state[one]} for one in order]
            write_csv(folder / "t.csv", names, rows)
            for collection, limit in (("tight", memory), ("wide", None)):
                source = TableSource("t", folder / "t.csv", None if number else schema.key)
                make = backup_incremental if number else backup_full
                try:
                    make(folder / collection, [source], memory=limit)
                except SnapshotRefused:
                    assert number, "only a later snapshot has types that it may not fit"
        tight, wide = (described(folder / collection) for collection in ("tight", "wide"))
        assert tight == wide


def write_csv(path: Path, names: list[str], rows: list[dict]) -> None:
    """NULL is an empty field; everything else is quoted."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(names)
        for row in rows:
            fields = ["" if row[n] is None else '"' + quotable(row[n]) + '"' for n in names]
            file.write(",".join(fields) + "\n")


def quotable(value: object) -> str:
    return str(value).replace('"', '""').replace("\r", " ").replace("\0", " ")


def described(collection: Path) -> list[tuple]:
    """What the manifests say of the table, and its rows after the last of them."""
    found = Collection.open(collection)
    tables = [backup.manifest.tables["t"] for backup in found.backups]
    rows = [row for batch in state_batches(found.chain(), "t") for row in batch.to_pylist()]
    facts = [
        (t.change, t.schema_hash, t.rows, t.digest, t.upserts, t.erases, t.has_op, t.has_set)
        for t in tables
    ]
    return [*facts, tuple(repr(row) for row in rows)]


def tiny(shop: Shop, text: str, *key: str) -> None:
    make = backup_full if key else backup_incremental
    source = TableSource("shop/orders", shop.snapshot(text), key or None)
    make(shop.path, [source], memory=TINY)


def test_a_doubled_key_of_two_runs_is_named_with_the_first_two_lines(tmp_path):
    shop = Shop(tmp_path)
    text = 'id,v\n9,"two\nlines"\n7,b\n1,c\n7,d\n7,e\n'
    with pytest.raises(SnapshotRefused, match=r"line 4 and line 6: key \(id\) 7 comes twice"):
        tiny(shop, text, "id")
    assert shop.collection().backups == ()
    assert [path.name for path in shop.path.iterdir()] == [".lock"]


def test_a_doubled_key_of_several_columns_is_found_in_parquet_files(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    for number, place in enumerate("bab"):
        days = pa.array([7], pa.date32())
        pq.write_table(pa.table({"p": [place], "d": days}), folder / f"{number}.parquet")
    key = r"key \(p, d\) \('b', 1970-01-08\) comes"
    with pytest.raises(SnapshotRefused, match=rf"row 1 and row 3: {key}"):
        backup_full(tmp_path / "c", [TableSource("t", folder, ("p", "d"))], memory=TINY)


def test_a_bad_value_behind_many_portions_is_named_with_its_line(tmp_path):
    shop = Shop(tmp_path)
    tiny(shop, "id,v\n1,5\n2,6\n", "id")
    with pytest.raises(SnapshotRefused, match="line 4, column 'v': 'x' is not of type int64"):
        tiny(shop, "id,v\n1,5\n2,6\n3,x\n")
    with pytest.raises(SnapshotRefused, match=r"line 4: key \(id\) NULL is NULL"):
        tiny(shop, "id,v\n1,5\n2,6\n,8\n")
    assert len(shop.collection().backups) == 1


def test_a_chain_longer_than_is_held_at_once_is_folded_on_disk(tmp_path):
    """Partial updates, deletes and new keys, so that every fold has something to unite."""
    shop = Shop(tmp_path)
    rows = {number: [f"a{number}", f"b{number}"] for number in range(5)}
    for step in range(STATE_RUNS_MAX + 5):
        rows[step % 5] = [f"a{step}", rows.get(step % 5, ["", "kept"])[1]]
        rows[100 + step] = ["new", "row"]
        rows.pop((step * 3 + 1) % 5, None)
        text = "".join(f"{number},{a},{b}\n" for number, (a, b) in rows.items())
        tiny(shop, f"id,a,b\n{text}", *(() if step else ("id",)))
    assert shop.state() == [{"id": n, "a": a, "b": b} for n, (a, b) in sorted(rows.items())]
    require_valid(shop.collection().chain())


# --- What happens to the disk.


def visible_and_hidden(shop: Shop) -> list[str]:
    return sorted(path.name for path in shop.path.iterdir())


def test_a_backlog_gives_back_in_order_what_memory_could_not_hold(tmp_path):
    backlog = Backlog(Spool(tmp_path, SpoolLimits(run_bytes=1000, batch_bytes=500)), ("id",))
    for start in range(0, 400, 50):
        backlog.add(integers(50, start))
    made = pa.Table.from_batches(backlog.batches())
    assert made.column("id").to_pylist() == list(range(400))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_byte_that_the_disk_changes_in_the_spool_ends_the_backup(tmp_path):
    backlog = Backlog(Spool(tmp_path, TINY), ("id",))
    backlog.add(integers(50))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:700] + bytes([whole[700] ^ 1]) + whole[701:]):
        file.write_bytes(damaged)
        with pytest.raises(StorageFailed, match=r"is not what was written; no backup was added"):
            list(backlog.batches())


SPILLING = """
import resource, signal, sys
from pathlib import Path
from increstore.chain.backup import TableSource, backup_full
from increstore.chain.spool import SpoolLimits
from increstore.errors import StorageFailed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
memory = SpoolLimits(portion_bytes=1000, run_bytes=100_000, batch_bytes=10_000)
try:
    backup_full(sys.argv[1], [TableSource("t", Path(sys.argv[2]), ("id",))], memory=memory)
except StorageFailed as error:
    print(error)
"""


def many_rows(shop: Shop) -> Path:
    """Not in order, so that there are many runs."""
    ids = ((number * 7919) % 50_021 for number in range(50_021))
    return shop.snapshot("".join(["id,v\n", *(f"{i},row {i * i}\n" for i in ids)]), "many.csv")


def test_a_full_disk_while_rows_are_sorted_ends_the_backup_with_nothing_left(tmp_path):
    shop = Shop(tmp_path)
    shop.full()
    before = visible_and_hidden(shop)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", SPILLING, str(shop.path), str(many_rows(shop))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ".spool: writing failed: File too large" in result.stdout
    assert "no backup was added, those before are untouched" in result.stdout
    assert result.stderr == ""
    assert visible_and_hidden(shop) == before


ENDED_WHILE_IT_SORTS = """
import sys
from chain.builder import integers
from chain.test_spool import TINY
from chain.test_writer import SCHEMA
import pyarrow as pa
from increstore.chain.runs import RowSorter
from increstore.chain.writer import BackupWriter
with BackupWriter(sys.argv[1], "full") as writer, writer.spool(TINY) as spool:
    sorter = RowSorter(SCHEMA, spool)
    for start in range(20, 0, -1):
        sorter.add(pa.Table.from_batches([integers(1, start)]))
    print("half way", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_backup_ended_while_it_sorts_hinders_neither_chain_nor_next_backup(tmp_path, number):
    shop = Shop(tmp_path)
    shop.full()
    before = visible_and_hidden(shop)
    with subprocess.Popen(
        [sys.executable, "-c", ENDED_WHILE_IT_SORTS, str(shop.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        assert process.stdout.readline() == b"half way\n"
        assert list(shop.path.glob(".spool.partial-*/*.spool"))
        process.send_signal(number)
        process.stdin.close()  # One that struck just before it began to read is noticed now.
        process.wait()
    assert (visible_and_hidden(shop) == before) == (number == signal.SIGINT)
    require_valid(shop.collection().chain())
    assert shop.collection().incomplete == ()
    name = shop.full().name
    assert visible_and_hidden(shop) == sorted([*before, name])
