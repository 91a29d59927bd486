"""A change of one key: upsert, reset or erase; and the three states of a column in it.

Change batches are Arrow record batches of the table's columns plus, when needed, `__op` and
`__set` (see `TableSchema.change_arrow`). A column is *untouched* when `__set` says false,
*set to NULL* when touched and NULL, and *set to a value* otherwise. An untouched column of an
upsert keeps what the table has (NULL when the key is new); an untouched column of a reset becomes
NULL. An erase of a key that does not exist changes nothing.
"""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """The values of `__op`."""

    UPSERT = 0
    RESET = 1
    ERASE = 2
