"""The hash of what happened in a run, in order: equal runs have equal digests."""

from __future__ import annotations

import xxhash

PIECES_MAX = 1 << 12
"""So many pieces are hashed at once: about 200 kB."""


class Trace:
    """Everything traced so far; `now` is the moment at hand, in nanoseconds since the start."""

    def __init__(self) -> None:
        self.now = 0
        self._hash = xxhash.xxh3_64()
        self._pieces: list[bytes] = []
        """What is yet to be hashed: together it takes a fifth less than piece by piece."""

    @property
    def digest(self) -> str:
        """The hash of everything traced."""
        self._hash_pieces()
        return str(self._hash.hexdigest())

    def trace(self, happened: bytes) -> None:
        """Add to the digest that this happened now."""
        pieces = self._pieces
        pieces.append(self.now.to_bytes(8, "little"))
        pieces.append(happened)
        if len(pieces) >= PIECES_MAX:
            self._hash_pieces()

    def trace_text(self, happened: str) -> None:
        self.trace(happened.encode())

    def _hash_pieces(self) -> None:
        self._hash.update(b"".join(self._pieces))
        self._pieces.clear()
