"""Segment files by themselves: any records in any groups, cut and garbled anywhere."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.errors import StorageCorrupted
from increstore.store.files import write_at
from increstore.store.segment_file import Entry, SegmentFile, load_payload, read_segment, span_of
from increstore.store.segment_format import ALIGNMENT, file_header, parse_file_header

HEADER = file_header({"kind": "test", "n": 2**64 - 1})

facts = st.dictionaries(
    st.text(max_size=5),
    st.one_of(st.integers(-(2**63), 2**64 - 1), st.text(max_size=80), st.lists(st.integers(0, 9))),
    max_size=4,
)
entries = st.builds(
    lambda found, payload: Entry(found, payload, xxhash.xxh3_64_intdigest(payload)),
    facts,
    st.binary(min_size=1, max_size=200),
)
groups = st.lists(st.lists(entries, min_size=1, max_size=3), min_size=2, max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("segments")


def written(folder, groups):
    """A new file of these groups; its path, and its length after each group."""
    path = folder / "segment"
    path.unlink(missing_ok=True)
    file = SegmentFile(path, HEADER)
    lengths = []
    for group in groups:
        file.append(group)
        lengths.append(file.length)
    return path, lengths


@settings(max_examples=40, deadline=None)
@given(groups)
def test_any_records_come_back_aligned_and_as_they_were(folder, groups):
    path, lengths = written(folder, groups)

    contents = read_segment(path, HEADER, verify_payloads=True)

    expected = [entry for group in groups for entry in group]
    assert [record.facts for record in contents.records] == [entry.facts for entry in expected]
    payloads = [load_payload(span_of(path, record)) for record in contents.records]
    assert [payload.to_pybytes() for payload in payloads] == [entry.payload for entry in expected]
    assert all(record.payload_offset % ALIGNMENT == 0 for record in contents.records)
    assert contents.length == contents.size == lengths[-1] == path.stat().st_size


@settings(max_examples=40, deadline=None)
@given(groups, st.data())
def test_any_cut_in_the_last_group_leaves_the_groups_before_it(folder, groups, data):
    path, lengths = written(folder, groups)
    length = data.draw(st.integers(lengths[-2], lengths[-1] - 1))
    path.write_bytes(path.read_bytes()[:length])

    contents = read_segment(path, HEADER, verify_payloads=True)

    acknowledged = sum(len(group) for group in groups[:-1])
    assert acknowledged <= len(contents.records) < acknowledged + len(groups[-1])
    assert lengths[-2] <= contents.length <= length


@settings(max_examples=80, deadline=None)
@given(groups, st.data())
def test_any_flip_before_the_last_group_is_damage(folder, groups, data):
    """Padding included: not one byte of what is verified is uncovered."""
    path, lengths = written(folder, groups)
    garbled = bytearray(path.read_bytes())
    garbled[data.draw(st.integers(0, lengths[-2] - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(garbled)

    with pytest.raises(StorageCorrupted):
        read_segment(path, HEADER, verify_payloads=True)


@settings(max_examples=40, deadline=None)
@given(groups, st.data())
def test_a_payload_that_changed_is_found_when_it_is_loaded(folder, groups, data):
    path, _ = written(folder, groups)
    contents = read_segment(path, HEADER, verify_payloads=False)
    record = data.draw(st.sampled_from(contents.records))
    garbled = bytearray(path.read_bytes())
    garbled[record.payload_offset + data.draw(st.integers(0, record.payload_bytes - 1))] ^= 1
    path.write_bytes(garbled)

    with pytest.raises(StorageCorrupted, match=f"byte {record.payload_offset}: expected"):
        load_payload(span_of(path, record))


def test_a_payload_that_holds_a_whole_segment_file_is_only_a_payload(tmp_path, folder):
    """A table of binaries may hold our own files: a record inside a payload proves nothing."""
    inner, _ = written(folder, [[Entry({"n": 1}, b"x" * 64, 1)], [Entry({"n": 2}, b"y" * 64, 1)]])
    payload = inner.read_bytes()
    outer = SegmentFile(tmp_path / "outer", HEADER)
    outer.append([Entry({}, b"first", xxhash.xxh3_64_intdigest(b"first"))])
    durable = outer.length
    outer.append([Entry({}, payload, xxhash.xxh3_64_intdigest(payload))])
    whole = bytearray(outer.path.read_bytes())
    whole[durable + 1] ^= 1
    outer.path.write_bytes(whole)

    contents = read_segment(outer.path, HEADER, verify_payloads=True)
    assert (len(contents.records), contents.length) == (1, durable)


def test_the_same_facts_make_the_same_header_and_no_other_bytes_pass_for_one():
    assert file_header({"a": 1}).area == file_header({"a": 1}).area
    area = file_header({"a": 1}).area
    for offset in range(len(area)):
        garbled = bytearray(area)
        garbled[offset] ^= 1
        assert parse_file_header(bytes(garbled)) is None


@pytest.mark.parametrize("count", [1, 511, 512, 513, 3000])
def test_more_buffers_than_one_system_call_takes_are_all_written(tmp_path, count):
    buffers = [bytes([n % 256]) * (n % 5) for n in range(count)]
    with (tmp_path / "file").open("wb") as file:
        file.write(b"....")
        file.flush()
        assert write_at(file.fileno(), buffers, 2) == sum(map(len, buffers))

    assert (tmp_path / "file").read_bytes()[2:] == (b"".join(buffers) + b"..")[
        : max(2, sum(map(len, buffers)))
    ]
