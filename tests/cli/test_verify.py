"""`increstore verify` as a person and as a script meet it: words, JSON and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from verification.builder import ChainBuilder, TableStep, a_schema, claim, erase, upsert

from increstore.cli.verify import verify

SCHEMA = a_schema(id=pa.int64(), v=pa.string())


@pytest.fixture
def chain(tmp_path: Path) -> ChainBuilder:
    chain = ChainBuilder(tmp_path / "collection")
    full = [upsert(id=n, v=str(n)) for n in range(6)]
    chain.backup({"a": TableStep(SCHEMA, full), "shop/b": TableStep(SCHEMA, full)})
    chain.backup({"a": TableStep(SCHEMA, [erase(id=2)]), "shop/b": TableStep(SCHEMA)})
    chain.restore(tmp_path / "target")
    return chain


def run(tmp_path: Path, *options: str) -> Result:
    arguments = [str(tmp_path / "target"), "--against", str(tmp_path / "collection"), *options]
    return CliRunner().invoke(verify, arguments)


def spoil(tmp_path: Path, chain: ChainBuilder) -> None:
    chain.states["a"][(1,)]["v"] = None
    chain.states["a"][(9,)] = {"id": 9, "v": "stray"}
    chain.restore(tmp_path / "target")


def test_equal_tables_end_with_code_0_and_a_verdict(tmp_path, chain):
    result = run(tmp_path)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-1].startswith("equal: 2 tables, 11 rows, every value compared in ")
    assert [line.split() for line in lines[2:5]] == [
        ["table", "expected", "restored", "result"],
        ["a", "5", "5", "equal"],
        ["shop/b", "6", "6", "equal"],
    ]
    assert result.stderr == ""


def test_differences_end_with_code_5_and_are_named(tmp_path, chain):
    spoil(tmp_path, chain)
    result = run(tmp_path)
    assert result.exit_code == 5
    assert "DIFFERENT: 1 surplus, 1 differing" in result.stdout
    assert "  surplus key (9)\n" in result.stdout
    assert '  key (1), column v: expected "1", got NULL\n' in result.stdout
    assert result.stdout.splitlines()[-1].startswith("DIFFERENT: 1 of 2 tables")


def test_json_is_one_object_a_table_and_one_for_the_whole(tmp_path, chain):
    spoil(tmp_path, chain)
    result = run(tmp_path, "--json")
    assert result.exit_code == 5
    a, b, whole = (json.loads(line) for line in result.stdout.splitlines())
    assert a.pop("seconds") >= 0
    assert a == {
        "event": "table.verified", "table": "a", "equal": False,
        "rows_expected": 5, "rows_actual": 6,
        "missing": 0, "surplus": 1, "duplicates": 0, "differing": 1,
        "columns": {"v": 1}, "problems": [],
        "examples": [
            {"kind": "surplus", "key": [9]},
            {"kind": "value", "key": [1], "column": "v", "expected": "1", "got": None},
        ],
    }  # fmt: skip
    assert (b["table"], b["equal"], b["examples"]) == ("shop/b", True, [])
    assert whole["event"] == "verify.completed"
    assert (whole["equal"], whole["tables"], whole["tables_different"]) == (False, 2, 1)
    assert (whole["upto"], whole["rows_expected"]) == (chain.names[1], 11)


def test_a_table_that_is_not_published_ends_with_code_5_and_says_what_to_do(tmp_path, chain):
    claim(tmp_path / "target")
    (tmp_path / "target" / "a").rename(tmp_path / "away")
    result = run(tmp_path)
    assert result.exit_code == 5
    assert "NOT COMPARED" in result.stdout
    assert "the restore is not completed; run `increstore restore` again" in result.stdout


def test_upto_and_table_choose_what_is_compared(tmp_path, chain):
    assert run(tmp_path, "--upto", chain.names[0]).exit_code == 5
    assert run(tmp_path, "--upto", chain.names[0], "--table", "shop/b").exit_code == 0


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["{target}"], 2, "--against"),
        (["{nowhere}", "--against", "{collection}"], 5, "there is no such folder"),
        (["{target}", "--against", "{nowhere}"], 3, "not a readable backup collection"),
        (["{target}", "--against", "{target}"], 3, "holds no complete backup"),
        (["{target}", "--against", "{collection}", "--table", "x"], 2, "has no table 'x'"),
        (["{target}", "--against", "{collection}", "--upto", "x"], 2, "matches no backup"),
        (["{target}", "--against", "{collection}"], 0, "equal"),
    ],
)
def test_the_whole_program_ends_with_the_documented_code(tmp_path, chain, options, code, says):
    places = {name: str(tmp_path / name) for name in ("target", "collection", "nowhere")}
    arguments = [option.format(**places) for option in options]
    ended = subprocess.run(
        [sys.executable, "-m", "increstore", "verify", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == code
    assert says in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_command_is_listed_without_loading_pyarrow():
    code = "import sys, increstore.cli.verify; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
