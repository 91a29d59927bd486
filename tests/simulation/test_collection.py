"""The generated chain on disk: restored by the product, read back by value, and damaged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings

from increstore.chain.collection import Collection
from increstore.chain.plan import plan_restore
from increstore.chain.reader import read_page
from increstore.chain.validate import validate, validate_collection
from increstore.errors import BackupChainBroken, ScenarioError, VerificationFailed
from increstore.journal import Journal
from increstore.protocol.coordinator import CoordinatorConfig, RestoreState
from increstore.protocol.topology import source_name
from increstore.runtime.prepare import prepare
from increstore.runtime.request import RestoreRequest
from increstore.runtime.restore import run_restore
from increstore.scenario.model import Damage, WorkloadSpec
from increstore.simulation.collection import (
    DAMAGES,
    DIFFERENCES_SHOWN_MAX,
    compare,
    damage,
    read_target,
    read_targets,
    write_collection,
)
from increstore.simulation.model import UPSERT, Change, Model, TableHistory
from increstore.simulation.workload import build

from .builders import CHAINS, any_spec, shards


def restore(collection: Path, target: Path, sources=2, targets=2):
    """The production restore, in this process, to its end."""
    prepared = prepare(RestoreRequest(collection, target, sources=sources, targets=targets))
    try:
        return run_restore(prepared, CoordinatorConfig(), Journal())
    finally:
        prepared.log.close()
        prepared.directory.close()


def problems(collection: Path):
    opened = Collection.open(collection)
    return [*validate_collection(opened), *validate(opened.chain())]


# --- The same chain.


@pytest.mark.parametrize("name", CHAINS)
def test_a_real_restore_of_the_written_chain_is_the_model(name, tmp_path):
    """T1 in the real modes: by value, after the whole chain."""
    spec = CHAINS[name]
    collection = write_collection(spec, tmp_path)
    assert problems(collection) == []

    outcome = restore(collection, tmp_path / "target", sources=2, targets=3)

    model = build(spec, 2, 3).model
    assert outcome.state is RestoreState.COMPLETED
    assert compare(tmp_path / "target", model, spec.incrementals) == []
    assert read_targets(tmp_path / "target") == model.rows_after(spec.incrementals)


@given(spec=any_spec(), sources=shards, targets=shards)
@example(spec=WorkloadSpec(rows=1, changes=1), sources=3, targets=4)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_real_plan_cuts_the_chain_as_the_simulation_does(
    tmp_path_factory, spec, sources, targets
):
    """Pages, their source shards, and the rows of each page that each target shard owns."""
    collection = write_collection(spec, tmp_path_factory.mktemp("chain"))
    chain = Collection.open(collection).chain()
    assert problems(collection) == []

    plan = plan_restore(collection, chain.manifests, None, sources, targets)

    workload = build(spec, sources, targets)
    assert len(plan.backups) == workload.topology.last_incremental + 1
    for table in workload.topology.tables:
        real = plan.table(table.table)
        assert real.rows == table.rows
        changed = [n for n in table.incrementals if workload.model.changes(table.table, n) or not n]
        assert [step.incremental for step in real.steps] == changed
        for step in real.steps:
            for number in range(sources):
                pages = workload.pages(source_name(table.table, number), step.incremental)
                slices = [read_page(real, step, page) for page in step.part(number, sources)]
                assert [[(table.targets[s.target], s.rows) for s in page] for page in slices] == [
                    [(batch.target, batch.rows) for batch in page] for page in pages
                ]


def test_an_unchanged_table_and_one_without_changes_are_recorded_as_such(tmp_path):
    spec = CHAINS["nothing, no change and only deletes"]
    manifests = Collection.open(write_collection(spec, tmp_path)).chain().manifests
    kinds = [{name: entry.change for name, entry in m.tables.items()} for m in manifests]
    assert kinds[1] == {"orders": "changes", "people": "changes", "shop/lines": "changes"}
    assert kinds[2] == {"orders": "changes", "people": "changes", "shop/lines": "unchanged"}
    deletes = manifests[3].tables["orders"]
    assert (deletes.upserts, deletes.resets, deletes.erases) == (0, 0, spec.changes)


def files_of(collection: Path):
    return {
        str(file.relative_to(collection)): file.read_bytes()
        for file in sorted(collection.rglob("*.parquet"))
    }


def test_another_process_writes_the_same_files(tmp_path):
    program = (
        "import sys; from pathlib import Path; "
        "from increstore.scenario.model import WorkloadSpec; "
        "from increstore.simulation.collection import write_collection; "
        "write_collection(WorkloadSpec(seed=4, keys='composite'), Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "there")],
        env={"PYTHONHASHSEED": "4711"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    here = write_collection(WorkloadSpec(seed=4, keys="composite"), tmp_path / "here")
    assert files_of(here) == files_of(tmp_path / "there" / here.name) != {}


# --- What a target holds.


@pytest.fixture(scope="module")
def restored(tmp_path_factory):
    """A target, with the model it equals; read only."""
    folder = tmp_path_factory.mktemp("restored")
    spec = CHAINS["text keys, two tables"]
    restore(write_collection(spec, folder), folder / "target")
    return folder / "target", build(spec, 2, 2).model


def with_other_rows(restored, folder, edit):
    """A copy of the target's orders, in one file, whose rows were edited."""
    target, model = restored
    parts = [pq.ParquetFile(file).read() for file in sorted((target / "orders").glob("*"))]
    found = pa.concat_tables(parts)
    rows = found.to_pylist()
    edit(rows)
    (folder / "orders").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, found.schema), folder / "orders" / "a.parquet")
    shutil.copytree(target / "people", folder / "people")
    return folder, model


