"""A stop in the middle of an import, where an exception is swallowed or becomes another one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from chain.builder import a_shop_with_three_incrementals

from increstore.stops import imports_go_first, is_interruption

STRIKE = """
import os, signal, sys

class Strikes:
    def __set_name__(self, owner, name):
        signal.raise_signal(int(os.environ["STRIKES_WITH"]))

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["STRIKES_IN"]:
            sys.meta_path.remove(self)
            print("struck", file=sys.stderr, flush=True)
            type("Struck", (), {"attribute": Strikes()})  # Of any error Python 3.11 makes another.

sys.meta_path.insert(0, Finder())
"""
"""Python runs it at its start: a stop strikes the first import of a module."""

COMMANDS = {
    "backup": (["--full", "SHOP", "orders=x.csv", "--key", "orders=id"], "increstore.chain.backup"),
    "chain": (["SHOP"], "increstore.chain.report"),
    "check": (["x.journal"], "increstore.judging.from_journal"),
    "demo": ([], "increstore.cli.verify"),
    "explore": ([], "increstore.simulation.explore"),
    "replay": (["x.journal"], "increstore.proving.journalled"),
    "restore": (["SHOP", "--into", "restored"], "increstore.runtime.restore"),
    "run": (["x.toml"], "increstore.proving.tasks"),
    "verify": (["restored", "--against", "SHOP"], "increstore.verification.verify"),
    "watch": (["x.toml", "--plain"], "increstore.scenario.load"),
}


def run_struck(
    folder: Path, words: list[str | Path], module: str, number: int, *within: str
) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(STRIKE)
    facts = {"PYTHONPATH": str(folder), "STRIKES_IN": module, "STRIKES_WITH": str(int(number))}
    return subprocess.run(
        [*within, sys.executable, "-m", "increstore", *words],
        cwd=folder,
        env={**os.environ, **facts},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_stop_in_the_middle_of_an_import_ends_the_command(tmp_path, name, number):
    shop = a_shop_with_three_incrementals(tmp_path)
    words, module = COMMANDS[name]
    places = [shop.path if word == "SHOP" else word for word in words]
    ended = run_struck(tmp_path, [name, *places], module, number)
    assert (ended.returncode, ended.stderr.split()) == (7, ["struck", "stopped"])


def test_of_a_restore_the_summary_says_so(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    words = ["restore", shop.path, "--into", "restored", "--json"]
    ended = run_struck(tmp_path, words, "increstore.runtime.restore", signal.SIGTERM)
    assert (ended.returncode, ended.stderr.split()) == (7, ["struck", "stopped"])
    assert json.loads(ended.stdout.splitlines()[-1])["state"] == "interrupted"


@pytest.mark.parametrize("module", ["increstore.stops", "increstore.errors", "click"])
def test_ctrl_c_in_the_very_first_import_ends_the_command(tmp_path, module):
    ended = run_struck(tmp_path, ["--version"], module, signal.SIGINT)
    assert (ended.returncode, ended.stderr.split()) == (7, ["struck", "stopped"])


def test_ctrl_c_is_not_meant_for_who_does_not_mind_it(tmp_path):
    """A shell's background job."""
    within = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    ended = run_struck(tmp_path, ["--version"], "increstore.stops", signal.SIGINT, *within)
    assert (ended.returncode, ended.stderr.split()) == (0, ["struck"])


def test_before_the_command_line_listens_nothing_is_imported_but_its_package():
    """Ctrl-C shows Python's own traceback until then: half of the time to it was our imports."""
    code = "import sys; old = {*sys.modules}; import increstore.cli; print(*{*sys.modules} - old)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(told.stdout.split()) == ["increstore", "increstore.cli"]


def test_an_import_that_a_stop_strikes_is_finished():
    done = []

    def imports():
        with imports_go_first():
            signal.raise_signal(signal.SIGINT)
            done.append("the rest of the block")

    with pytest.raises(KeyboardInterrupt):
        imports()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interruption_is_known_under_other_names():
    wrapped = RuntimeError("Error calling __set_name__")
    wrapped.__cause__ = KeyboardInterrupt()
    assert is_interruption(wrapped)
    assert is_interruption(ExceptionGroup("in a nursery", [ValueError(), wrapped]))
    aside = RuntimeError("while tidying up")
    aside.__context__ = KeyboardInterrupt()
    assert not is_interruption(aside)
