"""Tables and bars from measured runs. A ratio is always taken inside one round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engines import DUCKDB, OURS, OURS_TCP, PIPELINE, SQLITE, Engine, Measured
from workload import Workload

Round = dict[str, Measured]
MB = 1e6
PROMISED_ROWS = 2_000_000
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
        _spread(_ratios(rounds, engine, OURS)) or "-",
    ]
    return "| " + " | ".join(cells) + " |"


def bars(workload: Workload, rounds: Sequence[Round]) -> list[Bar]:
    """What is promised for this workload, as far as the engines that ran can judge it.

    Start-up is most of a small restore, so nothing is promised below `PROMISED_ROWS`; of other
    chains than the standard one only that no durable peer is faster.
    """
    if workload.rows < PROMISED_ROWS:
        return []
    found = _not_behind(rounds)
    if workload.incrementals == 10 and not workload.overwrite:
        found += _standard_chain(workload, rounds)
    return found


def _not_behind(rounds: Sequence[Round]) -> list[Bar]:
    engines = {run.engine.name: run.engine for one in rounds for run in one.values()}
    peers = [e for e in engines.values() if e.durable and e not in (OURS, OURS_TCP, PIPELINE)]
    ratios = [(peer, _ratios(rounds, peer, OURS)) for peer in peers]
    return [Bar(f"not behind {p.name}", statistics.median(r), 1.0) for p, r in ratios if r]


def _standard_chain(workload: Workload, rounds: Sequence[Round]) -> list[Bar]:
    beside_duckdb = 3.0 if workload.rows >= LARGE_ROWS else 2.0
    share = "share of the plain-thread pipeline"
    wanted = [
        ("changes/s beside DuckDB delete+insert", DUCKDB, OURS, _wall, beside_duckdb),
        ("changes/s beside SQLite upsert", SQLITE, OURS, _wall, 8.0),
        (f"{share}, until durable", PIPELINE, OURS, _durable, 0.5),
        (f"{share}, merged", PIPELINE, OURS, _wall, 0.35),
        (f"{share}, TCP, merged", PIPELINE, OURS_TCP, _wall, 0.30),
    ]
    ratios = [(w, _ratios(rounds, peer, ours, time), b) for w, peer, ours, time, b in wanted]
    return [Bar(what, statistics.median(found), bound) for what, found, bound in ratios if found]


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
    time_below: Callable[[Measured], float] = _wall,
) -> list[float]:
    """Per round that ran both: the wall time of `above` by the time of `below`."""
    both = [one for one in rounds if above.name in one and below.name in one]
    return [_wall(one[above.name]) / time_below(one[below.name]) for one in both]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = statistics.median(values)
    return f"{middle:.2f} ({min(values):.2f}-{max(values):.2f})"
