"""Arrow reads a CSV file in a thread of its own: it is let go whenever nobody wants more."""

from __future__ import annotations

import threading

import pyarrow as pa

from increstore.chain.csv_input import BLOCKS_AHEAD, PacedInput, WithLastRow

FOR_EVER = 1 << 50
"""Bytes of a block that may take years to parse: a read waits as long for the next batch."""


def test_a_read_that_waits_for_a_batch_finds_the_end_when_nobody_goes_on():
    """A thread that still waited in Python when the interpreter ended aborted the process."""
    with pa.BufferReader(b"key,v\n" + b"1,2\n" * 100) as stream:
        paced = PacedInput(WithLastRow(stream, 2, ","), FOR_EVER)
        found: list[bytes] = []
        waits = threading.Event()

        def read() -> None:
            for number in range(BLOCKS_AHEAD + 1):
                if number == BLOCKS_AHEAD:
                    waits.set()
                found.append(paced.read(4))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        assert waits.wait(10)
        paced.end()
        thread.join(10)
    assert not thread.is_alive()
    assert found == [b"key,", b"v\n1,", b""]


def test_an_end_that_nobody_reads_towards_is_not_waited_for():
    with pa.BufferReader(b"key,v\n") as stream, PacedInput(WithLastRow(stream, 2, ","), FOR_EVER):
        pass
