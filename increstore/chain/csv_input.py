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

    Left as a context manager, or at the latest when the interpreter ends, no read is under way: a
    thread of Arrow's that comes back from Python after that end takes the process with it.
    """

    closed = False

    def __init__(self, stream: WithLastRow, block_bytes: int) -> None:
        self._stream = stream
        self._patience_s = block_bytes / PATIENCE_BYTES_PER_S
        self._changed = threading.Condition()
        self._reads = 0
        self._reads_max = BLOCKS_AHEAD
        self._reads_under_way = 0
        self._is_awaited = True  # The reader looks for its first batch when it is made.
        self._is_over = False
        atexit.register(self.end)  # For whoever keeps `batches` and never goes on.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """From here on the file has ended; waits for a read that is under way."""
        atexit.unregister(self.end)
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._reads_under_way)

    def read(self, size: int) -> bytes:
        with self._changed:
            self._reads += 1
            self._reads_under_way += 1
        try:
            return self._stream.read(size) if self._may_read() else b""
        finally:
            with self._changed:
                self._reads_under_way -= 1
                self._changed.notify_all()

    def _may_read(self) -> bool:
        """When it is time for one more read; False when there is to be none."""
        with self._changed:
            while self._reads > self._reads_max and not self._is_over:
                if not self._changed.wait(self._patience_s) and self._is_awaited:
                    self._reads_max += 1
            return not self._is_over

    def batches(self, reader: pacsv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
        """What `reader` makes of this file."""
        try:
            while True:
                with self._changed:
                    self._is_awaited = True
                    self._reads_max += 1
                    self._changed.notify_all()
                batch = reader.read_next_batch()
                self._is_awaited = False
                yield batch
        except StopIteration:
            return
