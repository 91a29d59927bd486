"""A journal file as runs of events: read whole, put into the order of time, its torn ends left out.

Rules of this file:
- A run begins with `journal.opened`; the same file may hold many, of one restore or of several.
- Half a line at the end of a run is what `kill -9` leaves, and no error; anywhere else a line that
  is no event is one, because a journal with holes proves nothing.
- Events of worker processes arrive a moment late, stamped by the clock that all of them share. So
  the order of time is that of the stamps, and that of the file where these are equal. If the clock
  was set back during a run, only the order of the file is left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from increstore.errors import JournalUnreadable
from increstore.journal import JOURNAL_FORMAT, JOURNAL_OPENED
from increstore.judging.journal_text import journal_lines, readable, what_it_is
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SET_BACK_NS = 1_000_000
_FACT_WIDTH = 44


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One event: its line (1-based), nanoseconds since 1970, who, what, and its facts."""

    number: int
    at: int
    node: str
    event: str
    facts: dict[str, Any]

    def as_line(self, since: int) -> str:
        """The line people read: seconds since `since`, node, name, facts; long ones shortened."""
        facts = " ".join(f"{name}={_short(value)}" for name, value in self.facts.items())
        line = f"{(self.at - since) / 1e9:9.3f}  {self.node}  {self.event}  {facts}"
        return readable(line.rstrip())


@dataclass(frozen=True, slots=True)
class JournalRun:
    """The events of one run in the order of time. `torn` is the line of which only half is left."""

    number: int
    lines: tuple[JournalLine, ...]
    torn: int | None
    begins_with_nothing: bool
    """Whether it is a simulation: those go on with no other run, however many a file holds."""


def read_runs(path: Path) -> list[JournalRun]:
    """Every run of a journal file.

    Raises: JournalUnreadable when it cannot be read or is no journal, with the line.
    """
    runs: list[list[JournalLine]] = []
    simulated: list[bool] = []
    torn: dict[int, int] = {}
    half: tuple[int, str] | None = None
    for number, text in _full_lines(path):
        line = _parse(path, number, text)
        if half is not None and not (
            isinstance(line, JournalLine) and line.event == JOURNAL_OPENED
        ):
            raise JournalUnreadable(half[1])
        if isinstance(line, str):
            half = (number, line)
            torn[len(runs)] = number
            continue
        half = None
        if line.event == JOURNAL_OPENED:
            _require_format(path, line)
            runs.append([])
            simulated.append(line.facts.get("mode") == "simulation")
        elif not runs:
            break
        else:
            runs[-1].append(line)
    if not runs:
        no_journal = (
            f"{path}: line 1 is no {JOURNAL_OPENED!r}; expected the journal of a run, as "
            "`--journal FILE` writes it (the lines of `--json` are not enough to judge by)"
        )
        raise JournalUnreadable(no_journal if half is None else half[1])
    return [
        JournalRun(number + 1, _by_time(lines), torn.get(number + 1), simulated[number])
        for number, lines in enumerate(runs)
    ]


def _full_lines(path: Path) -> Iterator[tuple[int, str]]:
    return ((number, text) for number, text in journal_lines(path) if text.strip())


def _parse(path: Path, number: int, text: str) -> JournalLine | str:
    """The event of a line, or the sentence that says why it is none."""
    try:
        found = json.loads(text)
        at, node, event = found.pop("t"), found.pop("node"), found.pop("event")
        if isinstance(at, int | float) and isinstance(node, str) and isinstance(event, str):
            return JournalLine(number, round(at * 1e9), node, event, found)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError, OverflowError):
        pass
    return (
        f"{path}: line {number} is no event of a journal (expected an object with t, node and "
        f"event), but {what_it_is(text)}; name a file as `--journal FILE` has written it"
    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _FACT_WIDTH else text[:_FACT_WIDTH] + ".."


def _require_format(path: Path, opened: JournalLine) -> None:
    number = opened.facts.get("format")
    if number != JOURNAL_FORMAT:
        raise JournalUnreadable(
            f"{path}: line {opened.number}: the journal has format {number}; this version reads "
            f"format {JOURNAL_FORMAT}; use the version that wrote it"
        )


def _by_time(lines: list[JournalLine]) -> tuple[JournalLine, ...]:
    last = 0
    for line in lines:
        if line.node == COORDINATOR:
            if line.at < last - _SET_BACK_NS:
                return tuple(lines)
            last = max(last, line.at)
    return tuple(sorted(lines, key=lambda line: (line.at, line.number)))
