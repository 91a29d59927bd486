"""The command as a process that a test can watch, interrupt and kill."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .builders import increstore

ENDS_S = 30.0


class Command:
    """A `restore --json` under way; reads its events one by one."""

    def __init__(self, *words: str | Path, **environment: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            increstore(*words, "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def until(self, name: str, **facts: Any) -> dict[str, Any]:
        """Read up to the first event of this name and facts. Fails when the command ends first."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = self._took(line)
            if event["event"] == name and all(event.get(k) == v for k, v in facts.items()):
                return event
        raise AssertionError(f"ended before {name} {facts}: {self.process.communicate()[1]}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self) -> tuple[int, str]:
        """Read to the end; the exit code and what was said on stderr."""
        assert self.process.stdout is not None
        out, err = self.process.communicate(timeout=ENDS_S)
        for line in out.splitlines(keepends=True):
            if line.endswith("\n"):  # kill -9 may tear the last one.
                self._took(line)
        return self.process.returncode, err

    def numbers(self, name: str) -> list[int]:
        return [event["incremental"] for event in self.events if event["event"] == name]

    @property
    def summary(self) -> dict[str, Any]:
        assert self.events[-1]["event"] == "summary"
        return self.events[-1]

    def _took(self, line: str) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(line)
        self.events.append(event)
        return event


def processes_with(token: str) -> list[int]:
    """The processes of this machine that were given `token` in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if token.encode() in environment:
                found.append(int(folder.name))
    return found


def has_begun(pid: int) -> bool:
    """Whether it runs a program of its own; until then it is its parent's, who waits for that."""
    try:
        mine, its = (Path(f"/proc/{p}/cmdline").read_bytes() for p in (pid, parent_of(pid)))
    except OSError:
        return False
    return mine != its


def parent_of(pid: int) -> int:
    """The process that started `pid`; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])


def comes_true(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` holds at some moment of the next `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        select.select([], [], [], 0.02)
    return True


class Terminal:
    """The command on a terminal of 80 columns; `on_output` may press keys or send signals."""

    def __init__(self, *words: str | Path) -> None:
        import fcntl
        import pty
        import termios

        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.environ.update(TERM="xterm-256color")
            for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
                os.environ.pop(name, None)
            os.execv(sys.executable, increstore(*words))
        self.shown = b""

    def follow(self, on_output: Callable[[Terminal], None] | None = None) -> int:
        """Read until it ends; its exit code, negative for a signal."""
        while True:
            readable, _, _ = select.select([self.fd], [], [], ENDS_S)
            assert readable, f"silent for {ENDS_S} s: {self.shown[-500:]!r}"
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:  # EIO: the last process on it has gone.
                chunk = b""
            if not chunk:
                break
            self.shown += chunk
            if on_output is not None:
                on_output(self)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def press(self, key: bytes) -> None:
        os.write(self.fd, key)

    @property
    def cursor_is_visible(self) -> bool:
        return self.shown.rfind(b"\x1b[?25h") >= self.shown.rfind(b"\x1b[?25l")
