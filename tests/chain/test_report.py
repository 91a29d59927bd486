"""What the report on a chain counts, and how it looks."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.chain.report import report_chain
from increstore.cli.chain import print_report, size_text

from .builder import Shop, a_shop_with_three_incrementals


def test_the_report_counts_what_every_backup_holds(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    report = report_chain(shop.collection())
    lines = report.tables["shop/orders"]
    assert [(n.upserts, n.entry.resets, n.entry.erases, n.entry.rows) for n in lines] == [
        (3, 0, 0, 3), (2, 0, 1, 3), (2, 0, 0, 4), (0, 0, 0, 4),
    ]  # fmt: skip
    assert [str(line.step) for line in lines] == ["", "", "+extra", ""]
    assert report.bytes == sum(p.stat().st_size for p in shop.path.rglob("*.parquet"))
    assert (report.problems, report.notices) == ((), ())


def test_changes_whose_key_changes_again_later_are_counted(tmp_path):
    """Keys 1 2 3, then 2 3 4, then 2 5: of eight changes three are overwritten."""
    shop = a_shop_with_three_incrementals(tmp_path)
    counts = report_chain(shop.collection()).overwrites["shop/orders"]
    assert (counts.changes, counts.overwritten) == (8, 3)


def test_a_quick_report_reads_no_rows(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    path = shop.data_file(0)
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    quick = report_chain(shop.collection(), quick=True)
    assert (quick.problems, quick.overwrites) == ((), {})
    assert [problem.kind for problem in report_chain(shop.collection()).problems] == ["altered"]


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ([1, 1, 3], "has the key of the row before it"),
        ([1, 3, 2], "has a key below the row before it"),
        ([1, None, 3], "has a NULL in its key"),
        ([0, 1, 2], "starts at key 0, the manifest says 1"),
    ],
)
def test_keys_that_are_doubled_or_out_of_order_inside_a_file_are_found(tmp_path, ids, complaint):
    """Files that another program wrote, with a manifest that fits them."""
    shop = Shop(tmp_path)
    shop.full("id,v\n1,a\n2,b\n3,c\n")
    path = shop.data_file(0)
    not_null = None not in ids
    schema = pa.schema([pa.field("id", pa.int64(), nullable=not not_null), ("v", pa.string())])
    pq.write_table(pa.table([ids, ["a", "b", "c"]], schema=schema), path)
    sums = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    shop.edit_manifest(0, lambda m: m["tables"]["shop/orders"]["files"][0].update(sums))

    problems = report_chain(shop.collection()).problems

    assert len(problems) == 1
    assert str(path) in str(problems[0])
    # A nullable key column is refused by the schema before any row is read.
    assert complaint in str(problems[0]) or not not_null


def sha256_of(path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_report_is_made_of_what_can_be_read(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    (shop.backup(1).path / "manifest.json").write_text("{")
    shutil.rmtree(shop.backup(2).path / "shop")
    report = report_chain(shop.collection())
    assert [problem.kind for problem in report.problems] == ["unreadable manifest", "file missing"]
    assert [line.position for line in report.tables["shop/orders"]] == [0, 2, 3]


def test_every_line_of_json_is_an_object_with_a_type(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    objects = json.loads(json.dumps(report_chain(shop.collection()).as_json()))
    kinds = [item["event"] for item in objects]
    assert kinds == ["chain", *["backup"] * 4, *["table"] * 4, "overwrites", "result"]
    assert objects[7]["schema_step"] == {"added": ["extra"], "dropped": [], "widened": []}
    assert objects[7]["columns"] == {"id": "int64", "v": "string", "extra": "string"}
    assert objects[-1] == {"event": "result", "valid": True, "problems": 0}


def test_the_report_for_people_fits_80_columns(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shop = a_shop_with_three_incrementals(tmp_path)
    rows = "".join(f"{n},{n * 7919}\n" for n in range(1_200_000, 1_230_000))
    shop.full(**{"shop/a-table-with-a-long-name": f"id,v\n{rows}"})
    shop.incremental("id,v\n9,z\n")
    print_report(report_chain(shop.collection()))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines[1:]) <= 80
    assert lines[-1] == "no problems: the chain can be restored"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_400, "99.4 kB"), (99_600, "100 kB"),
     (999_499, "999 kB"), (999_500, "1.0 MB"), (2_325_801, "2.3 MB"), (4 * 10**12, "4.0 TB")],
)  # fmt: skip
def test_sizes_have_three_digits_at_most(size, text):
    assert size_text(size) == text
