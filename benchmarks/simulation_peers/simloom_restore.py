"""The restore under simloom: `python simloom_restore.py --seeds N` prints one line of JSON.

As its documentation has it: hosts of a world, labelled draws for the program's own chances, and
`explore` over the seeds, with the event log that it always keeps.
"""

from __future__ import annotations

import asyncio

import simloom
from command_line import Options, measure, options
from model import VIRTUAL_S_MAX, Counts
from restore import nodes_of

STEPS = 1000


async def restore(given: Options, counts: Counts, world: simloom.World) -> None:
    world.net.set_latency(*given.latency)
    world.net.set_datagram_loss(given.loss)
    least, most = given.work

    def delay(what: str) -> float:
        return least + (most - least) * simloom.draw(what, STEPS) / STEPS

    coordinator, nodes = nodes_of(given.shape, counts, delay)
    await asyncio.gather(*[world.host(node.name).spawn(node.open) for node in nodes])

    async def command() -> None:
        coordinator.begin()
        await coordinator.completed

    async with asyncio.timeout(VIRTUAL_S_MAX):
        await world.host(coordinator.name).spawn(command)
    for node in nodes:
        node.close()


def explore_all(given: Options, counts: Counts) -> None:
    async def main(world: simloom.World) -> None:
        await restore(given, counts, world)

    found = simloom.explore(main, runs=given.seeds)
    if found.failed:
        raise SystemExit(found.summary())


if __name__ == "__main__":
    measure("simloom", options(), explore_all)
