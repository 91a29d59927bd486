"""An incremental backup is the difference to the chain's state, whatever state and types."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain.backup import TableSource, backup_full, backup_incremental
from increstore.chain.collection import Collection
from increstore.chain.digest import rows_digest
from increstore.chain.schema import Column, TableSchema, stored_type
from increstore.chain.state import differences
from increstore.chain.validate import validate
from increstore.chain.writer import FileLimits, State, TableChanges, write_backup
from increstore.errors import BackupChainBroken, SnapshotRefused, UsageError

from . import strategies
from .builder import Shop, a_shop_with_three_incrementals, integers, state_batches
from .model import array_of, batch_of_rows, rows_of_batch, values_of

TINY_FILES = FileLimits(group_rows_max=2, file_bytes_aim=1)


def entry(shop: Shop, position: int, table: str = "shop/orders"):
    return shop.backup(position).manifest.tables[table]


def test_an_incremental_holds_inserts_updates_and_deletes_alone(tmp_path):
    shop = Shop(tmp_path)
    shop.full("id,v,w\n1,a,x\n2,b,x\n3,c,x\n4,d,x\n")
    shop.incremental("id,v,w\n1,a,x\n2,B,x\n4,d,\n5,e,y\n")

    rows = pq.read_table(shop.data_file(1)).to_pylist()

    assert rows == [
        {"id": 2, "v": "B", "w": None, "__op": 0, "__set": {"v": True, "w": False}},
        {"id": 3, "v": None, "w": None, "__op": 2, "__set": None},
        {"id": 4, "v": None, "w": None, "__op": 0, "__set": {"v": False, "w": True}},
        {"id": 5, "v": "e", "w": "y", "__op": 0, "__set": None},
    ]
    made = entry(shop, 1)
    assert (made.upserts, made.resets, made.erases, made.rows) == (3, 0, 1, 4)
    assert shop.state() == [
        {"id": 1, "v": "a", "w": "x"},
        {"id": 2, "v": "B", "w": "x"},
        {"id": 4, "v": "d", "w": None},
        {"id": 5, "v": "e", "w": "y"},
    ]


def test_every_backup_of_a_chain_can_be_gone_back_to(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    names = [backup.name for backup in shop.collection().backups]
    states = [shop.state(upto=name) for name in names]
    assert [len(state) for state in states] == [3, 3, 4, 4]
    assert states[0][0] == {"id": 1, "v": "a"}
    assert states[2] == states[3]
    assert states[3][1] == {"id": 2, "v": "B", "extra": "x"}


def test_an_equal_snapshot_is_recorded_as_unchanged(tmp_path):
    shop = Shop(tmp_path)
    shop.full("id,v\n1,a\n2,b\n")
    shop.incremental("id,v\n2,b\n1,a\n")
    made = entry(shop, 1)
    assert (made.change, made.files) == ("unchanged", [])
    assert (made.rows, made.digest) == (2, entry(shop, 0).digest)


def test_a_table_that_is_not_given_is_recorded_as_unchanged(tmp_path):
    shop = Shop(tmp_path)
    shop.full(customers="id,n\n1,x\n")
    shop.incremental("id,v\n9,z\n")
    assert entry(shop, 1, "customers").change == "unchanged"
    assert shop.state("customers") == [{"id": 1, "n": "x"}]


def test_a_schema_step_is_recorded_also_when_no_row_changed(tmp_path):
    shop = Shop(tmp_path)
    shop.full("id,v,w\n1,a,x\n")
    shop.incremental("id,v\n1,a\n")
    made = entry(shop, 1)
    assert (made.change, made.files, [c.name for c in made.columns]) == ("changes", [], ["id", "v"])
    assert validate(shop.collection().chain()) == []
    assert shop.state() == [{"id": 1, "v": "a"}]


def test_a_column_dropped_and_added_again_does_not_bring_old_values_back(tmp_path):
    shop = Shop(tmp_path)
    shop.full("id,v,w\n1,a,old\n2,b,old\n")
    shop.incremental("id,v\n1,a\n2,b\n")
    shop.incremental("id,v,w\n1,a,\n2,b,new\n")
    assert [row["w"] for row in shop.state()] == [None, "new"]
    assert validate(shop.collection().chain()) == []


def test_a_table_can_become_empty_and_full_again(tmp_path):
    shop = Shop(tmp_path)
    shop.full("id,v\n")
    shop.incremental("id,v\n1,a\n2,b\n")
    shop.incremental("id,v\n")
    shop.incremental("id,v\n2,c\n")
    states = [shop.state(upto=b.name) for b in shop.collection().backups]
    assert [len(state) for state in states] == [0, 2, 0, 1]
    assert validate(shop.collection().chain()) == []


def test_the_key_is_remembered_and_cannot_change(tmp_path):
    shop = Shop(tmp_path)
    shop.full()
    file = shop.snapshot("id,v\n1,a\n")
    backup_incremental(shop.path, [TableSource("shop/orders", file, ("id",))])
    with pytest.raises(UsageError, match=r"has the key \(id\), which .* cannot change to \(v\)"):
        backup_incremental(shop.path, [TableSource("shop/orders", file, ("v",))])


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ([("new", ("id",))], "needs a new full backup"),
        ([("shop/orders", None), ("shop/orders", None)], "given twice"),
        ([], "no table given"),
        ([("../out", None)], "table name '../out'"),
    ],
)
def test_tables_that_cannot_be_backed_up_are_refused_and_nothing_is_added(
    tmp_path, sources, complaint
):
    shop = Shop(tmp_path)
    shop.full()
    file = shop.snapshot("id,v\n1,a\n")
    with pytest.raises(UsageError, match=complaint):
        backup_incremental(shop.path, [TableSource(name, file, key) for name, key in sources])
    assert len(shop.collection().backups) == 1


def test_a_full_backup_needs_a_key(tmp_path):
    shop = Shop(tmp_path)
    with pytest.raises(UsageError, match="'t' has no key; give one: --key t=COLUMN"):
        backup_full(shop.path, [TableSource("t", shop.snapshot("id\n1\n"))])
    assert not shop.path.exists()


def test_an_incremental_needs_a_chain(tmp_path):
    shop = Shop(tmp_path)
    with pytest.raises(BackupChainBroken, match="no such collection"):
        shop.incremental("id,v\n1,a\n")
    assert not shop.path.exists()


def test_a_bad_snapshot_leaves_the_collection_as_it_was(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    with pytest.raises(SnapshotRefused, match="comes twice"):
        shop.incremental("id,v\n1,a\n1,b\n")
    assert len(shop.collection().backups) == 4
    assert validate(shop.collection().chain()) == []


def test_an_incremental_on_a_damaged_chain_is_refused(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    path = shop.data_file(1)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BackupChainBroken, match="truncated"):
        shop.incremental("id,v,extra\n1,z,\n")
    path.unlink()
    with pytest.raises(BackupChainBroken, match="no such file"):
        shop.incremental("id,v,extra\n1,z,\n")
    assert len(shop.collection().backups) == 4


def test_no_flipped_byte_of_the_chain_reaches_the_next_backup(tmp_path):
    """Sizes and footers may still fit: then the state's digest tells, or no row was hit."""
    shop = a_shop_with_three_incrementals(tmp_path)
    path = shop.data_file(1)
    whole, state = path.read_bytes(), shop.state()
    refused = 0
    for place in range(0, len(whole), 9):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert shop.state() == state
        except BackupChainBroken:
            refused += 1
    assert refused > len(whole) / 9 / 4