def test_a_target_is_another_one_after_another_backup(restored):
    target, model = restored
    assert compare(target, model, model.last_incremental) == []
    differences = compare(target, model, 0)
    assert len(differences) == 2 * (DIFFERENCES_SHOWN_MAX + 1)
    assert all("keys more" in differences[place] for place in (10, 21))


def test_a_missing_row_a_surplus_row_and_another_value_are_told(restored, tmp_path):
    _, model = restored
    (gone,), (changed,) = sorted(model.rows_after(model.last_incremental)["orders"])[:2]

    def edit(rows):
        rows[:] = [row for row in rows if row["code"] != gone]
        next(row for row in rows if row["code"] == changed)["note"] = "other"
        rows.append({**rows[0], "code": "zzz"})

    folder, _ = with_other_rows(restored, tmp_path, edit)
    differences = compare(folder, model, model.last_incremental)
    assert [text.partition("orders: ")[2].partition(":")[0] for text in differences] == [
        f"key {(gone,)!r}", f"key {(changed,)!r}", "key ('zzz',)"
    ]  # fmt: skip
    assert differences[0].endswith("got no row")
    assert "got amount" in differences[1]
    assert "note 'other'" in differences[1]
    assert "expected no row" in differences[2]


def test_a_key_that_is_there_twice_is_told(restored, tmp_path):
    folder, model = with_other_rows(restored, tmp_path, lambda rows: rows.append(rows[0]))
    with pytest.raises(
        VerificationFailed, match=r"a.parquet: expected each key once, got \('.*',\)"
    ):
        read_target(folder, "orders")
    assert len(compare(folder, model, model.last_incremental)) == 1


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (pa.int64(), []),
        (pa.float64(), ["key (1,): expected a 1, got a 1.0"]),
        (pa.bool_(), ["key (1,): expected a 1, got a True"]),
        (pa.string(), ["key (1,): expected a 1, got a '1'"]),
    ],
)
def test_equal_values_of_another_type_differ(kind, told, tmp_path):
    model = Model([TableHistory("orders", ("id",), ("a",), ((Change((1,), UPSERT, {"a": 1}),),))])
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("a", kind)])
    ones = pa.array([1], pa.int64())
    (tmp_path / "orders").mkdir()
    pq.write_table(pa.table([ones, ones.cast(kind)], schema), tmp_path / "orders" / "part.parquet")
    assert compare(tmp_path, model, 0) == [f"{tmp_path / 'orders'}: {text}" for text in told]


def test_a_missing_table_and_a_strange_one_are_told(restored, tmp_path):
    target, model = restored
    for table in ("orders", "strange"):
        shutil.copytree(target / "orders", tmp_path / table)
    differences = compare(tmp_path, model, model.last_incremental)
    assert len(differences) == 2
    assert "table 'strange' is not in the chain" in differences[0]
    assert "people: expected" in differences[1]
    assert differences[1].endswith("got no such table")
    with pytest.raises(VerificationFailed, match="expected the files of table 'people', got none"):
        read_target(tmp_path, "people")


def test_nothing_is_read_of_a_target_that_is_not_there(tmp_path):
    assert read_targets(tmp_path / "nowhere") == {}


# --- Damage.

SAYS = {
    "missing-table": "says nothing about table 'orders'",
    "missing-incremental": "the backup it follows",
    "reordered": "but stands after",
    "corrupt-file": "altered: sha256",
    "truncated-file": "truncated:",
    "newer-format": "manifest format 2 is newer",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_chain_is_refused_and_nothing_is_restored(kind, tmp_path):
    collection = write_collection(WorkloadSpec(tables=2), tmp_path)
    damage(collection, kind)
    with pytest.raises(BackupChainBroken, match=SAYS[kind]):
        restore(collection, tmp_path / "target")
    assert read_targets(tmp_path / "target") == {}


def every_byte(folder: Path):
    return {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_was_damaged_is_named(kind, tmp_path):
    collection = write_collection(WorkloadSpec(tables=2, incrementals=2), tmp_path)
    before = every_byte(collection)
    place = damage(collection, kind).partition(":")[0].partition(" and ")[0]
    after = every_byte(collection)
    changed = {file for file in {**before, **after} if before.get(file) != after.get(file)}
    assert changed
    assert any(Path(place) == file or Path(place) in file.parents for file in changed)


def test_every_damage_that_a_scenario_can_name_can_be_done():
    assert get_args(Damage) == DAMAGES


@pytest.mark.parametrize(
    ("kind", "spec", "says"),
    [
        ("burnt", WorkloadSpec(), "no such damage .expected one of: missing-table, "),
        ("missing-table", WorkloadSpec(incrementals=0), "set .workload. incrementals to 1 or more"),
        (
            "missing-incremental",
            WorkloadSpec(incrementals=1),
            "a chain of 3 backups or more, got 2",
        ),
        ("reordered", WorkloadSpec(incrementals=1), "set .workload. incrementals to 2 or more"),
        ("corrupt-file", CHAINS["no row at all"], "expected a chain with rows, got none"),
    ],
)
def test_a_damage_that_cannot_be_done_is_a_mistake_in_the_scenario(kind, spec, says, tmp_path):
    collection = write_collection(spec, tmp_path)
    with pytest.raises(ScenarioError, match=says):
        damage(collection, kind)
    assert problems(collection) == []
