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
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.narrate import narrate_loss
from increstore.scenario.ambient import REORDER_NS_MAX
from increstore.simulation.ambient import MS, RATE_WHOLE
from increstore.simulation.strikes import Strike
from increstore.transport.codec import decode, encode
from increstore.transport.framing import PREAMBLE_BYTES, FrameDecoder, encode_frame

if TYPE_CHECKING:
    from increstore.protocol.messages import Message, Payload
    from increstore.scenario.director import Fate
    from increstore.simulation.world import World

RECONNECT_NS = 50 * MS
"""How long a broken stream stays away."""
FRAMES_KEPT_MAX = 1 << 14
"""Frames that are not read again when they come again: about 1 kB each."""
_FRAMES_READ: dict[tuple[bytes, Payload | None], tuple[str, Received]] = {}
"""By their bytes. These always tell the same, in every run, and nobody can change a message."""


class Lane:
    """The messages of one kind on one link: their number, and what names their chance."""

    __slots__ = ("kind", "label", "number")

    def __init__(self, kind: str, label: str) -> None:
        self.kind = kind
        self.label = label
        self.number = 0


class Link:
    """One direction between two nodes, and its lanes by the class of their messages."""

    __slots__ = ("_lanes", "down_until", "epoch", "last_arrival", "receiver", "resets", "sender")

    def __init__(self, sender: str, receiver: str) -> None:
        self.sender = sender
        self.receiver = receiver
        self._lanes: dict[type, Lane] = {}
        self.last_arrival = 0
        self.epoch = 0
        """Rises when the connection ends in any way: what was sent before never arrives."""
        self.resets = 0
        """How often that was by a reset."""
        self.down_until = 0

    def lane_of(self, kind: type) -> Lane:
        """That of a class of messages, made when the first of them is sent."""
        lane = self._lanes.get(kind)
        if lane is None:
            name = kind.__name__
            lane = self._lanes[kind] = Lane(name, f"net {self.sender}>{self.receiver} {name} ")
        return lane


