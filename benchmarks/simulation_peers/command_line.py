"""What the scripts of the peers share: their options, and the one line of JSON they print."""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version

from model import Counts, Shape


@dataclass(frozen=True, slots=True)
class Options:
    """What to simulate, and how often. Latencies in seconds, loss in percent of datagrams."""

    seeds: int
    loss: int
    latency: tuple[float, float]
    work: tuple[float, float]
    """The bounds of a read or a write."""
    shape: Shape


def options() -> Options:
    """The options of the command line."""
    shape = Shape()
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--seeds", type=int, default=100, help="run the seeds 0 to N - 1")
    add("--loss", type=int, default=2, help="percent of datagrams lost")
    add("--latency-ms", type=float, nargs=2, default=[1.0, 5.0], metavar=("MIN", "MAX"))
    add("--work-ms", type=float, nargs=2, default=[0.2, 1.0], metavar=("MIN", "MAX"))
    for name in ("sources", "targets", "incrementals", "pages_full", "pages", "payload_bytes"):
        add("--" + name.replace("_", "-"), type=int, default=getattr(shape, name))
    given = vars(parser.parse_args())
    latency = [ms / 1000 for ms in given.pop("latency_ms")]
    work = [ms / 1000 for ms in given.pop("work_ms")]
    return Options(
        given.pop("seeds"),
        given.pop("loss"),
        (latency[0], latency[1]),
        (work[0], work[1]),
        Shape(**given),
    )


def measure(peer: str, given: Options, explore: Callable[[Options, Counts], None]) -> None:
    """Run `explore` over all seeds and print what it cost. Raises whatever a seed has raised.

    Both peers collect garbage after every seed. What is imported is put aside before, as simloop
    does in its worker processes: otherwise that alone would be close to half of their time.
    """
    counts = Counts()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # As for increstore.
    wall, cpu = time.perf_counter(), time.process_time()
    explore(given, counts)
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    said = {
        "peer": peer,
        "version": version(peer),
        "python": platform.python_version(),
        "seeds": given.seeds,
        **asdict(counts),
        "cpu_s": round(cpu_s, 4),
        "wall_s": round(wall_s, 4),
    }
    print(json.dumps(said))
