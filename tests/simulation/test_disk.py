"""The simulated disk: what is synced stays, what is not may go in every way a disk knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.simulation.disk import FATES, Disk, DiskCorrupted


def a_disk(synced=3, unsynced=0):
    disk = Disk()
    disk.append([("batch", number) for number in range(synced)])
    disk.sync()
    disk.append([("batch", synced + number) for number in range(unsynced)])
    return disk


def numbers(disk):
    return [frame[1] for frame in disk.read()]


@pytest.mark.parametrize(
    ("fate", "kept"), [("lost", [0, 1, 2]), ("torn", [0, 1, 2, 3]), ("flushed", [0, 1, 2, 3, 4, 5])]
)
def test_a_crash_keeps_what_was_synced_and_draws_the_fate_of_the_rest(fate, kept):
    disk = a_disk(synced=3, unsynced=3)

    disk.crash(lambda purpose, bound: FATES.index(fate) if purpose == "fate" else 1)

    assert numbers(disk) == kept


@given(
    synced=st.integers(0, 5),
    unsynced=st.integers(0, 5),
    draws=st.lists(st.integers(0, 1 << 20), min_size=2, max_size=2),
)
def test_after_any_crash_the_disk_holds_a_prefix_with_all_that_was_synced(synced, unsynced, draws):
    disk = a_disk(synced, unsynced)
    values = iter(draws)

    disk.crash(lambda _, bound: next(values) % bound)

    found = numbers(disk)
    assert found == list(range(len(found)))
    assert synced <= len(found) <= synced + unsynced
    assert disk.synced == len(found)


def test_damage_before_a_whole_frame_is_corruption():
    disk = a_disk(synced=3)
    disk.flip_bit(1)

    with pytest.raises(DiskCorrupted, match="frame 2 of 3"):
        disk.read()


def test_damage_at_the_end_is_a_torn_tail_and_is_cut_for_good():
    disk = a_disk(synced=3)
    disk.flip_bit(0)

    assert numbers(disk) == [0, 1]
    assert numbers(disk) == [0, 1]


def test_a_rolled_back_disk_is_as_it_was_so_many_writes_ago():
    disk = Disk()
    for number in range(4):
        disk.append([("batch", number)])
        disk.sync()

    disk.roll_back(3)

    assert numbers(disk) == [0]


def test_a_wiped_disk_is_empty_and_takes_new_frames():
    disk = a_disk(synced=3, unsynced=1)
    disk.wipe()
    disk.append([("batch", 9)])
    disk.sync()

    assert numbers(disk) == [9]


def test_a_misdirected_write_is_missing_where_it_should_be_and_damages_where_it_went():
    disk = a_disk(synced=4)
    disk.misdirect(2)

    with pytest.raises(DiskCorrupted):
        disk.read()
