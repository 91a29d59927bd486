"""A restore whose shards live in worker processes and talk over loopback TCP."""

from __future__ import annotations

import base64
import pickle
import secrets
from typing import TYPE_CHECKING

import trio

from increstore.protocol.topology import COORDINATOR
from increstore.runtime.cluster import source_names, target_names
from increstore.runtime.coordinator_node import coordinate
from increstore.runtime.processes import Worker, WorkerPool
from increstore.runtime.spawn import worker_pairs
from increstore.transport.tcp import TcpTransport

if TYPE_CHECKING:
    from increstore.chain.plan import RestorePlan
    from increstore.journal import Journal
    from increstore.protocol.coordinator import Coordinator
    from increstore.runtime.control import RestoreControl
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.spawn import WorkerNursery


async def run_over_tcp(
    prepared: Prepared,
    core: Coordinator,
    journal: Journal,
    worker_nursery: WorkerNursery,
    control: RestoreControl | None = None,
) -> None:
    """Coordinate from here until the restore ends; the workers end with it."""
    token = secrets.token_bytes(16)
    hosts = _shards_by_host(prepared.plan)
    directory = {shard: host for host, shards in hosts.items() for shard in shards}
    directory[COORDINATOR] = COORDINATOR
    transport = TcpTransport(COORDINATOR, token, directory=directory, addresses={})
    spec = worker_spec(prepared, token, directory, details=journal.wants_details)
    workers = [
        Worker(host, {**spec, "host": host, "shards": shards}) for host, shards in hosts.items()
    ]
    lock = prepared.directory.lock_fd
    pool = WorkerPool(workers, worker_nursery, lock, journal, transport.set_address)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(transport.run)
            await pool.start({COORDINATOR: transport.listening})
            nursery.start_soon(pool.run)
            await coordinate(prepared, core, transport, journal, control)
            nursery.cancel_scope.cancel()
    finally:
        pool.close()  # Only now: nobody reads what the workers say any more.


def _shards_by_host(plan: RestorePlan) -> dict[str, list[str]]:
    """Sources and targets in processes of their own."""
    pairs = worker_pairs()
    hosts: dict[str, list[str]] = {}
    for kind, shards in (("sources", source_names(plan)), ("targets", target_names(plan))):
        for number, shard in enumerate(shards):
            hosts.setdefault(f"{kind}-{number % pairs}", []).append(shard)
    return hosts


def worker_spec(
    prepared: Prepared, token: bytes, directory: dict[str, str], *, details: bool
) -> dict[str, object]:
    """What every worker is told, whatever it hosts; `details`: its events are to have them."""
    return {
        "token": token.hex(),
        "directory": directory,
        "details": details,
        "job": base64.b64encode(pickle.dumps(prepared.job)).decode(),
    }
