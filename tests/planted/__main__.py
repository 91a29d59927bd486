"""Plant every bug, and tell which were caught: `python -m tests.planted`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from tests.planted.report import Tally, hunts_of, laws_without_a_bug, page
from tests.planted.table import BUGS
from tests.planted.workshop import do_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.planted.bug import Bug


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORD", help="bugs with it in the name")
    parser.add_argument("--list", action="store_true", help="name the bugs and plant nothing")
    parser.add_argument("--page", action="store_true", help="print docs/PLANTED.md")
    parser.add_argument("--jobs", type=int, default=2, help="hunts at a time (default: 2)")
    asked = parser.parse_args()
    if asked.page:
        sys.stdout.write(page())
        return 0
    bugs = [bug for bug in BUGS if not asked.only or any(word in bug.name for word in asked.only)]
    if asked.list or not bugs:
        for bug in bugs:
            print(f"{bug.group:<17} {bug.name}")
        return 0 if bugs else 2
    return 0 if _are_all_caught(bugs, asked.jobs) & _is_sane(bugs, asked.jobs) else 1


def _are_all_caught(bugs: Sequence[Bug], jobs: int) -> bool:
    began = time.monotonic()
    tally = Tally()
    by_name = {bug.name: bug for bug in bugs}
    for done in do_all(list(by_name), jobs):
        print(tally.count(by_name[str(done.task)], done), flush=True)
    print(
        f"caught {tally.caught} / planted {tally.planted}, in {tally.runs:,} runs "
        f"({time.monotonic() - began:.1f} s)"
    )
    print("first to turn red: " + ", ".join(f"{law} {n}" for law, n in sorted(tally.fired.items())))
    missing = laws_without_a_bug()
    print("invariants without a bug of their own: " + (", ".join(missing) or "none"))
    return tally.caught == tally.planted


def _is_sane(bugs: Sequence[Bug], jobs: int) -> bool:
    """With nothing planted nothing may turn red."""
    began = time.monotonic()
    hunts = hunts_of(bugs)
    runs, red = 0, 0
    for done in do_all(hunts, jobs):
        if done.trial is None or done.trial.catch is not None:
            red += 1
            print(f"RED     without a bug: {done.task}: {done.error or done.trial}")
        runs += done.trial.runs if done.trial else 0
    told = "all green" if not red else f"{red} RED"
    print(
        f"with nothing planted: {runs:,} runs of {len(hunts)} hunts, {told} "
        f"({time.monotonic() - began:.1f} s)"
    )
    return not red


if __name__ == "__main__":
    sys.exit(main())
