"""What cannot be judged by, or holds nothing to judge, is said so: never reported as equal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.errors import BackupChainBroken, ExitCode, UsageError, VerificationFailed
from increstore.verification.verify import verify

from .builder import (
    ChainBuilder,
    TableStep,
    a_schema,
    an_entry,
    change_table,
    claim,
    erase,
    plain_table,
    upsert,
    write_rows,
)

SCHEMA = a_schema(id=pa.int64(), v=pa.string())


@pytest.fixture
def chain(tmp_path: Path) -> ChainBuilder:
    """Two tables through one full backup and two incrementals, restored."""
    chain = ChainBuilder(tmp_path / "collection")
    full = [upsert(id=n, v=str(n)) for n in range(6)]
    chain.backup({"a": TableStep(SCHEMA, full), "b": TableStep(SCHEMA, full)})
    chain.backup({"a": TableStep(SCHEMA, [upsert(id=1, v="x"), erase(id=2)]),
                  "b": TableStep(SCHEMA)})  # fmt: skip
    chain.restore(tmp_path / "first")
    chain.backup({"a": TableStep(SCHEMA), "b": TableStep(SCHEMA, [erase(id=5)])})
    chain.restore(tmp_path / "target")
    return chain


def verified(tmp_path: Path, target: str = "target", **options):
    return verify(tmp_path / target, tmp_path / "collection", **options)


def part_of(chain: ChainBuilder, backup: int, table: str = "a") -> Path:
    return chain.folder / chain.names[backup] / table / "part-00000.parquet"


def edit_manifest(chain: ChainBuilder, backup: int, change) -> None:
    path = chain.folder / chain.names[backup] / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def put_rows(chain: ChainBuilder, backup: int, rows: pa.Table) -> None:
    """Replace a data file of table `a`, and make the manifest agree with it."""
    path = part_of(chain, backup)
    pq.write_table(rows, path)
    entry = asdict(an_entry(path, rows))
    edit_manifest(chain, backup, lambda m: m["tables"]["a"].update(files=[entry]))


# --- Which state is compared.


def test_without_upto_the_last_backup_counts_and_with_it_the_named_one(tmp_path, chain):
    assert verified(tmp_path).upto == chain.names[2]
    assert verified(tmp_path).is_equal
    assert not verified(tmp_path, "first").is_equal
    assert verified(tmp_path, "first", upto=chain.names[1]).is_equal
    assert not verified(tmp_path, upto=chain.names[0]).is_equal


def test_upto_may_be_the_beginning_of_a_name_when_only_one_begins_so(tmp_path, chain):
    assert verified(tmp_path, "first", upto="20240101T000001").is_equal
    with pytest.raises(UsageError, match="matches 3 backups"):
        verified(tmp_path, upto="2024")
    with pytest.raises(UsageError, match="matches no backup"):
        verified(tmp_path, upto="2023")


def test_the_target_says_itself_up_to_which_backup_it_was_restored(tmp_path, chain):
    claim(tmp_path / "first", collection="c1", upto=chain.names[1])
    report = verified(tmp_path, "first")
    assert (report.is_equal, report.upto, report.notices) == (True, chain.names[1], ())


def test_comparing_with_another_state_than_the_target_claims_is_noticed(tmp_path, chain):
    claim(tmp_path / "target", collection="other", upto=chain.names[1])
    report = verified(tmp_path, upto=chain.names[2])
    assert report.is_equal
    assert "restored up to" in report.notices[0]
    assert "from collection other" in report.notices[1]


def test_a_target_of_a_backup_that_the_collection_lost_is_refused_with_its_name(tmp_path, chain):
    claim(tmp_path / "target", upto="20990101_full")
    with pytest.raises(UsageError, match="restored up to 20990101_full"):
        verified(tmp_path)


def test_only_the_chosen_tables_are_compared(tmp_path, chain):
    write_rows(tmp_path / "target", "b", plain_table(SCHEMA, []))
    assert verified(tmp_path, tables=["a"]).is_equal
    assert not verified(tmp_path, tables=["b"]).is_equal
    with pytest.raises(UsageError, match="has no table 'c'"):
        verified(tmp_path, tables=["c"])


def test_a_restore_of_some_tables_is_verified_for_these_and_says_so(tmp_path, chain):
    (tmp_path / "target" / "b").rename(tmp_path / "away")
    claim(tmp_path / "target", tables=["a"])
    report = verified(tmp_path)
    assert [table.table for table in report.tables] == ["a"]
    assert report.is_equal
    assert "only a was restored" in report.notices[0]


def test_a_table_that_the_restore_was_not_asked_for_is_said_to_be_left_out(tmp_path, chain):
    (tmp_path / "target" / "b").rename(tmp_path / "away")
    claim(tmp_path / "target", tables=["a"])
    report = verified(tmp_path, tables=["b"])
    assert not report.is_equal
    assert report.notices == ("b was left out: this restore was limited to a",)


def test_a_later_full_backup_begins_a_chain_of_its_own(tmp_path, chain):
    chain.states.clear()
    full = ChainBuilder(tmp_path / "second")
    full.backup({"a": TableStep(SCHEMA, [upsert(id=7, v="new")])})
    full.restore(tmp_path / "new")
    manifest = json.loads((full.folder / full.names[0] / "manifest.json").read_text())
    later = "20250101T000000.000000Z_full"
    (full.folder / full.names[0]).rename(chain.folder / later)
    manifest["name"] = later
    (chain.folder / later / "manifest.json").write_text(json.dumps(manifest))
    assert verified(tmp_path, "new").is_equal
    assert verified(tmp_path, upto=chain.names[2]).is_equal


def test_folders_of_tables_that_the_chain_does_not_know_are_noticed(tmp_path, chain):
    write_rows(tmp_path / "target", "shop/stray", plain_table(SCHEMA, []))
    report = verified(tmp_path)
    assert report.is_equal
    assert "shop/stray: no table of the chain" in report.notices[0]


# --- A target that holds nothing to judge.


def test_a_target_that_does_not_exist_is_no_success(tmp_path, chain):
    with pytest.raises(VerificationFailed, match="no such folder") as raised:
        verified(tmp_path, "nowhere")
    assert raised.value.exit_code == ExitCode.VERIFICATION_FAILED


def test_a_table_that_is_not_published_yet_is_different_and_the_others_are_compared(
    tmp_path, chain
):
    claim(tmp_path / "target")
    (tmp_path / "target" / "b").rename(tmp_path / "target" / ".increstore" / "staged-b")
    a, b = verified(tmp_path).tables
    assert a.is_equal
    assert not b.is_equal
    assert "the restore is not completed; run `increstore restore` again" in b.problems[0]


def test_a_damaged_target_file_is_a_difference_with_its_place(tmp_path, chain):
    path = tmp_path / "target" / "b" / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    a, b = verified(tmp_path).tables
    assert a.is_equal
    assert not b.is_equal
    assert f"{path}: cannot be read as Parquet" in b.problems[0]


# --- A chain that cannot be judged by.


def test_a_collection_without_a_backup_is_refused(tmp_path, chain):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackupChainBroken, match="no complete backup"):
        verify(tmp_path / "target", tmp_path / "empty")
    with pytest.raises(BackupChainBroken, match="not a readable backup collection"):
        verify(tmp_path / "target", tmp_path / "nowhere")


def test_a_backup_without_a_manifest_does_not_exist(tmp_path, chain):
    (chain.folder / chain.names[2] / "manifest.json").unlink()
    assert verified(tmp_path, "first").is_equal


def test_a_missing_incremental_is_refused(tmp_path, chain):
    (chain.folder / chain.names[1]).rename(tmp_path / "away")
    with pytest.raises(BackupChainBroken, match="follows the backup with id b1"):
        verified(tmp_path)


def test_a_chain_without_its_full_backup_is_refused(tmp_path, chain):
    (chain.folder / chain.names[0]).rename(tmp_path / "away")
    with pytest.raises(BackupChainBroken, match="no full backup"):
        verified(tmp_path)


def test_a_renamed_backup_is_refused(tmp_path, chain):
    name = "20240101T000009.000000Z_incremental"
    (chain.folder / chain.names[1]).rename(chain.folder / name)
    with pytest.raises(BackupChainBroken, match="renamed or copied"):
        verified(tmp_path)


def test_a_table_missing_in_one_incremental_is_refused(tmp_path, chain):
    edit_manifest(chain, 1, lambda manifest: manifest["tables"].pop("b"))
    with pytest.raises(BackupChainBroken, match="tables appear or are missing: b"):
        verified(tmp_path)


def test_a_flipped_byte_in_the_chain_is_refused_instead_of_blaming_the_target(tmp_path, chain):
    path = part_of(chain, 0)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupChainBroken, match="expected the sha256"):
        verified(tmp_path)


def test_every_missing_or_cut_file_of_a_backup_is_named_at_once(tmp_path):
    chain = ChainBuilder(tmp_path / "collection")
    full = [upsert(id=n, v=str(n)) for n in range(6)]
    chain.backup({"a": TableStep(SCHEMA, full, files=2)})
    chain.restore(tmp_path / "target")
    first = part_of(chain, 0)
    first.write_bytes(first.read_bytes()[:-5])
    first.with_name("part-00001.parquet").unlink()
    with pytest.raises(BackupChainBroken) as raised:
        verified(tmp_path)
    assert len(raised.value.problems) == 2


def test_a_key_twice_in_one_backup_is_refused(tmp_path, chain):
    changes = [upsert(id=3, v="x"), upsert(id=3, v="y"), erase(id=4)]
    put_rows(chain, 1, change_table(SCHEMA, changes, has_op=True, has_set=False))
    with pytest.raises(BackupChainBroken, match=r"the key \(3\) occurs 2 times"):
        verified(tmp_path)


def test_a_key_that_is_null_in_a_backup_is_refused(tmp_path, chain):
    rows = pa.table({"id": pa.array([1, None], pa.int64()), "v": ["x", "y"]})
    put_rows(chain, 0, rows)
    with pytest.raises(BackupChainBroken, match="1 rows have NULL in their key"):
        verified(tmp_path)


def test_an_unknown_operation_is_refused(tmp_path, chain):
    rows = change_table(SCHEMA, [upsert(id=3, v="x")], has_op=True, has_set=False)
    put_rows(chain, 1, rows.set_column(2, rows.field(2), pa.array([7], pa.uint8())))
    with pytest.raises(BackupChainBroken, match="unknown operation 7"):
        verified(tmp_path)


def test_files_that_do_not_have_the_columns_of_their_manifest_are_refused(tmp_path, chain):
    put_rows(chain, 0, pa.table({"id": pa.array([1], pa.int64()), "w": ["x"]}))
    with pytest.raises(BackupChainBroken, match="expected the columns id int64, v string"):
        verified(tmp_path)


def test_a_path_that_leads_out_of_the_backup_is_refused(tmp_path, chain):
    edit_manifest(chain, 0, lambda m: m["tables"]["a"]["files"][0].update(path="../../x.parquet"))
    with pytest.raises(BackupChainBroken, match="leads out of the backup"):
        verified(tmp_path)


def test_a_row_count_that_the_manifest_claims_wrongly_is_a_problem(tmp_path, chain):
    edit_manifest(chain, 2, lambda m: m["tables"]["a"].update(rows=77))
    a, b = verified(tmp_path).tables
    assert b.is_equal
    assert not a.is_equal
    assert "holds 77 rows, the chain gives 5" in a.problems[0]
