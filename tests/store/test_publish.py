"""Publication: tables become visible whole, once, and never over somebody else's files."""

from __future__ import annotations

import pytest

from increstore.errors import StorageCorrupted, TargetRefused
from increstore.store.publish import is_published, publish, staged_file

TABLES = ["orders", "shop/eu/lines", "shop/eu/parts"]


def a_finalized_target(root):
    for table in TABLES:
        for number in (0, 1):
            file = staged_file(root, table, number)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{table} {number}")
    return root


def visible(root):
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*.parquet"))
        if ".increstore" not in path.parts
    }


EVERYTHING = {f"{table}/part-0000{n}.parquet": f"{table} {n}" for table in TABLES for n in (0, 1)}


def test_every_table_becomes_visible_under_its_name(tmp_path):
    a_finalized_target(tmp_path)
    assert visible(tmp_path) == {}

    publish(tmp_path, TABLES)

    assert visible(tmp_path) == EVERYTHING
    assert all(is_published(tmp_path, table) for table in TABLES)


def test_publishing_again_changes_nothing(tmp_path):
    publish(a_finalized_target(tmp_path), TABLES)

    publish(tmp_path, TABLES)

    assert visible(tmp_path) == EVERYTHING


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_a_crash_between_two_renames_is_finished_by_the_next_try(tmp_path, renamed):
    a_finalized_target(tmp_path)
    publish_record_only(tmp_path)
    for table in TABLES[:renamed]:
        (tmp_path / table).parent.mkdir(parents=True, exist_ok=True)
        staged_file(tmp_path, table, 0).parent.rename(tmp_path / table)

    publish(tmp_path, TABLES)

    assert visible(tmp_path) == EVERYTHING


def publish_record_only(root):
    """What a crash leaves that comes after the record and before the first rename."""
    publication = root / ".increstore" / "publication.json"
    publication.write_text('{"format": 1, "tables": ["orders", "shop/eu/lines", "shop/eu/parts"]}')


@pytest.mark.parametrize("recorded", [False, True])
def test_a_folder_that_is_not_ours_is_never_overwritten(tmp_path, recorded):
    a_finalized_target(tmp_path)
    if recorded:
        publish_record_only(tmp_path)
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "mine.parquet").write_text("precious")

    with pytest.raises(TargetRefused, match=r"orders: expected no such folder.*move it away"):
        publish(tmp_path, TABLES)

    assert visible(tmp_path) == {"orders/mine.parquet": "precious"}


def test_a_folder_found_in_place_of_rows_never_published_is_not_taken_for_ours(tmp_path):
    (tmp_path / ".increstore").mkdir()
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "part-00000.parquet").write_text("somebody else's")

    with pytest.raises(StorageCorrupted, match="expected the final rows of table 'orders'"):
        publish(tmp_path, ["orders"])


def test_a_file_or_a_broken_link_in_the_way_is_refused(tmp_path):
    a_finalized_target(tmp_path)
    (tmp_path / "orders").symlink_to(tmp_path / "nowhere")

    with pytest.raises(TargetRefused, match="orders: expected no such folder"):
        publish(tmp_path, TABLES)


@pytest.mark.parametrize("table", [".increstore", ".increstore/staged", "a/../b", "", "a//b"])
def test_a_table_that_would_lie_among_our_own_files_or_outside_is_refused(tmp_path, table):
    (tmp_path / ".increstore").mkdir()

    with pytest.raises(TargetRefused, match="cannot be published under the name"):
        publish(tmp_path, [table])


def test_a_damaged_record_of_the_publication_is_refused(tmp_path):
    a_finalized_target(tmp_path)
    (tmp_path / ".increstore" / "publication.json").write_text("{")

    with pytest.raises(StorageCorrupted, match=r"publication\.json"):
        publish(tmp_path, TABLES)
