"""A collection that a scenario names is looked for before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from increstore.errors import ScenarioError
from increstore.proving.campaign import load_all
from increstore.scenario.load import load_scenario

AIRPORTS = Path(__file__).parents[2] / "increstore" / "demo" / "airports"
HEAD = 'format = 1\ntitle = "t"\nwhy = "w"\non = ["memory"]\n'


def a_file(folder, collection, more=""):
    path = folder / "a.toml"
    text = f"{HEAD}[workload]\ncollection = '{collection}'\n{more}"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes_in(path):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    return list(caught.value.problems)


def a_backup(folder, name):
    (folder / "chain" / name).mkdir(parents=True)
    (folder / "chain" / name / "manifest.json").write_text("{}", encoding="utf-8")


def test_a_collection_is_found_from_the_folder_of_the_file_and_by_a_whole_path(tmp_path):
    (tmp_path / "airports").symlink_to(AIRPORTS)
    assert load_scenario(a_file(tmp_path, "airports")).workload.collection == "airports"
    assert load_scenario(a_file(tmp_path, AIRPORTS)).workload.collection == str(AIRPORTS)


def test_one_that_is_not_there_is_a_mistake_with_the_place_where_it_was_sought(tmp_path):
    path = a_file(tmp_path, "nope")
    assert mistakes_in(path) == [
        f"{path}: [workload] collection: '{tmp_path}/nope' is not there (expected a folder with "
        "backups such as 20260131T120000.000000Z_full; a path is relative to the scenario's "
        "folder); correct the path, or make a collection by `increstore backup`"
    ]


@pytest.mark.parametrize(
    ("collection", "says"),
    [
        (".", "holds no backup"),
        ("", "holds no backup"),
        ("a.toml", "is a file"),
        ("a" * 300, "cannot be read (File name too long)"),
    ],
)
def test_what_is_no_collection_is_a_mistake(tmp_path, collection, says):
    (mistake,) = mistakes_in(a_file(tmp_path, collection))
    assert says in mistake


def test_incrementals_without_a_full_backup_can_only_be_refused(tmp_path):
    a_backup(tmp_path, "20260101T000000Z_incremental")
    (mistake,) = mistakes_in(a_file(tmp_path, "chain"))
    assert "holds no full backup" in mistake
    expected = a_file(tmp_path, "chain", '[expect]\noutcome = "refused"\n')
    assert load_scenario(expected).expect.outcome == "refused"


def test_a_collection_too_short_for_its_damage_is_a_mistake(tmp_path):
    a_backup(tmp_path, "20260101T000000Z_full")
    damaged = 'damage = "reordered"\n[expect]\noutcome = "refused"\n'
    (mistake,) = mistakes_in(a_file(tmp_path, "chain", damaged))
    assert 'too few backups for damage = "reordered" (expected 3, got 1)' in mistake


def test_it_is_told_together_with_all_other_mistakes_of_all_files(tmp_path):
    path = a_file(tmp_path, "nope", "[cluster]\nsources = 0\n")
    with pytest.raises(ScenarioError) as caught:
        load_all([path, path])
    assert len(caught.value.problems) == 4
    assert caught.value.exit_code == 3
