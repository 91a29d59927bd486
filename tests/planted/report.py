"""What the hunts have shown, for people and for CI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from increstore.judging.catalogue import INVARIANTS
from tests.planted.bug import Seeds, Tests
from tests.planted.table import BUGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.planted.bug import Bug, Hunt
    from tests.planted.workshop import Done

PAGE_TITLE = "# Planted bugs"
SAYS_MAX = 220


@dataclass(slots=True)
class Tally:
    """The count of all hunts."""

    planted: int = 0
    caught: int = 0
    runs: int = 0
    fired: dict[str, int] = field(default_factory=dict)
    """How often each law (or other judge) was the first to turn red."""

    def count(self, bug: Bug, done: Done) -> str:
        """Take in one result, and return its line."""
        self.planted += 1
        catch = done.trial.catch if done.trial else None
        if done.trial is None or catch is None:
            why = done.error or f"all {done.trial.runs if done.trial else 0} runs were green"
            return f"MISSED  {bug.name}: {why}\n        hunted by {bug.hunt}"
        self.runs += done.trial.runs
        if not bug.is_caught_by(catch.what):
            return (
                f"MISSED  {bug.name}: expected {' or '.join(bug.caught_by)} to turn red, got "
                f"{catch.what} ({catch.where}): {catch.says[:SAYS_MAX]}"
            )
        self.caught += 1
        judge = "tests" if isinstance(bug.hunt, Tests) else catch.what.partition(" ")[0]
        self.fired[judge] = self.fired.get(judge, 0) + 1
        return (
            f"caught  {bug.group:<17} {bug.name:<62} {catch.what:<36} "
            f"{catch.where:<14} {done.trial.seconds:5.2f} s"
        )


def hunts_of(bugs: Iterable[Bug]) -> list[Hunt]:
    """Every hunt once; of several over the seeds of one scenario the longest."""
    longest: dict[str, Hunt] = {}
    for bug in bugs:
        name = str(bug.hunt).partition(", seeds")[0]
        before = longest.get(name)
        if not isinstance(before, Seeds) or before.runs < getattr(bug.hunt, "runs", 0):
            longest[name] = bug.hunt
    return list(longest.values())


def laws_without_a_bug(bugs: Sequence[Bug] = BUGS) -> list[str]:
    """Titles of the invariants that no planted bug must turn red."""
    known = {law for bug in bugs for law in bug.caught_by}
    return [law.title for law in INVARIANTS if law.id not in known]


def page() -> str:
    """docs/PLANTED.md."""
    lines = [
        PAGE_TITLE,
        "",
        "A judge that never turns red may be right, or asleep. So bugs are planted: each one is a",
        "mistake that somebody could make, put into the code of a running process, and a judge",
        "that is named beforehand must find it within the runs it is given.",
        "",
        "    python -m tests.planted                     # all of them; exit 1 when one is missed",
        "    python -m tests.planted --only generation   # those with this word in their name",
        "",
        "A bug is data (`tests/planted/bugs/`): a text of a function, and what to put in its",
        "place. The text must be there exactly once, so a refactoring that moves it fails the",
        "table instead of planting nothing. What must turn red first is an invariant of",
        '[INVARIANTS.md](INVARIANTS.md) by its id; a guard of the product itself ("raised .. in',
        '.."); the outcome that the scenario expects; or a test. Where it says *alone*, all other',
        "invariants are asleep, so that a law behind another one is tried as well. Without a bug",
        "every one of these hunts must be green.",
        "",
    ]
    for group in dict.fromkeys(bug.group for bug in BUGS):
        lines += [f"## {group.capitalize()}", ""]
        lines += ["| bug | what is wrong | hunted by | caught by |", "|---|---|---|---|"]
        lines += [_row(bug) for bug in BUGS if bug.group == group]
        lines.append("")
    return "\n".join(lines)


def _row(bug: Bug) -> str:
    judges = " or ".join(bug.caught_by) + (" alone" if bug.alone else "")
    return f"| {bug.name} | {bug.says} | {bug.hunt} | {judges} |"
