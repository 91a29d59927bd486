"""A run with its journal kept, and a kept journal run again.

The first line of a simulated run's journal holds all that the run depends on: the scenario's text,
the seed, the forced crash points. A journal is therefore a complete failure report: it can be
replayed on another machine without the scenario file, and compared event by event.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from increstore.errors import JournalUnreadable, StorageFailed
from increstore.journal import JOURNAL_FORMAT, JOURNAL_OPENED
from increstore.judging.journal_text import journal_lines
from increstore.proving.simulated import verdict_of
from increstore.scenario.load import parse_scenario, text_of
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from increstore.journal import JournalEvent
    from increstore.proving.tasks import Task
    from increstore.proving.verdict import Verdict

CONTEXT_LINES = 5
"""Lines shown before the first that differs."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the first line of a simulated run's journal says."""

    scenario: str
    """The path it was read from: a name, nothing is read from there."""
    text: str
    seed: int
    crash_at: tuple[int, ...]
    tape: Mapping[str, int] | None

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "t": 0,
            "node": "journal",
            "event": JOURNAL_OPENED,
            "format": JOURNAL_FORMAT,
            "mode": "simulation",
            "scenario": self.scenario,
            "seed": self.seed,
            "crash_at": list(self.crash_at),
            "text": self.text,
        }
        return found if self.tape is None else {**found, "tape": dict(self.tape)}


def run_with_journal(task: Task, path: Path) -> Verdict:
    """Make one run and keep its journal; a simulated run gives the same bytes each time.

    Raises: StorageFailed when the file cannot be written.
    """
    if task.mode != "simulation":
        from increstore.proving.real import run_real_task

        return run_real_task(task.scenario, task.seed, task.mode, journal=path)
    text = text_of(Path(task.scenario))
    recorded = Recorded(task.scenario, text, task.seed, task.crash_at, None)
    return write_journal(recorded, path)


def write_journal(recorded: Recorded, path: Path) -> Verdict:
    """Run what is recorded, and write its journal. Raises: StorageFailed when that cannot be."""
    lines: list[str] = []
    verdict = replay(recorded, lines)
    _write(path, lines)
    return verdict


def replay(recorded: Recorded, lines: list[str]) -> Verdict:
    """Run again what was recorded; `lines` get its journal, first line included."""
    setting = prepare_setting(parse_scenario(recorded.text, recorded.scenario))
    lines.append(_line(recorded.as_json()))

    def keep(event: JournalEvent) -> None:
        lines.append(_line(event.in_detail()))

    outcome = simulate(
        setting,
        recorded.seed,
        tape=recorded.tape,
        crash_at=frozenset(recorded.crash_at),
        journal_to=keep,
        details=True,
    )
    return verdict_of(recorded.scenario, setting, outcome, recorded.crash_at)


def read_recorded(path: Path) -> Recorded:
    """The first line of a simulated run's journal.

    Raises: JournalUnreadable when the file is no such journal, or one of another format.
    """
    try:
        found = json.loads(next(read_lines(path)))
    except (ValueError, RecursionError):
        found = None
    recorded = _recorded(found) if isinstance(found, dict) else None
    if isinstance(found, dict) and "format" in found and "text" not in found:
        raise JournalUnreadable(
            f"{path}: the journal of a run on real nodes, which never goes the same way twice; "
            "`increstore check` judges it, `increstore watch` shows it"
        )
    if recorded is None:
        raise JournalUnreadable(
            f"{path}: line 1 is not that of a simulated run's journal (expected "
            f"{JOURNAL_OPENED!r} with scenario, text and seed); only journals that `increstore run "
            "--on simulation --journal FILE` has written can be run again"
        )
    if found.get("format") != JOURNAL_FORMAT:
        raise JournalUnreadable(
            f"{path}: line 1: the journal has format {found.get('format')}; this version reads "
            f"format {JOURNAL_FORMAT}; use the version that wrote it"
        )
    return recorded


def _recorded(found: Mapping[str, Any]) -> Recorded | None:
    """What a first line says; None when it says too little, or what cannot be."""
    names = ("scenario", "text", "seed", "crash_at")
    scenario, text, seed, crash_at = (found.get(name) for name in names)
    tape = found.get("tape")
    if not (isinstance(scenario, str) and isinstance(text, str) and type(seed) is int):
        return None
    if not (isinstance(crash_at, list) and all(type(point) is int for point in crash_at)):
        return None
    if not (tape is None or _is_tape(tape)):
        return None
    return Recorded(scenario, text, seed, tuple(crash_at), tape)


def _is_tape(found: object) -> bool:
    return isinstance(found, dict) and all(type(value) is int for value in found.values())


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a journal, without their ends. Raises: JournalUnreadable."""
    return (line.rstrip("\n") for _, line in journal_lines(path))


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two journals part: the line (1-based), both sides, and what came before."""

    line: int
    before: tuple[str, ...]
    first: str | None
    second: str | None
    is_cut_off: bool = False
    """Whether the first journal only ends early, perhaps within its last line."""


def first_difference(first: Iterable[str], second: Iterable[str]) -> Difference | None:
    """The first line that is not the same; None when both are equal to the end."""
    before: list[str] = []
    one, two = iter(first), iter(second)
    number = 0
    while True:
        number += 1
        left, right = next(one, None), next(two, None)
        if left != right:
            # Half a line is one that goes on in the other journal, and is the last of its own.
            is_half = left is not None and right is not None and right.startswith(left)
            is_cut_off = left is None or (is_half and next(one, None) is None)
            return Difference(number, tuple(before), left, right, is_cut_off)
        if left is None:
            return None
        before.append(left)
        del before[:-CONTEXT_LINES]


def _line(event: Mapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, default=str)


def _write(path: Path, lines: list[str]) -> None:
    try:
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise StorageFailed(
            f"{path}: the journal cannot be written ({error.strerror}); name another file"
        ) from error
