"""What `increstore watch` opens, and how it ends.

Rules of this file:
- Whatever can be refused is refused before the screen opens, as an ordinary message.
- What an engine failed with is told after the terminal is back.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import increstore
from increstore.cli.streams import tell
from increstore.errors import ExitCode, IncrestoreError, UsageError
from increstore.stops import end_process, imports_go_first
from increstore.tui.look import Look

if TYPE_CHECKING:
    from increstore.tui.app import WatchApp
    from increstore.tui.picker import PickerApp
    from increstore.tui.playback.seam import Playback

ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s/:]*):(?P<port>\d{1,5})")
SCENARIO_ENDING = ".toml"
FOLDER = Path("scenarios")
"""What there is to choose from when nothing is named, or else:"""
SHIPPED = Path(increstore.__file__).with_name("scenarios")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for."""

    what: tuple[str, ...] = ()
    seed: int | None = None
    mode: str | None = None
    speed: float | None = None
    is_paused: bool = False
    is_plain: bool = False
    is_ascii: bool = False
    theme: str = "dark"
    wants_control: bool = False

    @property
    def pace(self) -> float:
        """Seconds of the world in one of ours: a person watches, a pipe does not wait."""
        if self.speed is not None:
            return self.speed
        return float("inf") if self.is_plain else 1.0


def watch_it(wishes: Wishes) -> int:
    """Watch what is asked for; returns the exit code. Raises: IncrestoreError."""
    if not wishes.is_plain:
        require_terminal()
    if not wishes.what or len(wishes.what) > 1 or Path(wishes.what[0]).is_dir():
        return _watch_chosen(wishes)
    return _watch(open_source(wishes.what[0], wishes), wishes)


def _watch(playback: Playback, wishes: Wishes) -> int:
    if wishes.is_plain:
        from increstore.cli.watch_plain import tell_plainly

        return tell_plainly(playback)
    return open_dashboard(playback, is_ascii=wishes.is_ascii, theme=wishes.theme)


def _watch_chosen(wishes: Wishes) -> int:
    """One of several scenarios, then perhaps another one, until the person leaves."""
    with imports_go_first():
        from increstore.proving.campaign import find_scenarios

    if wishes.is_plain:
        raise UsageError("--plain tells of one run: name a scenario, a journal or HOST:PORT")
    mine = FOLDER if FOLDER.is_dir() else SHIPPED
    paths = find_scenarios([Path(name) for name in wishes.what] or [mine])
    look = Look.here(is_ascii=wishes.is_ascii, theme=wishes.theme)
    with imports_go_first():
        from increstore.tui.picker import PickerApp

    path = paths[0]
    while True:
        picker = PickerApp(paths, look=look, seed=wishes.seed, first=path)
        picker.run()
        choice = picker.choice
        if choice is None:
            return _code_of(picker)
        path = choice.path
        paused = wishes.is_paused or choice.is_paused
        wished = replace(wishes, seed=choice.seed, is_paused=paused)
        code, goes_back = _show(open_source(str(path), wished), look, can_go_back=True)
        if not goes_back:
            return code


# --- Sources.


def open_source(what: str, wishes: Wishes) -> Playback:
    """The source of this name. Raises: UsageError, ScenarioError, JournalUnreadable."""
    path = Path(what)
    if path.suffix == SCENARIO_ENDING:
        return _scenario(path, wishes)
    if path.exists():
        with imports_go_first():
            from increstore.tui.playback.file import FilePlayback

        return FilePlayback(path, speed=wishes.pace, is_paused=wishes.is_paused)
    address = ADDRESS.fullmatch(what)
    if address is None:
        raise UsageError(
            f"{what}: no such file; expected a scenario (*.toml), a journal, or HOST:PORT"
        )
    port = int(address["port"])
    if not 0 < port < 65_536:
        raise UsageError(f"{what}: expected a port from 1 to 65535, got {port}")
    with imports_go_first():
        from increstore.tui.playback.stream import StreamPlayback

    host = address["host"].strip("[]") or "127.0.0.1"
    return StreamPlayback(host, port, wants_control=wishes.wants_control)


def _scenario(path: Path, wishes: Wishes) -> Playback:
    with imports_go_first():
        from increstore.scenario.load import load_scenario

    scenario = load_scenario(path)
    mode = wishes.mode or scenario.on[0]
    if mode not in scenario.on:
        raise UsageError(f"{path}: runs on {', '.join(scenario.on)}, not on {mode}")
    seed = scenario.seeds.low if wishes.seed is None else wishes.seed
    if mode != "simulation":
        with imports_go_first():
            from increstore.tui.playback.threaded import ThreadPlayback

        return ThreadPlayback.of_scenario(path, mode, seed)
    with imports_go_first():
        from increstore.tui.playback.simulated import SPEED_FIRST, SimPlayback

    speed = wishes.pace if wishes.is_plain or wishes.speed is not None else SPEED_FIRST
    return SimPlayback(scenario, seed, name=str(path), speed=speed, is_paused=wishes.is_paused)


# --- The screen.


def open_dashboard(
    playback: Playback,
    *,
    is_ascii: bool = False,
    theme: str = "dark",
    goes_on: bool = False,
) -> int:
    """Show this source until the person leaves; returns the exit code.

    `goes_on`: whether the same command goes on where an engine was that was not waited for.

    Raises: what the source failed with, once the terminal is back.
    """
    require_terminal()
    look = Look.here(is_ascii=is_ascii, theme=theme)
    code, _ = _show(playback, look, goes_on=goes_on)
    return code


def _show(
    playback: Playback,
    look: Look,
    *,
    can_go_back: bool = False,
    goes_on: bool = False,
) -> tuple[int, bool]:
    """The exit code, and whether the person wants to go back to the list."""
    with imports_go_first():
        from increstore.tui.app import WatchApp

    app = WatchApp(
        playback,
        is_ascii=look.is_ascii,
        theme=look.theme,
        has_colour=look.has_colour,
        can_go_back=can_go_back,
    )
    try:
        app.run()
    finally:
        playback.stop()  # However it ended; what was stopped already stays so.
        if app.is_abandoned:
            _end_at_once(app.return_code, goes_on=goes_on)
    return _code_of(app), app.goes_back


def _end_at_once(code: int | None, *, goes_on: bool) -> NoReturn:
    """End while the engine does: nothing may be closed under it, so nothing is.

    The kernel takes back the lock and the workers' sockets, as after `kill -9`.
    """
    if goes_on:
        tell("left at once; what was durable stays, and the same command goes on")
        end_process(code or ExitCode.PAUSED)
    tell("left at once; the run has ended with it, and what it made is gone")
    end_process(code or ExitCode.DONE)


def _code_of(app: WatchApp | PickerApp) -> int:
    """The exit code of an app that has ended. Raises: what it failed with."""
    code = app.return_code or 0
    if app.failure is None:
        # 1 is Textual's: it has printed what went wrong with the screen.
        return ExitCode.BUG if code == 1 else code
    if code and isinstance(app.failure, IncrestoreError):
        from increstore.cli.program import show_error

        show_error(app.failure)
        return code  # The signal was first.
    raise app.failure


def require_terminal() -> None:
    """Raises: UsageError when there is nothing to show a dashboard on."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return  # It is shown elsewhere: a browser, by way of `textual-serve`.
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if not stream.isatty():
            raise UsageError(
                f"the dashboard needs a terminal, and standard {name} is none; "
                "--plain writes one fact a line, in pipes too"
            )
