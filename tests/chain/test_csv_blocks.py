"""A CSV file is cut where rows end, whatever is in its fields, and leaves no thread behind."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.chain.csv_blocks import BLOCK_BYTES, BLOCKS_AHEAD, blocks_of_rows, whole_rows
from increstore.chain.csv_text import CsvText
from increstore.errors import SnapshotRefused

COMMA = ord(",")
LAST = "the last row"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Rows of some blocks."""
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(b"id,v\n" + b"12345,some text that is not short\n" * (5 * BLOCK_BYTES // 34))
    return path


# --- Where rows end.

any_csv = st.lists(
    st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "a", '5"', ',"b,', '"\n', "\n\n"])
).map("".join)


def parsed(text: str) -> tuple[list[dict[str, str | None]], list[str]]:
    """What Arrow makes of it: the rows of two fields, and the text of others."""
    others: list[str] = []

    def skip(row: pacsv.InvalidRow) -> str:
        others.append(row.text)
        return "skip"

    if not text:
        return [], []
    rows = pacsv.read_csv(
        pa.BufferReader(text.encode()),
        read_options=pacsv.ReadOptions(column_names=["a", "b"], use_threads=False),
        parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=pacsv.ConvertOptions(column_types={"a": pa.string(), "b": pa.string()}),
    )
    return rows.to_pylist(), others


def whole(text: str) -> tuple[int, bool]:
    return whole_rows(np.frombuffer(text.encode(), np.uint8), COMMA)


@given(text=any_csv, rest=any_csv)
def test_rows_are_the_same_when_a_file_is_cut_behind_its_whole_rows(text, rest):
    size, _ = whole(text)
    first, then = parsed(text[:size]), parsed(text[size:] + rest)
    assert parsed(text + rest) == (first[0] + then[0], first[1] + then[1])


@given(text=any_csv)
def test_a_file_ends_in_quotes_when_a_row_behind_it_does_not_come_out(text):
    rows, _ = parsed(f"{text}\n{LAST},b\n")
    assert whole(text)[1] is (not rows or rows[-1] != {"a": LAST, "b": "b"})


@given(text=any_csv)
def test_behind_the_whole_rows_there_is_less_than_one(text):
    size, is_in_quotes = whole(text)
    assert whole(text[size:]) == (0, is_in_quotes)


def test_a_row_may_end_far_before_the_end_of_its_block():
    long = "x" * 100_000
    assert whole(f'a,b\n"\n{long}') == (4, True)
    assert whole(f'a,b\r"\r{long}') == (4, True)


# --- Blocks.


def test_no_more_is_read_than_a_block_ahead(large):
    with pa.input_stream(str(large)) as stream:
        blocks = blocks_of_rows(stream, ",")
        next(blocks)
        blocks.close()  # Also waits for the read that is under way.
        assert stream.tell() <= (1 + BLOCKS_AHEAD) * BLOCK_BYTES


def test_a_block_ends_where_a_row_does_and_together_they_are_the_file(large):
    with pa.input_stream(str(large)) as stream:
        blocks = [block.to_pybytes() for block in blocks_of_rows(stream, ",")]
    assert len(blocks) > 4
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks).strip() == large.read_bytes().strip()


# --- Threads.


def test_while_a_file_is_read_no_thread_of_arrows_is_in_python(large):
    """One that came back to Python while the interpreter ended took the process with it."""
    before = set(sys._current_frames())  # With threads that other tests have left to the next.
    batches = CsvText(large).batches()
    next(batches)
    new = set(sys._current_frames()) - before
    assert new <= {thread.ident for thread in threading.enumerate()}


def test_a_file_that_is_left_leaves_no_thread(large):
    before = threading.active_count()
    batches = CsvText(large).batches()
    next(batches)
    batches.close()
    assert threading.active_count() == before


LEAVE = """
import sys
from pathlib import Path
from increstore.chain.csv_text import CsvText
text = CsvText(Path(sys.argv[1]))
kept = [text.batches() for _ in range(12)]
for batches in kept:
    next(batches)
del kept[::2]
"""


def test_many_files_may_be_read_at_once_and_left_at_the_end_of_the_process(large):
    """More than Arrow has threads for reading, each of which once waited for its own file."""
    ended = subprocess.run(
        [sys.executable, "-c", LEAVE, str(large)], capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


# --- Places beyond the first block.


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (b"1,2,3", "Row #{}: Expected 2 columns, got 3: 1,2,3"),
        (b"1,\xff", "Row #{}: CSV conversion error to string: invalid UTF8"),
        (b'1,"Row #7', "ends inside quotes, which the row on line {:,} opens"),
    ],
)
def test_a_mistake_is_told_with_its_place_in_whatever_block_it_is(large, tmp_path, row, complaint):
    path = tmp_path / "t.csv"
    before = large.read_bytes()
    path.write_bytes(before + row + b"\n9,9\n")
    with pytest.raises(SnapshotRefused, match=complaint.format(before.count(b"\n") + 1)):
        list(CsvText(path).batches())


def test_a_byte_order_mark_may_come_before_quotes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf"i\nd",v\n1,"a\nb"\n')
    text = CsvText(path)
    assert text.names == ["i\nd", "v"]
    assert [batch.to_pylist() for batch in text.batches()] == [[{"i\nd": "1", "v": "a\nb"}]]