class Network:
    """All links of a world."""

    __slots__ = (
        "_ambient", "_is_quiet", "_is_stream", "_latency_low", "_latency_width", "_links",
        "_take_in", "_troubles", "_world", "delivered", "held",
    )  # fmt: skip
    __deletable__ = ("_take_in",)

    def __init__(self, world: World) -> None:
        ambient = world.ambient
        self._world = world
        self._ambient = ambient
        self._is_stream = ambient.is_stream
        self._latency_low = ambient.latency.low
        self._latency_width = ambient.latency.width + 1
        self._troubles = ambient.troubles_messages
        self._is_quiet = not self._troubles and world.strikes_kept is None
        """Whether only a fault of the scenario can do something to a message."""
        self._links: dict[str, dict[str, Link]] = {}
        """Every link that was ever used, by receiver and sender."""
        self._take_in = self._arrive  # Bound once, and not for every message.
        self.held: dict[str, list[tuple[Link, bytes, Payload | None]]] = {}
        """Messages that a fault keeps until it ends, by fault."""
        self.delivered = 0

    def close(self) -> None:
        """Nothing is sent or arrives any more: what refers to itself lets go."""
        del self._take_in

    # --- Sending.

    def send(self, sender: str, receiver: str, message: Message) -> None:
        world, links = self._world, self._links.get(receiver)
        link = links.get(sender) if links is not None else None
        if link is None:
            link = self._link(sender, receiver)
        lane = link.lane_of(type(message))
        lane.number = number = lane.number + 1
        header, payload = encode(sender, receiver, message)
        drawn, tie = world.draws.latency_and_tie(lane.label + str(number))
        latency = self._latency_low + (drawn * self._latency_width >> 16)
        if self._is_quiet and not world.director.has_message_faults:
            if self._is_stream:
                self._travel(link, header, payload, latency, tie)
            else:
                arrival = (link, link.epoch, link.resets, header, payload)
                world.at(world.now + latency, tie, self._take_in, arrival)
            return
        if world.director.has_message_faults:
            fate = world.director.fate(world.now, sender, receiver, message)
            if fate is not None:
                world.tell_of_faults()
                self._send_fated(link, lane, header, payload, latency, fate)
                return
        if world.strikes_kept is not None and latency > self._latency_low:
            self._note("latency", link, lane, latency - self._latency_low)
        if self._troubles and world.now < self._ambient.heals_at:
            self._send_troubled(link, lane, header, payload, latency, tie)
        else:
            self._travel(link, header, payload, latency, tie)

    def _link(self, sender: str, receiver: str) -> Link:
        """The link between the two, made when it is first used."""
        links = self._links.setdefault(receiver, {})
        return links.setdefault(sender, Link(sender, receiver))

    def _send_troubled(
        self, link: Link, lane: Lane, header: bytes, payload: Payload | None, latency: int, tie: int
    ) -> None:
        """As ambient chance has it; each decision is a draw of its own, to be left out alone."""
        ambient, draw = self._ambient, self._world.draws.draw
        label = f"{lane.label}{lane.number}"
        if ambient.loss and self._strikes(f"{label} loss", ambient.loss):
            self._note("loss", link, lane)
            self._lost(header, payload, "loss (drawn)")
            if ambient.is_stream:
                self.reset(link.sender, link.receiver)
            return
        for damage, rate in (("corrupt", ambient.corrupt), ("truncate", ambient.truncate)):
            if rate and self._strikes(f"{label} {damage}", rate):
                self._note(damage, link, lane)
                self._travel_damaged(link, header, payload, latency, damage, label)
                return
        may_be_late = ambient.reorder and not ambient.is_stream
        if may_be_late and self._strikes(f"{label} reorder", ambient.reorder):
            late = 1 + draw(f"{label} late", REORDER_NS_MAX)
            self._note("reorder", link, lane, late)
            latency += late
        if ambient.duplicate and self._strikes(f"{label} duplicate", ambient.duplicate):
            again = draw(f"{label} again", REORDER_NS_MAX)
            self._note("duplicate", link, lane, again)
            self._travel(link, header, payload, latency + again, tie)
        self._travel(link, header, payload, latency, tie)

    def _strikes(self, label: str, rate: int) -> bool:
        """Draws that strike are those at the end, so that 0 is harmless."""
        return self._world.draws.draw(label, RATE_WHOLE) >= RATE_WHOLE - rate

    def _note(self, what: str, link: Link, lane: Lane, by: int = 0) -> None:
        """Tell what chance has done to this message, when somebody wants to know."""
        strikes = self._world.strikes_kept
        if strikes is not None:
            ends = (link.sender, link.receiver)
            strikes.append(Strike(what, self._world.now, *ends, lane.kind, lane.number, by))

    def _send_fated(
        self,
        link: Link,
        lane: Lane,
        header: bytes,
        payload: Payload | None,
        latency: int,
        fate: Fate,
    ) -> None:
        """As a fault of the scenario has it."""
        if fate.hold is not None:
            self.held.setdefault(fate.hold, []).append((link, header, payload))
            return
        if fate.damage:
            label = f"{lane.label}{lane.number}"
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
        for link in (self._link(a, b), self._link(b, a)):
            link.epoch += 1
            link.resets += 1
            link.down_until = self._world.now + RECONNECT_NS

    def renew(self, receiver: str) -> None:
        """The process of this node has ended or begun: a stream to the one before ends with it."""
        if self._is_stream:
            for link in self._links.get(receiver, {}).values():
                link.epoch += 1

    def _lost(self, header: bytes, payload: Payload | None, why: str) -> None:
        """Tell a journal that wants to know of each message."""
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
        if self._is_stream and keeps_order:
            if link.down_until > world.now:
                arrival = link.down_until + latency
            if arrival <= link.last_arrival:
                arrival = link.last_arrival + 1
            link.last_arrival = arrival
        world.at(arrival, tie, self._take_in, (link, link.epoch, link.resets, header, payload))

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
        world.at(arrival, 0, self._arrive_damaged, (link, link.resets, frame, header, payload))

    def _arrive(self, arg: tuple[Link, int, int, bytes, Payload | None]) -> None:
        link, epoch, resets, header, payload = arg
        if epoch != link.epoch:
            is_reset = resets != link.resets
            why = "the connection broke" if is_reset else "its receiver went down"
            self._lost(header, payload, why)
            return
        self.delivered += 1
        world = self._world
        world.trace(header)
        receiver, event = _FRAMES_READ.get((header, payload)) or _read(header, payload)
        node = world.nodes[receiver]
        if world.other_coordinators and receiver == COORDINATOR:
            world.deliver_to_coordinators(event)
        elif node.core is None:
            self._lost(header, payload, "its receiver is down")
        else:
            node.handle(event)

    def _arrive_damaged(self, arg: tuple[Link, int, bytearray, bytes, Payload | None]) -> None:
        link, resets, frame, header, payload = arg
        self._lost(header, payload, "its frame was damaged")
        if resets != link.resets:
            return
        self._world.judge_damaged_frame(link.receiver, is_delivered=_is_taken(frame))
        self.reset(link.sender, link.receiver)


def _read(header: bytes, payload: Payload | None) -> tuple[str, Received]:
    """Whom these bytes are for, and what they tell."""
    if len(_FRAMES_READ) >= FRAMES_KEPT_MAX:
        _FRAMES_READ.clear()
    sender, receiver, message = decode(header, payload)
    read = _FRAMES_READ[header, payload] = (receiver, Received(sender, message))
    return read


def _is_taken(frame: bytearray) -> bool:
    """Whether the framing would hand this to a node."""
    decoder = FrameDecoder(staging_bytes=max(len(frame), PREAMBLE_BYTES))
    decoder.writable()[: len(frame)] = frame
    decoder.received(len(frame))
    try:
        return decoder.next_frame() is not None
    except RemoteProtocolError:
        return False
