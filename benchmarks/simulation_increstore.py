"""The restore in increstore's simulation: `python simulation_increstore.py --seeds N`.

Prints one line of JSON, as the scripts of the peers do, for the same restore: one table, as many
pages for each source shard, a batch of each page for every target, datagrams of the same latency.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
from importlib.metadata import version

from increstore.compiled import is_compiled
from increstore.judging.observer import Observer
from increstore.scenario.load import parse_scenario
from increstore.simulation.run import simulate
from increstore.simulation.setting import Setting, prepare_setting

SCENARIO = """
format = 1
title = "The restore that the peers simulate"
why = "A benchmark."
[cluster]
sources = 3
targets = 2
[workload]
incrementals = 3
rows = 48
changes = 24
page_rows = 8
[network]
kind = "datagram"
latency = "1ms..5ms"
loss = "{loss}%"
[disk]
latency = "200us..1ms"
"""
NANOSECONDS = 1e9


def main() -> None:
    """Run the seeds 0 to N - 1 and print what they cost. Every run must end as it should."""
    options = _options()
    setting = prepare_setting(parse_scenario(SCENARIO.format(loss=options.loss), "benchmark"))
    gc.collect()
    gc.freeze()  # As for the peers: what is imported is put aside,
    gc.set_threshold(100_000, 50, 100)  # and garbage is looked for as seldom as by our commands.
    wall, cpu = time.perf_counter(), time.process_time()
    counts = _run(setting, options.seeds, is_judged=not options.unjudged)
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    said = {
        "peer": "increstore",
        "version": version("increstore"),
        "compiled": is_compiled(),
        "python": platform.python_version(),
        "seeds": options.seeds,
        **counts,
        "cpu_s": round(cpu_s, 4),
        "wall_s": round(wall_s, 4),
    }
    print(json.dumps(said))


def _run(setting: Setting, seeds: int, *, is_judged: bool) -> dict[str, float]:
    events = deliveries = virtual_ns = 0
    expected = setting.workload.model.rows_after(setting.workload.model.last_incremental)
    for seed in range(seeds):
        outcome = simulate(setting, seed, judge=None if is_judged else Observer())
        if outcome.violation is not None or outcome.tables != expected:
            raise SystemExit(f"seed {seed} is {outcome.state}: {outcome.violation}")
        events += outcome.moments
        deliveries += outcome.delivered
        virtual_ns += outcome.ended_at
    return {
        "events": events,
        "deliveries": deliveries,
        "virtual_s": round(virtual_ns / NANOSECONDS, 3),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="run the seeds 0 to N - 1")
    parser.add_argument("--loss", type=int, default=2, help="percent of datagrams lost")
    parser.add_argument("--unjudged", action="store_true", help="without the invariants")
    return parser.parse_args()


if __name__ == "__main__":
    main()
