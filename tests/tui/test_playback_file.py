"""A journal file as a source: replayed, sought, torn, cut short, and followed while it grows."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, closing

import pytest

from increstore.errors import JournalUnreadable
from increstore.journal import JournalFile
from increstore.tui.playback import seam
from increstore.tui.playback.file import FilePlayback
from increstore.tui.playback.journal_reel import CHUNK_BYTES, TORN
from tests.tui.clocks import HandClock
from tests.view.journals import SILENT, STORM, journal_of
from tests.view.test_cluster import fold, what_is_seen

MS = 1_000_000
SECOND = 1_000 * MS
OPENED = '{"t": 0, "node": "journal", "event": "journal.opened", "format": 1}\n'
WEEK_S = 7 * 86_400


def lines_of(events):
    return [json.dumps(event.in_detail(), default=str) + "\n" for event in events]


def a_journal(tmp_path, lines, *, is_old=True):
    """A file of these lines; an old one, so that nobody expects it to grow."""
    path = tmp_path / "run.jsonl"
    path.write_text(OPENED + "".join(lines))
    if is_old:
        long_ago = path.stat().st_mtime - WEEK_S
        os.utime(path, (long_ago, long_ago))
    return path


@pytest.fixture
def opened():
    """Opens journals, and closes them in the end."""
    with ExitStack() as stack:

        def open_one(path, **options):
            options = {"speed": seam.FLAT_OUT, "clock": HandClock(), **options}
            playback = FilePlayback(path, **options)
            stack.callback(playback.stop)
            playback.start()
            return playback

        yield open_one


def play_out(playback, ticks_max=2_000):
    events = []
    for _ in range(ticks_max):
        events += playback.drain()
        if playback.status.state == "ended":
            return events
    raise AssertionError(f"no end in {ticks_max} ticks: {playback.status}")


def names(events):
    return [(event.node, event.name) for event in events]


@pytest.fixture(scope="module")
def storm():
    return journal_of(STORM)[1]


def test_a_replayed_journal_shows_what_the_run_showed(tmp_path, storm, opened):
    playback = opened(a_journal(tmp_path, lines_of(storm)))

    events = play_out(playback)

    assert names(events[1:]) == names(storm)
    assert [event.facts for event in events[1:3]] == [
        {**event.facts, **(event.details or {})} for event in storm[:2]
    ]
    shown, told = what_is_seen(playback.history().live), what_is_seen(fold(events))
    assert shown == told
    assert playback.history().live.state == fold(storm).state
    assert playback.status.events_total == len(events)


def test_it_is_replayed_at_its_speed(tmp_path, storm, opened):
    clock = HandClock()
    playback = opened(a_journal(tmp_path, lines_of(storm)), speed=2.0, clock=clock)
    first = storm[0].at
    for _ in range(20):
        clock.pass_by(10 * MS)
        for event in playback.drain():
            assert event.at <= first + 2 * clock.now + 1_000  # Times in a file are rounded.


def test_a_long_silence_is_shortened(tmp_path, storm, opened):
    """A restore that was resumed the next day: nobody waits a day for it."""
    later = [
        json.dumps({**json.loads(line), "t": json.loads(line)["t"] + 86_400}) + "\n"
        for line in lines_of(storm[:50])
    ]
    clock = HandClock()
    path = a_journal(tmp_path, [*lines_of(storm[:50]), *later])
    playback = opened(path, speed=1.0, clock=clock)
    events = []
    for _ in range(60):
        clock.pass_by(200 * MS)
        events += playback.drain()

    assert len(events) == 101


def test_seeking_goes_anywhere_and_back(tmp_path, storm, opened):
    playback = opened(a_journal(tmp_path, lines_of(storm)), is_paused=True)
    seen = {}
    for index in (700, 3, 512, 0, 1_024, 5):
        playback.command(seam.Seek(index=index))
        while playback.status.state == "seeking":
            playback.drain()
        wanted = min(index, len(storm) + 1)
        assert len(playback.history()) == wanted
        seen[wanted] = what_is_seen(playback.history().live)

    playback.command(seam.Seek(index=0))
    playback.command(seam.Resume())
    events = play_out(playback)
    assert names(events[1:]) == names(storm)
    for count, view in seen.items():
        assert what_is_seen(fold(events[:count])) == view


def test_half_a_line_in_the_middle_is_shown_and_what_follows_counts(tmp_path, storm, opened):
    """What `kill -9` leaves in a journal of several runs."""
    lines = lines_of(storm[:40])
    path = a_journal(tmp_path, [*lines[:20], lines[20][:31] + "\n", OPENED, *lines[21:]])

    playback = opened(path)
    events = play_out(playback)

    assert len(events) == 42
    assert [event.name for event in events].count(TORN) == 1
    assert playback.status.dropped == 1
    assert names(events[-19:]) == names(storm[21:40])


def test_half_a_line_at_the_end_waits_for_its_other_half(tmp_path, storm, opened):
    lines = lines_of(storm[:40])
    path = a_journal(tmp_path, [*lines[:30], lines[30][:17]])
    playback = opened(path)
    assert len(play_out(playback)) == 31

    with path.open("a") as file:
        file.write(lines[30][17:] + lines[31])
    events = playback.drain()

    assert names(events) == names(storm[30:32])


def test_a_journal_that_grows_is_followed_from_its_end(tmp_path, storm, opened):
    clock = HandClock()
    path = a_journal(tmp_path, lines_of(storm[:200]), is_old=False)
    playback = opened(path, speed=1.0, clock=clock)
    for _ in range(3):
        playback.drain()
    assert len(playback.history()) == 201
    assert playback.status.state == "running"

    with path.open("a") as file:
        for line in lines_of(storm[200:260]):
            file.write(line)
    events = []
    for _ in range(100):
        clock.pass_by((storm[259].at - storm[199].at) // 100 + 1_000)
        events += playback.drain()

    assert names(events) == names(storm[200:260])
    assert playback.status.state == "running"
    assert playback.status.events_total == 261


def test_a_journal_that_has_ended_is_not_followed_however_new_it_is(tmp_path, opened):
    events = journal_of(SILENT)[1]
    ends = next(n for n, event in enumerate(events, 1) if event.name == "restore.paused")
    path = a_journal(tmp_path, lines_of(events[:ends]), is_old=False)

    playback = opened(path)

    assert len(play_out(playback)) == ends + 1
    assert playback.status.outcome == "the journal ends: paused"


def test_a_follower_is_told_when_the_file_is_cut_short(tmp_path, storm, opened):
    clock = HandClock()
    path = a_journal(tmp_path, lines_of(storm[:50]), is_old=False)
    playback = opened(path, clock=clock)
    playback.drain()

    path.write_text(OPENED)
    clock.pass_by(SECOND)
    playback.drain()

    assert playback.status.state == "failed"
    assert "cut short" in playback.status.error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not a journal\n", "line 1 is no event"),
        ("[1, 2]\n", "line 1 is no event"),
        ("\x1b[2J\x07\n", "�.2J�"),
        (OPENED.replace('"format": 1', '"format": 9'), "format 9"),
    ],
)
def test_what_is_no_journal_is_refused_before_anything_is_shown(tmp_path, text, says, opened):
    path = tmp_path / "x.jsonl"
    path.write_text(text)

    with pytest.raises(JournalUnreadable, match=says):
        opened(path)


def test_a_file_that_is_not_there_is_refused(tmp_path, opened):
    with pytest.raises(JournalUnreadable, match="cannot be read"):
        opened(tmp_path / "nothing.jsonl")


def test_an_empty_journal_is_followed_until_something_comes(tmp_path, storm, opened):
    clock = HandClock()
    path = tmp_path / "empty.jsonl"
    path.write_text("")
    playback = opened(path, clock=clock)
    assert playback.drain() == []

    path.write_text(OPENED + "".join(lines_of(storm[:5])))
    clock.pass_by(SECOND)

    assert names(playback.drain())[1:] == names(storm[:5])


def test_an_empty_journal_of_long_ago_says_that_it_is_empty(tmp_path, opened):
    path = a_journal(tmp_path, [])
    path.write_text("")
    os.utime(path, (0, 0))
    playback = opened(path)

    assert play_out(playback) == []
    assert playback.status.outcome == "the journal is empty"


def test_lines_longer_than_what_is_read_at_once_come_whole(tmp_path, storm, opened):
    long = json.loads(lines_of(storm[:1])[0])
    long["says"] = "x" * (3 * CHUNK_BYTES)
    path = a_journal(tmp_path, [json.dumps(long) + "\n", *lines_of(storm[1:9])])
    playback = opened(path)

    events = play_out(playback)

    assert len(events) == 10
    assert events[1].facts["says"] == long["says"]
    playback.command(seam.Seek(index=2))
    assert names(play_out(playback)) == names(storm[1:9])


def test_a_journal_takes_no_faults(tmp_path, opened):
    playback = opened(a_journal(tmp_path, []))

    result = playback.command(seam.Heal())

    assert playback.can == {"pause", "step", "speed", "seek"}
    assert (result.is_done, result.says) == (
        False,
        "cannot heal: a journal tells what has happened",
    )


def test_stopping_twice_and_before_the_start_is_fine(tmp_path, storm):
    playback = FilePlayback(a_journal(tmp_path, lines_of(storm[:9])))
    playback.stop()
    playback.start()
    playback.stop()
    playback.stop()
    assert playback.drain() == []


# --- How long a journal is followed.


def make_old(path):
    long_ago = path.stat().st_mtime - WEEK_S
    os.utime(path, (long_ago, long_ago))


def test_a_journal_is_followed_as_long_as_its_writer_lives_however_silent(tmp_path, opened):
    """A large collection's checksums take minutes, and nothing happens meanwhile."""
    clock = HandClock()
    path = tmp_path / "run.jsonl"
    with closing(JournalFile(path)):
        make_old(path)
        playback = opened(path, clock=clock)
        playback.drain()
        assert playback.status.state == "running"

    clock.pass_by(SECOND)
    playback.drain()
    assert playback.status.state == "ended"


