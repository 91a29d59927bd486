"""Which backups a collection has, which chain follows, and how names keep their order."""

from __future__ import annotations

from datetime import datetime

import pytest

from increstore.chain.collection import Collection
from increstore.chain.names import check_table_names, next_backup_name
from increstore.errors import BackupChainBroken, UsageError

from .builder import Shop, a_shop_with_three_incrementals

NOON = datetime(2026, 1, 31, 12)


def test_a_backup_name_tells_its_time_to_the_microsecond():
    assert next_backup_name(NOON, [], "full") == "20260131T120000.000000Z_full"


@pytest.mark.parametrize(
    "latest",
    [
        "20260131T120000.000000Z_full",  # The clock stands still.
        "20260131T120500.000000Z_incremental",  # It went back.
        "20260131T120000Z_incremental",  # Another program's name of the same second.
    ],
)
def test_a_backup_name_is_above_every_name_there_is(latest):
    name = next_backup_name(NOON, ["20250101T000000.000000Z_full", latest], "incremental")
    assert name > latest
    assert next_backup_name(NOON, [latest, name], "full") > name


def test_two_backups_within_one_second_keep_their_order(tmp_path):
    shop = Shop(tmp_path)
    made = [shop.full().name, *(shop.incremental("id,v\n1,a\n").name for _ in range(3))]
    assert made == sorted(made)
    assert [backup.name for backup in shop.collection().backups] == made


@pytest.mark.parametrize(
    "name",
    ["..", "a/../b", "/a", "a/", "a//b", "", ".increstore", "_a", "a/.b", "manifest.json",
     "Manifest.JSON", "part-00000.parquet", "a\nb", "a\\b", "a:b", "\udcff", "x" * 201],
)  # fmt: skip
def test_a_table_name_that_is_no_safe_folder_is_refused(name):
    with pytest.raises(UsageError, match="table name"):
        check_table_names([name])


def test_nested_and_foreign_table_names_are_fine():
    check_table_names(["shop/orders", "shop/customers", "größe-1.2", "T 1"])


def test_a_table_that_would_be_a_folder_above_another_is_refused():
    with pytest.raises(UsageError, match="'shop' would be the folder that holds"):
        check_table_names(["shop/eu/orders", "shop"])


def test_tables_that_differ_in_case_alone_are_refused():
    with pytest.raises(UsageError, match="upper and lower case"):
        check_table_names(["orders", "Orders"])


def test_tables_that_differ_in_how_an_accent_is_written_are_refused():
    with pytest.raises(UsageError, match="how an accent is written"):
        check_table_names(["caf\u00e9", "CAFE\u0301"])
    with pytest.raises(UsageError, match="would be the folder"):
        check_table_names(["caf\u00e9", "cafe\u0301/orders"])


def test_a_chain_is_the_last_full_backup_and_what_follows(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    second_full = shop.full().name
    last = shop.incremental("id,v\n9,z\n").name

    chain = shop.collection().chain()

    assert [backup.name for backup in chain.backups] == [second_full, last]
    assert [manifest.name for manifest in chain.manifests] == [second_full, last]
    assert chain.table_names == ("shop/orders",)


def test_upto_chooses_an_earlier_backup_also_of_an_earlier_chain(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    names = [backup.name for backup in shop.collection().backups]
    shop.full()

    chain = shop.collection().chain(upto=names[2])

    assert [backup.name for backup in chain.backups] == names[:3]


def test_upto_may_be_the_beginning_of_a_name_when_only_one_fits(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    names = [backup.name for backup in shop.collection().backups]
    assert shop.collection().chain(upto=names[1][:-1]).backups[-1].name == names[1]
    with pytest.raises(UsageError, match="several backups"):
        shop.collection().chain(upto=names[1][:4])
    with pytest.raises(UsageError, match="no backup '1999'"):
        shop.collection().chain(upto="1999")


def test_an_unknown_table_is_refused_with_those_there_are(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    assert shop.collection().chain(tables=["shop/orders"]).table_names == ("shop/orders",)
    with pytest.raises(UsageError, match=r"no table 'orders' .*it has: shop/orders"):
        shop.collection().chain(tables=["orders"])


def test_a_folder_without_a_manifest_is_no_backup(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    last = shop.backup(3)
    (last.path / "manifest.json").unlink()

    collection = shop.collection()

    assert len(collection.backups) == 3
    assert collection.incomplete == (last.name,)
    assert len(collection.chain().backups) == 3


def test_other_files_and_folders_in_a_collection_are_left_alone(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    (shop.path / "README.txt").write_text("ours")
    (shop.path / "20260131T120000Z_full").write_text("a file, not a folder")
    (shop.path / "notes").mkdir()
    assert len(shop.collection().backups) == 4


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        pytest.param("[" * 100_000, "not JSON", id="deep"),
        ('{"format": 2, "anything": 1}', "format 2 is newer than this program reads"),
        ('{"format": 1}', "collection: is missing; the backup is damaged"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_told_when_the_chain_needs_it(tmp_path, text, complaint):
    shop = a_shop_with_three_incrementals(tmp_path)
    (shop.backup(2).path / "manifest.json").write_text(text)

    collection = shop.collection()

    assert any(complaint in problem for problem in collection.backups[2].problems)
    with pytest.raises(BackupChainBroken, match=shop.backup(2).name):
        _ = collection.chain().manifests
    assert len(collection.chain(upto=collection.backups[1].name).manifests) == 2


def test_a_place_that_is_no_collection_is_refused_with_what_it_is(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(BackupChainBroken, match="no such collection"):
        Collection.open(tmp_path / "nowhere")
    with pytest.raises(BackupChainBroken, match="is a file"):
        Collection.open(file)
    with pytest.raises(BackupChainBroken, match="no backups here"):
        Collection.open(tmp_path).chain()


def test_incrementals_without_a_full_backup_are_no_chain(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    (shop.backup(0).path / "manifest.json").unlink()
    with pytest.raises(BackupChainBroken, match="no full backup before"):
        shop.collection().chain()
