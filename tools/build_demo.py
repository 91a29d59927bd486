"""Make the collection that `increstore demo` restores, from a folder of airports releases.

    python tools/build_demo.py FOLDER increstore/demo/airports

FOLDER holds files named airports-YYYYMMDD.csv (or .csv.zst): the oldest becomes the full backup,
every later one an incremental named by its date. The same files give the same data; only the ids
and the `created_at` times differ. See increstore/demo/README.md for where the files come from.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from increstore.chain.backup import TableSource, backup_full, backup_incremental
from increstore.chain.collection import Collection
from increstore.chain.staging import LOCK_NAME
from increstore.chain.validate import require_valid
from increstore.chain.writer import FileLimits

TABLE = "airports"
KEY = ("icao",)
# Small row groups, so that a table this small is still divided among several source shards.
LIMITS = FileLimits(group_rows_max=2048)
SIZE_MAX = 4_000_000
_RELEASE = re.compile(r"airports-(\d{8})\.csv(\.zst)?")


def releases(folder: Path) -> list[tuple[datetime, Path]]:
    """The releases in `folder`, oldest first."""
    found = []
    for path in sorted(folder.iterdir()):
        match = _RELEASE.fullmatch(path.name)
        if match:
            found.append((datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC), path))
    return found


def build(folder: Path, collection: Path) -> int:
    """Make the collection; its size in bytes."""
    first, *later = releases(folder)
    source = TableSource(TABLE, first[1], KEY)
    backup_full(collection, [source], taken_at=first[0], limits=LIMITS)
    for moment, path in later:
        source = TableSource(TABLE, path)
        backup_incremental(collection, [source], taken_at=moment, limits=LIMITS)
    (collection / LOCK_NAME).unlink()
    require_valid(Collection.open(collection).chain())
    return sum(path.stat().st_size for path in collection.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the releases, airports-YYYYMMDD.csv[.zst]")
    parser.add_argument("collection", type=Path, help="what to make; must not exist yet")
    arguments = parser.parse_args()
    if arguments.collection.exists():
        sys.exit(f"{arguments.collection} exists: remove it first")
    if not releases(arguments.folder):
        sys.exit(f"{arguments.folder}: no file named airports-YYYYMMDD.csv or .csv.zst")
    size = build(arguments.folder, arguments.collection)
    sys.stdout.write(f"{arguments.collection}: {size:,} bytes\n")
    if size > SIZE_MAX:
        sys.exit(f"larger than the {SIZE_MAX:,} bytes that may be shipped")


if __name__ == "__main__":
    main()
