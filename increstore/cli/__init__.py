"""The command line. Here is only its very beginning, which imports next to nothing."""

from __future__ import annotations

from typing import NoReturn

from increstore.stops import end_stopped, stop_at_once_when_told


def main() -> NoReturn:
    """The console script. Never returns."""
    stop_at_once_when_told()
    from increstore.cli.program import run_command_line  # Click comes with it.

    try:
        run_command_line()
    except KeyboardInterrupt:  # Another one, while the first was being told of.
        end_stopped()
