"""Whether the data files of a chain are there and are the bytes their manifests describe."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.chain.checksums import THREADS_MAX, Checksums
from increstore.chain.names import is_file_name
from increstore.chain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from increstore.chain.collection import Backup
    from increstore.chain.manifest import FileEntry


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file as promised: where it is, its entry and the Arrow schema of its rows."""

    path: Path
    entry: FileEntry
    schema: pa.Schema


def data_files(backups: Iterable[Backup], tables: Sequence[str] | None = None) -> list[DataFile]:
    """The files of these backups, of all tables or of `tables`, in order.

    Unreadable manifests and entries whose schema cannot be read are left out: `entries` reports
    those.
    """
    files = []
    for backup in backups:
        for name, entry in backup.manifest.tables.items() if backup.manifest else ():
            if tables is not None and name not in tables:
                continue
            try:
                schema = entry.schema_of().change_arrow(has_op=entry.has_op, has_set=entry.has_set)
            except ValueError:
                continue
            files += [
                DataFile(backup.path / name / file.path, file, schema)
                for file in entry.files
                if is_file_name(file.path)
            ]
    return files


def check_files(
    files: Sequence[DataFile], *, checksums: bool, counted: Checksums | None = None
) -> list[Problem]:
    """Every file that is missing, cut short, too long, altered or not as its entry says.

    `checksums` reads every byte, unless `counted` has read it already; without it only sizes and
    Parquet footers are compared.
    """
    sums = (counted or Checksums()) if checksums else None
    threads = max(1, min(THREADS_MAX, os.cpu_count() or 1, len(files)))
    with ThreadPoolExecutor(threads, thread_name_prefix="check-files") as pool:
        found = list(pool.map(lambda file: _problem_of(file, sums), files))
    return [problem for problem in found if problem is not None]


def _problem_of(file: DataFile, sums: Checksums | None) -> Problem | None:
    try:
        size = file.path.stat().st_size
        if size != file.entry.bytes:
            kind = "truncated" if size < file.entry.bytes else "too long"
            return _damaged(file, kind, f"{size:,} bytes", f"{file.entry.bytes:,} bytes")
        if sums and (digest := sums.of(file.path)) != file.entry.sha256:
            return _damaged(file, "altered", f"sha256 {digest}", f"sha256 {file.entry.sha256}")
        return _footer_problem(file)
    except FileNotFoundError:
        return _damaged(file, "file missing", "no such file", f"{file.entry.bytes:,} bytes")
    except OSError as error:
        return _damaged(
            file, "unreadable", f"cannot be read: {error.strerror or error}", "a readable file"
        )


def _footer_problem(file: DataFile) -> Problem | None:
    try:
        with pq.ParquetFile(file.path) as parquet:
            metadata, schema = parquet.metadata, parquet.schema_arrow
    except (pa.ArrowException, UnicodeDecodeError) as error:
        return _damaged(file, "altered", f"not readable as Parquet ({error})", "a Parquet file")
    rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    promised = [group.rows for group in file.entry.row_groups]
    if rows != promised:
        return _damaged(
            file,
            "counts",
            f"{sum(rows):,} rows in {len(rows)} row groups",
            f"{sum(promised):,} rows in {len(promised)} row groups",
        )
    if not schema.equals(file.schema):
        return _damaged(file, "schema", _told(schema), _told(file.schema))
    return None


def _told(schema: pa.Schema) -> str:
    return "columns " + ", ".join(f"{field.name} {field.type}" for field in schema)


def _damaged(file: DataFile, kind: str, got: str, expected: str) -> Problem:
    return Problem(
        kind,
        str(file.path),
        f"{kind}: {got} (expected {expected}); copy the file again from its origin",
    )
