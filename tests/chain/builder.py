"""Real collections made from small CSV files, and ways to damage them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from increstore.chain.backup import TableSource, backup_full, backup_incremental
from increstore.chain.collection import Backup, BackupChain, Collection
from increstore.chain.manifest import MANIFEST_NAME, Manifest
from increstore.chain.spool import Spool
from increstore.chain.state import state_rows


def state_batches(chain: BackupChain, table: str) -> list[pa.RecordBatch]:
    """The rows of `table` after the last backup of the chain."""
    with tempfile.TemporaryDirectory() as folder:
        return list(state_rows(chain, table, Spool(Path(folder))))


class Shop:
    """A collection of table `shop/orders` (key id) and, when asked, others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "shop.backups"

    def snapshot(self, text: str, name: str = "orders.csv") -> Path:
        file = self.folder / name
        file.write_bytes(text.encode())
        return file

    def full(self, text: str = "id,v\n1,a\n2,b\n3,c\n", **others: str) -> Manifest:
        return backup_full(self.path, self._sources(text, others, ("id",)))

    def incremental(self, text: str, **others: str) -> Manifest:
        return backup_incremental(self.path, self._sources(text, others, None))

    def _sources(
        self, text: str, others: dict[str, str], key: tuple[str, ...] | None
    ) -> list[TableSource]:
        texts = {"shop/orders": text, **others}
        return [
            TableSource(name, self.snapshot(content, f"{name.replace('/', '_')}.csv"), key)
            for name, content in texts.items()
        ]

    def collection(self) -> Collection:
        return Collection.open(self.path)

    def state(self, table: str = "shop/orders", upto: str | None = None) -> list[dict]:
        batches = state_batches(self.collection().chain(upto), table)
        return [row for batch in batches for row in batch.to_pylist()]

    def backup(self, position: int) -> Backup:
        return self.collection().backups[position]

    def data_file(self, position: int, table: str = "shop/orders") -> Path:
        return self.backup(position).path / table / "part-00000.parquet"

    def edit_manifest(self, position: int, edit: Callable[[dict], None]) -> None:
        """Change the manifest of a backup as a person with an editor would."""
        file = self.backup(position).path / MANIFEST_NAME
        manifest = json.loads(file.read_text())
        edit(manifest)
        file.write_text(json.dumps(manifest))


def a_shop_with_three_incrementals(folder: Path) -> Shop:
    """Positions 0 to 3; the last incremental leaves the table unchanged."""
    shop = Shop(folder)
    shop.full("id,v\n1,a\n2,b\n3,c\n")
    shop.incremental("id,v\n1,a\n2,B\n4,d\n")
    shop.incremental("id,v,extra\n1,a,\n2,B,x\n4,d,\n5,e,y\n")
    shop.incremental("id,v,extra\n1,a,\n2,B,x\n4,d,\n5,e,y\n")
    return shop


def integers(count: int, start: int = 0) -> pa.RecordBatch:
    """Rows (id, v) with ids from `start`."""
    ids = pa.array(range(start, start + count), pa.int64())
    return pa.record_batch({"id": ids, "v": ids.cast(pa.string())})
