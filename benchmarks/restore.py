"""Measure `increstore restore` beside what people use instead: whole processes, the same files.

Every round runs every engine once, in an order that rotates from round to round; a ratio is taken
inside one round, so that what else the machine does meets all of them. The first round's final
rows of every engine are judged. docs/PERFORMANCE.md has the tables and how to read them.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engines import (
    ENGINES,
    OURS,
    OURS_TCP,
    PROGRAM,
    Engine,
    WrongResult,
    check,
    discard,
    measure,
)
from processes import CommandFailed, run
from report import Bar, Round, as_json, bars, memory_bars, memory_table, table
from workload import Workload, make_chain

WORK = Path(__file__).resolve().parent / ".work"
HELP_RUNS = 15
HELP_MS_MAX = 150.0


def main() -> int:
    """0 when every bar that could be judged holds, 1 otherwise."""
    options = _options()
    _compile_bytecode()
    if options.memory:
        found = _memory(options)
    else:
        found = [bar for workload in _workloads(options) for bar in _compare(options, workload)]
    if OURS in options.engines:
        found.append(_start_up())
    for bar in found:
        print(bar, file=_people(options))
    return 0 if all(bar.holds for bar in found) else 1


def _compare(options: argparse.Namespace, workload: Workload) -> list[Bar]:
    rounds = _rounds(options, workload, options.engines)
    people = _people(options)
    print(f"\n{_title(workload, len(rounds))}\n", file=people)
    print(table(workload, rounds) + "\n", file=people, flush=True)
    return bars(workload, rounds)


def _memory(options: argparse.Namespace) -> list[Bar]:
    """The same chain at one and at ten times the rows."""
    small = _workloads(options)[0]
    engines = [one for one in options.engines if options.only or one in (OURS, OURS_TCP)]
    sizes = [
        (workload, _rounds(options, workload, engines))
        for workload in (small, replace(small, rows=small.rows * 10))
    ]
    print("\n" + memory_table(sizes) + "\n", file=_people(options), flush=True)
    return list(memory_bars(sizes))


def _rounds(
    options: argparse.Namespace, workload: Workload, engines: Sequence[Engine]
) -> list[Round]:
    chain, expected = make_chain(workload, options.work)
    _read_once(chain)
    out = options.work / "out"
    rounds: list[Round] = []
    for number in range(options.rounds):
        first = number % len(engines)
        rounds.append({})
        for engine in [*engines[first:], *engines[:first]]:
            _settle(out, options.settle)
            done = measure(engine, chain, out, options.restore_args)
            if number == 0:
                check(engine, chain, out, expected)
            rounds[-1][engine.name] = done
            _tell(options, workload, number, done)
    discard(out)
    return rounds


def _settle(out: Path, seconds: float) -> None:
    """Forget the engine before: its files, what it left unwritten, and the pages it has freed.

    A virtual machine may hand freed pages back to its host after a second or two. Who starts sooner
    finds them warm, and who takes longer than that pays for all of them again: without this wait
    the shortest engine is flattered by a quarter.
    """
    discard(out)
    os.sync()
    time.sleep(seconds)


def _compile_bytecode() -> None:
    """What pip does for every other package here, and a checkout does only at its first import.

    Where PYTHONDONTWRITEBYTECODE is set it never does, and each start compiles every module.
    """
    compileall.compile_dir(
        importlib.util.find_spec("increstore").submodule_search_locations[0], quiet=1
    )


def _start_up() -> Bar:
    times = [run([PROGRAM, "--help"]).wall_s * 1e3 for _ in range(HELP_RUNS)]
    return Bar("increstore --help, ms", statistics.median(times), HELP_MS_MAX, at_most=True)


def _tell(options: argparse.Namespace, workload: Workload, number: int, done) -> None:
    line = as_json(workload, number, done)
    if options.json:
        print(json.dumps(line), flush=True)
    else:
        peak = done.cost.peak_bytes / 1e6
        text = f"round {number + 1}  {done.engine.name:<22}{done.cost.wall_s:8.2f} s{peak:8.0f} MB"
        print(text, file=sys.stderr, flush=True)


def _title(workload: Workload, rounds: int) -> str:
    hot = f", {workload.overwrite:.0%} of the upserts on one hot set" if workload.overwrite else ""
    return (
        f"{workload.rows:,} rows, {workload.incrementals} incrementals{hot}: "
        f"{workload.changes:,} changes; rounds: {rounds}, median (min-max)"
    )


def _read_once(chain: Path) -> None:
    """Bring every file into the page cache, so that the first engine does not pay for the rest."""
    for path in chain.rglob("*.parquet"):
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass


def _people(options: argparse.Namespace):
    """Where text for people goes: stdout belongs to the JSON lines when they are asked for."""
    return sys.stderr if options.json else sys.stdout


def _workloads(options: argparse.Namespace) -> list[Workload]:
    rows = options.rows * options.scale
    return [Workload(rows, count, options.overwrite) for count in options.incrementals]


def _options() -> argparse.Namespace:
    names = ", ".join(engine.name for engine in ENGINES)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rows", type=int, default=2_000_000, help="rows of the full backup (2,000,000)")
    add("--scale", type=int, default=1, help="multiply the rows (4: the large chain)")
    add("--incrementals", type=int, nargs="+", default=[10], help="one table for each (10)")
    add("--overwrite", type=float, default=0.0, help="share of upserts on one hot set (0.0-1.0)")
    add("--rounds", type=int, default=5, help="interleaved rounds (5)")
    add("--only", help=f"comma-separated engines, of: {names}")
    add("--memory", action="store_true", help="peak memory at one and at ten times the rows")
    add("--json", action="store_true", help="one JSON line a run on stdout, text on stderr")
    add("--settle", type=float, default=3.0, help="seconds of rest before each run (3)")
    add("--restore-args", type=str.split, default=[], help="more options for increstore restore")
    add("--work", type=Path, default=WORK, help="where chains are kept (benchmarks/.work)")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else [engine.name for engine in ENGINES]
    unknown = sorted(set(wanted) - {engine.name for engine in ENGINES})
    if unknown:
        parser.error(f"--only: unknown {', '.join(unknown)} (expected some of {names})")
    options.engines = [engine for engine in ENGINES if engine.name in wanted]
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CommandFailed, WrongResult) as error:
        sys.exit(f"benchmark stopped: {error}")
