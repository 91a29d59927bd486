"""`python -m tests.tui.lingering SECONDS`: a dashboard over an engine that is slow to end."""

from __future__ import annotations

import sys
import threading

from increstore.cli.streams import tell
from increstore.cli.watching import open_dashboard
from increstore.tui.playback import seam
from increstore.tui.playback.threaded import ThreadPlayback
from tests.tui.test_overview import planned
from tests.view.journals import an_event


class Lingering:
    """Runs until it is stopped, and then until it is let go, at most for so long."""

    title = "an engine that lingers"
    can: frozenset[seam.Ability] = frozenset()

    def __init__(self, seconds):
        self.seconds = seconds
        self.told = threading.Event()
        self.let_go = threading.Event()

    def run(self, put):
        put(planned())
        put(an_event("restore.accepted"))
        put(an_event("restore.finalizing"))
        put(an_event("target.finalized", target="orders/t1"))
        self.told.wait()
        self.let_go.wait(self.seconds)
        return "interrupted"

    def stop(self):
        self.told.set()

    def command(self, command, history):
        return seam.cannot(command, "it only lingers")


def main() -> int:
    code = open_dashboard(ThreadPlayback(Lingering(float(sys.argv[1]))), code_at_once=7)
    tell("the engine has ended")  # Perhaps to nobody: the terminal may be gone.
    return code


if __name__ == "__main__":
    sys.exit(main())
