"""The ambient rates of `[network]` for drivers that have no network of their own to draw it.

The simulation draws the same by link itself; the labels say what is drawn and for which message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.errors import LocalProtocolError
from increstore.scenario.actions import Fate
from increstore.scenario.values import RATE_WHOLE

if TYPE_CHECKING:
    from increstore.protocol.messages import Message
    from increstore.scenario.compiled import Draw
    from increstore.scenario.model import NetworkSpec

REORDER_NS_MAX = 2_000_000_000
"""By how much a reordered or doubled message is late at most."""
_STEPS = 1 << 16


class Ambient:
    """One run's weather: what each message meets without any particular fault.

    Raises: LocalProtocolError when a rate is still a range (see `swarm.settle`).
    """

    def __init__(self, network: NetworkSpec, draw: Draw) -> None:
        rates = (network.loss, network.duplicate, network.reorder, network.corrupt)
        if not all(rate.is_one_value for rate in (*rates, network.truncate)):
            raise LocalProtocolError(f"ambient rates must be settled before a run: {network}")
        self._network = network
        self._draw = draw

    def fate(self, sender: str, receiver: str, n: int, message: Message) -> Fate:
        """The fate of the n-th message of its kind from `sender` to `receiver`."""
        network, label = self._network, f"net {sender}>{receiver} {type(message).__name__} {n}"
        late = self._latency(label)
        if self._strikes(f"{label} loss", network.loss.low):
            return Fate((), reset=self._is_stream, fault="ambient loss")
        for damage, rate in (("corrupt", network.corrupt), ("truncate", network.truncate)):
            if self._strikes(f"{label} {damage}", rate.low):
                return Fate((late,), damage=damage, fault=f"ambient {damage}")
        keeps_order = self._is_stream
        if not self._is_stream and self._strikes(f"{label} reorder", network.reorder.low):
            late += 1 + self._draw(f"{label} late", REORDER_NS_MAX)
        copies: tuple[int, ...] = (late,)
        if self._strikes(f"{label} duplicate", network.duplicate.low):
            copies = (late, late + self._draw(f"{label} again", REORDER_NS_MAX))
        return Fate(copies, fault="ambient", keeps_order=keeps_order)

    def calm_fate(self, sender: str, receiver: str, n: int, message: Message) -> Fate:
        """The same after the heal: only latency is left."""
        late = self._latency(f"net {sender}>{receiver} {type(message).__name__} {n}")
        return Fate((late,), fault="ambient", keeps_order=self._is_stream)

    @property
    def _is_stream(self) -> bool:
        return self._network.kind == "stream"

    def _latency(self, label: str) -> int:
        latency = self._network.latency
        drawn = self._draw(f"{label} latency", _STEPS)
        return latency.low + drawn * (latency.width + 1) // _STEPS

    def _strikes(self, label: str, rate: int) -> bool:
        """Draws that strike are those at the end, so that 0 is harmless."""
        return bool(rate) and self._draw(label, RATE_WHOLE) >= RATE_WHOLE - rate
