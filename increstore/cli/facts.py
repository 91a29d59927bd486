"""The events of a restore that people read, one line each; a cause of many shards only once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from increstore.chain.plan import RestorePlan
    from increstore.journal import JournalEvent
    from increstore.runtime.progress import RestoreProgress

SHARDS_NAMED_MAX = 3
_FAILED = "storage failed"
_FREE = re.compile(r" \([^()]* free\)")


class FactLines:
    """Lines for people, made of the events of one run."""

    def __init__(self, plan: RestorePlan, progress: RestoreProgress) -> None:
        self._plan = plan
        self._progress = progress
        self._faults = StorageFaults()

    def lines_of(self, event: JournalEvent) -> list[str]:
        """What is to be told now; nothing of samples and of what people need not read."""
        if self._faults.covers(event):
            return self._faults.lines_of(event)
        line = fact_line(event, self._plan, self._progress)
        if line is None:
            return []
        lines = [*self._faults.left(), self.shortened(line)]
        if event.name == "incremental.completed":
            self._faults = StorageFaults()  # It is over; if it comes again, that is news.
        return lines

    def shortened(self, line: str) -> str:
        """The line without what was told already of storage that fails."""
        return self._faults.shortened(line)

    def left(self) -> list[str]:
        """What has been counted and is not told yet."""
        return self._faults.left()


class StorageFaults:
    """Storage that fails in many shards, as on a full disk: the cause once, then their number."""

    def __init__(self) -> None:
        self._shards: dict[str, dict[str, None]] = {}
        """By cause, those that have told it, in order."""
        self._untold: dict[str, None] = {}

    def covers(self, event: JournalEvent) -> bool:
        match event.name:
            case "storage.failed":
                return True
            case "refused":
                return bool(event.facts["reason"] == _FAILED)
            case "shard.restarting":
                return any(event.node in shards for shards in self._shards.values())
            case _:
                return False

    def lines_of(self, event: JournalEvent) -> list[str]:
        if event.name == "shard.restarting":
            return []  # A shard whose storage fails always does.
        refused = event.name == "refused"
        shard = event.facts["by"] if refused else event.node
        error = event.facts["detail" if refused else "error"]
        shards = self._shards.setdefault(_cause_of(error), {})
        is_first = not shards
        if shard not in shards:
            shards[shard] = None
            if not is_first:
                self._untold[shard] = None
        return [f"{shard}: {error}"] if is_first else []

    def shortened(self, line: str) -> str:
        """The line, in which a cause that was told is no more than "storage failed"."""
        short = _FREE.sub("", line)
        for cause in self._shards:
            start = short.find(f"{_FAILED}: ")
            end = short.find(cause, start)
            if 0 <= start < end:
                return short[:start] + _FAILED + short[end + len(cause) :]
        return line

    def left(self) -> list[str]:
        """How many shards have met a cause after it was told."""
        shards, self._untold = list(self._untold), {}
        if not shards:
            return []
        named = ", ".join(shards[:SHARDS_NAMED_MAX])
        more = len(shards) - SHARDS_NAMED_MAX
        others = f" and {more} more" if more > 0 else ""
        count = "another shard" if len(shards) == 1 else f"{len(shards)} other shards"
        return [f"the same in {count}: {named}{others}"]


def _cause_of(error: str) -> str:
    """The sentence without the file, and without the free space, which changes all the time."""
    _, _, cause = error.partition(": ")
    return _FREE.sub("", cause or error)


def fact_line(event: JournalEvent, plan: RestorePlan, progress: RestoreProgress) -> str | None:
    """The line that tells of one event; None for samples and what people need not read."""
    facts = event.facts
    match event.name:
        case "incremental.completed":
            return _completed_line(facts["incremental"], plan, progress)
        case "restore.finalizing":
            return "every backup is applied; merging the final rows"
        case "restore.interrupted":
            return f"interrupted by {facts['signal']}"
        case _:
            return _trouble_line(event)


def _trouble_line(event: JournalEvent) -> str | None:
    facts = event.facts
    match event.name:
        case "scan.retry_scheduled":
            return (
                f"{facts['source']} tries incremental {facts['incremental']} again "
                f"(attempt {facts['attempt']})"
            )
        case "scan.reported" if facts["status"] != "success":
            return (
                f"{facts['source']} failed incremental {facts['incremental']} "
                f"({facts['status']}): {facts.get('error', '')}"
            )
        case "refused":
            return (
                f"{event.node} was refused by {facts['by']}: {facts['reason']}: {facts['detail']}"
            )
        case "storage.failed":
            return f"{event.node}: {facts['error']}"
        case "shard.restarting":
            return f"{event.node} starts again from what is durable"
        case "worker.died":
            return f"worker {event.node} died; it is made again"
        case _:
            return None


def _completed_line(number: int, plan: RestorePlan, progress: RestoreProgress) -> str:
    last = str(len(plan.backups) - 1)
    rate = progress.rate()
    speed = f"  {rate:>9,.0f}/s" if rate else ""
    rows = progress.rows_of_incremental(number)
    width = max(map(len, plan.backups))
    name = f"{plan.backups[number]:<{width}}"
    return f"{number:>{len(last)}}/{last}  {name}  {rows:>11,} rows{speed}"