def test_a_journal_that_is_followed_ends_with_its_restore(tmp_path, opened):
    events = journal_of(SILENT)[1]
    ends = next(n for n, event in enumerate(events, 1) if event.name == "restore.paused")
    clock = HandClock()
    path = a_journal(tmp_path, lines_of(events[: ends - 1]), is_old=False)
    playback = opened(path, clock=clock)
    playback.drain()
    assert playback.status.state == "running"

    with path.open("a") as file:
        file.writelines(lines_of(events[ends - 1 : ends]))
    clock.pass_by(SECOND)
    assert names(playback.drain()) == [("coordinator", "restore.paused")]
    assert playback.status.state == "ended"


def test_a_journal_that_nobody_writes_any_more_ends_until_a_restore_goes_on(
    tmp_path, storm, opened
):
    clock = HandClock()
    path = a_journal(tmp_path, lines_of(storm[:50]), is_old=False)
    playback = opened(path, clock=clock)
    playback.drain()

    make_old(path)
    clock.pass_by(SECOND)
    playback.drain()
    assert playback.status.state == "ended"

    with path.open("a") as file:
        file.writelines(lines_of(storm[50:60]))
    clock.pass_by(SECOND)
    assert names(playback.drain()) == names(storm[50:60])
    assert playback.status.state == "running"


def test_two_writers_of_one_journal_and_their_readers_are_in_nobodys_way(tmp_path, opened):
    path = tmp_path / "run.jsonl"
    with closing(JournalFile(path)), closing(JournalFile(path)):
        readers = [opened(path), opened(path)]
        for reader in readers:
            reader.drain()
        assert [reader.status.state for reader in readers] == ["running", "running"]
