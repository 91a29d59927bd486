"""A dashboard over an engine that offers events at a rate, in a terminal: the measured process.

It writes what it has measured as JSON into the file that it is given, when it is left.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
from pathlib import Path

from cluster_events import events

from increstore.tui.app import WatchApp
from increstore.tui.playback import seam
from increstore.tui.playback.threaded import ThreadPlayback

PERIOD_S = 0.002
PLANNED_EVENTS = 3
"""Of the beginning, which are put out at once."""


class LoadEngine:
    """Puts out so many events a second until it is stopped."""

    title = "a load"
    can = frozenset()

    def __init__(self, shards: int, rate: float) -> None:
        self._events = events(shards, time.time_ns())
        self._rate = rate
        self._is_stopped = False
        self.offered = 0
        self.seconds = 0.0
        self.cpu_s = 0.0
        self.latest_s = 0.0
        """How late the latest event was, once the first second is over."""

    def run(self, put):
        for event in itertools.islice(self._events, PLANNED_EVENTS):
            put(event)
        began, cpu = time.perf_counter(), time.thread_time()
        while not self._is_stopped:
            self.seconds = time.perf_counter() - began
            due = int(self._rate * self.seconds) - self.offered
            for event in itertools.islice(self._events, due):
                put(event)
            self.offered += due
            if self.seconds > 1.0:
                self.latest_s = max(self.latest_s, due / self._rate)
            self.cpu_s = time.thread_time() - cpu
            time.sleep(PERIOD_S)
        return "stopped"

    def stop(self):
        self._is_stopped = True

    def command(self, command, history):
        return seam.cannot(command, "this is a load")


class Counted(ThreadPlayback):
    """Counts the ticks from the first one to the latest one."""

    ticks = 0
    first_tick = latest_tick = 0.0

    def drain(self, *limits):
        self.latest_tick = time.perf_counter()
        self.first_tick = self.first_tick or self.latest_tick
        self.ticks += 1
        return super().drain(*limits)

    @property
    def rate(self):
        return (self.ticks - 1) / (self.latest_tick - self.first_tick)


def main(shards: int, rate: float, path: str) -> None:
    engine = LoadEngine(shards, rate)
    playback = Counted(engine)
    before, began = _cpu_s(), time.perf_counter()
    WatchApp(playback).run()
    wall = time.perf_counter() - began
    figures = {
        "offered": engine.offered / engine.seconds,
        "latest_ms": engine.latest_s * 1e3,
        "cpu": (_cpu_s() - before - engine.cpu_s) / wall,
        "ticks": playback.rate,
        "left_out": playback.status.dropped,
        "shown": len(playback.history()),
    }
    Path(path).write_text(json.dumps(figures), encoding="utf-8")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
