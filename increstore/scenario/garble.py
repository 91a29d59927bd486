"""A page whose batches go bad in memory, between their digests and the frames they travel in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from increstore.protocol.ready import Batch, PageRead


def garbled(page: PageRead) -> PageRead:
    """The page with the last byte of each batch changed, and its digest as it was."""
    return replace(page, batches=tuple(_garbled(batch) for batch in page.batches))


def _garbled(batch: Batch) -> Batch:
    payload = bytearray(batch.payload)
    payload[-1] ^= 1
    return replace(batch, payload=bytes(payload))
