"""However it ends, the terminal is as it was, the engine is told, and the exit code is right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.tui.terminal import ROOT, Terminal

SCENARIO = "scenarios/silent_source.toml"
SHOWN = "coordinator not notified"
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def watching(*words, **options):
    return Terminal("increstore", "watch", *(words or (SCENARIO, "--speed", "flat-out")), **options)


@pytest.mark.parametrize("key", ["q", "\x03", "\x11"], ids=["q", "ctrl+c", "ctrl+q"])
def test_a_key_leaves_with_zero_and_the_terminal_as_it_was(key):
    with watching() as terminal:
        terminal.wait_for(SHOWN)
        terminal.press(key)

        assert terminal.ends() == 0
        assert terminal.is_given_back()
        assert terminal.modes_are_back()


@pytest.mark.parametrize("number", HANDLED, ids=lambda number: number.name)
def test_a_signal_leaves_with_its_number_and_the_terminal_as_it_was(number):
    with watching() as terminal:
        terminal.wait_for(SHOWN)
        terminal.process.send_signal(number)

        assert terminal.ends() == 128 + number
        assert terminal.is_given_back()
        assert terminal.modes_are_back()


def test_a_window_that_is_closed_ends_the_program():
    with watching() as terminal:
        terminal.wait_for(SHOWN)
        terminal.hang_up()

        assert terminal.ends() == 128 + signal.SIGHUP


def test_a_program_that_cannot_leave_a_terminal_that_is_gone_ends_all_the_same():
    """Textual writes into a queue that nobody empties any more: about one closing in twenty."""
    stuck = (
        "import threading; from increstore.tui.endings import end_for_sure; "
        "end_for_sure(129, after_s=0.05); threading.Event().wait()"
    )

    assert subprocess.run([sys.executable, "-c", stuck], cwd=ROOT, timeout=30).returncode == 129


@pytest.mark.parametrize("where", ["start", "drain", "stop"])
def test_an_engine_that_fails_is_heard_of_once_the_terminal_is_back(where):
    with Terminal("tests.tui.failing", where) as terminal:
        if where == "stop":
            terminal.wait_for("nothing is awaited yet")
            terminal.press("q")

        assert terminal.ends() == 4
        assert terminal.is_given_back()
        assert "error: the target is in use by another restore" in terminal.after
        assert "the engine was told" in terminal.output.decode()
        assert "Traceback" not in terminal.after


def test_a_bug_in_an_engine_is_told_with_its_traceback():
    with Terminal("tests.tui.failing", "bug") as terminal:
        assert terminal.ends() == 1
        assert terminal.is_given_back()
        assert terminal.modes_are_back()
        assert "AssertionError" in terminal.after
        assert "the books do not balance" in terminal.after


def test_a_signal_counts_more_than_what_the_engine_says_of_it():
    with Terminal("tests.tui.failing", "stop") as terminal:
        terminal.wait_for("nothing is awaited yet")
        terminal.process.send_signal(signal.SIGTERM)

        assert terminal.ends() == 128 + signal.SIGTERM
        assert "error: the target is in use by another restore" in terminal.after


def test_from_the_list_into_a_run_and_back_and_out():
    with watching("scenarios") as terminal:
        terminal.wait_for("scenarios", "Enter run")
        terminal.press("/silent_source")
        terminal.wait_for(" 1 of ")
        terminal.press("\r")
        terminal.wait_for("LIVE")
        terminal.forget()
        terminal.press("o")
        terminal.wait_for("Enter run", "silent_source")
        terminal.press("q")

        assert terminal.ends() == 0
        assert terminal.is_given_back()
        assert terminal.modes_are_back()


@pytest.mark.parametrize("number", HANDLED, ids=lambda number: number.name)
def test_a_signal_ends_the_list_as_well(number):
    with watching("scenarios") as terminal:
        terminal.wait_for("Enter run")
        terminal.process.send_signal(number)

        assert terminal.ends() == 128 + number
        assert terminal.is_given_back()


# --- Before there is a screen.


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nothing.toml"], 3, "nothing.toml: the scenario cannot be read"),
        (["no-such-journal"], 2, "no such file; expected a scenario (*.toml), a journal"),
        (["localhost:0"], 2, "expected a port from 1 to 65535, got 0"),
        ([SCENARIO, "--speed", "-1"], 2, "expected a number above 0, or flat-out"),
        ([SCENARIO, "--seed", "x"], 2, "is not a valid integer"),
        (["tests"], 2, "no scenario file (*.toml) in this folder"),
    ],
)
def test_what_cannot_be_watched_is_said_before_the_screen_opens(words, code, says):
    with watching(*words) as terminal:
        assert terminal.ends() == code
        assert says in terminal.output.decode().replace("\r\n", " ")
        assert b"\x1b[?1049h" not in terminal.output


def test_a_mode_that_the_scenario_does_not_name_is_refused(tmp_path):
    scenario = tmp_path / "only.toml"
    scenario.write_text('format = 1\ntitle = "t"\nwhy = "w"\non = ["simulation"]\n')

    with watching(str(scenario), "--on", "tcp") as terminal:
        assert terminal.ends() == 2
        assert "runs on simulation, not on tcp" in terminal.output.decode()


def plainly(*words, **options):
    command = [sys.executable, "-m", "increstore", "watch", *words]
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False, **options,
    )  # fmt: skip


def test_in_a_pipe_the_dashboard_says_what_works_there():
    ended = plainly(SCENARIO)

    assert ended.returncode == 2
    assert "--plain" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("scenario", "code", "last"),
    [
        ("lost_notification", 0, "completed; 4 of 4 backups applied"),
        ("silent_source", 7, "paused: "),
        ("fatal_scan", 4, "failed: "),
    ],
)
def test_plain_lines_end_with_what_became_of_it(scenario, code, last):
    ended = plainly(f"scenarios/{scenario}.toml", "--plain")

    assert ended.returncode == code
    assert ended.stdout.splitlines()[-1].startswith(last)
    assert ended.stderr == ""


def test_plain_lines_name_the_report_that_is_missing():
    ended = plainly(SCENARIO, "--plain")

    assert "has ended, and the coordinator has no report of it" in ended.stdout


def test_plain_lines_without_a_reader_end_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        command = [sys.executable, "-m", "increstore", "watch", SCENARIO, "--plain"]
        ended = subprocess.run(
            command, cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, timeout=60, check=False
        )

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_signal_ends_plain_lines_with_its_number():
    with watching(SCENARIO, "--plain", "--speed", "0.01") as terminal:
        terminal.wait_for("restore.accepted")
        terminal.process.send_signal(signal.SIGTERM)

        assert terminal.ends() == 128 + signal.SIGTERM
