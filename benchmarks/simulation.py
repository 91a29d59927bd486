"""Measure the simulation beside others that simulate the same restore: events and seeds a second.

Every round runs every engine once, in an order that rotates from round to round; a ratio is taken
inside one round, so that what else the machine does meets all of them. Rates are of processor
time, on one core. docs/PERFORMANCE.md has the tables and how to read them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import CommandFailed, run
from report import Bar

HERE = Path(__file__).resolve().parent
EVENTS_WANTED = 150_000
SEEDS_WANTED = 1_000


@dataclass(frozen=True, slots=True)
class Engine:
    """One simulator: the script that runs the restore under it."""

    name: str
    script: str
    more: tuple[str, ...] = ()
    is_peer: bool = False
    environment: tuple[str, ...] = ()


BUILT = HERE.parent / "build" / "compiled"
COMPILED = Engine(
    "increstore, compiled", "simulation_increstore.py", environment=(f"PYTHONPATH={BUILT}",)
)
"""What `make compiled` has built, when it has."""
OURS = Engine("increstore", "simulation_increstore.py")
UNJUDGED = Engine("increstore, judge off", "simulation_increstore.py", ("--unjudged",))
PEERS = (
    Engine("simloop", "simulation_peers/simloop_restore.py", is_peer=True),
    Engine("simloom", "simulation_peers/simloom_restore.py", is_peer=True),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """The seeds of one engine in one round; `virtual_s` is None when the engine does not say."""

    seeds: int
    events: int
    deliveries: int
    cpu_s: float
    virtual_s: float | None
    version: str
    python: str

    @property
    def events_per_s(self) -> float:
        return self.events / self.cpu_s

    @property
    def deliveries_per_s(self) -> float:
        return self.deliveries / self.cpu_s

    @property
    def seeds_per_s(self) -> float:
        return self.seeds / self.cpu_s


Round = dict[Engine, Measured]


def main() -> int:
    """0 when every bar that could be judged holds, 1 otherwise."""
    options = _options()
    built = (COMPILED,) if (BUILT / "increstore").is_dir() else ()
    engines = [OURS, *built, UNJUDGED, *(PEERS if options.peers_python else ())]
    if not options.peers_python:
        why = "no peers are measured: give --peers-python a Python of 3.12 or newer with "
        _say(options, why + "benchmarks/simulation_peers/requirements.txt installed")
    bars: list[Bar] = []
    for loss in options.loss:
        rounds = [_round(options, engines, loss, number) for number in range(options.rounds)]
        _say(options, f"\n{_title(options, loss)}\n\n{table(rounds)}\n")
        bars += judge(rounds, loss)
    for bar in bars:
        _say(options, str(bar))
    return 0 if all(bar.holds for bar in bars) else 1


def table(rounds: Sequence[Round]) -> str:
    """Markdown: medians with (min-max) over the rounds, an engine a line, the fastest first."""
    lines = [
        "| engine | events/s | deliveries/s | seeds/s | events a seed | virtual s a CPU s "
        "| our events/s by its |",
        "|---|---|---|---|---|---|---|",
    ]
    engines = sorted(rounds[0], key=lambda e: -_median(rounds, e, lambda m: m.events_per_s))
    return "\n".join([*lines, *(_line(rounds, engine) for engine in engines)])


def judge(rounds: Sequence[Round], loss: int) -> list[Bar]:
    """What is promised: of the healthy world rates, of every world that no peer is faster. It is
    judged of the program as it is, and of the compiled one where that was built."""
    found = []
    for ours in (engine for engine in (OURS, COMPILED) if engine in rounds[0]):
        if loss == 0:
            events = _median(rounds, ours, lambda m: m.events_per_s)
            seeds = _median(rounds, ours, lambda m: m.seeds_per_s)
            what = f"{ours.name}: events/s, every invariant judged and every event hashed"
            found.append(Bar(what, events, EVENTS_WANTED))
            what = f"{ours.name}: seeds/s of 3 sources x 2 targets x 3 incrementals"
            found.append(Bar(what, seeds, SEEDS_WANTED))
        for peer in (engine for engine in rounds[0] if engine.is_peer):
            what = f"{ours.name}: events/s beside {peer.name}, {loss} % lost"
            found.append(Bar(what, _ratio(rounds, peer, ours), 1.0))
    return found


def _line(rounds: Sequence[Round], engine: Engine) -> str:
    one = rounds[0][engine]
    virtual = "-" if one.virtual_s is None else f"{one.virtual_s / one.cpu_s:,.0f}"
    cells = [
        f"{engine.name} {one.version} (Python {one.python})",
        _spread([each[engine].events_per_s for each in rounds]),
        f"{_median(rounds, engine, lambda m: m.deliveries_per_s):,.0f}",
        f"{_median(rounds, engine, lambda m: m.seeds_per_s):,.0f}",
        f"{one.events / one.seeds:.0f}",
        virtual,
        f"{_ratio(rounds, engine):.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _round(options: argparse.Namespace, engines: Sequence[Engine], loss: int, number: int) -> Round:
    first = number % len(engines)
    found = {}
    for engine in [*engines[first:], *engines[:first]]:
        python = options.peers_python if engine.is_peer else sys.executable
        given = ["--seeds", str(options.seeds), "--loss", str(loss), *engine.more]
        command = ["env", *engine.environment, python, HERE / engine.script, *given]
        said = json.loads(run(command).stdout)
        found[engine] = Measured(
            said["seeds"],
            said["events"],
            said["deliveries"],
            said["cpu_s"],
            said.get("virtual_s"),
            said["version"],
            said["python"],
        )
        _tell(options, engine, loss, number, found[engine])
    return {engine: found[engine] for engine in engines}


def _tell(
    options: argparse.Namespace, engine: Engine, loss: int, number: int, done: Measured
) -> None:
    if options.json:
        line = {
            "engine": engine.name,
            "loss": loss,
            "round": number,
            "seeds": done.seeds,
            "events": done.events,
            "deliveries": done.deliveries,
            "cpu_s": done.cpu_s,
            "events_per_s": round(done.events_per_s),
            "seeds_per_s": round(done.seeds_per_s, 1),
        }
        print(json.dumps(line), flush=True)
    else:
        rates = f"{done.events_per_s:9,.0f} events/s{done.seeds_per_s:8,.0f} seeds/s"
        text = f"round {number + 1}  {loss} % lost  {engine.name:<22}{rates}"
        print(text, file=sys.stderr, flush=True)


def _title(options: argparse.Namespace, loss: int) -> str:
    weather = f"{loss} % of the datagrams lost" if loss else "nothing lost"
    return (
        f"3 sources, 2 targets, 3 incrementals, {weather}; {options.seeds} seeds a round, "
        f"rounds: {options.rounds}, median (min-max) of one core's processor time"
    )


def _say(options: argparse.Namespace, text: str) -> None:
    """For people: stdout belongs to the JSON lines when they are asked for."""
    print(text, file=sys.stderr if options.json else sys.stdout, flush=True)


def _ratio(rounds: Sequence[Round], engine: Engine, ours: Engine = OURS) -> float:
    """Our events a second by those of `engine`, taken in each round."""
    return statistics.median(r[ours].events_per_s / r[engine].events_per_s for r in rounds)


def _median(rounds: Sequence[Round], engine: Engine, rate: Callable[[Measured], float]) -> float:
    return statistics.median(rate(one[engine]) for one in rounds)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--seeds", type=int, default=300, help="seeds of each run (300)")
    add("--rounds", type=int, default=5, help="interleaved rounds (5)")
    add("--loss", type=int, nargs="+", default=[0, 2], help="percent lost, a table for each (0 2)")
    add("--peers-python", type=Path, help="the interpreter of an environment with the peers")
    add("--json", action="store_true", help="one JSON line a run on stdout, text on stderr")
    options = parser.parse_args()
    if options.peers_python and not options.peers_python.exists():
        parser.error(f"--peers-python: there is no {options.peers_python}")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CommandFailed as error:
        sys.exit(f"benchmark stopped: {error}")
