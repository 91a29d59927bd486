"""`python -m tests.tui.failing WHERE`: a dashboard over an engine that fails there."""

from __future__ import annotations

import sys

from increstore.cli.program import show_error
from increstore.cli.watching import open_dashboard
from increstore.errors import IncrestoreError, TargetRefused
from tests.tui.fixed import FixedPlayback


class Failing(FixedPlayback):
    """Fails in one of its methods, with an error people are told, or with a bug."""

    def __init__(self, where: str) -> None:
        super().__init__(title="an engine that fails")
        self.where = where
        self.drained = 0

    def start(self):
        super().start()
        self._fail("start")

    def drain(self, limit=1, budget_ns=0):
        self.drained += 1
        if self.drained > 5:
            self._fail("drain")
            self._fail("bug", AssertionError("the books do not balance"))
        return super().drain(limit, budget_ns)

    def stop(self):
        super().stop()
        if self.stops == 1:
            self._fail("stop")
        print("the engine was told")

    def _fail(self, where, error=None):
        if self.where == where:
            raise error or TargetRefused("the target is in use by another restore")


def main() -> int:
    try:
        return open_dashboard(Failing(sys.argv[1]))
    except IncrestoreError as error:
        show_error(error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
