"""Judging a chain before anything is restored from it: every problem at once, each with its place.

Three looks, from cheap to dear: `lineage` (do the backups follow one another), `entries` (do the
manifests add up) and `file_check` (are the files the bytes they promise). What only the rows can
tell, keys that are doubled or NULL inside a file, is checked where rows are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.chain.entries import table_problems
from increstore.chain.file_check import check_files, data_files
from increstore.chain.lineage import lineage_problems
from increstore.chain.problems import Problem
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.chain.checksums import Checksums
    from increstore.chain.collection import BackupChain, Collection

__all__ = [
    "Problem",
    "check_files",
    "data_files",
    "require_valid",
    "validate",
    "validate_collection",
]


def validate(
    chain: BackupChain,
    *,
    checksums: bool = True,
    only: Sequence[str] | None = None,
    counted: Checksums | None = None,
) -> list[Problem]:
    """Every problem of the chain and of the chosen tables' files.

    `checksums` reads every byte of every data file; without it only sizes and Parquet footers are
    compared, which is quick however large the chain is. With `only` (names of backups) the files
    of the other backups are left alone: a restore that is past them no longer needs them.
    `counted` are checksums that were begun before.
    """
    backups = [backup for backup in chain.backups if only is None or backup.name in only]
    return [
        *lineage_problems(chain),
        *table_problems(chain.backups, chain.tables),
        *check_files(data_files(backups, chain.tables), checksums=checksums, counted=counted),
    ]


def validate_collection(collection: Collection) -> list[Problem]:
    """Folders that no chain restores from: interrupted copies, incrementals without a full."""
    problems = [
        Problem(
            "incomplete",
            str(collection.path / name),
            "has no manifest, so it is no backup: an interrupted copy; copy it again or remove it",
        )
        for name in collection.incomplete
    ]
    for backup in collection.backups:
        if backup.kind == "full":
            break
        problems.append(
            Problem(
                "no full backup",
                str(backup.path),
                "an incremental with no full backup before it; bring the full one back from its "
                "origin, or move this one away",
            )
        )
    return problems


def require_valid(
    chain: BackupChain,
    *,
    checksums: bool = True,
    only: Sequence[str] | None = None,
    counted: Checksums | None = None,
) -> None:
    """Raises: BackupChainBroken with every problem of `validate`, whose arguments these are."""
    problems = validate(chain, checksums=checksums, only=only, counted=counted)
    if problems:
        raise BackupChainBroken(tuple(str(problem) for problem in problems))
