"""Any store or log behind faults: writes that wait, fail, or end with the process.

What befalls a write is decided elsewhere (`Guard`), in the worker thread that is about to write;
here it is done, around the real write. Rules of this file:
- A write that fails by EIO or ENOSPC has certainly not happened; one whose fsync fails has.
- Every failure is told as the operating system's is, so that whoever gets it sees no difference.
- Reading is never disturbed: what is damaged at rest is damaged in the files.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Protocol, TypeVar

from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from increstore.protocol.messages import StreamEvidence
    from increstore.protocol.ready import ApplyBatch
    from increstore.protocol.records import CoordinatorRecord
    from increstore.protocol.target_state import TargetState
    from increstore.store.seam import HistoryLog, TableStore

T = TypeVar("T")

_NUMBERS = {"eio": errno.EIO, "enospc": errno.ENOSPC, "fsync_error": errno.EIO}


class Trouble(Protocol):
    """How one write fails: "eio", "enospc" or "fsync_error"; any other action lets it be."""

    @property
    def action(self) -> str: ...

    @property
    def error(self) -> str:
        """The words of the failure; "" for those of the operating system."""
        ...


class Guard(Protocol):
    """Asked around each durable write of one node, in the thread that writes.

    `records` are the class names of what is written. Either call may take its time, as a slow disk
    does, or raise to end the thread's work: whoever waits for it is gone.
    """

    def before(self, operation: str, records: Sequence[str]) -> Trouble | None: ...

    def after(self, operation: str, records: Sequence[str]) -> None: ...


def guarded(guard: Guard, operation: str, records: Sequence[str], write: Callable[[], T]) -> T:
    """Do one durable write, or what befalls it.

    Raises: StorageFailed; what the write itself raises.
    """
    trouble = guard.before(operation, records)
    if trouble is None:
        done = write()
    else:
        done = _troubled(operation, trouble, write)
    guard.after(operation, records)
    return done


def _troubled(operation: str, trouble: Trouble, write: Callable[[], T]) -> T:
    if trouble.action in ("eio", "enospc"):
        raise StorageFailed(_words(operation, trouble, "nothing was written"))
    done = write()
    if trouble.action == "fsync_error":
        raise StorageFailed(_words(operation, trouble, "it may have been written"))
    return done


def _words(operation: str, trouble: Trouble, certainty: str) -> str:
    text = trouble.error or os.strerror(_NUMBERS[trouble.action])
    return (
        f"{operation}: {text} ({trouble.action}, injected); {certainty}; run the same command again"
    )


class FaultyStore:
    """A table store whose durable writes are guarded."""

    def __init__(self, inner: TableStore, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    def recover(self) -> TargetState:
        return self._inner.recover()

    def append(self, batches: Sequence[ApplyBatch]) -> None:
        guarded(self._guard, "append", ("ApplyBatch",), lambda: self._inner.append(batches))

    def record_generation(self, generation: int) -> None:
        guarded(
            self._guard,
            "generation",
            ("GenerationSeen",),
            lambda: self._inner.record_generation(generation),
        )

    def seal(self, incremental: int, streams: Sequence[StreamEvidence]) -> None:
        guarded(self._guard, "seal", ("SealRun",), lambda: self._inner.seal(incremental, streams))

    def finalize(self) -> tuple[int, int]:
        return guarded(self._guard, "finalize", ("FinalizeRows",), self._inner.finalize)

    def final_rows(self) -> Iterator[pa.RecordBatch]:
        return self._inner.final_rows()

    def close(self) -> None:
        self._inner.close()


class FaultyLog:
    """A coordinator's log whose appends are guarded."""

    def __init__(self, inner: HistoryLog, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    def append(self, records: Sequence[CoordinatorRecord]) -> None:
        names = [type(record).__name__ for record in records]
        guarded(self._guard, "log", names, lambda: self._inner.append(records))

    def replay(self) -> list[CoordinatorRecord]:
        return self._inner.replay()

    def close(self) -> None:
        self._inner.close()
