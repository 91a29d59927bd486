"""What the faults of a scenario do to the simulated world, action by action."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from increstore.judging.observer import Observer
from increstore.protocol.ready import OperatorAsked
from increstore.protocol.topology import COORDINATOR
from increstore.scenario import actions
from increstore.simulation.coordinator import SimulatedCoordinator
from increstore.simulation.disk_node import DiskNode

if TYPE_CHECKING:
    from increstore.scenario.actions import Action
    from increstore.simulation.world import World

OVERTAKEN = "coordinator (overtaken)"
OTHER_COORDINATOR = "coordinator (second restore)"


def carry_out(world: World, action: Action) -> None:  # noqa: C901 - one line an action
    """Do what the director asks for, now."""
    match action:
        case actions.Crash():
            _crash(world, action)
        case actions.Restart(node):
            world.restart(world.nodes[node])
        case actions.Pause(node, duration, fault):
            world.nodes[node].pause(fault, duration)
        case actions.Unpause(node, fault):
            world.nodes[node].unpause(fault)
        case actions.ClockJump(node, by_ns):
            world.nodes[node].wall_offset += by_ns
            _change_clock(world, node)
        case actions.ClockDrift(node, ppm):
            world.nodes[node].drift(ppm)
            _change_clock(world, node)
        case actions.Operate(verb, value):
            world.coordinator.handle(OperatorAsked(verb, value))
        case actions.ResetLink(a, b):
            world.network.reset(a, b)
        case actions.Release(hold):
            world.network.release(hold)
        case actions.DiskAction():
            _damage_disk(world, action)
        case actions.Usurp():
            _usurp(world)
        case actions.SecondRestore():
            _start_second_restore(world)


def _crash(world: World, action: actions.Crash) -> None:
    node = world.nodes[action.node]
    if isinstance(node, DiskNode) and (action.wipe or action.rollback):
        node.stop()
        if action.wipe:
            node.disk.wipe()
        else:
            node.disk.roll_back(action.rollback)
        _lose_data(world, node.name)
    world.crash(node, action.restart_after_ns, action.fault)


def _damage_disk(world: World, action: actions.DiskAction) -> None:
    node = world.nodes[action.node]
    if not isinstance(node, DiskNode):
        return  # A source shard keeps nothing.
    match action.action:
        case "torn" | "lose_unsynced":
            node.next_fate = "torn" if action.action == "torn" else "lost"
        case "bitflip":
            node.disk.flip_bit(node.draw("bit flip", max(1, node.disk.synced)))
            _lose_data(world, node.name)
        case _:
            # The last durable write went elsewhere: it is missing, and so is what lay there.
            node.disk.misdirect(1 + node.draw("misdirected to", max(1, node.disk.synced - 1)))
            _lose_data(world, node.name)


def _lose_data(world: World, node: str) -> None:
    """What was durable may be gone: whoever judges must know."""
    world.judge.rolled_back(world.now, node)
    if world.journal is not None:
        world.journal.tell(node, "data.lost", {}, is_detail=True)


def _change_clock(world: World, node: str) -> None:
    world.judge.clock_changed(world.now, node)
    if world.journal is not None:
        world.journal.tell(node, "clock.changed", {}, is_detail=True)


def _usurp(world: World) -> None:
    """A second coordinator takes up the log, as where the lock of the target was lost; the first
    lives on beside it, and does not know."""
    overtaken = world.coordinator
    new = SimulatedCoordinator(world, COORDINATOR)
    new.disk = overtaken.disk
    # Each by a name of its own: what is told of one must not be taken for the history of another.
    number = 1 + sum(other.topology is world.topology for other in world.other_coordinators)
    name = OVERTAKEN if number == 1 else f"{OVERTAKEN} {number}"
    overtaken.name = name
    world.judge.usurped(world.now, name)
    world.tell(COORDINATOR, "coordinator.usurped", overtaken=name)
    world.other_coordinators.append(overtaken)
    world.coordinator = world.nodes[COORDINATOR] = new
    new.life = overtaken.life
    new.start()


def _start_second_restore(world: World) -> None:
    """Somebody starts another restore into the same shards: each of them must refuse it."""
    second = SimulatedCoordinator(world, OTHER_COORDINATOR)
    second.topology = replace(world.topology, restore="restore-2")
    second.fingerprint = "another-plan"
    second.judge = Observer()
    world.other_coordinators.append(second)
    second.start()
