"""What the commands do when their standard streams are closed, full, or their reader leaves."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from increstore.errors import ExitCode
from increstore.verification.verify import verify

from .builders import Depot, assert_says, increstore

FULL = Path("/dev/full")


def _in_a_shell(redirection: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command with the redirection, as a shell starts it; with a pipe, its own exit code."""
    line = f"{shlex.join(map(str, increstore(*words)))} {redirection}"
    shell = ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"]
    return subprocess.run(shell, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", ">&- --json"])
@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_closed_streams_do_not_end_a_restore(varied: Depot, tmp_path: Path, redirection, on):
    target = tmp_path / "target"
    ended = _in_a_shell(redirection, "restore", varied.path, "--into", target, "--on", on)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert verify(target, varied.path).is_equal


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&1 | head -1", "--json | head -1"])
@pytest.mark.skipif(not FULL.exists(), reason="there is no full device here")
def test_a_restore_that_cannot_tell_anybody_goes_on(varied: Depot, tmp_path: Path, redirection):
    target = tmp_path / "target"
    ended = _in_a_shell(redirection, "restore", varied.path, "--into", target)
    assert ended.returncode == 0, ended.stderr
    assert verify(target, varied.path).is_equal


@pytest.mark.skipif(not FULL.exists(), reason="there is no full device here")
def test_events_that_cannot_be_kept_end_the_restore_with_the_cause(varied: Depot, tmp_path: Path):
    """As a journal that cannot be written does: what it lacks cannot be told later."""
    ended = _in_a_shell(">/dev/full", "restore", varied.path, "--into", tmp_path / "t", "--json")
    assert ended.returncode == ExitCode.RESTORE_FAILED
    assert_says(ended.stderr, ["stdout cannot be written", "No space left", "same command"])
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.skipif(not FULL.exists(), reason="there is no full device here")
def test_a_report_that_cannot_be_written_is_an_error_in_words(varied: Depot, options):
    ended = _in_a_shell(">/dev/full", "chain", varied.path, *options)
    assert ended.returncode == ExitCode.RESTORE_FAILED
    assert ended.stderr == "error: stdout cannot be written: No space left on device\n"


def test_a_verdict_stands_also_when_its_reader_has_left(varied: Depot, tmp_path: Path):
    ended = _in_a_shell("| true", "verify", tmp_path, "--against", varied.path)
    assert ended.returncode == ExitCode.VERIFICATION_FAILED, ended.stderr


def test_a_bad_chain_is_told_by_the_exit_code_also_when_the_reader_has_left(damaged: Depot):
    damaged.data_file(0, "people").write_bytes(b"")
    assert _in_a_shell("| true", "chain", damaged.path).returncode == ExitCode.BAD_INPUT


@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_names_mean_the_same_in_a_locale_that_is_not_utf_8(tmp_path: Path, on):
    (tmp_path / "s.csv").write_text("id,größe\n1,ä\n", encoding="utf-8")
    ascii_only = {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}
    for words in (
        ["backup", "köln", "--full", "tä/ü=s.csv", "--key", "tä/ü=id"],
        ["chain", "köln"],
        ["restore", "köln", "--into", "zürich", "--on", on, "--json"],
        ["verify", "zürich", "--against", "köln"],
    ):
        ended = subprocess.run(
            [sys.executable, "-m", "increstore", *words], cwd=tmp_path, check=False, timeout=60,
            capture_output=True, env={**os.environ, **ascii_only},
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    assert list((tmp_path / "zürich" / "tä" / "ü").glob("*.parquet"))


def test_programs_in_the_current_folder_are_not_imported_by_workers(varied: Depot, tmp_path: Path):
    (tmp_path / "socket.py").write_text("raise SystemExit('not the socket you look for')\n")
    words = increstore("restore", varied.path, "--into", tmp_path / "target", "--on", "tcp")
    # -P: the test itself must not import it either.
    safe = [words[0], "-P", *words[1:]]
    ended = subprocess.run(safe, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
