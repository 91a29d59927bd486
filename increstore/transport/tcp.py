"""The transport between processes: one TCP connection from each host to each it has mail for.

    endpoint.send -> codec -> link's outbox -> link -> TCP -> acceptor -> codec -> mailbox

Nodes of one host talk through the codec and the mailboxes alone. Which host a node lives on is
the `directory`; where a host listens may be told later, as processes learn it from their parent.
Nothing on the wire is encrypted: keep it on loopback, or on a network that is trusted.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import trio

from increstore.errors import LocalProtocolError
from increstore.transport.acceptor import Acceptor
from increstore.transport.codec import decode, encode
from increstore.transport.framing import encode_frame
from increstore.transport.handshake import HOST_NAME_BYTES_MAX, NONCE_BYTES, Hello
from increstore.transport.link import Link, PeerStatus
from increstore.transport.mailbox import MailboxEndpoint, Mailboxes, payload_bytes
from increstore.transport.seam import Endpoint, LinkCounters
from increstore.transport.wire import Address, TcpSettings, open_listener

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from increstore.protocol.messages import Message
    from increstore.transport.damage import Damage


class TcpTransport:
    """All links of one host.

    `directory` maps node to host, `addresses` host to where it listens; `listen` is where we do
    (port 0: any). Messages to a node the directory does not know are dropped and counted, as are
    those to an unreachable host beyond what its outbox holds.
    Every process of the cluster has the same `token`. `incarnation` orders the processes of one
    host: by default the time it started.
    """

    def __init__(
        self,
        host: str,
        token: bytes,
        directory: Mapping[str, str],
        addresses: Mapping[str, Address],
        listen: Address = ("127.0.0.1", 0),
        *,
        allow_remote: bool = False,
        settings: TcpSettings | None = None,
        incarnation: int | None = None,
    ) -> None:
        if not token or not 0 < len(host.encode()) <= HOST_NAME_BYTES_MAX:
            raise LocalProtocolError(f"host {host!r}: needs a name and a token that is not empty")
        self.host = host
        self.counters = LinkCounters()
        self._token = token
        self._directory = directory
        self._listen = listen
        self._allow_remote = allow_remote
        self._settings = settings or TcpSettings()
        self._incarnation = time.time_ns() if incarnation is None else incarnation
        self._mailboxes = Mailboxes(self._settings.mailbox, self.counters)
        self._acceptor = Acceptor(
            self._hello, token, self._settings, self._knows_host, self._mailboxes, self.counters
        )
        self._addresses = dict(addresses)
        self._links: dict[str, Link] = {}
        self._nursery: trio.Nursery | None = None
        self._listening: Address | None = None

    @property
    def listening(self) -> Address:
        """Where we listen: (IP address, port). Raises: LocalProtocolError before `run` started."""
        if self._listening is None:
            raise LocalProtocolError(f"host {self.host}: does not listen yet; start `run` first")
        return self._listening

    @property
    def refusals(self) -> tuple[str, ...]:
        """The last connections and frames refused here, each with its reason, oldest first."""
        return tuple(self._acceptor.refusals)

    def attach(self, node: str) -> Endpoint:
        """The mailbox of a node hosted here.

        Raises: LocalProtocolError when the name is taken, or the directory has it elsewhere.
        """
        if self._directory.get(node) != self.host:
            raise LocalProtocolError(
                f"{node}: attached at host {self.host!r}, but the directory says"
                f" {self._directory.get(node)!r}"
            )
        return MailboxEndpoint(self._mailboxes, node, self.send)

    def set_address(self, host: str, address: Address) -> None:
        """Where a host listens, from now on; our own is ignored."""
        ip, port = address
        self._addresses[host] = (ip, port)
        if host in self._links:
            self._links[host].set_address((ip, port))

    def status(self, host: str) -> PeerStatus:
        """How the link to `host` is; dials it, if nothing was sent there yet."""
        return self._link(host).status

    async def until(self, host: str, condition: Callable[[PeerStatus], bool]) -> PeerStatus:
        """Dial `host`, if nothing was sent there yet, and wait until its status is as asked."""
        return await self._link(host).until(condition)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and keep the links until cancelled; started once.

        Raises: UsageError when the address to listen on cannot be had, or is open to others.
        """
        if self._listening is not None:
            raise LocalProtocolError(f"host {self.host}: the transport was started before")
        listener = await open_listener(self._listen, allow_remote=self._allow_remote)
        ip, port, *_ = listener.socket.getsockname()
        self._listening = (ip, port)
        try:
            async with trio.open_nursery() as self._nursery:
                for link in self._links.values():
                    link.start(self._nursery)
                task_status.started()
                await trio.serve_listeners(self._acceptor.serve, [listener])
        finally:
            self._nursery = None

    async def send(
        self, sender: str, receiver: str, message: Message, damage: Damage | None = None
    ) -> None:
        """Hand a message to the receiver's mailbox here, or to the outbox of its host.

        `damage` makes its frame into other bytes, which the peer should refuse.
        """
        header, payload = encode(sender, receiver, message)
        host = self._directory.get(receiver)
        self.counters.sent += 1
        if host == self.host:
            await self._mailboxes.deliver(*decode(header, payload))
            return
        frame = encode_frame(header, payload, self._settings.payload_bytes_max)
        if damage is not None:
            frame = damage(frame)
        taken = host is not None and await self._link(host).outbox.put(
            frame, payload_bytes(payload)
        )
        if not taken:
            self.counters.dropped += 1

    def reset(self, sender: str, receiver: str) -> None:
        """Break the connections from here to the hosts of both nodes, as a router may."""
        for node in (sender, receiver):
            host = self._directory.get(node)
            if host in self._links:
                self._links[host].reset()

    def _link(self, host: str) -> Link:
        link = self._links.get(host)
        if link is None:
            link = Link(host, self._hello, self._token, self._settings, self.counters)
            self._links[host] = link
            if host in self._addresses:
                link.set_address(self._addresses[host])
            if self._nursery is not None:
                link.start(self._nursery)
        return link

    def _hello(self) -> Hello:
        return Hello(self.host, self._incarnation, secrets.token_bytes(NONCE_BYTES))

    def _knows_host(self, host: str) -> bool:
        known = host in self._addresses or host in self._directory.values()
        return known and host != self.host
