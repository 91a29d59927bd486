"""What crashes, disks and other programs do to segment files, byte by byte."""

from __future__ import annotations

import shutil
import struct

import pytest
import xxhash

from increstore.errors import StorageCorrupted
from increstore.store.segment_format import ALIGNMENT, RECORD_MAGIC

from .builders import (
    A_CHAIN,
    a_layout,
    a_segment_store,
    batches_of,
    evidence_of,
    final_rows,
    restore,
    truth_of,
    upsert,
)

BATCHES = batches_of([upsert(key, f"name {key}", key) for key in range(8)], 0, size=2)
ACKNOWLEDGED = 2  # The first group holds two batches, the second the other two.


@pytest.fixture
def two_groups(quick_folder):
    """A file with an acknowledged group and a last one, and the offset between the two."""
    store = a_segment_store(quick_folder)
    store.recover()
    store.append(BATCHES[:ACKNOWLEDGED])
    path = quick_folder / "shard" / "000000.changes"
    durable = path.stat().st_size
    store.append(BATCHES[ACKNOWLEDGED:])
    return path, durable


def recovered_watermark(folder):
    state = a_segment_store(folder).recover()
    return max((stream.watermark for stream in state.streams.values()), default=0)


def test_a_file_cut_anywhere_in_its_last_group_keeps_what_was_acked(quick_folder, two_groups):
    """D3, D5: the torn tail is cut at the first record that is not whole."""
    path, durable = two_groups
    whole = path.read_bytes()
    seen = set()
    for length in range(durable, len(whole) + 1):
        path.write_bytes(whole[:length])
        watermark = recovered_watermark(quick_folder)
        assert watermark >= ACKNOWLEDGED
        assert (watermark == len(BATCHES)) == (length == len(whole))
        assert path.stat().st_size <= length
        seen.add(watermark)
    assert seen == {2, 3, 4}


def test_a_last_group_garbled_at_any_byte_keeps_what_was_acknowledged(quick_folder, two_groups):
    """Sectors of one unsynced write may reach the disk in any order."""
    path, durable = two_groups
    whole = path.read_bytes()
    for offset in range(durable, len(whole)):
        path.write_bytes(flipped(whole, offset))
        assert ACKNOWLEDGED <= recovered_watermark(quick_folder) < len(BATCHES)


def test_a_last_group_of_zeros_is_cut(quick_folder, two_groups):
    """Some file systems leave zeros where a file grew before its data was written."""
    path, durable = two_groups
    whole = path.read_bytes()
    path.write_bytes(whole[:durable] + bytes(len(whole) - durable))

    assert recovered_watermark(quick_folder) == ACKNOWLEDGED
    assert path.stat().st_size == durable


def test_a_byte_flipped_anywhere_before_the_last_group_is_damage(quick_folder, two_groups):
    """D5: a later group had known these bytes to be durable, so no crash explains them."""
    path, durable = two_groups
    whole = path.read_bytes()
    for offset in range(durable):
        path.write_bytes(flipped(whole, offset))
        with pytest.raises(StorageCorrupted, match=r"000000\.changes"):
            a_segment_store(quick_folder).recover()
    path.write_bytes(whole)
    assert recovered_watermark(quick_folder) == len(BATCHES)


def test_damage_is_told_with_its_place(quick_folder, two_groups):
    path, _ = two_groups
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, ALIGNMENT * 4))

    with pytest.raises(StorageCorrupted) as info:
        a_segment_store(quick_folder).recover()
    told = str(info.value)
    assert "byte " in told
    assert "expected" in told
    assert "start the restore again" in told


