"""Every way a collection can be damaged is found and told, by damaging a real one."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.chain.file_check import check_files, data_files
from increstore.chain.validate import require_valid, validate, validate_collection
from increstore.errors import BackupChainBroken

from .builder import Shop, a_shop_with_three_incrementals


@pytest.fixture(scope="module")
def whole_shop(tmp_path_factory) -> Shop:
    return a_shop_with_three_incrementals(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def shop(tmp_path, whole_shop) -> Shop:
    """A copy to damage."""
    shop = Shop(tmp_path)
    shutil.copytree(whole_shop.path, shop.path)
    return shop


def problems(shop: Shop, **options: object) -> list[str]:
    """The problems of the last chain as `kind: sentence`."""
    chain = shop.collection().chain()
    return [f"{problem.kind}: {problem}" for problem in validate(chain, **options)]


def the_problem(shop: Shop, **options: object) -> str:
    (only,) = problems(shop, **options)
    return only


def change_table(shop: Shop, position: int, **changes: object) -> None:
    shop.edit_manifest(position, lambda m: m["tables"]["shop/orders"].update(changes))


def test_a_whole_chain_has_no_problems(shop):
    assert problems(shop) == []
    require_valid(shop.collection().chain())


# --- Lineage.


def test_a_missing_incremental_is_named_by_its_neighbours(shop):
    before, lost, after = (shop.backup(n) for n in (1, 2, 3))
    shutil.rmtree(lost.path)

    found = problems(shop)

    assert found[0].startswith(f"missing: {after.path}: the backup it follows")
    assert f"between {before.name} and this one" in found[0]
    assert f"only up to {before.name} (--upto)" in found[0]


def test_a_fork_is_told_when_two_incrementals_follow_one_backup(shop, tmp_path):
    """Two machines went on from one copy of the collection; then both were put together."""
    other = Shop(tmp_path / "other")
    shutil.copytree(shop.path, other.path)
    other.incremental("id,v,extra\n1,other,\n")
    shop.incremental("id,v,extra\n1,ours,\n")
    branch = other.backup(4)
    shutil.copytree(branch.path, shop.path / branch.name)
    kinds = {problem.partition(":")[0] for problem in problems(shop)}
    assert "forked" in kinds


def test_a_fork_of_the_full_backup_is_told(shop):
    full = shop.backup(0).manifest
    shop.edit_manifest(2, lambda manifest: manifest.update(parent=full.id))
    assert any(p.startswith("forked: ") and full.name in p for p in problems(shop))


def test_swapped_folder_names_are_told_as_renamed_and_reordered(shop):
    first, second = shop.backup(1).path, shop.backup(2).path
    aside = shop.path / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)

    found = problems(shop)

    assert f"renamed: {first}: the folder was renamed: its manifest says {second.name}" in found[0]
    kinds = [problem.partition(":")[0] for problem in found]
    assert kinds.count("renamed") == 2
    assert kinds.count("reordered") == 3


def test_a_copied_folder_is_told_once_as_a_duplicate(shop):
    last = shop.backup(3).path
    copy = last.with_name("29991231T000000.000000Z_incremental")
    shutil.copytree(last, copy)
    assert the_problem(shop).startswith(f"duplicated: {copy}: is the same backup as {last.name}")


def test_a_full_backup_copied_to_a_later_name_is_told(shop):
    full = shop.backup(0).path
    copy = full.with_name("29991231T000000.000000Z_full")
    shutil.copytree(full, copy)
    assert the_problem(shop).startswith(f"duplicated: {copy}")


def test_a_backup_of_another_collection_is_foreign(shop, tmp_path):
    stranger = Shop(tmp_path / "stranger")
    stranger.folder.mkdir()
    stranger.full()
    stranger.incremental("id,v\n1,z\n")
    theirs = stranger.backup(1)
    shutil.copytree(theirs.path, shop.path / theirs.name)

    found = problems(shop)

    assert found[0].startswith(f"foreign: {shop.path / theirs.name}: belongs to collection")
    assert any(problem.startswith("missing: ") for problem in found)


def test_a_backup_of_the_wrong_kind_is_told(shop):
    last = shop.backup(3).path
    last.rename(last.with_name("29991231T000000.000000Z_full"))
    kinds = {problem.partition(":")[0] for problem in problems(shop)}
    assert {"renamed", "wrong kind"} <= kinds


def test_a_damaged_manifest_is_told_and_nothing_is_concluded_from_it(shop):
    manifest = shop.backup(2).path / "manifest.json"
    manifest.write_text(manifest.read_text()[:100])
    assert the_problem(shop).startswith(f"unreadable manifest: {manifest}: not JSON")


def test_a_newer_format_is_told(shop):
    shop.edit_manifest(3, lambda manifest: manifest.update(format=9))
    assert "manifest format 9 is newer than this program reads" in the_problem(shop)


# --- Tables.


def test_a_table_missing_in_one_incremental_is_an_error(shop):
    shop.edit_manifest(3, lambda manifest: manifest["tables"].clear())
    text = the_problem(shop)
    assert text.startswith(f"table missing: {shop.backup(3).path}: says nothing about table")
    assert "'shop/orders'" in text


def test_a_table_that_appears_after_the_full_backup_is_an_error(shop):
    def add(manifest: dict) -> None:
        manifest["tables"]["late"] = manifest["tables"]["shop/orders"]

    shop.edit_manifest(3, add)
    assert "has table 'late', which the full backup lacks" in the_problem(shop)


def test_a_full_backup_without_tables_lacks_those_of_its_incrementals(shop):
    shop.edit_manifest(0, lambda manifest: manifest["tables"].clear())
    assert "has table 'shop/orders', which the full backup lacks" in the_problem(shop)


def test_a_type_that_loses_data_is_refused_with_both_types(shop):
    columns = [{"name": "id", "type": "int64"}, {"name": "v", "type": "int32"}]
    change_table(shop, 3, columns=columns)
    found = problems(shop)
    assert any("its hash is" in problem for problem in found)  # Altered by hand, without the hash.

    entry = shop.backup(3).manifest.tables["shop/orders"]
    change_table(shop, 3, schema_hash=entry.schema_of().hash(), change="changes")
    assert "column 'v' changed its type from string to int32" in the_problem(shop)


def test_a_changed_key_is_refused(shop):
    entry = replace(shop.backup(3).manifest.tables["shop/orders"], key=["v"])
    change_table(shop, 3, key=["v"], schema_hash=entry.schema_of().hash(), change="changes")
    assert "the key changed from (id) to (v)" in the_problem(shop)


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ([{"name": "id", "type": "int64"}, {"name": "id", "type": "int64"}], "named twice"),
        ([{"name": "id", "type": "int64"}, {"name": "__op", "type": "int64"}], "reserved"),
        ([{"name": "v", "type": "int64"}], "key column 'id' is not a column"),
        ([{"name": "id", "type": "double"}], "key column 'id' has type double"),
        ([{"name": "id", "type": "list<item: int64>"}], "not one that increstore stores"),
    ],
)
def test_a_schema_that_cannot_be_is_told(shop, columns, complaint):
    change_table(shop, 3, columns=columns)
    assert any(p.startswith("schema: ") and complaint in p for p in problems(shop))


@pytest.mark.parametrize(
    ("position", "changes", "complaint"),
    [
        (0, {"rows": 4}, "its files have 3 rows (expected 4)"),
        (0, {"change": "changes"}, "holds 'changes' (expected full)"),
        (1, {"erases": 2}, "its files have 3 rows (expected 4: 2 upserts, 0 resets, 2 erases)"),
        (1, {"change": "full"}, "holds 'full' (expected changes or unchanged)"),
        (1, {"has_op": False}, "has resets or erases, but no __op column"),
        (1, {"rows": 30}, "3 rows before, 2 upserts and resets and 1 erases cannot leave 30 rows"),
        (3, {"rows": 5}, "is unchanged, but its schema, rows or digest"),
        (3, {"digest": "0" * 16}, "is unchanged, but its schema, rows or digest"),
        (3, {"upserts": 1}, "is unchanged, but has files or changes"),
    ],
)
def test_numbers_that_do_not_add_up_are_told(shop, position, changes, complaint):
    change_table(shop, position, **changes)
    assert any(complaint in problem for problem in problems(shop, checksums=False))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"path": "../../x.parquet"}, "is not a plain file name"),
        ({"path": "x\0.parquet"}, "is not a plain file name"),
        ({"path": "x\ud800.parquet"}, "is not a plain file name"),
        ({"first_key": ["1"]}, "expected a value of type int64"),
        ({"first_key": [1, 2]}, "expected a list of 1 key values"),
        ({"first_key": [0]}, "its first key is not the first of its row groups"),
        ({"last_key": [0]}, "above its last key"),
        ({"row_groups": []}, "row groups do not have 3 rows together"),
        (
            {"row_groups": [{"rows": 2, "first_key": [1]}, {"rows": 1, "first_key": [1]}]},
            "not in ascending order",
        ),
    ],
)
def test_a_file_list_that_cannot_be_is_told(shop, changes, complaint):
    file = asdict(shop.backup(0).manifest.tables["shop/orders"].files[0])
    change_table(shop, 0, files=[{**file, **changes}])
    assert any(complaint in problem for problem in problems(shop))


def test_files_whose_key_ranges_overlap_are_told(shop):
    file = asdict(shop.backup(0).manifest.tables["shop/orders"].files[0])
    change_table(shop, 0, files=[file, {**file, "path": "part-00001.parquet"}], rows=6)
    assert any("do not come after those of the file before" in p for p in problems(shop))


# --- Files.


def test_a_missing_file_is_told(shop):
    path = shop.data_file(1)
    size = path.stat().st_size
    path.unlink()
    text = the_problem(shop)
    assert text.startswith(f"file missing: {path}")
    assert f"{size:,} bytes" in text


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda b: b[:-1], "truncated"),
        (lambda b: b"", "truncated"),
        (lambda b: b + b"x", "too long"),
    ],
)
def test_a_file_of_another_size_is_told_also_without_checksums(shop, damage, kind):
    path = shop.data_file(2)
    path.write_bytes(damage(path.read_bytes()))
    assert the_problem(shop, checksums=False).startswith(f"{kind}: {path}")


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_one_flipped_bit_anywhere_is_told(shop, place):
    path = shop.data_file(0)
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)
    assert the_problem(shop).startswith(f"altered: {path}: altered: sha256 ")


def test_a_file_of_other_rows_is_told_even_when_its_checksum_was_made_to_fit(shop):
    path = shop.data_file(0)
    pq.write_table(pa.table({"id": [1, 2], "v": ["a", "b"]}), path)
    file = asdict(shop.backup(0).manifest.tables["shop/orders"].files[0])
    change_table(shop, 0, files=[{**file, "bytes": path.stat().st_size}])
    assert "2 rows in 1 row groups (expected 3 rows in 1 row groups)" in the_problem(
        shop, checksums=False
    )


def test_a_file_of_other_columns_is_told(shop):
    path = shop.data_file(0)
    pq.write_table(pa.table({"id": [1, 2, 3], "v": [1, 2, 3]}), path)
    file = asdict(shop.backup(0).manifest.tables["shop/orders"].files[0])
    change_table(shop, 0, files=[{**file, "bytes": path.stat().st_size}])
    assert "columns id int64, v int64 (expected columns id int64, v string)" in the_problem(
        shop, checksums=False
    )


def test_a_file_that_is_no_parquet_is_told(shop):
    path = shop.data_file(0)
    path.write_bytes(b"x" * path.stat().st_size)
    assert "not readable as Parquet" in the_problem(shop, checksums=False)


def test_a_folder_in_place_of_a_file_is_told(shop):
    path = shop.data_file(0)
    path.unlink()
    path.mkdir()
    assert str(path) in the_problem(shop)


def test_every_problem_is_told_at_once(shop):
    shop.data_file(0).unlink()
    shop.data_file(2).write_bytes(b"")
    change_table(shop, 1, erases=7)
    shop.edit_manifest(2, lambda manifest: manifest.update(collection="another"))

    with pytest.raises(BackupChainBroken) as caught:
        require_valid(shop.collection().chain())

    assert len(caught.value.problems) >= 4
    assert str(caught.value).count("\n") == len(caught.value.problems) - 1


def test_only_the_files_of_the_named_backups_are_looked_at(shop):
    shop.data_file(0).unlink()
    chain = shop.collection().chain()
    assert validate(chain, only=[backup.name for backup in chain.backups[1:]]) == []
    assert len(validate(chain, only=[chain.backups[0].name])) == 1
    assert check_files(data_files(chain.backups[1:]), checksums=True) == []


def test_tables_that_are_not_chosen_are_not_judged(tmp_path):
    shop = Shop(tmp_path)
    shop.full(other="id\n1\n")
    shop.data_file(0, "other").unlink()
    assert validate(shop.collection().chain(tables=["shop/orders"])) == []
    assert len(validate(shop.collection().chain())) == 1


def test_an_older_damaged_chain_does_not_spoil_a_newer_one(shop):
    shop.data_file(0).unlink()
    shop.full()
    assert problems(shop) == []


def test_incrementals_without_a_full_and_interrupted_copies_are_noticed(shop):
    (shop.backup(0).path / "manifest.json").unlink()
    shop.full()
    found = validate_collection(shop.collection())
    assert [problem.kind for problem in found] == ["incomplete"] + ["no full backup"] * 3
    assert problems(shop) == []
