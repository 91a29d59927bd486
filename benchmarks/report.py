"""Tables and bars from measured runs. A ratio is always taken inside one round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engines import DUCKDB, OURS, OURS_TCP, PIPELINE, SQLITE, Engine, Measured
from workload import Workload

Round = dict[str, Measured]
MB = 1e6
LARGE_ROWS = 8_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """Something promised: `value` is to be at least (or at most) `bound`."""

    what: str
    value: float
    bound: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        verdict = "PASS" if self.holds else "FAIL"
        sign = "<=" if self.at_most else ">="
        return f"{verdict}  {self.what}: {self.value:.2f} ({sign} {self.bound:g})"


def table(workload: Workload, rounds: Sequence[Round]) -> str:
    """Markdown: medians with (min-max) over the rounds, an engine a line, the fastest first."""
    engines = {name: run.engine for one in rounds for name, run in one.items()}
    lines = [
        "| engine | wall s | M changes/s | until durable s | CPU s | peak MB | disk MB "
        "| times our wall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += sorted(
        (_line(workload, rounds, engine) for engine in engines.values()),
        key=lambda line: float(line.split("|")[2].split()[0]),
    )
    return "\n".join(lines)


def _line(workload: Workload, rounds: Sequence[Round], engine: Engine) -> str:
    runs = [one[engine.name] for one in rounds if engine.name in one]
    wall = [run.cost.wall_s for run in runs]
    durable = [run.durable_s for run in runs if run.durable_s is not None]
    cells = [
        engine.name if engine.durable else f"{engine.name} (durable only at its end)",
        _spread(wall),
        f"{workload.changes / statistics.median(wall) / 1e6:.2f}",
        _spread(durable) if durable else "-",
        f"{statistics.median(run.cost.cpu_s for run in runs):.2f}",
        f"{max(run.cost.peak_bytes for run in runs) / MB:.0f}",
        f"{runs[0].disk_bytes / MB:.0f}",
        _spread(_ratios(rounds, engine, OURS, _wall, _wall)) or "-",
    ]
    return "| " + " | ".join(cells) + " |"


def bars(workload: Workload, rounds: Sequence[Round]) -> list[Bar]:
    """What can be judged with the engines that ran."""
    large = workload.rows >= LARGE_ROWS
    durable = {
        name: run.engine
        for one in rounds
        for name, run in one.items()
        if run.engine.durable and run.engine not in (OURS, OURS_TCP, PIPELINE)
    }
    wanted = [
        ("changes/s beside DuckDB delete+insert", DUCKDB, OURS, _wall, 3.0 if large else 2.0),
        ("changes/s beside SQLite upsert", SQLITE, OURS, _wall, 8.0),
        *((f"not behind {name}", engine, OURS, _wall, 1.0) for name, engine in durable.items()),
        ("share of the plain-thread pipeline, until durable", PIPELINE, OURS, _durable, 0.5),
        ("share of the plain-thread pipeline, merged", PIPELINE, OURS, _wall, 0.35),
        ("share of the plain-thread pipeline, TCP, merged", PIPELINE, OURS_TCP, _wall, 0.30),
    ]
    found = []
    for what, peer, ours, time_of, bound in wanted:
        ratios = _ratios(rounds, peer, ours, _wall, time_of)
        if ratios:
            found.append(Bar(what, statistics.median(ratios), bound))
    return found


def memory_table(sizes: Sequence[tuple[Workload, Sequence[Round]]]) -> str:
    """Markdown: peak memory of each engine, the sizes side by side."""
    heads = [f"{workload.rows:,} rows, MB" for workload, _ in sizes]
    lines = [
        f"| engine | {' | '.join(heads)} | growth |",
        "|---" * (len(heads) + 2) + "|",
    ]
    for name in sizes[0][1][0]:
        peaks = [_peak(rounds, name) for _, rounds in sizes]
        cells = [name, *(f"{peak / MB:.0f}" for peak in peaks), f"{peaks[-1] / peaks[0]:.2f}x"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory_bars(sizes: Sequence[tuple[Workload, Sequence[Round]]]) -> Iterator[Bar]:
    """Peak memory must not follow the size of the table: ten times the rows, at most half more."""
    for engine in (OURS, OURS_TCP):
        if engine.name in sizes[0][1][0]:
            peaks = [_peak(rounds, engine.name) for _, rounds in sizes]
            growth = peaks[-1] / peaks[0]
            yield Bar(f"growth of the peak memory of {engine.name}", growth, 1.5, at_most=True)


def as_json(workload: Workload, number: int, run: Measured) -> dict[str, object]:
    """One run as one JSON line."""
    return {
        "workload": workload.name,
        "round": number,
        "engine": run.engine.name,
        "wall_s": round(run.cost.wall_s, 4),
        "durable_s": run.durable_s and round(run.durable_s, 4),
        "cpu_s": round(run.cost.cpu_s, 4),
        "peak_bytes": run.cost.peak_bytes,
        "disk_bytes": run.disk_bytes,
        "changes_per_s": round(workload.changes / run.cost.wall_s),
    }


def _peak(rounds: Sequence[Round], name: str) -> int:
    return max(one[name].cost.peak_bytes for one in rounds)


def _wall(run: Measured) -> float:
    return run.cost.wall_s


def _durable(run: Measured) -> float:
    assert run.durable_s is not None
    return run.durable_s


def _ratios(
    rounds: Sequence[Round],
    above: Engine,
    below: Engine,
    time_above: Callable[[Measured], float],
    time_below: Callable[[Measured], float],
) -> list[float]:
    both = [one for one in rounds if above.name in one and below.name in one]
    return [time_above(one[above.name]) / time_below(one[below.name]) for one in both]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = statistics.median(values)
    return f"{middle:.2f} ({min(values):.2f}-{max(values):.2f})"
