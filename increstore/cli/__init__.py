"""The command line. Here is only its very beginning, which imports next to nothing."""

from __future__ import annotations

TYPE_CHECKING = False  # As of `typing`, which alone takes as long as half of Python's start.
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """The console script. Never returns."""
    _stop_at_once_when_told()
    from increstore.stops import end_stopped, stop_at_once_when_told

    stop_at_once_when_told()
    from increstore.cli.program import run_command_line  # Click comes with it.

    try:
        run_command_line()
    except KeyboardInterrupt:  # Another one, while the first was being told of.
        end_stopped()


def _stop_at_once_when_told() -> None:
    """`increstore.stops.stop_at_once_when_told` for Ctrl-C, until that has been imported."""
    import os
    import signal

    def end(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.write(2, b"stopped\n")
        os._exit(7)  # `ExitCode.PAUSED`.

    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, end)
