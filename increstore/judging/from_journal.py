"""A journal before the judge: what a run has written down, judged as if it happened now.

Rules of this file:
- A run names its plan (`restore.planned`): who takes part, and what holds for it. Without that only
  the coordinator's own history can be judged, and only if the journal has it from the beginning.
- A worker process that is killed takes the last of its events with it. So after the last event of
  each life of a shard the judge is told that it has lost sight of it, until it comes up again. In a
  single process every event is written before anything that follows from it.
- What this version does not know is counted and left out; what it knows and cannot read is an
  error with its line.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from increstore.errors import JournalUnreadable
from increstore.judging import journal_words as words
from increstore.judging.journal_lines import read_runs
from increstore.judging.journal_player import Player
from increstore.judging.judge import Judge
from increstore.judging.planless import HISTORY_LAWS, infer_topology
from increstore.judging.violation import InvariantViolated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from increstore.judging.config import Oracle
    from increstore.judging.journal_lines import JournalLine, JournalRun
    from increstore.protocol.topology import Topology

    OracleOf = Callable[[Topology, str | None], Oracle]

SLACK_NS = 5_000_000_000
"""In a real run a decision is written down when its records are on the disk, which may take."""
LED_THERE_MAX = 12


@dataclass(slots=True)
class JournalVerdict:
    """What a journal proves."""

    runs: int = 0
    events: int = 0
    torn: list[int] = field(default_factory=list)
    """Lines of which a killed run has left only half."""
    unknown: dict[str, int] = field(default_factory=dict)
    """Events that this version does not know, by name."""
    restores: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """How each run ended: "completed", "paused", .. or "cut off" without a word."""
    counts: dict[str, int] = field(default_factory=dict)
    """How often each invariant was judged, by id."""
    notes: list[str] = field(default_factory=list)
    """What could not be judged, and why."""
    violation: InvariantViolated | None = None
    line: int = 0
    """Where the violation was seen."""
    led_there: list[JournalLine] = field(default_factory=list)
    waits: str = ""
    """What the barrier had last said when the violation was seen."""


def check_journal(path: Path, oracle_of: OracleOf | None = None) -> JournalVerdict:
    """Judge every run of a journal file, up to the first violation.

    `oracle_of` gives what the chain says of a restore, by the name of its last backup where the
    journal tells it; without `oracle_of` that is not judged.

    Raises: JournalUnreadable.
    """
    reader = _Reader(path, oracle_of)
    for run in read_runs(path):
        if not reader.judge(run):
            break
    return reader.verdict


class _Reader:
    """The judges of the restores in one file, and what was seen so far."""

    def __init__(self, path: Path, oracle_of: OracleOf | None) -> None:
        self.verdict = JournalVerdict()
        self._path = path
        self._oracle_of = oracle_of
        self._judges: dict[str, Judge] = {}
        self._is_whole = True
        """Whether every run so far has ended in order: without a plan nothing else is sure."""

    def judge(self, run: JournalRun) -> bool:
        """Judge one run; False after a violation."""
        verdict = self.verdict
        verdict.runs += 1
        verdict.events += len(run.lines)
        if run.torn is not None:
            verdict.torn.append(run.torn)
        verdict.ends.append(_end_of(run))
        judge = self._judge_of(run)
        is_sound = judge is None or self._play(run, judge)
        self._is_whole = self._is_whole and verdict.ends[-1] != "cut off"
        return is_sound

    def _judge_of(self, run: JournalRun) -> Judge | None:
        """The judge of the restore that the run goes on with."""
        plan = next((line for line in run.lines if line.event == "restore.planned"), None)
        if any(line.event == "events.lost" for line in run.lines):
            self._note(run, "has lost events of its workers; it was not judged")
            return None
        if plan is None:
            return self._judge_without_plan(run)
        try:
            topology = words.topology_of(plan.facts)
            config = words.config_of(plan.facts, SLACK_NS)
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise self._unreadable(plan, error) from error
        judge = None if run.begins_with_nothing else self._judges.get(topology.restore)
        if judge is None:
            if self._oracle_of is not None:
                last_backup = words.last_backup_of(plan.facts)
                config = replace(config, oracle=self._oracle_of(topology, last_backup))
            judge = self._judges[topology.restore] = Judge(topology, config, counting=True)
            self.verdict.restores.append(topology.restore)
        return judge

    def _judge_without_plan(self, run: JournalRun) -> Judge | None:
        """Only what the history itself must keep to."""
        accepted = next((line for line in run.lines if line.event == "restore.accepted"), None)
        if accepted is None or not self._is_whole:
            self._note(run, "has no plan and goes on with a history told elsewhere; not judged")
            return None
        self._note(run, "has no details (an older version wrote it); only its history was judged")
        restore = str(accepted.facts.get("restore", ""))
        judge = Judge(infer_topology(restore, run.lines), only=HISTORY_LAWS, counting=True)
        self._judges[restore] = judge
        self.verdict.restores.append(restore)
        return judge

    def _note(self, run: JournalRun, says: str) -> None:
        self.verdict.notes.append(f"run {run.number} {says}")

    # --- Playing.

    def _play(self, run: JournalRun, judge: Judge) -> bool:
        player = Player(judge, self.verdict.unknown)
        sight_lost_after = _last_events_of_lives(run, judge) if _has_workers(run) else {}
        for place, line in enumerate(run.lines):
            try:
                player.tell(line)
                for node in sight_lost_after.get(place, ()):
                    judge.lost_sight(line.at, node)
            except InvariantViolated as violation:
                self.verdict.violation = violation
                self.verdict.line = line.number
                self.verdict.led_there = _led_there(run, place, violation)
                self.verdict.waits = _last_wait(run, place)
                break
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise self._unreadable(line, error) from error
        for identity, count in judge.counts.items():
            self.verdict.counts[identity] = self.verdict.counts.get(identity, 0) + count
            judge.counts[identity] = 0
        return self.verdict.violation is None

    def _unreadable(self, line: JournalLine, error: Exception) -> JournalUnreadable:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be read ({error})"
        return JournalUnreadable(
            f"{self._path}: line {line.number}: {line.event} of {line.node} {what}; the journal "
            "was altered, or a version wrote it whose journals this one cannot judge"
        )


def _has_workers(run: JournalRun) -> bool:
    """Whether shards had processes of their own, whose last words may be missing."""
    modes = [line.facts.get("mode") for line in run.lines if line.event == "restore.planned"]
    return not all(mode in ("memory", "simulation") for mode in modes)


def _last_events_of_lives(run: JournalRun, judge: Judge) -> dict[int, list[str]]:
    """By place in the run, the shards of which the last event of a life stands there."""
    last: dict[str, int] = {}
    lost: dict[int, list[str]] = {}
    for place, line in enumerate(run.lines):
        is_target = line.node in judge.truth.targets
        if not is_target and line.node not in judge.truth.sources:
            continue
        begins = "shard.recovered" if is_target else "life.began"
        if line.event == begins and line.node in last:
            lost.setdefault(last[line.node], []).append(line.node)
        last[line.node] = place
    for node, place in last.items():
        lost.setdefault(place, []).append(node)
    return lost


_ENDS = {
    **{f"restore.{end}": end for end in ("completed", "paused", "failed", "cancelled", "refused")},
    "restore.interrupted": "interrupted",
}


def _end_of(run: JournalRun) -> str:
    """How the run ended; the last word of a coordinator may be what its next life has found."""
    told = [event for line in run.lines for event in _told_in(line) if event in _ENDS]
    if told:
        return _ENDS[told[-1]]
    return "cut off" if run.lines else "without events"


def _told_in(line: JournalLine) -> list[str]:
    if line.event != "history.recovered":
        return [line.event]
    records = line.facts.get("records")
    return [str(told.get("event")) for told in records[-1:]] if isinstance(records, list) else []


def _led_there(run: JournalRun, place: int, violation: InvariantViolated) -> list[JournalLine]:
    """The last events that concern the node or the scan of the violation, itself included."""
    at = run.lines[place]
    found = []
    for line in reversed(run.lines[: place + 1]):
        if line is at or _concerns(line, at, violation.node):
            found.append(line)
            if len(found) == LED_THERE_MAX:
                break
    return found[::-1]


def _last_wait(run: JournalRun, place: int) -> str:
    told = (line for line in reversed(run.lines[: place + 1]) if line.event == "barrier.waits")
    return next((str(line.facts.get("says", "")) for line in told), "")


def _concerns(line: JournalLine, at: JournalLine, node: str) -> bool:
    if line.event in ("barrier.waits", "scan.progress"):
        return False
    told: dict[str, Any] = {**line.facts, "node": line.node}
    if node in (told.get(key) for key in ("node", "to", "from", "source", "target")):
        source = at.facts.get("source")
        return source is None or told.get("source", source) == source
    return False
