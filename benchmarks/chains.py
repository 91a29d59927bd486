"""Make the benchmark's backup collection, once for each set of parameters.

The same numbers make the same rows, so a chain that is there is used again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from workload import (
    SCHEMA,
    TABLE,
    Keys,
    Step,
    Table,
    Workload,
    change_batches,
    expected_sums,
    row_batches,
)

from increstore.chain.digest import rows_digest
from increstore.chain.schema import Column, TableSchema
from increstore.chain.writer import DIGEST_MASK, State, TableChanges, write_backup

EXPECTED = "expected.json"
STORED = TableSchema(tuple(Column(field.name, field.type) for field in SCHEMA), ("key",))


def make_chain(workload: Workload, work: Path) -> tuple[Path, dict[str, int]]:
    """The collection's path and the sums its last state must have."""
    made = work / workload.name
    if not (made / EXPECTED).exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        table = Table(workload)
        for kind, changes in _backups(table, workload.incrementals):
            write_backup(made / "collection", kind, {TABLE: changes})
        (made / EXPECTED).write_text(json.dumps(expected_sums(table)), encoding="utf-8")
    return made / "collection", json.loads((made / EXPECTED).read_text(encoding="utf-8"))


def _backups(table: Table, incrementals: int) -> Iterator[tuple[str, TableChanges]]:
    """The full backup and every incremental, each with the state of the table after it."""
    digest = _digest(table.keys, table.versions)
    rows = row_batches(table.keys, table.versions)
    yield "full", TableChanges("full", STORED, rows, State(len(table.keys), digest))
    for version in range(1, incrementals + 1):
        step = table.advance(version)
        digest = (digest + _digest_change(step)) & DIGEST_MASK
        state = State(len(table.keys), digest)
        yield "incremental", TableChanges("changes", STORED, change_batches(step), state, True)


def _digest_change(step: Step) -> int:
    """What an incremental adds to the digest: that of its rows, less that of those replaced."""
    written = step.keys[~step.erased]
    versions = np.full(len(written), step.version, dtype=np.int32)
    return _digest(written, versions) - _digest(step.old_keys, step.old_versions)


def _digest(keys: Keys, versions) -> int:
    return sum(rows_digest(batch, STORED) for batch in row_batches(keys, versions)) & DIGEST_MASK
