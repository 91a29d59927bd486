"""Manifests are read quickly when they are as expected, and explained when they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import MISSING, fields

import pytest

from increstore.chain import manifest, manifest_model
from increstore.chain.manifest import parse_manifest
from increstore.errors import BackupChainBroken

from .builder import a_shop_with_three_incrementals


def raw_manifest(tmp_path) -> dict:
    shop = a_shop_with_three_incrementals(tmp_path)
    return json.loads((shop.backup(1).path / "manifest.json").read_text(encoding="utf-8"))


def parsed(raw: object) -> manifest.Manifest:
    return parse_manifest(json.dumps(raw).encode(), "here")


@pytest.mark.parametrize(
    ("record", "model"),
    [
        (manifest.RowGroupEntry, manifest_model.RowGroupModel),
        (manifest.FileEntry, manifest_model.FileModel),
        (manifest.ColumnEntry, manifest_model.ColumnModel),
        (manifest.TableEntry, manifest_model.TableModel),
        (manifest.Manifest, manifest_model.ManifestModel),
    ],
)
def test_what_is_read_and_what_explains_have_the_same_fields(record, model):
    ours = [(field.name, field.default is MISSING) for field in fields(record)]
    assert ours == [(name, field.is_required()) for name, field in model.model_fields.items()]


def test_a_manifest_is_what_was_written(tmp_path):
    raw = raw_manifest(tmp_path)
    read = parsed(raw)
    assert json.loads(read.json_text()) == raw
    assert parse_manifest(read.json_text().encode(), "again") == read


def test_an_expected_manifest_is_read_without_the_explaining_model(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    code = (
        "import sys; from increstore.chain.collection import Collection; "
        "chain = Collection.open(sys.argv[1]).chain(); assert len(chain.manifests) == 4; "
        "sys.exit(','.join(sorted({'pydantic', 'pyarrow', 'numpy'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, shop.path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def a_number_in_quotes(raw: dict) -> None:
    raw["tables"]["shop/orders"]["rows"] = str(raw["tables"]["shop/orders"]["rows"])


def a_whole_number_with_a_point(raw: dict) -> None:
    raw["format"] = 1.0


@pytest.mark.parametrize("change", [a_number_in_quotes, a_whole_number_with_a_point])
def test_an_unusual_manifest_means_what_the_usual_one_means(tmp_path, change):
    raw = raw_manifest(tmp_path)
    usual = parsed(raw)
    change(raw)
    assert parsed(raw) == usual


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (("tables", "shop/orders", "rows"), -1, "rows: expected a number of at least 0, got -1"),
        (("tables", "shop/orders", "rows"), [], r"rows: expected a whole number, got \[\]"),
        (("tables", "shop/orders", "rows"), "ten", 'rows: expected a whole number, got "ten"'),
        (("tables", "shop/orders", "digest"), "F" * 16, "digest: expected 16 hex digits in lower"),
        (("tables", "shop/orders", "digest"), "0" * 70, r'digest: .*, got "0{59}\.\.;'),
        (("tables", "shop/orders", "change"), "some", "change: expected 'full', 'changes' or 'un"),
        (("tables", "shop/orders", "key"), [1], "key, item 1: expected a text, got 1"),
        (("tables", "shop/orders", "has_op"), "?", 'has_op: expected true or false, got "?"'),
        (("tables", "shop/orders", "more"), 1, "more: is no field of a manifest"),
        (("tables", "shop/orders"), None, "expected an object, got null"),
        (("tables",), [], r"tables: expected an object, got \[\]"),
        (("parent",), 1, "parent: expected a text, got 1"),
        (("kind",), "half", "kind: expected 'full' or 'incremental', got \"half\""),
    ],
)
def test_every_wrong_field_is_named_with_its_place(tmp_path, place, value, complaint):
    raw = raw_manifest(tmp_path)
    holder = raw
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    table = f"table {place[1]}: " if len(place) > 1 else ""
    with pytest.raises(BackupChainBroken, match=f"^here: {table}{complaint}") as broken:
        parsed(raw)
    assert str(broken.value).endswith("; the backup is damaged: copy it again from its origin")


def test_a_field_that_is_left_out_is_named(tmp_path):
    raw = raw_manifest(tmp_path)
    del raw["tables"]["shop/orders"]["columns"][0]["type"], raw["id"]
    with pytest.raises(BackupChainBroken) as broken:
        parsed(raw)
    advice = "the backup is damaged: copy it again from its origin"
    assert sorted(broken.value.problems) == [
        f"here: id: is missing; {advice}",
        f"here: table shop/orders: columns, item 1, type: is missing; {advice}",
    ]
