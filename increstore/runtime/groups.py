"""Trio reports what failed in nurseries as exception groups; people need the one cause."""

from __future__ import annotations

from increstore.errors import IncrestoreError


def first_expected(group: BaseException) -> IncrestoreError:
    """The first expected error inside a (nested) group.

    Raises: KeyboardInterrupt when that is in it; the group itself when no expected error is.
    """
    if isinstance(group, BaseExceptionGroup) and group.subgroup(KeyboardInterrupt):
        raise KeyboardInterrupt from group
    found = _find(group)
    if found is None:
        raise group
    return found


def _find(error: BaseException) -> IncrestoreError | None:
    if isinstance(error, IncrestoreError):
        return error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            found = _find(part)
            if found is not None:
                return found
    return None
