"""A file that is written past the page cache holds what was given to it, however it was cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.store.past_cache import BLOCK_BYTES, BUFFER_BYTES, DirectFile

from .builders import a_disk_that_takes_files_up_to

EDGES = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, BUFFER_BYTES - 1, BUFFER_BYTES]
LENGTHS = st.sampled_from([*EDGES, BUFFER_BYTES + 1, 2 * BUFFER_BYTES + 5]) | st.integers(0, 70_000)
DEVICE = Path("/dev/full")


def some_bytes(length: int, seed: int = 1) -> bytes:
    block = bytes([seed, *range(250)])
    return (block * (length // len(block) + 1))[:length]


@pytest.fixture
def file(tmp_path):
    file = DirectFile(tmp_path / "file")
    yield file
    file.close()


@given(lengths=st.lists(LENGTHS, max_size=7))
def test_what_was_added_is_in_the_file_in_its_order(tmp_path_factory, lengths):
    path = tmp_path_factory.mktemp("direct") / "file"
    parts = [some_bytes(length, seed) for seed, length in enumerate(lengths)]
    file = DirectFile(path)
    for part in parts:
        assert file.write(part) == len(part)
    assert file.tell() == sum(lengths)
    assert file.finish() == sum(lengths)
    file.close()
    assert path.read_bytes() == b"".join(parts)


def test_an_earlier_file_of_the_name_is_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(some_bytes(3 * BLOCK_BYTES))
    file = DirectFile(path)
    file.write(b"shorter")
    file.finish()
    file.close()
    assert path.read_bytes() == b"shorter"


def test_memory_holds_two_buffers_of_a_file_and_the_rest_is_in_it(file, tmp_path):
    content = some_bytes(3 * BUFFER_BYTES + 1)
    file.write(content)
    assert (tmp_path / "file").read_bytes()[: 2 * BUFFER_BYTES] == content[: 2 * BUFFER_BYTES]


def test_a_full_disk_is_told_and_the_file_can_be_closed(file, tmp_path):
    most = BUFFER_BYTES + BLOCK_BYTES + 10  # Ends inside a block.
    content = some_bytes(3 * BUFFER_BYTES)
    with a_disk_that_takes_files_up_to(most):
        with pytest.raises(OSError, match="too large") as refused:
            file.write(content)
        file.close()
        file.close()
    assert refused.value.errno == errno.EFBIG
    assert (tmp_path / "file").read_bytes() == content[:most]


def test_a_disk_that_is_full_for_the_last_bytes_is_told_at_the_end(file):
    with a_disk_that_takes_files_up_to(BLOCK_BYTES):
        file.write(some_bytes(BLOCK_BYTES + 1))
        with pytest.raises(OSError, match="too large"):
            file.finish()


@pytest.mark.skipif(not DEVICE.exists(), reason="no device that refuses direct writes is here")
def test_what_refuses_direct_writes_is_written_the_usual_way():
    with pytest.raises(OSError, match="Invalid argument"):
        os.open(DEVICE, os.O_WRONLY | os.O_DIRECT)
    file = DirectFile(DEVICE)
    try:
        file.write(some_bytes(BUFFER_BYTES))
        with pytest.raises(OSError, match="No space left") as refused:
            file.finish()
    finally:
        file.close()
    assert refused.value.errno == errno.ENOSPC
