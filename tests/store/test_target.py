"""The target directory: whose it is, who works in it, and what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from increstore.errors import StorageCorrupted, TargetRefused
from increstore.store.files import file_name_of
from increstore.store.target import TargetDirectory, TargetIdentity, TargetPaths, examine_target

IDENTITY = TargetIdentity("c1", "r1", "20260101_full", "plan", 2, 3, ("orders",))


def a_claimed_target(root):
    with TargetDirectory.open(root) as target:
        target.claim(IDENTITY)
    return root


def test_a_new_target_is_made_with_its_parents_and_belongs_to_nobody(tmp_path):
    with TargetDirectory.open(tmp_path / "a" / "b") as target:
        assert target.identity is None
        assert target.paths.work.is_dir()


def test_an_empty_directory_is_a_target(tmp_path):
    with TargetDirectory.open(tmp_path) as target:
        assert target.identity is None


def test_the_same_restore_finds_its_target_again(tmp_path):
    a_claimed_target(tmp_path)

    assert examine_target(tmp_path) == IDENTITY
    with TargetDirectory.open(tmp_path) as target:
        assert target.identity == IDENTITY
        target.claim(IDENTITY)


def test_a_start_that_died_before_it_claimed_the_target_is_not_in_the_way(tmp_path):
    TargetDirectory.open(tmp_path).close()
    (tmp_path / ".increstore" / "identity.json.tmp").write_bytes(b'{"form')

    with TargetDirectory.open(tmp_path) as target:
        target.claim(IDENTITY)
    assert examine_target(tmp_path) == IDENTITY


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (TargetIdentity("c2", "r1", "20260101_full"), "expected collection c2, got collection c1"),
        (TargetIdentity("c1", "r1", "20260102_incremental"), "up to 20260102_incremental"),
        (TargetIdentity("c1", "r2", "20260101_full"), "expected restore r2, got restore r1"),
    ],
)
def test_another_restore_may_not_continue_it(tmp_path, other, told):
    a_claimed_target(tmp_path)

    with TargetDirectory.open(tmp_path) as target, pytest.raises(TargetRefused, match=told):
        target.claim(other)
    assert examine_target(tmp_path) == IDENTITY


def test_examining_a_target_writes_nothing(tmp_path):
    assert examine_target(tmp_path / "missing") is None
    assert examine_target(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_target(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(TargetRefused, match="expected a directory, got a file"):
        TargetDirectory.open(tmp_path / "file")


def test_a_directory_with_other_things_in_it_is_refused_and_left_alone(tmp_path):
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (tmp_path / name).write_text("mine")

    with pytest.raises(TargetRefused, match=r"holds 'a\.txt', 'b\.txt', 'c\.txt' and 1 more"):
        TargetDirectory.open(tmp_path)
    assert not (tmp_path / ".increstore").exists()


def test_a_target_whose_identity_is_gone_is_refused(tmp_path):
    a_claimed_target(tmp_path)
    (tmp_path / ".increstore" / "identity.json").unlink()
    (tmp_path / ".increstore" / "coordinator.db").write_bytes(b"")

    with pytest.raises(TargetRefused, match=r"coordinator\.db"):
        TargetDirectory.open(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"format": 1}', b"\xff\xfe"])
def test_a_damaged_identity_is_refused(tmp_path, content):
    a_claimed_target(tmp_path)
    (tmp_path / ".increstore" / "identity.json").write_bytes(content)

    with pytest.raises(StorageCorrupted, match=r"identity\.json: expected the identity"):
        TargetDirectory.open(tmp_path)


def test_an_identity_of_a_newer_format_is_refused(tmp_path):
    a_claimed_target(tmp_path)
    path = tmp_path / ".increstore" / "identity.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 9}))

    with pytest.raises(TargetRefused, match=r"format 9 is newer .*expected 1.*upgrade"):
        examine_target(tmp_path)


def test_a_second_restore_is_refused_and_told_who_works_there(tmp_path):
    with TargetDirectory.open(tmp_path):
        with pytest.raises(TargetRefused, match=rf"process {os.getpid()} on .*, since 20") as info:
            TargetDirectory.open(tmp_path)
        assert not info.value.holder_is_gone

    TargetDirectory.open(tmp_path).close()


def test_a_killed_holder_lets_go_of_the_target(tmp_path):
    code = (
        "import os, pathlib, sys\n"
        "from increstore.store.target import TargetDirectory\n"
        "target = TargetDirectory.open(pathlib.Path(sys.argv[1]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert process.returncode == -9

    TargetDirectory.open(tmp_path).close()


@contextlib.contextmanager
def a_folder_with(mode):
    """A folder under this mode, met as a user whom the mode concerns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(mode)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # The superuser may read and write anywhere; nobody may not.
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o700)


def test_a_target_that_cannot_be_written_is_refused():
    with (
        a_folder_with(0o555) as root,
        pytest.raises(TargetRefused, match="cannot be written: Permission denied"),
    ):
        TargetDirectory.open(root)


def test_a_target_that_cannot_be_read_is_refused():
    with (
        a_folder_with(0o000) as root,
        pytest.raises(TargetRefused, match="cannot be read: Permission denied"),
    ):
        TargetDirectory.open(root)


def test_working_files_can_be_removed_and_the_identity_stays(tmp_path):
    with TargetDirectory.open(tmp_path) as target:
        target.claim(IDENTITY)
        target.paths.shard("orders/t0").mkdir(parents=True)
        target.paths.staged_table("orders").mkdir(parents=True)

        target.remove_working_files()
        target.remove_working_files()

        assert not target.paths.shards.exists()
        assert not target.paths.staged.exists()
    assert examine_target(tmp_path) == IDENTITY


def test_tables_and_shards_of_any_name_get_files_of_their_own(tmp_path):
    names = ["a", "a/b", "a%2Fb", "A", ".a", "..", "a b", "ü", "x" * 300, "x" * 299 + "y", "a~b"]
    paths = TargetPaths(tmp_path)

    files = [paths.shard(name) for name in names]
    assert len(set(files)) == len(names)
    assert all(file.parent == paths.shards for file in files)
    assert all(len(file_name_of(name).encode()) <= 200 for name in names)
    assert all(not file_name_of(name).startswith(".") for name in names)
