"""The restore under simloop: `python simloop_restore.py --seeds N` prints one line of JSON.

As its documentation has it: hosts of the loop's network, `sim.random` for the program's own
chances, and `explore` over the seeds, with the trace that it always records.
"""

from __future__ import annotations

import asyncio

from command_line import Options, measure, options
from model import VIRTUAL_S_MAX, Counts
from restore import nodes_of
from simloop import explore, sim


async def restore(given: Options, counts: Counts) -> None:
    net = asyncio.get_running_loop().net
    net.set_defaults(latency=given.latency, drop=given.loss / 100)
    random = sim.random
    coordinator, nodes = nodes_of(given.shape, counts, lambda _: random.uniform(*given.work))
    await asyncio.gather(*[net.host(node.name).create_task(node.open()) for node in nodes])

    async def command() -> None:
        coordinator.begin()
        await coordinator.completed

    async with asyncio.timeout(VIRTUAL_S_MAX):
        await net.host(coordinator.name).create_task(command())
    for node in nodes:
        node.close()


def explore_all(given: Options, counts: Counts) -> None:
    report = explore(lambda: restore(given, counts), range(given.seeds))
    if report is not None:
        raise SystemExit(report.render())


if __name__ == "__main__":
    measure("simloop", options(), explore_all)
