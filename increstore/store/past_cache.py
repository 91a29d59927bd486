"""Writing a large file past the page cache of the system.

Rows that are written once and read by others later need no second copy in memory: filling fresh
pages takes more processor time than encoding what goes into them, and throws out what the machine
had kept. Direct writes take whole blocks from aligned memory, and last as long as the disk does: so
bytes are gathered in one buffer while a thread writes the other. What is left at the end goes the
usual way, as everything does on a file system that refuses.
"""

from __future__ import annotations

import errno
import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from increstore.protocol.messages import Payload

BUFFER_BYTES = 1 << 20
BLOCK_BYTES = 4096
"""No device in use asks for larger blocks; one that does refuses, and is written the usual way."""

_DIRECT = getattr(os, "O_DIRECT", 0)
_REFUSALS = (errno.EINVAL, errno.ENOTSUP)


class DirectFile:
    """A new file that is written from its start to its end, then closed; what Arrow calls a sink.

    Memory: two buffers of `BUFFER_BYTES`. Methods raise OSError when the system refuses, `write`
    perhaps one call later than the bytes that were refused.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._handle, self._is_direct = _opened(path, flags)
        # A map of memory begins on a page, as direct writes want it.
        self._gathered, self._written = (memoryview(mmap.mmap(-1, BUFFER_BYTES)) for _ in range(2))
        self._filled = 0
        self._length = 0
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self.closed = False

    def write(self, content: Payload) -> int:
        """Add the bytes; how many. They are in the file after `finish`."""
        if self.closed:  # Arrow empties its own buffer when it is collected, however late.
            raise ValueError("write to a closed file")
        view = memoryview(content).cast("B")
        start = 0
        while start < len(view):
            taken = min(len(view) - start, BUFFER_BYTES - self._filled)
            self._gathered[self._filled : self._filled + taken] = view[start : start + taken]
            start += taken
            self._filled += taken
            if self._filled == BUFFER_BYTES:
                self._send()
        self._length += len(view)
        return len(view)

    def tell(self) -> int:
        """Bytes added so far."""
        return self._length

    def flush(self) -> None:
        """Nothing: a part of a block cannot be written. Arrow calls it between row groups."""

    def finish(self) -> int:
        """Write what is left and make the file durable; its length in bytes."""
        self._wait()
        whole = self._filled - self._filled % BLOCK_BYTES
        self._write(self._gathered[:whole])
        self._be_usual()
        self._write(self._gathered[whole : self._filled])
        self._filled = 0
        handle = self._handle
        os.fsync(handle)
        return self._length

    def close(self) -> None:
        """Close the file as it is; a second time does nothing."""
        if not self.closed:
            self.closed = True
            self._thread.shutdown()
            os.close(self._handle)

    def _send(self) -> None:
        """Have the full buffer written, and gather in the other one."""
        self._wait()
        self._writing = self._thread.submit(self._write, self._gathered)
        self._gathered, self._written = self._written, self._gathered
        self._filled = 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _write(self, view: memoryview) -> None:
        handle = self._handle
        while view:
            try:
                written = os.write(handle, view)
            except OSError as error:
                if not self._is_direct or error.errno not in _REFUSALS:
                    raise
                self._be_usual()
                continue
            view = view[written:]
            if self._is_direct and written % BLOCK_BYTES:
                self._be_usual()  # A disk that is nearly full took a part of it.

    def _be_usual(self) -> None:
        """From here on through the page cache."""
        if self._is_direct:
            import fcntl  # Where there are direct writes.

            flags = fcntl.fcntl(self._handle, fcntl.F_GETFL)
            fcntl.fcntl(self._handle, fcntl.F_SETFL, flags & ~_DIRECT)
            self._is_direct = False


def _opened(path: Path, flags: int) -> tuple[int, bool]:
    """The new file, and whether it is written past the page cache."""
    if _DIRECT:
        try:
            return os.open(path, flags | _DIRECT, 0o644), True
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
    return os.open(path, flags, 0o644), False
