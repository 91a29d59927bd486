"""`python -m tests.tui.lingering SECONDS [scenario]`: a dashboard over an engine slow to end."""

from __future__ import annotations

import contextlib
import secrets
import sys
import threading

from increstore.cli.streams import tell
from increstore.cli.watching import open_dashboard
from increstore.proving.folders import run_folder
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


class LingeringScenario(Lingering):
    """Writes on and on into the folder of its run."""

    def run(self, put):
        with run_folder() as folder:
            threading.Thread(target=self.write, args=(folder,), daemon=True).start()
            return super().run(put)

    def write(self, folder):
        while not self.let_go.wait(0.0001):
            with contextlib.suppress(FileNotFoundError):
                (folder / secrets.token_hex(4)).write_text("of a run", encoding="utf-8")


def main() -> int:
    is_scenario = "scenario" in sys.argv
    kind = LingeringScenario if is_scenario else Lingering
    code = open_dashboard(ThreadPlayback(kind(float(sys.argv[1]))), goes_on=not is_scenario)
    tell("the engine has ended")  # Perhaps to nobody: the terminal may be gone.
    return code


if __name__ == "__main__":
    sys.exit(main())
