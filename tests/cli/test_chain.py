"""`increstore chain` as a person and as a script meet it: words, JSON and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from chain.builder import Shop, a_shop_with_three_incrementals
from click.testing import CliRunner, Result

from increstore.cli.chain import chain
from increstore.errors import BackupChainBroken, UsageError


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return a_shop_with_three_incrementals(tmp_path)


def run(path: Path, *options: str, **settings: bool) -> Result:
    return CliRunner().invoke(chain, [str(path), *options], **settings)


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "increstore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_whole_chain_is_shown_with_code_0(shop):
    names = [backup.name.partition("_")[0] for backup in shop.collection().backups]
    result = run(shop.path)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[2] == ["shop/orders:", "key", "id;", "3", "columns;", "4", "rows"]
    assert lines[3] == ["backup", "upserts", "erases", "rows", "after", "size"]
    assert lines[4][:6] == ["0", names[0], "full", "3", "-", "3"]
    assert lines[5][:5] == ["1", names[1], "2", "1", "3"]
    assert lines[7] == ["schema:", "+extra"]
    assert lines[8] == ["3", names[3], "unchanged", "4"]
    assert result.stdout.splitlines()[-1] == "no problems: the chain can be restored"


def test_problems_end_with_code_3_and_are_all_listed(shop):
    first, second = shop.data_file(0), shop.data_file(2)
    first.unlink()
    second.write_bytes(b"")
    result = run(shop.path)
    assert result.exit_code == 3
    assert "2 problems:" in result.stdout
    assert f"  - {first}: file missing" in result.stdout
    assert f"  - {second}: truncated" in result.stdout


def test_json_is_one_object_a_line_also_with_problems(shop):
    shop.data_file(0).unlink()
    result = run(shop.path, "--json")
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 3
    assert [item["kind"] for item in objects if item["event"] == "problem"] == ["file missing"]
    assert objects[-1] == {"event": "result", "valid": False, "problems": 1}


def test_upto_and_table_narrow_what_is_looked_at(shop):
    names = [backup.name for backup in shop.collection().backups]
    shop.data_file(2).unlink()
    result = run(shop.path, "--upto", names[1], "--table", "shop/orders", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[0])["upto"] == names[1]
    for wrong in (["--upto", "1999"], ["--table", "nothing"]):
        with pytest.raises(UsageError, match=wrong[1]):
            run(shop.path, *wrong, catch_exceptions=False)


def test_a_place_without_a_chain_is_an_error_in_words_and_in_json(tmp_path):
    with pytest.raises(BackupChainBroken, match="no such collection"):
        run(tmp_path / "nowhere", catch_exceptions=False)
    result = run(tmp_path / "nowhere", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["kind"] == "no chain"


def test_folders_no_restore_reads_are_notes_not_problems(shop):
    (shop.path / "20200101T000000Z_full").mkdir()
    result = run(shop.path)
    assert result.exit_code == 0
    assert "note: " in result.stdout
    assert "20200101T000000Z_full: has no manifest" in result.stdout


def test_the_program_ends_with_the_documented_codes(shop, tmp_path):
    assert program("chain", str(shop.path)).returncode == 0
    shop.data_file(0).unlink()
    broken = program("chain", str(shop.path))
    assert (broken.returncode, broken.stderr) == (3, "")
    nowhere = program("chain", str(tmp_path / "nowhere"))
    assert (nowhere.returncode, nowhere.stdout) == (3, "")
    assert nowhere.stderr.startswith("error: ")
    assert program("chain", str(shop.path), "--upto", "1999").returncode == 2
