"""`increstore backup` as a person and as a script meet it: words, JSON and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from chain.builder import Shop
from click.testing import CliRunner, Result

from increstore.cli.backup import backup
from increstore.errors import UsageError


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.snapshot("id,v,price\n1,a,1.50\n2,b,2\n", "orders.csv")
    shop.snapshot("a,b,n\nx,1,5\nx,2,6\n", "items.csv")
    return shop


def run(shop: Shop, *arguments: str) -> Result:
    files = [text.replace("=@", f"={shop.folder}/") for text in arguments]
    return CliRunner().invoke(backup, [str(shop.path), *files], catch_exceptions=False)


def full(shop: Shop, *options: str) -> Result:
    return run(
        shop, "--full", "shop/orders=@orders.csv", "shop/items=@items.csv",
        "--key", "shop/orders=id", "--key", "shop/items=a,b", *options,
    )  # fmt: skip


def test_a_full_and_an_incremental_backup_say_what_they_hold(shop):
    result = full(shop)
    assert (result.exit_code, result.stdout) == (0, "")
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{shop.path}: added 2")
    assert lines[1].startswith("  shop/items   2 rows, ")

    shop.snapshot("id,v,price\n1,A,1.50\n3,c,\n", "orders.csv")
    result = run(shop, "--incremental", "shop/orders=@orders.csv")
    lines = result.stderr.splitlines()
    assert lines[1] == "  shop/items   unchanged, 2 rows now"
    assert lines[2].startswith("  shop/orders  2 upserts, 1 erase, ")
    assert lines[2].endswith(", 2 rows now")
    assert shop.state() == [
        {"id": 1, "v": "A", "price": 1.5},
        {"id": 3, "v": "c", "price": None},
    ]


def test_json_tells_the_same_on_stdout(shop):
    result = full(shop, "--json")
    made = json.loads(result.stdout)
    assert result.stderr == ""
    assert (made["event"], made["kind"], made["parent"]) == ("backup", "full", None)
    assert made["tables"]["shop/items"]["rows"] == 2
    assert made["tables"]["shop/orders"]["columns"] == {
        "id": "int64", "v": "string", "price": "double",
    }  # fmt: skip


def test_types_asked_for_are_kept(shop):
    full(shop, "--type", "shop/orders.price=decimal128(8, 2)", "--type", "shop/items.n=text")
    columns = {c.name: c.type for c in shop.backup(0).manifest.tables["shop/orders"].columns}
    assert columns["price"] == "decimal128(8, 2)"
    assert [row["n"] for row in shop.state("shop/items")] == ["5", "6"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--full", "orders"], "not of the form TABLE=FILE"),
        (["--full", "t=@orders.csv", "t=@orders.csv", "--key", "t=id"], "given twice"),
        (["--full", "t=@orders.csv", "--key", "u=id"], "--key for table 'u', which has no"),
        (["--full", "t=@orders.csv", "--key", "t"], "not of the form --key TABLE=COL"),
        (["--full", "t=@orders.csv", "--key", "t=id,id"], "--key t=id,id: a column is named twice"),
        (["--full", "t=@orders.csv", "--key", "t=id,"], "--key t=id,: a column without a name"),
        (["--full", "t=@orders.csv"], "'t' has no key; give one: --key t=COLUMN"),
        (["--full", "t=@orders.csv", "--key", "t=id", "--type", "u.v=text"], "not TABLE.COL"),
        (["--full", "t=@orders.csv", "--key", "t=id", "--type", "t.v=blob"], "'blob' is not one"),
        (["--full", "t=@orders.csv", "--key", "t=id", "--type", "t.v=float"], "say float64"),
        (
            ["--full", "t=@orders.csv", "--key", "t=id", "--type", "t.v=timestamp[us, tz=Moon/X]"],
            "t.v=.*: Cannot locate or parse timezone 'Moon/X'",
        ),
        (["--full", "t=\udcff.csv", "--key", "t=id"], r"'t=.udcff.csv' is not UTF-8; rename it"),
    ],
)
def test_arguments_that_cannot_work_are_told_and_nothing_is_made(shop, arguments, complaint):
    with pytest.raises(UsageError, match=complaint):
        run(shop, *arguments)
    assert not shop.path.exists()


def test_a_key_may_have_any_name_that_a_header_may_have(shop):
    shop.snapshot('"a,b"," c ",v\n1,2,x\n', "odd.csv")
    run(shop, "--full", "t=@odd.csv", "--key", 't="a,b", " c "')
    assert shop.backup(0).manifest.tables["t"].key == ["a,b", " c "]


def test_a_table_without_rows_is_said_to_have_none_once(shop):
    shop.snapshot("id,v", "orders.csv")
    result = run(shop, "--full", "t=@orders.csv", "--key", "t=id")
    assert result.stderr.splitlines()[1] == "  t  0 rows"
    shop.snapshot("id,v\n1,a\n", "orders.csv")
    result = run(shop, "--incremental", "t=@orders.csv")
    assert result.stderr.splitlines()[1].endswith(", 1 row now")


def test_full_or_incremental_has_to_be_said(shop):
    for kinds in ([], ["--full", "--incremental"]):
        result = run(shop, *kinds, "t=@orders.csv", "--key", "t=id")
        assert result.exit_code == 2
        assert "--full or --incremental" in result.stderr
        assert not shop.path.exists()


def test_the_program_ends_with_the_documented_codes(shop):
    def program(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "increstore", "backup", str(shop.path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    orders = f"t={shop.folder / 'orders.csv'}"
    assert program("--full", orders).returncode == 2
    assert program("--full", orders, "--key", "t=id").returncode == 0
    shop.snapshot("id,v,price\n1,a,cheap\n", "orders.csv")
    bad = program("--incremental", orders)
    assert (bad.returncode, bad.stdout) == (3, "")
    assert "orders.csv: line 2, column 'price': 'cheap' is not of type double" in bad.stderr
    assert len(shop.collection().backups) == 1
