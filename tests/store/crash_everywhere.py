"""Crashes a restore before every file operation it does, resumes it, and compares the rows.

Run as a script with a folder. Operations are counted by an audit hook, so the code under test is
the product's own; the crash is `os._exit` in a forked process, which loses nothing that the
operating system was already given. (What a power cut loses is the business of the damage tests.)
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq

from increstore.store.publish import publish, staged_file
from increstore.store.segment_store import SegmentStore
from increstore.store.target import TargetDirectory, TargetIdentity
from store.builders import a_layout, batches_of, erase, evidence_of, truth_of, upsert

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate"}
IDENTITY = TargetIdentity("c1", "r1", "20260101_full")
CHAIN = [
    [upsert(key, "base", key) for key in range(6)],
    [upsert(2, "two", 2), erase(3)],
    [],
    [erase(0), upsert(3, "back", 3)],
    [upsert(9, "nine", 9)],
    [erase(9), upsert(10, None, None)],
]
CRASHED = 7
RECOVERY_POINTS = 12  # So far into the resumed run falls a second crash, in turn.


def restore_once(root):
    """The restore of one shard as its driver does it: from what is durable to publication."""
    with TargetDirectory.open(root) as target:
        target.claim(IDENTITY)
        final_file = staged_file(root, "orders", 0)
        layout = a_layout(incrementals=len(CHAIN))
        store = SegmentStore(target.paths.shard("orders/t0"), layout, final_file, runs_max=2)
        state = store.recover()
        store.record_generation(state.generation + 1)
        for incremental, changes in enumerate(CHAIN):
            if incremental in state.sealed:
                continue
            batches = batches_of(changes, incremental, size=2)
            done = sum(stream.watermark for stream in state.streams.values())
            for batch in batches[done:]:
                store.append([batch])
            store.seal(incremental, evidence_of(batches))
            state = store.recover()
        store.finalize()
        publish(root, ["orders"])


def run_and_crash(root, point):
    """Whether the restore came to its end before its file operation number `point`."""
    child = os.fork()
    if not child:
        left = point

        def count(event, arguments):
            nonlocal left
            if event in OPERATIONS and str(arguments[0]).startswith(str(root)):
                left -= 1
                if not left:
                    os._exit(CRASHED)

        sys.addaudithook(count)
        restore_once(root)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, CRASHED), f"point {point}: ended with {status}"
    return status == 0


def visible_rows(root):
    table = pq.read_table(root / "orders")
    return [tuple(row.values()) for row in table.to_pylist()]


def main(folder):
    gc.freeze()  # Nothing of what is imported becomes garbage; collecting would copy it per fork.
    gc.disable()
    truth = truth_of(CHAIN)
    points = 0
    for point in range(1, 1000):
        root = folder / str(point)
        root.mkdir()
        finished = run_and_crash(root, point)
        assert not (root / "orders").exists() or visible_rows(root) == truth
        run_and_crash(root, 1 + point % RECOVERY_POINTS)
        restore_once(root)
        assert visible_rows(root) == truth, f"point {point}: {visible_rows(root)}"
        shutil.rmtree(root)
        if finished:
            break
        points += 1
    print(points)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
