"""Bad input is refused with its place, the documented exit code, and nothing half written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.chain.manifest import parse_manifest
from increstore.errors import BackupChainBroken, ExitCode, IncrestoreError, StorageFailed
from increstore.journal import JournalEvent
from increstore.protocol.coordinator import RestoreState
from increstore.runtime.prepare import RestoreRequest

from .builders import (
    IMPATIENT,
    Depot,
    assert_says,
    increstore_ends,
    json_lines,
    restore_here,
    visible_rows,
)


def _refused(depot: Depot, target: Path) -> str:
    """What `restore` says about the chain; it must refuse it and leave nothing behind."""
    with pytest.raises(IncrestoreError) as refusal:
        restore_here(RestoreRequest(depot.path, target))
    assert refusal.value.exit_code == ExitCode.BAD_INPUT
    assert not target.exists()
    return str(refusal.value)


# --- Before anything starts.


def test_a_missing_incremental_is_named(damaged: Depot, tmp_path: Path):
    shutil.rmtree(damaged.path / damaged.backups[2])
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [damaged.backups[3], "missing"])


def test_a_forked_chain_is_refused(damaged: Depot, tmp_path: Path):
    def follow_the_first(manifest: dict[str, Any]) -> None:
        manifest["parent"] = json.loads(damaged.manifest(1).read_text())["id"]

    damaged.edit_manifest(3, follow_the_first)
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [damaged.backups[3], damaged.backups[1]])


def test_reordered_incrementals_are_refused(damaged: Depot, tmp_path: Path):
    one, two = (damaged.path / damaged.backups[number] for number in (2, 3))
    spare = damaged.path / "spare"
    one.rename(spare)
    two.rename(one)
    spare.rename(two)
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [damaged.backups[2], damaged.backups[3]])


def test_a_duplicated_incremental_is_refused(damaged: Depot, tmp_path: Path):
    stamp, _, rest = damaged.backups[2].partition(".")
    name = f"{stamp}.{int(rest[:6]) + 1:06d}{rest[6:]}"
    shutil.copytree(damaged.path / damaged.backups[2], damaged.path / name)
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [name])


def test_a_table_missing_in_one_incremental_is_named(damaged: Depot, tmp_path: Path):
    damaged.edit_manifest(2, lambda manifest: manifest["tables"].pop("people"))
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [damaged.backups[2], "people"])


def test_a_newer_manifest_format_is_refused(damaged: Depot, tmp_path: Path):
    damaged.edit_manifest(4, lambda manifest: manifest.update(format=99))
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [damaged.backups[4], "99", "expected", "upgrade"])


def test_a_type_change_that_loses_data_is_refused(damaged: Depot, tmp_path: Path):
    def narrow(manifest: dict[str, Any]) -> None:
        entry = manifest["tables"]["still"]
        entry["columns"][1]["type"] = "int8"
        altered = parse_manifest(json.dumps(manifest).encode(), "the altered manifest")
        entry["schema_hash"] = altered.tables["still"].schema_of().hash()

    damaged.edit_manifest(5, narrow)
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [damaged.backups[5], "still", "int8"])


def test_a_truncated_data_file_is_named(damaged: Depot, tmp_path: Path):
    file = damaged.data_file(1, "people")
    file.write_bytes(file.read_bytes()[:-20])
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [str(file), "truncated", "expected", "copy"])


def test_a_flipped_bit_is_found_before_anything_starts(damaged: Depot, tmp_path: Path):
    file = damaged.data_file(1, "people")
    _flip(file, len(file.read_bytes()) // 3)
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [str(file), "sha256", "expected"])


def test_every_problem_is_told_at_once(damaged: Depot, tmp_path: Path):
    files = [damaged.data_file(number, "people") for number in (1, 3)]
    files[0].unlink()
    files[1].write_bytes(b"")
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [str(file) for file in files])


def test_a_collection_that_is_not_there_is_refused(tmp_path: Path):
    ended = increstore_ends("restore", tmp_path / "nowhere", "--into", tmp_path / "target")
    assert ended.code in (ExitCode.USAGE, ExitCode.BAD_INPUT)
    assert_says(ended.err, ["nowhere"])
    assert not (tmp_path / "target").exists()


def test_the_command_ends_with_code_3_and_no_traceback(damaged: Depot, tmp_path: Path):
    damaged.data_file(1, "people").unlink()
    damaged.data_file(2, "people").unlink()
    ended = increstore_ends("restore", damaged.path, "--into", tmp_path / "target", "--json")
    (summary,) = json_lines(ended.out)
    assert ended.code == summary["exit_code"] == ExitCode.BAD_INPUT
    assert (summary["state"], len(summary["problems"])) == ("refused", 2)
    assert_says(ended.err, ["error: 2 problems", damaged.backups[1], damaged.backups[2]])
    assert "Traceback" not in ended.err


def _flip(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 0x10
    file.write_bytes(content)


# --- Forged: the manifest vouches for a file that breaks the rules of the format.


def _forge(depot: Depot, position: int, table: str, change: Callable[[pa.Table], pa.Table]) -> Path:
    """Rewrite a data file and make its manifest agree with the new bytes."""
    file = depot.data_file(position, table)
    pq.write_table(change(pq.ParquetFile(file).read()), file, row_group_size=100)

    def agree(manifest: dict[str, Any]) -> None:
        entry = manifest["tables"][table]["files"][0]
        entry["bytes"] = file.stat().st_size
        entry["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()

    depot.edit_manifest(position, agree)
    return file


def _double_a_key(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(0, 6), rows.slice(5, 1), rows.slice(7)])


def _swap_two_rows(rows: pa.Table) -> pa.Table:
    parts = [rows.slice(0, 5), rows.slice(6, 1), rows.slice(5, 1), rows.slice(7)]
    return pa.concat_tables(parts)


def _null_a_key(rows: pa.Table) -> pa.Table:
    names = rows.column("name").to_pylist()
    names[5] = None
    return rows.set_column(rows.schema.get_field_index("name"), "name", [names])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_double_a_key, ["row 6", "person", "one change a key"]),
        (_swap_two_rows, ["row 6", "person", "ascending"]),
    ],
)
def test_a_key_out_of_place_inside_a_vouched_file_fails_with_its_row(
    damaged: Depot, tmp_path: Path, change, words
):
    file = _forge(damaged, 2, "people", change)
    run = restore_here(RestoreRequest(damaged.path, tmp_path / "target"))
    assert run.outcome.state is RestoreState.FAILED
    assert_says(run.outcome.reason, ["incremental 2", str(file), *words])
    assert visible_rows(tmp_path / "target") == {}


def test_a_vouched_file_whose_key_may_be_null_is_refused_before_anything_starts(damaged, tmp_path):
    file = _forge(damaged, 2, "people", _null_a_key)
    said = _refused(damaged, tmp_path / "target")
    assert_says(said, [str(file), "schema", "name"])


def test_rows_that_differ_from_the_promised_state_are_never_published(damaged, tmp_path):
    def other_values(rows: pa.Table) -> pa.Table:
        nulls = pa.nulls(rows.num_rows, pa.binary())
        return rows.set_column(rows.schema.get_field_index("photo"), "photo", nulls)

    _forge(damaged, 5, "people", other_values)
    run = restore_here(RestoreRequest(damaged.path, tmp_path / "target"))
    assert run.outcome.state is RestoreState.FAILED
    assert_says(run.outcome.reason, ["people", "expected", "got", "nothing was published"])
    assert visible_rows(tmp_path / "target") == {}


# --- While the restore runs.


def _when(name: str, action: Callable[[], object], **facts: Any) -> Callable[[JournalEvent], None]:
    """Does `action` once, at the first event of that name and those facts."""
    done: list[bool] = []

    def look(event: JournalEvent) -> None:
        if not done and event.name == name and facts.items() <= event.facts.items():
            done.append(True)
            action()

    return look


@pytest.mark.parametrize("eighth", range(1, 7))
def test_a_bit_that_flips_after_validation_never_reaches_a_table(damaged, tmp_path, eighth):
    """Wherever it lies: the scan fails with the file's name, or the bit did not matter."""
    file, target = damaged.data_file(3, "shop/orders"), tmp_path / "target"
    flip = _when(
        "incremental.completed",
        lambda: _flip(file, file.stat().st_size * eighth // 8),
        incremental=1,
    )
    run = restore_here(RestoreRequest(damaged.path, target), on_event=flip)
    if run.outcome.state is RestoreState.COMPLETED:
        assert visible_rows(target) == damaged.expected[-1]
    else:
        assert run.outcome.state is RestoreState.FAILED
        assert_says(run.outcome.reason, [str(file), "row group"])
        assert visible_rows(target) == {}


def test_a_flipped_value_fails_the_scan_with_its_place(damaged: Depot, tmp_path: Path):
    file, target = damaged.data_file(3, "shop/orders"), tmp_path / "target"
    metadata = pq.ParquetFile(file).metadata.row_group(0).column(1)
    middle = metadata.data_page_offset + metadata.total_compressed_size - 5
    flip = _when("incremental.completed", lambda: _flip(file, middle), incremental=1)
    run = restore_here(RestoreRequest(damaged.path, target), on_event=flip)
    assert run.outcome.state is RestoreState.FAILED
    assert_says(run.outcome.reason, ["incremental 3", "shop/orders/s", str(file), "row group 0"])


def test_a_file_that_is_cut_after_validation_fails_and_goes_on_once_it_is_back(damaged, tmp_path):
    file, target = damaged.data_file(3, "shop/orders"), tmp_path / "target"
    whole = file.read_bytes()
    cut = _when("incremental.started", lambda: file.write_bytes(whole[:50]), incremental=0)
    run = restore_here(RestoreRequest(damaged.path, target), on_event=cut)
    assert run.outcome.state is RestoreState.FAILED
    assert_says(run.outcome.reason, [str(file), "copy the file again"])

    with pytest.raises(BackupChainBroken, match="truncated"):
        restore_here(RestoreRequest(damaged.path, target))
    file.write_bytes(whole)
    again = restore_here(RestoreRequest(damaged.path, target))
    assert again.outcome.state is RestoreState.COMPLETED
    assert not {0, 1, 2} & set(again.incrementals("incremental.started"))
    assert visible_rows(target) == damaged.expected[-1]


def test_a_collection_that_goes_away_pauses_the_restore_and_comes_back(damaged, tmp_path):
    target, aside = tmp_path / "target", tmp_path / "aside"
    leave = _when("incremental.completed", lambda: damaged.path.rename(aside), incremental=1)
    run = restore_here(RestoreRequest(damaged.path, target), IMPATIENT, leave)
    assert run.outcome.state is RestoreState.PAUSED
    assert_says(run.outcome.reason, [str(damaged.path), "No such file", "3 times"])

    aside.rename(damaged.path)
    again = restore_here(RestoreRequest(damaged.path, target))
    assert again.outcome.state is RestoreState.COMPLETED
    assert visible_rows(target) == damaged.expected[-1]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("incremental.started", {"incremental": 2}),
        ("incremental.completed", {"incremental": 2}),
        ("restore.finalizing", {}),
        ("rows.finalized", {}),
    ],
)
@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_a_target_that_is_removed_ends_the_restore_and_says_so(varied, tmp_path, name, facts, on):
    target = tmp_path / "target"
    remove = _when(name, lambda: shutil.rmtree(target, ignore_errors=True), **facts)
    with pytest.raises(StorageFailed) as ended:
        restore_here(RestoreRequest(varied.path, target, on=on), on_event=remove)
    assert_says(str(ended.value), [str(target), "removed, moved or replaced"])
    assert not target.exists() or visible_rows(target) == {}