def test_a_chain_whose_rows_are_not_the_promised_ones_is_refused(tmp_path):
    """The files are whole, but whoever made the backup counted wrong."""
    schema = TableSchema((Column("id", pa.int64()), Column("v", pa.string())), ("id",))
    shop = Shop(tmp_path)
    tables = {"shop/orders": TableChanges("full", schema, [integers(3)], State(3, 12345))}
    write_backup(shop.path, "full", tables)
    with pytest.raises(BackupChainBroken, match=r"3 rows with digest .* \(expected 3 rows"):
        shop.incremental("id,v\n1,z\n")


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kind=st.sampled_from(strategies.VALUE_TYPES))
def test_every_type_goes_through_a_chain_unharmed(data, kind):
    stored = stored_type(kind)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2):
            values = data.draw(st.lists(st.none() | strategies.values(kind), max_size=4))
            file = Path(folder) / "t.parquet"
            ids = pa.array(range(len(values)), pa.int64())
            table = pa.table({"id": ids, "v": array_of(values, kind)})
            pq.write_table(table, file)
            source = TableSource("t", file, None if number else ("id",))
            (backup_incremental if number else backup_full)(Path(folder) / "c", [source])

            chain = Collection.open(Path(folder) / "c").chain()
            batches = state_batches(chain, "t")
            assert all(batch.schema.field("v").type == stored for batch in batches)
            made = [value for batch in batches for value in values_of(batch.column("v"))]
            want = pq.read_table(file).column("v").cast(stored)
            assert made == values_of(want.combine_chunks())
            assert validate(chain) == []


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[tuple[TableSchema, dict]]]:
    """The states of one table over time, with columns that come and go."""
    key = draw(st.sampled_from(sorted(strategies.KEYS)))
    steps = []
    for _ in range(draw(st.integers(1, 5))):
        columns = tuple(c for c in strategies.SOME_VALUES if draw(st.booleans()))
        schema = strategies.schema_of(key, columns)
        steps.append((schema, draw(strategies.states(key, schema))))
    return key, steps


