"""A number that tells two sets of rows apart: what a target's final rows are reported by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgpack
import xxhash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from increstore.simulation.model import Key, Value

DIGEST_MODULUS = 1 << 64

_digest: Final = xxhash.xxh3_64_intdigest
# Kept, because a packer begins by allocating its buffer, which costs more than many rows. It packs
# lists quicker than tuples, to the same bytes.
_pack: Final = msgpack.Packer(strict_types=True).pack


def state_digest(rows: Mapping[Key, Mapping[str, Value]]) -> int:
    """The digest of rows that all have the same columns; those of parts add up, modulo 2^64.

    It depends on no order: not of the rows, nor of the columns in a row.
    """
    columns = sorted(next(iter(rows.values()), ()))
    digests = [
        _digest(_pack([list(key), [[name, row[name]] for name in columns]]))
        for key, row in rows.items()
    ]
    return sum(digests) % DIGEST_MODULUS
