"""A store and a log behind faults: what failed, what was written, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from increstore.errors import StorageFailed
from increstore.protocol.records import GenerationStarted, RestoreAccepted
from increstore.store.coordinator_log import CoordinatorLog
from increstore.store.faulty import FaultyLog, FaultyStore, guarded
from increstore.store.memory import MemoryStore

from .builders import a_layout, batches_of, evidence_of, restore, upsert


@dataclass
class Trouble:
    action: str
    error: str = ""


@dataclass
class Script:
    """The first write named here meets its trouble; every call is remembered."""

    troubles: dict[str, Trouble] = field(default_factory=dict)
    calls: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)

    def before(self, operation, records):
        self.calls.append(("before", operation, tuple(records)))
        return self.troubles.pop(operation, None)

    def after(self, operation, records):
        self.calls.append(("after", operation, tuple(records)))


@pytest.mark.parametrize(("action", "is_written"), [("eio", 0), ("enospc", 0), ("fsync_error", 1)])
def test_a_failed_write_says_whether_it_may_have_happened(action, is_written):
    store = FaultyStore(MemoryStore(a_layout()), Script({"append": Trouble(action)}))
    store.recover()
    batches = batches_of([upsert(1)], 0)
    wanted = "may have been written" if is_written else "nothing was written"
    with pytest.raises(StorageFailed, match=f"{action}, injected.*{wanted}"):
        store.append(batches)
    streams = store.recover().streams
    assert [stream.watermark for stream in streams.values()] == [1] * is_written


def test_the_guard_hears_of_every_durable_write_before_and_after():
    """These are the places where a crash is tried."""
    guard = Script()
    store = FaultyStore(MemoryStore(a_layout(incrementals=1)), guard)
    store.recover()
    store.record_generation(1)
    batches = batches_of([upsert(1)], 0)
    store.append(batches)
    store.seal(0, evidence_of(batches))
    store.finalize()
    assert guard.calls == [
        (when, operation, (record,))
        for operation, record in [
            ("generation", "GenerationSeen"),
            ("append", "ApplyBatch"),
            ("seal", "SealRun"),
            ("finalize", "FinalizeRows"),
        ]
        for when in ("before", "after")
    ]


def test_a_failed_finalize_can_be_asked_again():
    store = FaultyStore(MemoryStore(a_layout()), Script({"finalize": Trouble("enospc")}))
    restore(store, [[upsert(1)], [], [], []])
    with pytest.raises(StorageFailed, match="No space left"):
        store.finalize()
    assert store.finalize()[0] == 1


def test_a_guard_that_ends_the_thread_keeps_the_write_from_happening():
    class Ended(Exception):
        pass

    class Fence(Script):
        def before(self, operation, records):
            raise Ended

    written = []
    with pytest.raises(Ended):
        guarded(Fence(), "seal", ("SealRun",), lambda: written.append(1))
    assert written == []


def test_a_log_names_its_records_and_fails_as_the_disk_does(tmp_path):
    guard = Script({"log": Trouble("eio", error="the cable came loose")})
    log = FaultyLog(CoordinatorLog(tmp_path / "log.db"), guard)
    records = [RestoreAccepted("r1", "plan", 1), GenerationStarted(1, 2)]
    with pytest.raises(StorageFailed, match="log: the cable came loose"):
        log.append(records)
    assert log.replay() == []
    log.append(records)
    assert log.replay() == records
    assert guard.calls[-1] == ("after", "log", ("RestoreAccepted", "GenerationStarted"))
    log.close()