@settings(max_examples=25, deadline=None)
@given(history=histories(), tiny=st.booleans())
def test_a_chain_made_from_any_snapshots_ends_in_the_last(history, tiny):
    _, steps = history
    with tempfile.TemporaryDirectory() as folder:
        collection, limits = Path(folder) / "c", TINY_FILES if tiny else None
        for number, (schema, state) in enumerate(steps):
            batch = batch_of_rows(state, schema)
            file = Path(folder) / "t.parquet"
            pq.write_table(pa.Table.from_batches([batch]), file)
            source = TableSource("t", file, None if number else schema.key)
            make = backup_incremental if number else backup_full
            manifest = make(collection, [source], limits=limits)

            chain = Collection.open(collection).chain()
            batches = state_batches(chain, "t")
            final = manifest.tables["t"].schema_of()
            made = [row for b in batches for row in rows_of_batch(b, final)]
            assert dict(made) == state
            assert [key for key, _ in made] == sorted(state)
            assert validate(chain) == []


@settings(max_examples=100, deadline=None)
@given(data=st.data(), key=st.sampled_from(sorted(strategies.KEYS)))
def test_differences_do_not_depend_on_how_the_states_are_cut(data, key):
    schema = strategies.schema_of(key)
    states = [data.draw(strategies.states(key, schema)) for _ in range(2)]
    wholes, cut = [], []
    for state in states:
        whole = batch_of_rows(state, schema)
        wholes.append([whole])
        size = data.draw(st.integers(1, 4))
        cut.append([whole.slice(start, size) for start in range(0, len(state), size)])

    def told(old: list[pa.RecordBatch], new: list[pa.RecordBatch]) -> list[tuple]:
        return [
            (row.get("__op", 0), row.get("__set"), {n: repr(row[n]) for n in schema.names})
            for batch in differences(old, new, schema)
            for row in batch.to_pylist()
        ]

    assert told(*cut) == told(*wholes)
    assert list(differences(cut[0], wholes[0], schema)) == []


def test_the_recorded_state_is_that_of_the_snapshot(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    (batch,) = state_batches(shop.collection().chain(), "shop/orders")
    made = entry(shop, 3)
    assert made.rows == batch.num_rows == 4
    assert int(made.digest, 16) == rows_digest(batch, made.schema_of())
