"""Checksums are counted from the moment the files are named, and told when they are asked for."""

from __future__ import annotations

import hashlib

import pytest

from increstore.chain.checksums import BLOCK_BYTES, Checksums, paths_of

from .builder import a_shop_with_three_incrementals


def test_a_file_has_the_same_checksum_named_before_or_not(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"rows")
    expected = hashlib.sha256(b"rows").hexdigest()
    for sums in (Checksums([file]), Checksums()):
        assert sums.of(file) == expected
        sums.close()


def test_a_file_is_counted_whole_wherever_its_blocks_end(tmp_path):
    for size in (0, BLOCK_BYTES, 2 * BLOCK_BYTES + 7):
        file = tmp_path / str(size)
        file.write_bytes(bytes(number % 251 for number in range(1000)) * (size // 1000 + 1))
        with file.open("r+b") as opened:
            opened.truncate(size)
        sums = Checksums([file])
        assert sums.of(file) == hashlib.sha256(file.read_bytes()).hexdigest()
        sums.close()


def test_a_file_that_is_missing_is_told_when_it_is_asked_for(tmp_path):
    sums = Checksums([tmp_path / "missing"])
    with pytest.raises(FileNotFoundError):
        sums.of(tmp_path / "missing")
    sums.close()


def test_only_plain_file_names_of_readable_manifests_are_named(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    (shop.backup(0).path / "manifest.json").write_text("{")
    shop.edit_manifest(
        1, lambda raw: raw["tables"]["shop/orders"]["files"][0].update(path="../part-00000.parquet")
    )
    assert paths_of(shop.collection().backups) == [shop.data_file(2)]
