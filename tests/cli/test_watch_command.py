"""What `increstore watch` opens, and the code that `--plain` ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chain.builder import Shop

from increstore.cli.watching import SHIPPED
from increstore.errors import ExitCode

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_who_has_no_scenarios_chooses_from_those_that_are_shipped_with_the_package():
    assert SHIPPED.is_dir()
    assert {path.name for path in SHIPPED.glob("*.toml")} == {
        path.name for path in SCENARIOS.glob("*.toml")
    }


# --- The codes of --plain.

INCRESTORE = (sys.executable, "-m", "increstore")
A_WRITER = """
import sys, time
from pathlib import Path
from increstore.journal import Journal, JournalFile
journal = Journal()
journal.subscribe(JournalFile(Path(sys.argv[1])))
journal.emit("coordinator", "coordinator.started", generation=1)
print("writing", flush=True)
time.sleep(60)
"""


def increstore(*words: object) -> subprocess.CompletedProcess[str]:
    command = [*INCRESTORE, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("options", [(), ("--serve", "127.0.0.1:0")])
def test_a_journal_of_a_restore_that_was_refused_tells_why_and_ends_with_its_code(
    tmp_path, options
):
    shop = Shop(tmp_path)
    shop.full("id,v\n1,a\n")
    file = next(shop.path.glob("*_full/**/*.parquet"))
    file.write_bytes(file.read_bytes() + b"x")
    journal = tmp_path / "run.jsonl"
    words = ("restore", shop.path, "--into", tmp_path / "restored", "--journal", journal)

    assert increstore(*words, *options).returncode == ExitCode.BAD_INPUT
    watched = increstore("watch", "--plain", journal)

    assert watched.returncode == ExitCode.BAD_INPUT
    assert watched.stdout.splitlines()[-1].startswith(f"refused: {file}: too long")


def test_a_scenario_whose_chain_is_refused_tells_why_and_ends_with_that_code():
    watched = increstore("watch", "--plain", SCENARIOS / "missing_table.toml")
    assert watched.returncode == ExitCode.BAD_INPUT
    assert "says nothing about table 'orders'" in watched.stdout.splitlines()[-1]


def test_a_journal_of_a_restore_that_could_not_have_its_target_ends_with_another_code(tmp_path):
    shop = Shop(tmp_path)
    shop.full("id,v\n1,a\n")
    journal = tmp_path / "run.jsonl"
    (tmp_path / "notes.txt").write_text("mine")

    words = ("restore", shop.path, "--into", tmp_path / "notes.txt", "--journal", journal)
    refused = increstore(*words)

    assert refused.returncode not in (ExitCode.DONE, ExitCode.BAD_INPUT, ExitCode.BUG)
    assert increstore("watch", "--plain", journal).returncode == refused.returncode


def test_a_journal_is_no_longer_followed_when_its_writer_was_killed(tmp_path):
    journal = tmp_path / "run.jsonl"
    words = [sys.executable, "-c", A_WRITER, str(journal)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        watch = [*INCRESTORE, "watch", "--plain", str(journal)]
        with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as watcher:
            assert watcher.stdout is not None
            while "coordinator.started" not in watcher.stdout.readline():
                pass
            assert watcher.poll() is None
            writer.kill()
            assert watcher.wait(60) == ExitCode.DEADLINE
            assert watcher.stdout.read().splitlines()[-1].startswith("running; ")


def test_a_restore_that_was_interrupted_ends_as_one_that_is_paused(tmp_path):
    journal = tmp_path / "run.jsonl"
    events = [
        {"event": "journal.opened", "format": 1},
        {"event": "coordinator.started", "generation": 1},
        {"event": "restore.interrupted", "signal": "SIGTERM"},
    ]
    lines = [json.dumps({"t": 1e9, "node": "coordinator", **event}) + "\n" for event in events]
    journal.write_text("".join(lines))
    assert increstore("watch", "--plain", journal).returncode == ExitCode.PAUSED
    with journal.open("a") as file:
        file.write(lines[1])
    os.utime(journal, (0, 0))
    assert increstore("watch", "--plain", journal).returncode == ExitCode.DEADLINE
