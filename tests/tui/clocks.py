"""A clock that goes on only by hand, and a little for each look at it."""

from __future__ import annotations


class HandClock:
    """Nanoseconds; each look costs `work_ns`, as work between two looks would."""

    def __init__(self, work_ns=0):
        self.now = 0
        self.work_ns = work_ns

    def __call__(self):
        self.now += self.work_ns
        return self.now

    def pass_by(self, duration_ns):
        self.now += duration_ns
