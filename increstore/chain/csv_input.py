"""What pyarrow's CSV reader is given instead of a file: one row more, and no hurry."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    import pyarrow as pa
    import pyarrow.csv as pacsv

LAST_ROW = "the end (increstore added it)"
BLOCKS_AHEAD = 2
"""Blocks read beyond the batch that is being used; the reader itself would take 32."""

PATIENCE_BYTES_PER_S = 50e6
"""A block that is parsed slower than this is taken for one that gives no batch."""

END_PATIENCE_S = 5.0
"""How long the end of a file waits for Arrow's thread to come and find it."""


class WithLastRow:
    """The bytes of a stream, and then one row more, on a line of its own."""

    def __init__(self, stream: pa.NativeFile, columns: int, delimiter: str) -> None:
        self._stream = stream
        self._last = f"\n{LAST_ROW}{delimiter * (columns - 1)}\n".encode()

    def read(self, size: int) -> bytes:
        """As many bytes, unless it ends: without a line break the parser takes no short block."""
        parts: list[bytes] = []
        while size > 0 and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _next(self, size: int) -> bytes:
        found: bytes = self._stream.read(size)
        if not found:
            found, self._last = self._last[:size], self._last[size:]
        return found


class PacedInput:
    """A file for pyarrow, which reads it in a thread of its own, a few blocks ahead of `batches`.

    A block of blank lines gives no batch, and the reader never says so. So a read waits for the
    batch before it only as long as parsing can take: the bound on memory must not stop the reader.

    Left as a context manager, or at the latest when the interpreter ends, the file is at its end
    for that thread: one that came back from Python after that would take the process with it.
    """

    closed = False

    def __init__(self, stream: WithLastRow, block_bytes: int) -> None:
        self._stream = stream
        self._patience_s = block_bytes / PATIENCE_BYTES_PER_S
        self._changed = threading.Condition()
        self._reads = 0
        self._reads_max = BLOCKS_AHEAD
        self._is_awaited = True  # The reader looks for its first batch when it is made.
        self._is_over = False
        self._is_at_end = False
        atexit.register(self.end)  # For whoever keeps `batches` and never goes on.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let the next read find the end of the file, and wait for it."""
        atexit.unregister(self.end)
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
            # A reader that holds enough blocks does not read on: then there is nobody to wait for.
            self._changed.wait_for(lambda: self._is_at_end or not self._reads, END_PATIENCE_S)

    def read(self, size: int) -> bytes:
        content = b""
        try:
            if self._may_read():
                content = self._stream.read(size)
            return content
        finally:
            if len(content) < size:  # Or it failed: in both cases it was the last.
                with self._changed:
                    self._is_at_end = True
                    self._changed.notify_all()

    def _may_read(self) -> bool:
        """When it is time for one more read; False when there is to be none."""
        with self._changed:
            self._reads += 1
            while self._reads > self._reads_max and not self._is_over:
                if not self._changed.wait(self._patience_s) and self._is_awaited:
                    self._reads_max += 1
            return not self._is_over

    def keep(self, reader: pacsv.CSVStreamingReader) -> None:
        """Have it live until it has read to the end: see `_unfinished`."""
        _unfinished.add(reader)

    def batches(self, reader: pacsv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
        """What `reader`, which was kept, makes of this file."""
        while True:
            with self._changed:
                self._is_awaited = True
                self._reads_max += 1
                self._changed.notify_all()
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                _unfinished.discard(reader)
                return
            self._is_awaited = False
            yield batch


_unfinished: set[pacsv.CSVStreamingReader] = set()
"""Kept from the garbage collector, which has the interpreter while it waits for Arrow's thread:
that thread, in the middle of a read, would wait for the interpreter. Few, of a command that failed.
"""
