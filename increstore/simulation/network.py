"""The simulated network: every message is encoded, travels a link, and is decoded on arrival.

Rules of this file:
- A link has a direction. On a *stream* link messages arrive in the order sent; a message can only
  be lost by breaking the connection, and then everything on its way is lost with it, and what is
  sent until the reconnect waits. On a *datagram* link each message has a fate of its own.
- Chance is keyed by (link, kind of message, how many of that kind this link has carried), so that
  another message more or less elsewhere changes nothing here.
- A damaged frame goes through the real framing: it must be refused there, and breaks the link.
- Messages on their way outlive their sender: that is how stale reports are born. On a stream they
  die with the receiver's process; a datagram reaches its next life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.errors import RemoteProtocolError
from increstore.protocol.ready import Received
from increstore.runtime.narrate import narrate_loss
from increstore.simulation.ambient import MS, RATE_WHOLE
from increstore.simulation.strikes import Strike
from increstore.transport.codec import decode, encode
from increstore.transport.framing import PREAMBLE_BYTES, FrameDecoder, encode_frame

if TYPE_CHECKING:
    from increstore.protocol.messages import Message, Payload
    from increstore.scenario.director import Fate
    from increstore.simulation.world import World

RECONNECT_NS = 50 * MS
REORDER_NS_MAX = 2_000 * MS


class Link:
    """One direction between two nodes."""

    __slots__ = (
        "counts",
        "down_until",
        "epoch",
        "free_at",
        "label",
        "last_arrival",
        "receiver",
        "sender",
    )

    def __init__(self, sender: str, receiver: str) -> None:
        self.sender = sender
        self.receiver = receiver
        self.label = f"net {sender}>{receiver} "
        self.counts: dict[str, int] = {}
        self.last_arrival = 0
        self.epoch = 0
        """Rises with each reset: what was sent before never arrives."""
        self.down_until = 0


class Network:
    """All links of a world."""

    __slots__ = ("_ambient", "_is_plain", "_links", "_world", "counters", "held")

    def __init__(self, world: World) -> None:
        self._world = world
        self._ambient = world.ambient
        self._is_plain = world.draws.is_plain and not world.ambient.troubles_messages
        self._links: dict[tuple[str, str], Link] = {}
        self.held: dict[str, list[tuple[Link, bytes, Payload | None]]] = {}
        """Messages that a fault keeps until it ends, by fault."""
        self.counters = {"sent": 0, "delivered": 0, "lost": 0, "duplicated": 0, "refused": 0}

    def link(self, sender: str, receiver: str) -> Link:
        found = self._links.get((sender, receiver))
        if found is None:
            found = self._links[sender, receiver] = Link(sender, receiver)
        return found

    # --- Sending.

    def send(self, sender: str, receiver: str, message: Message) -> None:
        world = self._world
        link = self._links.get((sender, receiver)) or self.link(sender, receiver)
        kind = message.__class__.__name__
        number = link.counts[kind] = link.counts.get(kind, 0) + 1
        self.counters["sent"] += 1
        header, payload = encode(sender, receiver, message)
        if world.director.has_message_faults:
            fate = world.director.fate(world.now, sender, receiver, message)
            if fate is not None:
                world.tell_of_faults()
                self._send_fated(link, kind, number, header, payload, fate)
                return
        if self._is_plain:
            drawn, tie = world.draws.latency_and_tie(f"{link.label}{kind} {number}")
            self._travel(link, header, payload, self._ambient.latency.of(drawn), tie)
            return
        self._send_drawn(link, kind, number, header, payload)

    def _send_drawn(
        self, link: Link, kind: str, number: int, header: bytes, payload: Payload | None
    ) -> None:
        """As ambient chance has it; each decision is a draw of its own, to be left out alone."""
        ambient, draw = self._ambient, self._world.draws.draw
        label = f"{link.label}{kind} {number}"
        drawn, tie = self._world.draws.latency_and_tie(label)
        latency = ambient.latency.of(drawn)
        if latency > ambient.latency.low:
            self._note("latency", link, kind, number, latency - ambient.latency.low)
        if self._world.now < ambient.heals_at and ambient.troubles_messages:
            if self._strikes(f"{label} loss", ambient.loss):
                self._note("loss", link, kind, number)
                self._lose(link, header, payload)
                return
            for damage, rate in (("corrupt", ambient.corrupt), ("truncate", ambient.truncate)):
                if self._strikes(f"{label} {damage}", rate):
                    self._note(damage, link, kind, number)
                    self._travel_damaged(link, header, payload, latency, damage, label)
                    return
            if not ambient.is_stream and self._strikes(f"{label} reorder", ambient.reorder):
                late = 1 + draw(f"{label} late", REORDER_NS_MAX)
                self._note("reorder", link, kind, number, late)
                latency += late
            if self._strikes(f"{label} duplicate", ambient.duplicate):
                self.counters["duplicated"] += 1
                again = draw(f"{label} again", REORDER_NS_MAX)
                self._note("duplicate", link, kind, number, again)
                self._travel(link, header, payload, latency + again, tie)
        self._travel(link, header, payload, latency, tie)

    def _strikes(self, label: str, rate: int) -> bool:
        """Draws that strike are those at the end, so that 0 is harmless."""
        if not rate:
            return False
        return self._world.draws.draw(label, RATE_WHOLE) >= RATE_WHOLE - rate

    def _note(self, what: str, link: Link, kind: str, number: int, by: int = 0) -> None:
        """Tell what chance has done to this message, when somebody wants to know."""
        strikes = self._world.strikes_kept
        if strikes is not None:
            strikes.append(
                Strike(what, self._world.now, link.sender, link.receiver, kind, number, by)
            )

    def _send_fated(
        self,
        link: Link,
        kind: str,
        number: int,
        header: bytes,
        payload: Payload | None,
        fate: Fate,
    ) -> None:
        """As a fault of the scenario has it."""
        drawn, _ = self._world.draws.latency_and_tie(f"{link.label}{kind} {number}")
        latency = self._ambient.latency.of(drawn)
        if fate.hold is not None:
            self.held.setdefault(fate.hold, []).append((link, header, payload))
            return
        if fate.damage:
            label = f"{link.label}{kind} {number}"
            self._travel_damaged(link, header, payload, latency, fate.damage, label)
            return
        if fate.reset:
            self.reset(link.sender, link.receiver)
        if not fate.copies:
            self._lost(header, payload, fate.fault)
        for extra in fate.copies:
            # What a fault delays may be overtaken: on a stream too, as if sent again later.
            in_order = fate.keeps_order or not extra
            self._travel(link, header, payload, latency + extra, 0, keeps_order=in_order)

    def release(self, hold: str) -> None:
        """The fault has ended: what it held goes on its way now, in the order held."""
        for link, header, payload in self.held.pop(hold, ()):
            self._travel(link, header, payload, self._ambient.latency.low, 0)

    def reset(self, a: str, b: str) -> None:
        """Break the connection, both directions."""
        for link in (self.link(a, b), self.link(b, a)):
            link.epoch += 1
            link.down_until = self._world.now + RECONNECT_NS

    def _lose(self, link: Link, header: bytes, payload: Payload | None) -> None:
        self._lost(header, payload, "loss (drawn)")
        if self._ambient.is_stream:
            self.reset(link.sender, link.receiver)

    def _lost(self, header: bytes, payload: Payload | None, why: str) -> None:
        """Count it, and tell a journal that wants to know of each message."""
        self.counters["lost"] += 1
        journal = self._world.journal
        if journal is not None and journal.wants_details:
            sender, receiver, message = decode(header, payload)
            narrate_loss(journal, sender, receiver, message, why)

    # --- On the way.

    def _travel(
        self,
        link: Link,
        header: bytes,
        payload: Payload | None,
        latency: int,
        tie: int,
        *,
        keeps_order: bool = True,
    ) -> None:
        world = self._world
        arrival = world.now + latency
        life = -1
        if self._ambient.is_stream:
            life = world.life_of(link.receiver)
            if keeps_order:
                arrival = max(arrival, link.down_until + latency, link.last_arrival + 1)
                link.last_arrival = arrival
        world.at(arrival, tie, self._arrive, (link, link.epoch, life, header, payload))

    def _travel_damaged(
        self,
        link: Link,
        header: bytes,
        payload: Payload | None,
        latency: int,
        damage: str,
        label: str,
    ) -> None:
        """The frame as bytes, with one flipped or the end cut off, for the framing to refuse."""
        frame = bytearray(b"".join(encode_frame(header, payload)))
        place = self._world.draws.draw(f"{label} place", len(frame))
        if damage == "truncate":
            del frame[place:]
        else:
            frame[place] ^= 0x40
        world, arrival = self._world, self._world.now + latency
        world.at(arrival, 0, self._arrive_damaged, (link, link.epoch, frame, header, payload))

    def _arrive(self, arg: tuple[Link, int, int, bytes, Payload | None]) -> None:
        link, epoch, life, header, payload = arg
        world = self._world
        if epoch != link.epoch:
            self._lost(header, payload, "the connection broke")
            return
        if life >= 0 and life != world.life_of(link.receiver):
            self._lost(header, payload, "its receiver went down")
            return
        sender, receiver, message = decode(header, payload)
        self.counters["delivered"] += 1
        world.trace(header)
        if not world.deliver(receiver, Received(sender, message)):
            self._lost(header, payload, "its receiver is down")

    def _arrive_damaged(self, arg: tuple[Link, int, bytearray, bytes, Payload | None]) -> None:
        link, epoch, frame, header, payload = arg
        self._lost(header, payload, "its frame was damaged")
        if epoch != link.epoch:
            return
        self.counters["refused"] += 1
        self._world.judge_damaged_frame(link.receiver, is_delivered=_is_taken(frame))
        self.reset(link.sender, link.receiver)


def _is_taken(frame: bytearray) -> bool:
    """Whether the framing would hand this to a node."""
    decoder = FrameDecoder(staging_bytes=max(len(frame), PREAMBLE_BYTES))
    decoder.writable()[: len(frame)] = frame
    decoder.received(len(frame))
    try:
        return decoder.next_frame() is not None
    except RemoteProtocolError:
        return False
