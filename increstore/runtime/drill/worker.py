"""A worker process in a drill: its shards behind guards that ask the parent.

It lives once: a crash is a `kill -9` of the process, and its next life is another process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from increstore.journal import Journal
from increstore.protocol.source_scan import SourceConfig
from increstore.runtime.drill.at_rest import Older
from increstore.runtime.drill.cast import Cast
from increstore.runtime.drill.questions import RemoteInjector
from increstore.runtime.drill.shards import Scene, live
from increstore.runtime.spawn import available_cores
from increstore.runtime.target_node import Threads
from increstore.runtime.worker import job_of, next_line, set_addresses, transport_of
from increstore.transport.faulty import FaultyTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from increstore.runtime.processes import LineReader
    from increstore.runtime.worker import Reporter
    from increstore.transport.tcp import TcpTransport


async def serve_in_drill(
    spec: Mapping[str, Any], reader: LineReader, reporter: Reporter, nursery: trio.Nursery
) -> None:
    """Host the shards of `spec`, whose "drill" says what is to be asked."""
    drill = spec["drill"]
    journal = Journal()
    journal.subscribe(reporter.event, details=spec["details"])
    job = await trio.to_thread.run_sync(job_of, spec)
    tcp = transport_of(spec)
    injector = RemoteInjector(reporter.say, drill["asks"])
    transport = FaultyTransport(tcp, injector)
    await nursery.start(transport.run)
    reporter.listening(tcp)
    set_addresses(tcp, await next_line(reader))
    nursery.start_soon(_follow_parent, reader, tcp, transport, injector)
    threads = Threads(available_cores())
    config = SourceConfig(**drill["source"])
    older = Older(job.target, drill["older"])
    scene = Scene(job, config, transport, injector, journal, threads, older)
    cast = Cast(journal, nursery, first_life=drill["life"])
    for shard in spec["shards"]:
        nursery.start_soon(cast.play, shard, lambda life: live(scene, life))


async def _follow_parent(
    reader: LineReader, tcp: TcpTransport, transport: FaultyTransport, injector: RemoteInjector
) -> None:
    while True:
        match await next_line(reader):
            case {"answer": [number, answer]}:
                injector.hear(number, answer)
            case {"release": hold}:
                transport.release(hold)
            case {"reset": [one, other]}:
                transport.reset(one, other)
            case line:
                set_addresses(tcp, line)
