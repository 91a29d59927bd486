"""Write the benchmark's backup collection: `write_chain.py ROWS INCREMENTALS OVERWRITE FOLDER`.

Leaves the collection in FOLDER, and last the sums that its final state must have.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rows import (
    SCHEMA,
    Keys,
    Step,
    Table,
    change_batches,
    expected_sums,
    row_batches,
)
from workload import COLLECTION, EXPECTED, TABLE, Workload

from increstore.chain.digest import rows_digest
from increstore.chain.schema import Column, TableSchema
from increstore.chain.writer import DIGEST_MASK, State, TableChanges, write_backup

STORED = TableSchema(tuple(Column(field.name, field.type) for field in SCHEMA), ("key",))


def main() -> None:
    rows, incrementals, overwrite, made = sys.argv[1:]
    workload = Workload(int(rows), int(incrementals), float(overwrite))
    table = Table(workload)
    for kind, changes in _backups(table, workload.incrementals):
        write_backup(Path(made) / COLLECTION, kind, {TABLE: changes})
    (Path(made) / EXPECTED).write_text(json.dumps(expected_sums(table)), encoding="utf-8")


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


if __name__ == "__main__":
    main()
