"""The compiled build does what the sources say: the same runs, verdicts, journals and errors.

`make compiled` builds it into `build/compiled` and runs this; where it was not built, or the
sources have changed since, only what needs no compiler is tested.
"""

from __future__ import annotations

import ast
import dataclasses
import filecmp
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from increstore.judging.catalogue import MONITORS
from increstore.judging.dispatch import RECEIVED, SENT
from increstore.protocol.frozen import complete

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "increstore"
BUILT = ROOT / "build" / "compiled"
TOOL = runpy.run_path(str(ROOT / "tools" / "compiled.py"))


def why_not_tried():
    if not (BUILT / "increstore").is_dir():
        return "there is no compiled build: make compiled"
    changed = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if not (copy := BUILT / "increstore" / path.relative_to(PACKAGE)).exists()
        or not filecmp.cmp(path, copy, shallow=False)
    ]
    return f"older than {', '.join(changed[:3])}: make compiled" if changed else ""


compiled = pytest.mark.skipif(bool(why_not_tried()), reason=why_not_tried())


def program(package_folder, *words, folder=ROOT, code="from increstore.cli import main; main()"):
    """The command with the package of this folder, in a process."""
    environment = {**os.environ, "PYTHONPATH": str(package_folder)}
    command = [sys.executable, "-P", "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


def both(*words, folder=ROOT):
    """Exit code and output of both programs."""
    done = [program(package, *words, folder=folder) for package in (ROOT, BUILT)]
    return [(one.returncode, one.stdout, one.stderr) for one in done]


def verdicts(output):
    lines = [json.loads(line) for line in output.splitlines()]
    return [line for line in lines if line["event"] == "verdict"]


# --- What needs no compiler.


def classes_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_no_interpreted_class_inherits_from_a_compiled_one():
    """It could not even be made."""
    modules = set(TOOL["modules"](PACKAGE))
    found = {
        path.relative_to(PACKAGE).as_posix(): classes_of(path) for path in PACKAGE.rglob("*.py")
    }
    made = {cls.name for name in modules for cls in found[name]}
    heirs = [
        f"{name}: {cls.name}"
        for name, classes in found.items()
        for cls in classes
        if name not in {*modules, *TOOL["IN_PLACE_OF"].values()}
        and made & {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in cls.bases}
    ]
    assert len(made) > 100
    assert heirs == []


def test_every_module_that_the_build_names_is_there():
    named = {*TOOL["MORE"], *TOOL["LEFT_OUT"], *TOOL["WRITTEN_OUT"], *TOOL["IN_PLACE_OF"]}

    assert [name for name in sorted(named) if not (PACKAGE / name).exists()] == []
    assert set(TOOL["WRITTEN_OUT"]) <= set(TOOL["modules"](PACKAGE))


def test_what_is_written_out_for_the_compiler_makes_the_same_runs(tmp_path):
    TOOL["write_sources"](PACKAGE, tmp_path)
    words = ["run", ROOT / "scenarios", "--on", "simulation", "--seed", "1", "--json"]

    mine, theirs = (program(package, *words) for package in (ROOT, tmp_path))

    assert len(verdicts(mine.stdout)) > 100
    assert verdicts(theirs.stdout) == verdicts(mine.stdout)


def test_the_call_of_an_observation_calls_every_law_that_judges_it_in_their_order():
    marked = {}
    for monitor in MONITORS:
        for _, observation, law in monitor.checks():
            marked.setdefault(observation, []).append(f"self.{monitor.__name__}.{law.__name__}")

    tree = ast.parse(TOOL["written_chains"]())

    chains = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    places = [node for node in tree.body if isinstance(node, ast.Assign)]
    called = {
        ast.literal_eval(place.targets[0].slice): [
            ast.unparse(call.value.func)
            for call in chains[place.value.id].body[1].body
            if isinstance(call, ast.Expr) and not ast.unparse(call).startswith("super()")
        ]
        for place in places
    }
    assert len(called) > 20
    of_messages = {observation for _, observation, _ in (*SENT, *RECEIVED)}
    assert called == {
        told: laws for told, laws in marked.items() if len(laws) > 1 or told in of_messages
    }


WRONG = """
from increstore.judging.judge import Judge
from increstore.judging.violation import InvariantViolated
from increstore.protocol.messages import *
from increstore.protocol.records import *
from increstore.protocol.topology import TableTopology, Topology
table = TableTopology("t", ("t/s0",), ("t/t0",), (0, 1), None, None)
scan, stream = ScanId("r", 0, "t/s0", 1), ("t/s0", "t/t0")
seal = StreamEvidence("t/s0", 1, 4, 1, 5)
WRONG = {
    "applied": (0, "t/t0", scan, 1, 2, 3),
    "sealed": (0, "t/t0", 0, (seal,)),
    "finalized": (0, "t/t0", 1, 2),
    "published": (0,),
    "ended": (0, "completed", ""),
    "recorded": (0, "coordinator", IncrementalStarted(1, 0)),
    "sent": [
        (0, "coordinator", "t/s0", StartScan(scan, 1)),
        (0, *stream, OpenStream(scan, 1)),
        (0, *stream[::-1], StreamOpened(scan, 1, 3)),
        (0, "t/t0", "coordinator", IncrementalSealed("r", 0, 1, (seal,))),
        (0, "t/s0", "coordinator", ScanProgress(scan, 1, 2, 2, 2, ())),
    ],
    "received": [
        (0, *stream, ApplyChanges(scan, 1, 2, 3, 4, b"")),
        (0, *stream[::-1], ChangesApplied(scan, 1, 1)),
        (0, "coordinator", "t/t0", SealIncremental("r", 0, 1, (seal,))),
        (0, "t/t0", "coordinator", Finalized("r", 1, 2, 3)),
    ],
}
for what, told in WRONG.items():
    for one in told if isinstance(told, list) else [told]:
        try:
            getattr(Judge(Topology("r", 1, (table,))), what)(*one)
        except InvariantViolated as found:
            print(found)
"""


def test_what_is_written_out_for_the_compiler_finds_the_same_violations(tmp_path):
    TOOL["write_sources"](PACKAGE, tmp_path)

    mine, theirs = (program(package, code=WRONG) for package in (ROOT, tmp_path))

    assert mine.stdout.count("\n") == 15, mine.stdout + mine.stderr
    assert theirs.stdout == mine.stdout, theirs.stderr


def test_a_written_out_class_is_completed_to_a_dataclass():
    class Point:
        def __init__(self, x, y):
            self.x, self.y = x, y

    complete(Point, ("x", "y"), ("int", "int"))

    assert dataclasses.astuple(dataclasses.replace(Point(1, 2), y=3)) == (1, 3)
    assert [field.name for field in dataclasses.fields(Point)] == ["x", "y"]
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


# --- What is compiled.


@compiled
def test_every_shipped_scenario_has_the_same_digests_and_verdicts():
    words = ["run", "scenarios", "--on", "simulation", "--seeds", "0..2", "--json"]

    (code, mine, _), (other_code, theirs, _) = both(*words)

    assert len(verdicts(mine)) > 300
    assert all(verdict["digest"] for verdict in verdicts(mine))
    assert verdicts(theirs) == verdicts(mine)
    assert (code, other_code) == (0, 0)


@compiled
def test_a_crash_at_every_point_of_a_run_ends_alike():
    words = ["run", "scenarios/healthy.toml", "--on", "simulation", "--crash-everywhere", "--json"]

    (code, mine, _), (other_code, theirs, _) = both(*words)

    assert code == other_code == 0
    assert verdicts(theirs) == verdicts(mine) != []


BROKEN = """
format = 1
title = "A report is lost, and the promise is too much"
why = "It is to be violated."
[cluster]
sources = 2
targets = 2
[[fault]]
kind = "drop"
message = "CompletionNotification"
times = 3
[expect]
within = "1ms"
[heal]
at = "50ms"
"""


@compiled
def test_a_violation_is_told_shrunk_and_replayed_alike(tmp_path):
    told, shrunk = [], []
    for name, package in (("interpreted", ROOT), ("compiled", BUILT)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "broken.toml").write_text(BROKEN, encoding="utf-8")
        words = ["run", "broken.toml", "--on", "simulation", "--seed", "3"]
        done = program(package, *words, "--shrink", "--out", "small", "--json", folder=folder)
        told.append((done.returncode, verdicts(done.stdout)))
        shrunk.append(
            {path.name: path.read_text(encoding="utf-8") for path in folder.glob("small/*")}
        )

    assert told[0][0] == 6
    assert told[0][1][0]["failure"]["what"] == "L1 ends-in-time"
    assert told[1] == told[0]
    assert len(shrunk[0]) == 1
    assert shrunk[1] == shrunk[0]


@compiled
def test_a_compiled_judge_finds_the_same_violations():
    mine, theirs = (program(package, code=WRONG) for package in (ROOT, BUILT))

    assert mine.stdout.count("\n") == 15, mine.stdout + mine.stderr
    assert theirs.stdout == mine.stdout, theirs.stderr


@compiled
def test_journals_are_the_same_bytes_and_are_judged_alike(tmp_path):
    journals = [tmp_path / "interpreted.jsonl", tmp_path / "compiled.jsonl"]
    for package, journal in zip((ROOT, BUILT), journals, strict=True):
        words = ["run", "scenarios/healthy.toml", "--on", "simulation", "--seed", "5"]
        assert program(package, *words, "--journal", journal).returncode == 0

    assert journals[0].read_bytes() == journals[1].read_bytes()
    (code, mine, _), (other_code, theirs, _) = both("check", journals[1])
    assert code == other_code == 0
    assert theirs == mine


@compiled
@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_a_real_collection_is_restored_and_verified(tmp_path, on):
    collection, target = PACKAGE / "demo" / "airports", tmp_path / "target"

    restored = program(BUILT, "restore", collection, "--into", target, "--on", on, "--plain")
    verified = program(BUILT, "verify", target, "--against", collection)

    assert restored.returncode == 0, restored.stderr
    assert verified.returncode == 0, verified.stderr


@compiled
def test_it_says_that_it_is_compiled_and_the_interpreted_one_does_not():
    (_, mine, _), (_, theirs, _) = both("--version")

    assert theirs == mine.rstrip("\n") + " (compiled)\n"


@compiled
def test_explore_is_refused_with_what_to_do_instead():
    done = program(BUILT, "explore")

    assert done.returncode == 2
    assert "INCRESTORE_COMPILED" in done.stderr


VALUES = """
import copy, pickle
from dataclasses import FrozenInstanceError, replace
from increstore.protocol.messages import ScanId, StartScan
value = StartScan(ScanId("r", 1, "s0", 0), 2)
assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
assert hash(value) == hash(StartScan(ScanId("r", 1, "s0", 0), 2))
assert replace(value, generation=3).generation == 3 > value.generation
assert ScanId("r", 1, "s0", 0) < ScanId("r", 2, "s0", 0)
try:
    value.generation = 9
except FrozenInstanceError:
    print(value)
"""


@compiled
def test_values_are_frozen_copied_compared_and_shown_as_before():
    mine, theirs = (program(package, code=VALUES) for package in (ROOT, BUILT))

    assert mine.stdout.startswith("StartScan(scan=ScanId(restore='r'"), mine.stderr
    assert theirs.stdout == mine.stdout, theirs.stderr
