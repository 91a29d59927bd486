"""How the dashboard keeps up: rates, key presses, a thousand shards, seeks in a long replay.

    python benchmarks/tui.py [--seconds 10] [--only seek]

Each figure but the seeks is taken in a terminal of 120 columns and 40 lines, by a process of its
own (`tui_load.py`): an engine in its thread, the dashboard in the other. Ends with a line for each
promise, PASS or FAIL, and exit code 1 when one does not hold. Figures of a machine that does other
work as well are worse; the load is told.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import random
import select
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from cluster_events import TABLE, events
from report import Bar

from increstore.view.history import History

HERE = Path(__file__).parent
COLUMNS, LINES = 120, 40
FIRST_PAINT_S, KEY_S, LEAVE_S = 20.0, 5.0, 20.0
KEYS = 40
RIGHT, LEFT = b"\x1b[C", b"\x1b[D"
SEEKS = 200
EVENTS = 1_000_000


class Terminal:
    """The measured process in a pseudo-terminal."""

    def __init__(self, pid: int, fd: int) -> None:
        self._pid, self._fd = pid, fd
        self.written = 0

    def wait_for(self, text: bytes, seconds: float) -> float:
        """Read until this is written; when that was. Raises: TimeoutError."""
        deadline, seen = time.perf_counter() + seconds, b""
        while (left := deadline - time.perf_counter()) > 0:
            seen = seen[-200:] + self._read(left)
            if text in seen:
                return time.perf_counter()
        raise TimeoutError(f"never painted: {text!r}")

    def look_on(self, seconds: float) -> None:
        """Read whatever is painted for so long."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self._read(left)

    def press(self, key: bytes) -> float:
        os.write(self._fd, key)
        return time.perf_counter()

    def leave(self) -> None:
        self.press(b"q")
        deadline = time.perf_counter() + LEAVE_S
        while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            if time.perf_counter() > deadline:
                raise TimeoutError("the dashboard does not end")
            self._read(0.1)
        os.close(self._fd)

    def _read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return b""
        try:
            found = os.read(self._fd, 1 << 16)
        except OSError:  # The other side is closed.
            return b""
        self.written += len(found)
        return found


Figures = dict[str, float]


@contextmanager
def dashboard(shards: int, rate: float) -> Iterator[tuple[Terminal, Callable[[], Figures]]]:
    """A dashboard under load, and, once it was left, its figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"}
            script = str(HERE / "tui_load.py")
            os.execv(sys.executable, [sys.executable, script, str(shards), str(rate), str(path)])
        terminal = Terminal(pid, fd)
        terminal.wait_for(b"sources", FIRST_PAINT_S)
        yield terminal, lambda: json.loads(path.read_text(encoding="utf-8"))


def measure_rate(seconds: float) -> list[Bar]:
    """50,000 events a second: does the engine get them out in time?"""
    offered = 50_000
    with dashboard(100, offered) as (terminal, figures):
        terminal.look_on(seconds)
        terminal.leave()
        found = figures()
    print(f"50,000 events/s, 100 shards: {_told(found)}")
    print(f"    latest event {found['latest_ms']:.0f} ms late, {found['left_out']:.0f} left out")
    return [Bar("engine's rate of 50,000 events/s, in %", found["offered"] / offered * 100, 98)]


def measure_keys(seconds: float) -> list[Bar]:
    """10,000 events a second: how long from a key to what it changes on the screen?

    The same with hardly any events tells how much of that the machine's other work takes.
    """
    idle, _ = _press_keys(10, seconds / 2)
    took, found = _press_keys(10_000, seconds)
    p50 = statistics.median(took)
    print(f"10 events/s, 100 shards, {KEYS} keys: {_spread(idle)}")
    print(f"10,000 events/s, 100 shards, {KEYS} keys: {_spread(took)}; {_told(found)}")
    return [Bar("key to paint at 10,000 events/s, p50 in ms", p50, 25, True)]


def _press_keys(rate: float, seconds: float) -> tuple[list[float], Figures]:
    """Milliseconds from each key to the name of the shard that it selects."""
    took: list[float] = []
    with dashboard(100, rate) as (terminal, figures):
        terminal.look_on(2.0)
        terminal.press(RIGHT)
        terminal.wait_for(f"{TABLE}/s0: ".encode(), KEY_S)
        draw = random.Random(1)
        for number in range(KEYS):
            terminal.look_on(seconds / KEYS * draw.uniform(0.5, 1.5))
            there = number % 2 == 0
            pressed = terminal.press(RIGHT if there else LEFT)
            name = f"{TABLE}/s{1 if there else 0}: ".encode()
            took.append((terminal.wait_for(name, KEY_S) - pressed) * 1e3)
        terminal.leave()
        return sorted(took), figures()


def _spread(took: list[float]) -> str:
    middle = statistics.median(took)
    return f"p50 {middle:.1f}, p90 {took[len(took) * 9 // 10]:.1f}, longest {took[-1]:.1f} ms"


def measure_thousand(seconds: float) -> list[Bar]:
    """A thousand shards, of which fifty change in each frame."""
    with dashboard(1_000, 1_000) as (terminal, figures):
        terminal.look_on(seconds)
        terminal.leave()
        found = figures()
    print(f"1,000 events/s, 1,000 shards: {_told(found)}")
    return [
        Bar("1,000 shards: CPU of the dashboard, in % of a core", found["cpu"] * 100, 40, True),
        Bar("1,000 shards: frames a second", found["ticks"], 20),
    ]


def measure_seeks(_: float) -> list[Bar]:
    """A million events: how long until any moment of them is there?"""
    bars = []
    for shards in (100, 1_000):
        history = History()
        before, began = _resident_mb(), time.perf_counter()
        for event in islice(events(shards), EVENTS):
            history.append(event)
        filled = time.perf_counter() - began
        took = _seek(history)
        p50, p95 = statistics.median(took), took[SEEKS * 95 // 100]
        told = f"p50 {p50:.1f}, p95 {p95:.1f}, longest {took[-1]:.1f} ms"
        memory = _resident_mb() - before
        rate = len(history) / filled
        print(f"1,000,000 events, {shards} shards: {told}; {memory:.0f} MB; {rate:,.0f} taken in/s")
        bars.append(Bar(f"seek in 1,000,000 events, {shards} shards, p50 in ms", p50, 100, True))
    return bars


def _seek(history: History) -> list[float]:
    """Milliseconds of seeks to moments drawn at random, the quickest first."""
    draw, took = random.Random(1), []
    for _ in range(SEEKS):
        count = draw.randrange(len(history))
        began = time.perf_counter()
        assert history.view_at(count).events == count
        took.append((time.perf_counter() - began) * 1e3)
    return sorted(took)


def _told(found: Figures) -> str:
    return (
        f"{found['offered']:,.0f} events/s out, {found['ticks']:.1f} frames/s, "
        f"{found['cpu'] * 100:.0f} % of a core for the dashboard"
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


MEASURES = {
    "rate": measure_rate,
    "keys": measure_keys,
    "thousand": measure_thousand,
    "seek": measure_seeks,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each figure")
    parser.add_argument("--only", choices=[*MEASURES], help="this figure alone")
    options = parser.parse_args()
    print(f"load when it began: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    bars: list[Bar] = []
    for name, measure in MEASURES.items():
        if options.only in (None, name):
            bars += measure(options.seconds)
    print(f"load when it ended: {os.getloadavg()[0]:.1f}\n")
    for bar in bars:
        print(bar)
    return 0 if all(bar.holds for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
