"""The summary of a restore for the program that reads `--json`, also of one that never began."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from increstore.errors import BackupChainBroken, ExitCode, IncrestoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class RefusalAsJson:
    """While it is entered, an error that ends a restore before it begins is also a `summary`.

    Once `is_over` is set the restore has begun, and its display has the last word.
    """

    def __init__(self, *, wanted: bool) -> None:
        self.is_wanted = wanted
        self.is_over = False
        self._began = time.monotonic()

    def __enter__(self) -> RefusalAsJson:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.is_over or not self.is_wanted:
            return
        if isinstance(error, IncrestoreError):
            self._tell("refused", str(error), error.exit_code, problems_of(error))
        elif isinstance(error, KeyboardInterrupt):
            self._tell("interrupted", "", ExitCode.PAUSED, [])

    def _tell(self, state: str, reason: str, code: ExitCode, problems: list[str]) -> None:
        seconds = time.monotonic() - self._began
        click.echo(json.dumps(summary(state, reason, problems, code, seconds), ensure_ascii=False))


def summary(
    state: str,
    reason: str,
    problems: Sequence[str],
    code: int,
    seconds: float,
    *,
    restore: str | None = None,
    upto: str | None = None,
    newer_backups: int | None = None,
    tables: Sequence[dict[str, Any]] = (),
    resume: str | None = None,
) -> dict[str, Any]:
    """The last object of `restore --json`; what has a default is of one that has begun."""
    return {
        "event": "summary",
        "state": state,
        "reason": reason,
        "problems": list(problems),
        "exit_code": int(code),
        "restore": restore,
        "upto": upto,
        "seconds": round(seconds, 3),
        "newer_backups": newer_backups,
        "tables": list(tables),
        "resume": resume,
    }


def problems_of(error: IncrestoreError) -> list[str]:
    """Each problem of a chain by itself; of other errors the one there is."""
    return list(error.problems) if isinstance(error, BackupChainBroken) else [str(error)]
