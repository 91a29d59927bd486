"""How fast messages go: batches in MB/s, small messages in thousands a second.

    python benchmarks/transport.py [--rounds 3] [--seconds 1] [--on memory tcp]

`memory` is two nodes of one process. `tcp` is two processes on loopback: this one sends, a child
receives (and answers, for request/ack). Every batch is hashed on both sides, decoded, and dropped
by the receiver. The figures are medians over the rounds, with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

import trio
import xxhash

from increstore.protocol.messages import ApplyChanges, ChangesApplied, ScanId
from increstore.transport.memory import MemoryTransport
from increstore.transport.tcp import TcpTransport

SCAN = ScanId("benchmark", 1, "table/s0", 0)
TOKEN = b"benchmark"
DIRECTORY = {"sender": "near", "receiver": "far"}
WINDOW = 8
REQUESTS_IN_FLIGHT = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--on", nargs="+", choices=("memory", "tcp"), default=("memory", "tcp"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="per figure and round")
    parser.add_argument(
        "--kib", nargs="+", type=int, default=(256, 1024, 4096), help="payload sizes"
    )
    parser.add_argument("--receive-from", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive_from is not None:
        trio.run(_receive_in_child, arguments.receive_from)
        return
    for kind in arguments.on:
        trio.run(_measure, kind, arguments)


async def _measure(kind: str, arguments: argparse.Namespace) -> None:
    async with trio.open_nursery() as nursery:
        if kind == "memory":
            transport = MemoryTransport()
            await nursery.start(transport.run)
            nursery.start_soon(_answer, transport.attach("receiver"))
        else:
            transport = TcpTransport("near", TOKEN, DIRECTORY, {})
            await nursery.start(transport.run)
            child = await _start_child(transport, nursery)
        sender = transport.attach("sender")
        for kib in arguments.kib:
            rates = [
                await _batches(sender, kib << 10, arguments.seconds)
                for _ in range(arguments.rounds)
            ]
            _print(kind, f"{kib} KiB payloads, {WINDOW} in flight", "MB/s", rates)
        for in_flight, name in ((1, "request/ack"), (REQUESTS_IN_FLIGHT, "pipelined")):
            rates = [
                await _requests(sender, in_flight, arguments.seconds)
                for _ in range(arguments.rounds)
            ]
            _print(kind, f"{name}, {in_flight} in flight", "k messages/s", rates)
        if kind == "tcp":
            child.terminate()
            await child.wait()
        nursery.cancel_scope.cancel()


async def _batches(sender, size: int, seconds: float) -> float:
    """MB/s of payloads of `size` bytes, each acknowledged, a window of them in flight."""
    payload = os.urandom(size)
    batch = ApplyChanges(SCAN, 1, 1, 1, xxhash.xxh3_64_intdigest(payload), payload)
    sent = await _windowed(sender, batch, WINDOW, seconds)
    return sent * size / 1e6


async def _requests(sender, in_flight: int, seconds: float) -> float:
    """Thousands of small messages a second, both ways counted."""
    return 2 * await _windowed(sender, ChangesApplied(SCAN, 1, 1), in_flight, seconds) / 1e3


async def _windowed(sender, message, window: int, seconds: float) -> float:
    """Messages a second, `window` of them unanswered at any time."""
    start = trio.current_time()
    for _ in range(window):
        await sender.send("receiver", message)
    answered = 0
    while trio.current_time() - start < seconds:
        await sender.receive()
        answered += 1
        await sender.send("receiver", message)
    for _ in range(window):
        await sender.receive()
    return (answered + window) / (trio.current_time() - start)


async def _answer(endpoint) -> None:
    acknowledgement = ChangesApplied(SCAN, 1, 1)
    while True:
        sender, _ = await endpoint.receive()
        await endpoint.send(sender, acknowledgement)


async def _start_child(transport: TcpTransport, nursery: trio.Nursery) -> trio.Process:
    command = [sys.executable, __file__, "--receive-from", str(transport.listening[1])]
    child = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    port = int((await child.stdout.receive_some(100)).decode())
    transport.set_address("far", ("127.0.0.1", port))
    await transport.until_connected("far")
    return child


async def _receive_in_child(port: int) -> None:
    transport = TcpTransport("far", TOKEN, DIRECTORY, {"near": ("127.0.0.1", port)})
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        print(transport.listening[1], flush=True)
        await _answer(transport.attach("receiver"))


def _print(kind: str, what: str, unit: str, rates: list[float]) -> None:
    low, middle, high = min(rates), statistics.median(rates), max(rates)
    print(f"{kind:<7} {what:<34} {middle:9.1f} {unit} ({low:.1f}-{high:.1f})", flush=True)


if __name__ == "__main__":
    main()
