"""The same few nodes over either transport: in one process, or on two hosts joined by TCP."""

from __future__ import annotations

from contextlib import asynccontextmanager

import trio

from increstore.transport.faulty import FaultyTransport
from increstore.transport.memory import MemoryTransport
from increstore.transport.room import BufferLimits
from increstore.transport.tcp import TcpTransport
from increstore.transport.wire import TcpSettings

KINDS = ("memory", "tcp", "faulty memory", "faulty tcp")
"""Behind faults, of which none is active."""
TOKEN = b"a token of the tests"
PATIENCE_S = 20.0  # An upper bound for what takes milliseconds; never waited for.


class Cluster:
    """Nodes named in `left` live on one host and those in `right` on another."""

    def __init__(self, transports_by_node):
        self._transport_of = transports_by_node
        self.transports = list(dict.fromkeys(transports_by_node.values()))

    def attach(self, node):
        return self._transport_of[node].attach(node)

    @property
    def dropped(self):
        return sum(transport.counters.dropped for transport in self.transports)

    @property
    def received(self):
        return sum(transport.counters.received for transport in self.transports)


class NoFates:
    """Bothers with no message."""

    async def treatment(self, sender, receiver, message):
        return None


def _behind_faults(kind, transport):
    return FaultyTransport(transport, NoFates()) if kind.startswith("faulty") else transport


@asynccontextmanager
async def a_cluster(kind, left=("a",), right=("b",), limits=None):
    limits = limits or BufferLimits()
    if kind.endswith("memory"):
        transport = _behind_faults(kind, MemoryTransport(limits))
        cluster = Cluster(dict.fromkeys([*left, *right], transport))
    else:
        directory = {**dict.fromkeys(left, "left"), **dict.fromkeys(right, "right")}
        settings = TcpSettings(mailbox=limits, outbox=limits)
        hosts = {
            host: TcpTransport(host, TOKEN, directory, {}, settings=settings)
            for host in ("left", "right")
        }
        shown = {host: _behind_faults(kind, transport) for host, transport in hosts.items()}
        cluster = Cluster({node: shown[host] for node, host in directory.items()})
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for transport in cluster.transports:
                await nursery.start(transport.run)
            if kind.endswith("tcp"):
                hosts["left"].set_address("right", hosts["right"].listening)
                hosts["right"].set_address("left", hosts["left"].listening)
            yield cluster
            nursery.cancel_scope.cancel()
