"""A program in a terminal of its own: what it writes, keys for it, and how it leaves."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0
BECOME = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal the session's own, so that its end is heard as in real life."""

TAKEN = (b"\x1b[?1049h", b"\x1b[?1000h", b"\x1b[?25l")
"""Another screen, the mouse, no cursor."""
GIVEN_BACK = (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?25h")


class Terminal:
    """Runs `python -m <words>` in a terminal of this size."""

    def __init__(self, *words: str, columns: int = 80, rows: int = 24, **environment: str) -> None:
        self.fd, inner = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes_before = termios.tcgetattr(self.fd)
        self.output = b""
        command = [sys.executable, "-c", BECOME, sys.executable, "-m", *words]
        settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"}
        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=ROOT,
            env={**os.environ, **settings, **environment},
            start_new_session=True,
        )
        os.close(inner)

    def wait_for(self, *texts: str | bytes) -> None:
        """Read until all of these have been written since the last `forget`."""
        wanted = [text.encode() if isinstance(text, str) else text for text in texts]
        deadline = time.monotonic() + WAIT_S
        while not all(text in self.output for text in wanted):
            assert self._read(deadline), f"never seen: {wanted}\n{self.output[-2000:]!r}"

    def forget(self) -> None:
        """What was written so far does not count."""
        self.output = b""

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def hang_up(self) -> None:
        """The window is closed."""
        os.close(self.fd)
        self.fd = -1

    def ends(self) -> int:
        """Read to the end; the exit code, negative for a signal that killed it."""
        deadline = time.monotonic() + WAIT_S
        while self.fd >= 0 and self._read(deadline):
            pass
        return self.process.wait(WAIT_S)

    def is_given_back(self) -> bool:
        """Whether everything that was taken was given back after it was taken."""
        return all(
            0 <= self.output.rfind(taken) < self.output.rfind(back)
            for taken, back in zip(TAKEN, GIVEN_BACK, strict=True)
        )

    def modes_are_back(self) -> bool:
        """Whether keys are echoed and lines are edited as before."""
        return termios.tcgetattr(self.fd)[3] == self.modes_before[3]

    @property
    def after(self) -> str:
        """What was written once the screen was given back."""
        return self.output.rpartition(GIVEN_BACK[0])[2].decode(errors="replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.fd >= 0:
            os.close(self.fd)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, deadline: float) -> bool:
        """Some more; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            more = os.read(self.fd, 65_536)
        except OSError:  # The other side has closed it.
            return False
        self.output += more
        return bool(more)
