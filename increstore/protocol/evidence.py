"""The digest of a stream: order-dependent, so a lost, doubled or swapped batch changes it."""

from __future__ import annotations

_LOWEST_64_BITS = (1 << 64) - 1
_MULTIPLIER = 0x9E3779B97F4A7C15  # The odd constant of Fibonacci hashing.


def fold_batch_digest(stream_digest: int, order: int, batch_digest: int) -> int:
    """The digest of a stream after batch `order`, from the digest before it."""
    return ((stream_digest ^ batch_digest) * _MULTIPLIER + order) & _LOWEST_64_BITS
