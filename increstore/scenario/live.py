"""A fault in one run: when it begins, that it ends, and what is told of it.

Rules of this file:
- A fault begins once (a crash by an event as often as its `times` say) and ends once.
- It ends by its duration, its `until`, its last strike, or the heal, whichever is first. Only a
  permanent fault outlives the heal, and only what an operator does begins after it.
- "injected" is told when something is done to the restore, not when a fault merely waits for an
  occasion; one that ends without any is "skipped".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from increstore.scenario.trigger import CountedFault, LastingFault
from increstore.scenario.words import FAULT_MARK

if TYPE_CHECKING:
    from increstore.scenario.compiled import CompiledFault
    from increstore.scenario.director import Director, Watch
    from increstore.scenario.values import Span

BY_HAND = "healed by hand"
TOLD_MAX = 100
"""Strikes of one fault that are told one by one; what exceeds them is only counted."""


class LiveFault(ABC):
    """A fault without a duration: it strikes when it is triggered."""

    is_repeated = False
    """Whether each of the events it waits for triggers it, not the first alone."""
    begins_after_heal = False

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        self.compiled = compiled
        self.number = compiled.number
        self.director = director
        self.spec = compiled.spec
        self.id = self.spec.id
        self.kind = self.spec.kind
        self.struck = 0
        self.began_at: int | None = None
        """When its trigger came, the last time; None: not yet."""
        self._mark = FAULT_MARK + self.id
        self.nodes = compiled.drawn(compiled.nodes, "node", director.draw)
        self._has_healed = False

    def begin(self, now: int) -> None:
        """The trigger has come."""
        if not self._has_healed:
            self.began_at = now
            self.strike_now(now)

    def heal(self, now: int) -> None:
        """Everything heals: end, and never begin again."""
        if self.is_permanent or self.begins_after_heal:
            return
        self.end(now, "healed")
        if not self.has_begun:
            self.tell(now, "skipped", "", "had not begun when everything healed")
        self._has_healed = True

    def lift(self, now: int) -> None:
        """A person ends it, permanent or not; it never begins (again)."""
        if self._has_healed:
            return
        self.end(now, BY_HAND)
        if not self.has_begun:
            self.tell(now, "skipped", "", BY_HAND)
        self._has_healed = True

    @property
    def has_begun(self) -> bool:
        return self.began_at is not None

    @property
    def is_open(self) -> bool:
        """Whether lifting it would change anything."""
        return not self._has_healed and (not self.has_begun or self.is_lasting)

    @property
    def is_lasting(self) -> bool:
        """Whether it does something now, or still may."""
        return False

    def end(self, now: int, why: str) -> None:  # noqa: B027 - not every fault leaves something.
        """Undo what can be undone."""

    @abstractmethod
    def strike_now(self, now: int) -> None: ...

    @property
    def is_permanent(self) -> bool:
        return isinstance(self.spec, LastingFault) and self.spec.permanent

    @property
    def times(self) -> int | None:
        """How often it may strike; None for no bound."""
        return self.spec.times if isinstance(self.spec, CountedFault) else None

    def pick(self, span: Span, purpose: str) -> int:
        """A value of the span, drawn when it has more than one."""
        if span.is_one_value:
            return span.low
        label = f"fault {self.id} {purpose} {self.struck}"
        return span.low + self.director.draw(label, span.width + 1)

    def count(self, now: int, where: str, detail: str = "") -> None:
        """One more strike."""
        self.struck += 1
        self.director.mark(self._mark)
        if self.struck <= TOLD_MAX:
            self.tell(now, "injected", where, detail)

    def tell(self, now: int, what: str, where: str, detail: str = "") -> None:
        self.director.tell(now, self, what, where, detail)

    def happen(self, now: int, where: str = "", detail: str = "") -> None:
        """A strike that is over as it happens."""
        self.count(now, where, detail)
        self.tell(now, "ended", where)


class LiveState(LiveFault):
    """A fault that lasts: it is there between its begin and its end."""

    is_occasional = False
    """Whether it waits for occasions; else being there is the strike."""

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        self.is_active = False
        self.ends_at: int | None = None
        """None when it is permanent, or ends with an event."""
        self._until: Watch | None = None

    def strike_now(self, now: int) -> None:
        if self.is_active:
            return
        self.is_active = True
        self._arrange_end(now)
        self.take_effect(now)
        if not self.is_occasional:
            self.count(now, ", ".join(self.nodes), self.describe())

    @property
    def is_lasting(self) -> bool:
        return self.is_active

    def end(self, now: int, why: str) -> None:
        if not self.is_active:
            return
        self.is_active = False
        self.director.forget(self._until)
        self.lose_effect(now)
        self.tell_end(now, why)

    def tell_end(self, now: int, why: str) -> None:
        if self.struck:
            self.tell(now, "ended", "", f"{why}; {self._strikes()}")
        else:
            self.tell(now, "skipped", "", f"{why}; nothing matched")

    @abstractmethod
    def take_effect(self, now: int) -> None: ...

    @abstractmethod
    def lose_effect(self, now: int) -> None: ...

    def describe(self) -> str:
        return ""

    def spend(self, now: int, where: str, detail: str = "") -> None:
        """One strike of those it has."""
        self.count(now, where, detail)
        if self.times is not None and self.struck >= self.times:
            self.run_out(now)

    def run_out(self, now: int) -> None:
        """The last strike is done."""
        self.end(now, "the last of its times")

    def _arrange_end(self, now: int) -> None:
        spec = self.spec
        assert isinstance(spec, LastingFault)
        heal = self.director.heal_at
        if not spec.permanent and self.compiled.ends is None:
            self.ends_at = heal
        if spec.duration is not None:
            self.ends_at = min(heal, now + self.pick(spec.duration, "duration"))
            if self.ends_at < heal:
                self.director.later(self.ends_at, lambda at: self.end(at, "its time is over"))
        if self.compiled.ends is not None:
            event = self.compiled.ends.event
            self._until = self.director.watch(
                self.compiled.ends, lambda at: self.end(at, f"{event} was seen")
            )

    def _strikes(self) -> str:
        return "1 strike" if self.struck == 1 else f"{self.struck} strikes"
