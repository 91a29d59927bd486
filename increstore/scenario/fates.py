"""What happens to one message when several faults concern it.

The strongest decides alone: a cut (partition, clog without hold, half-open link), then loss, then
a reset, then being held, then damage. Below these faults add up: every delay is added, every
duplicate adds its copies. Of several equally strong ones the first in the file decides.

A fate is decided when the message is sent: what is on its way already when a fault begins arrives.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from increstore.scenario import faults as f
from increstore.scenario.actions import Fate
from increstore.scenario.words import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.protocol.messages import Message
    from increstore.scenario.director import Director
    from increstore.scenario.links import LinkState
    from increstore.scenario.live import LiveState
    from increstore.scenario.strikes import MessageStrike

_DECIDE_ALONE = ("drop", "reset", "hold", "corrupt", "truncate")
"""Message faults that need no other, strongest first; the two damages are equally strong."""


class Fates:
    """The link and message faults that are there now."""

    def __init__(self, director: Director) -> None:
        self._director = director
        self._links: tuple[LinkState, ...] = ()
        self._strikes: list[MessageStrike] = []
        """As in the file, which may have thousands: they are put in their place."""
        self._by_class: dict[type, tuple[MessageStrike, ...]] | None = None
        """Made anew by the first message after a change."""

    def add_link(self, link: LinkState) -> None:
        self._links = tuple(sorted((*self._links, link), key=_number))
        self._look()

    def remove_link(self, link: LinkState) -> None:
        self._links = tuple(other for other in self._links if other is not link)
        self._look()

    def add_strike(self, strike: MessageStrike) -> None:
        insort(self._strikes, strike, key=_number)
        self._look()

    def remove_strike(self, strike: MessageStrike) -> None:
        first = bisect_left(self._strikes, strike.number, key=_number)
        for place in range(first, len(self._strikes)):
            if self._strikes[place] is strike:
                del self._strikes[place]
                break
        self._look()

    def _look(self) -> None:
        self._by_class = None
        self._director.has_message_faults = bool(self._links or self._strikes)

    def _sorted(self) -> dict[type, tuple[MessageStrike, ...]]:
        self._by_class = {
            cls: tuple(x for x in self._strikes if x.classes is None or cls in x.classes)
            for cls in MESSAGES.values()
        }
        return self._by_class

    def fate(self, now: int, sender: str, receiver: str, message: Message) -> Fate | None:
        """What happens to a message that is sent now; None: nothing."""
        by_class = self._by_class if self._by_class is not None else self._sorted()
        strikes = [
            strike
            for strike in by_class.get(type(message), ())
            if strike.meets(sender, receiver, message)
        ]
        links = [link for link in self._links if link.concerns(sender, receiver)]
        if not strikes and not links:
            return None
        for link in links:
            if link.cuts:
                return Fate((), fault=link.id)
        return self._by_one(now, sender, receiver, message, strikes, links) or self._by_all(
            now, sender, receiver, message, strikes, links
        )

    def held(self, sender: str, receiver: str) -> str | None:
        """Under which name this link holds its messages now; None: it does not."""
        for link in self._links:
            if link.concerns(sender, receiver):
                name = link.hold(sender, receiver)
                if name is not None:
                    return name
        return None

    def _by_one(
        self,
        now: int,
        sender: str,
        receiver: str,
        message: Message,
        strikes: Sequence[MessageStrike],
        links: Sequence[LinkState],
    ) -> Fate | None:
        """The fate that one fault alone decides, if there is one."""
        strongest = min(strikes, key=_strength, default=None)
        kind = None if strongest is None else strongest.kind
        if kind not in ("drop", "reset"):
            for link in links:
                name = link.hold(sender, receiver)
                if name is not None:
                    return Fate(hold=name, fault=link.id)
        if strongest is None or kind not in _DECIDE_ALONE:
            return None
        strongest.strike(now, sender, receiver, message)
        match kind:
            case "drop":
                return Fate((), fault=strongest.id)
            case "reset":
                return Fate((), reset=True, fault=strongest.id)
            case "hold":
                return Fate(hold=strongest.id, fault=strongest.id)
            case _:
                return Fate(damage=str(kind), fault=strongest.id)

    def _by_all(
        self,
        now: int,
        sender: str,
        receiver: str,
        message: Message,
        strikes: Sequence[MessageStrike],
        links: Sequence[LinkState],
    ) -> Fate:
        """The delays of all, and the copies of all."""
        late = sum(link.lateness(now, sender, receiver, message) for link in links)
        keeps_order = True
        extra: list[int] = []
        for strike in strikes:
            by = strike.lateness()
            if isinstance(strike.spec, f.Duplicate):
                extra += [by * number for number in range(1, strike.spec.copies + 1)]
            else:
                late += by
                keeps_order = False
            strike.strike(now, sender, receiver, message)
        names = ", ".join(fault.id for fault in (*links, *strikes))
        copies = (late, *(late + more for more in extra))
        return Fate(copies, fault=names, keeps_order=keeps_order)


def _strength(strike: MessageStrike) -> int:
    """0 is the strongest."""
    if strike.kind == "truncate":
        return _DECIDE_ALONE.index("corrupt")
    kinds = _DECIDE_ALONE
    return kinds.index(strike.kind) if strike.kind in kinds else len(kinds)


def _number(fault: LiveState) -> int:
    return fault.number