def test_damage_leaves_the_file_as_it_was_found(quick_folder, two_groups):
    path, durable = two_groups
    garbled = flipped(path.read_bytes(), durable // 2)
    path.write_bytes(garbled)

    with pytest.raises(StorageCorrupted):
        a_segment_store(quick_folder).recover()
    assert path.read_bytes() == garbled


@pytest.mark.parametrize("length", [0, 1, 23, 24, 63, 64, 200])
def test_a_first_write_that_was_torn_leaves_an_empty_store(quick_folder, two_groups, length):
    path, durable = two_groups
    assert length < durable
    path.write_bytes(path.read_bytes()[:length])

    store = a_segment_store(quick_folder)
    assert store.recover().streams == {}
    assert not path.exists()
    store.append(BATCHES)


@pytest.mark.parametrize("cut", [1, 40, 100, 500])
def test_the_store_goes_on_behind_a_cut_tail(quick_folder, two_groups, cut):
    path, _ = two_groups
    path.write_bytes(path.read_bytes()[:-cut])
    store = a_segment_store(quick_folder, a_layout(incrementals=1))
    (stream,) = store.recover().streams.values()

    store.append(BATCHES[stream.watermark :])
    store.seal(0, evidence_of(BATCHES))
    store.finalize()

    assert final_rows(store) == [(key, f"name {key}", key) for key in range(8)]


def test_a_flipped_byte_of_a_sealed_file_never_reaches_a_reader(quick_folder):
    """Sealed payloads are verified when the fold reads them, which is before publication."""
    store = a_segment_store(quick_folder)
    store.recover()
    restore(store, A_CHAIN)
    path = quick_folder / "shard" / "000000.changes"
    whole = path.read_bytes()
    harmless = 0
    for offset in range(0, len(whole), 3):
        path.write_bytes(flipped(whole, offset))
        store = a_segment_store(quick_folder)
        try:
            store.recover()
            store.finalize()
        except StorageCorrupted:
            assert not (quick_folder / "staged" / "orders" / "part-00000.parquet").exists()
        else:
            harmless += 1
            assert final_rows(store) == truth_of(A_CHAIN)
            (quick_folder / "shard" / "control").unlink()
            shutil.rmtree(quick_folder / "staged")
    # Only the zeros behind a payload are not covered by a checksum once a file is sealed.
    assert harmless * 3 <= len(A_CHAIN[0]) * ALIGNMENT


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_sealed_file_cut_short_or_removed_is_damage_when_a_later_one_exists(quick_folder, at):
    store = a_segment_store(quick_folder)
    store.recover()
    restore(store, A_CHAIN)
    path = quick_folder / "shard" / f"{at:06d}.changes"
    whole = path.read_bytes()

    for change in (lambda: path.write_bytes(whole[:-1]), path.unlink):
        change()
        with pytest.raises(StorageCorrupted, match=rf"{at:06d}\.changes: expected incremental"):
            a_segment_store(quick_folder).recover()


def test_bytes_behind_a_seal_are_damage(quick_folder):
    store = a_segment_store(quick_folder)
    store.recover()
    restore(store, A_CHAIN[:1])
    path = quick_folder / "shard" / "000000.changes"
    path.write_bytes(path.read_bytes() + bytes(64))

    with pytest.raises(StorageCorrupted, match="end of the sealed file"):
        a_segment_store(quick_folder).recover()


def test_a_file_missing_after_the_final_rows_were_made_is_damage(quick_folder):
    store = a_segment_store(quick_folder)
    store.recover()
    restore(store, A_CHAIN)
    store.finalize()
    (quick_folder / "shard" / "000003.changes").unlink()

    with pytest.raises(StorageCorrupted, match="the final rows were made after it"):
        a_segment_store(quick_folder).recover()


def test_records_of_another_file_or_place_never_pass(quick_folder, two_groups):
    """A misdirected write: valid records, but not of this file, or not of this offset."""
    path, durable = two_groups
    other = a_segment_store(quick_folder / "other", a_layout(shard="orders/t1"))
    other.recover()
    other.append(BATCHES)
    theirs = (quick_folder / "other" / "shard" / "000000.changes").read_bytes()
    ours = path.read_bytes()

    path.write_bytes(ours[:durable] + theirs[durable : len(ours)])
    assert recovered_watermark(quick_folder) == ACKNOWLEDGED

    first_group = ours[ours.index(RECORD_MAGIC) : durable]
    path.write_bytes(ours[:durable] + first_group)
    assert recovered_watermark(quick_folder) == ACKNOWLEDGED


def test_a_file_of_another_restore_table_or_plan_is_refused_with_both(quick_folder, two_groups):
    for other in (
        a_layout(restore="r2"),
        a_layout(shard="orders/t9"),
        a_layout(batch_schemas={0: a_layout().batch_schemas[1]}),
    ):
        with pytest.raises(StorageCorrupted, match=r"expected a file of .* got one of"):
            a_segment_store(quick_folder, other).recover()


def test_a_file_of_another_format_is_refused_and_left_alone(quick_folder, two_groups):
    path, _ = two_groups
    whole = bytearray(path.read_bytes())
    _, _, length, facts_length, _ = struct.unpack_from("<8sIIIQ", whole)
    sizes = struct.pack("<III", 2, length, facts_length)
    checksum = xxhash.xxh3_64_intdigest(sizes + bytes(whole[28:length]))
    whole[8:28] = sizes + struct.pack("<Q", checksum)
    path.write_bytes(whole)

    with pytest.raises(StorageCorrupted, match=r"segment format 2 .*expected 1"):
        a_segment_store(quick_folder).recover()
    assert path.read_bytes() == whole


@pytest.fixture
def a_compacted_chain(quick_folder):
    """The file of a fold over incrementals 1 to 3, whose last batch is one of several."""
    layout = a_layout(incrementals=4)
    store = a_segment_store(quick_folder, layout, runs_max=3)
    store.recover()
    restore(store, A_CHAIN)
    return quick_folder / "shard" / "000001-000003.run"


def test_a_flipped_byte_of_a_fold_never_reaches_a_reader(quick_folder, a_compacted_chain):
    whole = a_compacted_chain.read_bytes()
    for offset in range(0, len(whole), 3):
        a_compacted_chain.write_bytes(flipped(whole, offset))
        with pytest.raises(StorageCorrupted, match=r"000001-000003\.run"):
            recover_and_finalize(a_segment_store(quick_folder))


def test_a_fold_cut_short_or_with_more_behind_it_is_damage(quick_folder, a_compacted_chain):
    """A fold appears by rename, whole: no crash explains another length."""
    whole = a_compacted_chain.read_bytes()
    for length in range(0, len(whole), ALIGNMENT):
        a_compacted_chain.write_bytes(whole[:length])
        with pytest.raises(StorageCorrupted, match=r"000001-000003\.run"):
            a_segment_store(quick_folder).recover()
    a_compacted_chain.write_bytes(whole + bytes(ALIGNMENT))
    with pytest.raises(StorageCorrupted, match="a whole run"):
        a_segment_store(quick_folder).recover()


def test_a_fold_of_another_restore_is_refused(quick_folder, a_compacted_chain):
    other = a_segment_store(quick_folder / "other", a_layout(restore="r2"))
    other.recover()
    shutil.copy(a_compacted_chain, quick_folder / "other" / "shard")

    with pytest.raises(StorageCorrupted, match=r"expected a run of shard orders/t0"):
        other.recover()


def recover_and_finalize(store):
    store.recover()
    store.finalize()


def test_a_torn_or_garbled_control_file_keeps_its_whole_records(quick_folder):
    store = a_segment_store(quick_folder)
    store.recover()
    store.record_generation(3)
    path = quick_folder / "shard" / "control"
    durable = path.stat().st_size
    store.record_generation(4)
    whole = path.read_bytes()

    for length in range(durable, len(whole)):
        path.write_bytes(whole[:length])
        assert a_segment_store(quick_folder).recover().generation == 3
    for offset in range(durable, len(whole)):
        path.write_bytes(flipped(whole, offset))
        assert a_segment_store(quick_folder).recover().generation == 3
    for offset in range(durable):
        path.write_bytes(flipped(whole, offset))
        with pytest.raises(StorageCorrupted, match="control"):
            a_segment_store(quick_folder).recover()


def flipped(content, offset):
    changed = bytearray(content)
    changed[offset] ^= 1 << (offset % 8)
    return bytes(changed)
