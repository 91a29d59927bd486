"""A journal before the judge: sound ones pass, doctored ones do not, and garbage is told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from increstore.errors import JournalUnreadable
from increstore.judging.catalogue import INVARIANTS
from increstore.judging.from_journal import check_journal
from increstore.judging.planless import HISTORY_LAWS

from .journals import (
    COUP,
    CRASHES,
    PAUSE,
    altered,
    judged,
    lines_of,
    place_of,
    twice,
    without,
    without_details,
)

ONLY_SEEN_BY_A_DRIVER = {"T1", "T3", "L1", "L6", "L7", "L8"}


def test_a_sound_journal_breaks_nothing_and_has_every_law_judged(tmp_path):
    verdict = judged(tmp_path, lines_of(CRASHES))
    assert verdict.violation is None
    assert (verdict.runs, verdict.ends, verdict.unknown, verdict.notes) == (
        1,
        ["completed"],
        {},
        [],
    )
    unjudged = {law.id for law in INVARIANTS if not verdict.counts.get(law.id)}
    assert unjudged == ONLY_SEEN_BY_A_DRIVER | {"L5"}


@pytest.mark.parametrize("seed", range(6))
def test_no_journal_of_a_sound_run_is_found_broken(tmp_path, seed):
    assert judged(tmp_path, lines_of(CRASHES, seed)).violation is None


def test_a_paused_restore_and_its_reason_are_judged(tmp_path):
    verdict = judged(tmp_path, lines_of(PAUSE))
    assert verdict.violation is None
    assert verdict.ends == ["paused"]
    assert verdict.counts["L5"] > 0


def test_a_coordinator_that_speaks_after_it_was_told_that_it_is_overtaken_is_noticed(tmp_path):
    lines = list(lines_of(COUP))
    told = place_of(
        lines, "message.received", node="coordinator (overtaken)", reason="stale generation"
    )
    said = place_of(lines, "message.sent", kind="StartScan", generation=1, incremental=1)

    sound = judged(tmp_path, lines)
    verdict = judged(tmp_path, [*lines[: told + 1], lines[said], *lines[told + 1 :]])

    assert (sound.violation, sound.counts["S9"] > 10) == (None, True)
    assert verdict.violation is not None
    assert verdict.violation.invariant == "S9 overtaken-falls-silent"
    assert verdict.line == told + 2


# --- Doctored.


@pytest.mark.parametrize(
    ("event", "facts", "broken"),
    [
        ("batch.applied", {}, {"D2", "O5"}),
        ("message.received", {"kind": "ApplyChanges"}, {"S5"}),
        ("message.received", {"kind": "CompletionNotification"}, {"C3"}),
        ("message.received", {"kind": "SealIncremental"}, {"S5"}),
        ("message.received", {"kind": "ChangesApplied", "watermark": 2}, {"C1"}),
        ("message.sent", {"kind": "ApplyChanges"}, {"F1"}),
        ("scan.reported", {}, {"D1"}),
        ("target.sealed", {}, {"C5"}),
        ("incremental.completed", {}, {"O4"}),
        ("incremental.started", {}, {"D1"}),
        ("run.sealed", {}, {"D1"}),
        ("rows.finalized", {}, {"D1"}),
        ("target.finalized", {}, {"T6"}),
        ("tables.published", {}, {"C5"}),
        ("restore.accepted", {}, {"K1"}),
        ("coordinator.started", {}, {"K2"}),
        ("shard.obeys", {}, {"D1"}),
    ],
)
def test_a_line_that_is_missing_is_missed(tmp_path, event, facts, broken):
    lines = lines_of()
    verdict = judged(tmp_path, without(lines, place_of(lines, event, **facts)))
    assert verdict.violation is not None, f"{event} is missing and nobody has noticed"
    assert verdict.violation.invariant.split()[0] in broken, verdict.violation


def test_a_question_for_a_watermark_that_was_never_sent_is_noticed(tmp_path):
    lines = lines_of(CRASHES)  # Only who waits in vain asks.
    verdict = judged(tmp_path, without(lines, place_of(lines, "message.sent", kind="OpenStream")))
    assert verdict.violation is not None
    assert verdict.violation.invariant.startswith("F1")


@pytest.mark.parametrize(
    ("event", "broken"),
    [
        ("batch.applied", "E1"),
        ("page.read", "E4"),
        ("scan.reported", "E5"),
        ("restore.accepted", "E6"),
        ("incremental.started", "O4"),
        ("incremental.completed", "C5"),
        ("run.sealed", "O6"),
        ("target.sealed", "K1"),
        ("restore.completed", "S6"),
    ],
)
def test_a_line_that_is_there_twice_is_noticed(tmp_path, event, broken):
    lines = lines_of()
    place = place_of(lines, event)
    verdict = judged(tmp_path, twice(lines, place))
    assert verdict.violation is not None
    assert verdict.violation.invariant.split()[0] == broken, verdict.violation
    assert verdict.line == place + 2


@pytest.mark.parametrize(
    ("event", "facts", "change", "broken"),
    [
        ("message.sent", {"kind": "ChangesApplied"}, {"watermark": 99}, "D2"),
        ("message.sent", {"kind": "StartScan"}, {"generation": 2}, "D1"),
        ("message.sent", {"kind": "StartScan"}, {"incremental": 1}, "O1"),
        ("message.received", {"kind": "ApplyChanges"}, {"digest": "0" * 16}, "F1"),
        ("message.sent", {"kind": "CompletionNotification"}, {"rows_scanned": 999}, "C7"),
        ("batch.applied", {}, {"rows": 999}, "E2"),
        ("batch.applied", {}, {"digest": "0" * 16}, "E2"),
        ("scan.reported", {}, {"rows": 999}, "C3"),
        ("shard.obeys", {}, {"generation": 9}, "S4"),
        ("page.read", {}, {"rows": 999}, "T4"),
        ("target.finalized", {}, {"rows": 999}, "C3"),
    ],
)
def test_a_fact_that_was_changed_is_noticed(tmp_path, event, facts, change, broken):
    lines = lines_of()
    verdict = judged(tmp_path, altered(lines, place_of(lines, event, **facts), **change))
    assert verdict.violation is not None
    assert verdict.violation.invariant.split()[0] == broken, verdict.violation


def test_a_sample_that_is_ahead_of_the_disk_is_noticed(tmp_path):
    lines = lines_of(CRASHES)  # A scan that ends at once takes no sample.
    place = place_of(lines, "message.sent", kind="ScanProgress")
    verdict = judged(tmp_path, altered(lines, place, rows_applied=999))
    assert verdict.violation is not None
    assert verdict.violation.invariant.startswith("D2")


def test_a_restart_that_has_lost_a_record_is_noticed(tmp_path):
    lines = lines_of(CRASHES)
    place = place_of(lines, "history.recovered", 1)
    records = json.loads(lines[place])["records"]
    # The very last may have become durable in the moment of the crash, and nobody has heard of it.
    verdict = judged(tmp_path, altered(lines, place, records=records[:-2]))
    assert verdict.violation is not None
    assert verdict.violation.invariant == "D3 nothing-acknowledged-is-lost"


def test_a_target_that_comes_up_without_what_it_had_is_noticed(tmp_path):
    lines = lines_of(CRASHES)
    place = place_of(lines, "shard.recovered", -1, node="orders/t0")
    verdict = judged(tmp_path, altered(lines, place, sealed=[]))
    assert verdict.violation is not None
    assert verdict.violation.invariant.startswith("D3")


def test_the_verdict_names_the_line_and_the_events_that_led_there(tmp_path):
    lines = lines_of()
    place = place_of(lines, "message.sent", 1, kind="ChangesApplied")
    verdict = judged(tmp_path, altered(lines, place, watermark=99))
    assert verdict.line == place + 1
    assert verdict.led_there[-1].number == verdict.line
    assert len(verdict.led_there) > 3
    numbers = [line.number for line in verdict.led_there]
    assert numbers == sorted(numbers)
    target = json.loads(lines[place])["node"]
    assert all(target in json.dumps([line.node, line.facts]) for line in verdict.led_there)


# --- Several runs, torn ends, other versions.


def test_a_run_that_was_killed_and_taken_up_again_is_judged_as_one(tmp_path):
    """The restart of the coordinator, as if its process had been killed within a line."""
    lines = list(lines_of(CRASHES))
    cut = place_of(lines, "restore.planned", 1)
    opened = json.dumps({"t": 1, "node": "journal", "event": "journal.opened", "format": 1})
    verdict = judged(tmp_path, [*lines[:cut], lines[cut][:20], opened, *lines[cut:]])
    assert verdict.violation is None
    assert (verdict.runs, verdict.torn, verdict.ends) == (2, [cut + 1], ["cut off", "completed"])


def test_half_a_line_at_the_end_is_no_error(tmp_path):
    path = tmp_path / "journal.jsonl"
    text = "\n".join(lines_of())
    path.write_text(text + '\n{"t": 17000', encoding="utf-8")
    verdict = check_journal(path)
    assert verdict.violation is None
    assert verdict.torn == [len(lines_of()) + 1]


def test_two_restores_in_one_file_have_a_judge_each(tmp_path):
    first = lines_of()
    second = [line.replace("restore-1", "restore-2") for line in lines_of(seed=2)]
    verdict = judged(tmp_path, [*first, *second])
    assert verdict.violation is None
    assert verdict.restores == ["restore-1", "restore-2"]


def test_events_of_a_newer_version_are_counted_and_left_out(tmp_path):
    lines = list(lines_of())
    newer = {"t": 1700000001.0, "node": "orders/t0", "event": "shard.split", "into": ["a", "b"]}
    message = {**newer, "event": "message.sent", "kind": "SplitShard", "to": "orders/t1"}
    verdict = judged(tmp_path, [*lines, json.dumps(newer), json.dumps(newer), json.dumps(message)])
    assert verdict.violation is None
    assert verdict.unknown == {"shard.split": 2, "message.sent of SplitShard": 1}


def test_facts_of_a_newer_version_are_left_out(tmp_path):
    lines = lines_of()
    place = place_of(lines, "batch.applied")
    newer = json.dumps({**json.loads(lines[place]), "zone": "eu"})
    assert judged(tmp_path, [*lines[:place], newer, *lines[place + 1 :]]).violation is None


def test_a_journal_without_details_has_its_history_judged_and_says_so(tmp_path):
    lines = without_details(lines_of())
    verdict = judged(tmp_path, lines)
    assert verdict.violation is None
    assert {law for law, count in verdict.counts.items() if count} <= set(HISTORY_LAWS)
    assert verdict.counts["O4"] == 4
    assert "no details" in verdict.notes[0]

    broken = judged(tmp_path, twice(lines, place_of(lines, "incremental.started")))
    assert broken.violation is not None
    assert broken.violation.invariant.startswith("O4")


def test_a_later_run_without_details_is_not_judged_when_the_one_before_was_cut_off(tmp_path):
    lines = without_details(lines_of(CRASHES))
    cut = place_of(lines, "coordinator.started", 1)
    opened = json.dumps({"t": 1, "node": "journal", "event": "journal.opened", "format": 1})
    verdict = judged(tmp_path, [*lines[:cut], opened, *lines[cut:]])
    assert verdict.violation is None
    assert verdict.notes[1] == (
        "run 2 has no plan and goes on with a history told elsewhere; not judged"
    )


def test_a_run_whose_workers_have_lost_events_is_not_judged_and_says_so(tmp_path):
    lost = json.dumps({"t": 1, "node": "targets-0", "event": "events.lost", "events": 7})
    verdict = judged(tmp_path, [*lines_of(), lost])
    assert verdict.counts == {}
    assert "has lost events" in verdict.notes[0]


# --- Order.


def test_events_of_workers_that_arrive_late_are_put_in_the_order_of_time(tmp_path):
    """As a parent writes them down: those of each worker in order, and all of them too late."""
    lines = lines_of()
    events = [json.loads(line) for line in lines[1:]]
    workers = [event for event in events if event["node"].startswith("orders/t")]
    others = [event for event in events if not event["node"].startswith("orders/t")]
    told = [lines[0], *map(json.dumps, others), *map(json.dumps, workers)]
    assert judged(tmp_path, told).violation is None


def test_what_a_killed_worker_could_not_tell_any_more_is_not_held_against_it(tmp_path):
    """Its last events are missing; what others say of it is true nevertheless."""
    lines = altered(lines_of(), place_of(lines_of(), "restore.planned"), mode="tcp")
    target = "orders/t0"
    cut = place_of(lines, "batch.applied", 1, node=target)
    kept = [
        line
        for place, line in enumerate(lines)
        if place < cut or json.loads(line)["node"] != target
    ]
    reported = next(
        place for place, line in enumerate(kept) if json.loads(line)["event"] == "scan.reported"
    )
    assert judged(tmp_path, kept[: reported + 1]).violation is None


# --- Garbage.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is empty", "name a file that `--journal FILE` has written"]),
        ("hello\n", ["line 1 is no event of a journal", "hello"]),
        (
            '{"t": 1, "node": "a", "event": "restore.completed"}\n',
            ["line 1 is no 'journal.opened'"],
        ),
        (
            '{"t": 1, "node": "journal", "event": "journal.opened", "format": 2}\n',
            ["line 1", "format 2", "reads format 1"],
        ),
        (
            '{"t": 1, "node": "journal", "event": "journal.opened", "format": 1}\n[1, 2]\n{}\n',
            ["line 2 is no event", "[1, 2]"],
        ),
        ("[" * 100_000 + "\n{}\n", ["line 1 is no event"]),
        ('{"t": 1e400, "node": "a", "event": "b"}\n', ["line 1 is no event"]),
    ],
)
def test_a_file_that_is_no_journal_is_an_error_with_its_place(tmp_path, text, words):
    path = tmp_path / "other.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(JournalUnreadable) as found:
        check_journal(path)
    assert [word for word in [str(path), *words] if word not in str(found.value)] == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PAR1\x15\x04\xff\x00", "line 1 is no event of a journal"),
        (b"PAR1\x15\x04\xff\x00", "but no text (a byte 0x15 after 4 characters)"),
        (b"\x1f\x8b\x08\x00", "but no text (a byte 0x1f after 0 characters)"),
        (b"\xff\xfe{\x00", "but no text (a byte 0xff after 0 characters)"),
        ("π{".encode("utf-16-be"), "but no text (a byte 0x03 after 0 characters)"),
    ],
)
def test_bytes_that_are_no_text_are_told_and_never_shown(tmp_path, data, words):
    path = tmp_path / "table.parquet"
    path.write_bytes(data)
    with pytest.raises(JournalUnreadable) as found:
        check_journal(path)
    assert words in str(found.value)
    assert str(found.value).isprintable()


def test_a_line_without_an_end_is_not_read_for_ever():
    with pytest.raises(JournalUnreadable, match="line 1 is longer than 67,108,864 characters"):
        check_journal(Path("/dev/zero"))


def test_a_mark_at_the_begin_of_the_file_is_no_part_of_its_first_line(tmp_path):
    path = tmp_path / "marked.jsonl"
    path.write_text("\ufeff" + "\n".join(lines_of()) + "\n", encoding="utf-8")
    assert check_journal(path).violation is None


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(JournalUnreadable, match=r"cannot be read .No such file"):
        check_journal(tmp_path / "none.jsonl")


def test_a_known_event_that_lacks_a_fact_is_an_error_with_its_line(tmp_path):
    lines = lines_of()
    place = place_of(lines, "batch.applied")
    found = json.loads(lines[place])
    del found["order"]
    with pytest.raises(JournalUnreadable, match=rf"line {place + 1}: batch.applied .* 'order'"):
        judged(tmp_path, [*lines[:place], json.dumps(found), *lines[place + 1 :]])


def test_simulated_runs_in_one_file_are_judged_each_by_itself(tmp_path):
    """As one restore they would be one that has lost everything in between."""
    verdict = judged(tmp_path, [*lines_of(), *lines_of(), *lines_of(seed=2)])
    assert verdict.violation is None
    assert verdict.ends == ["completed"] * 3
