"""How an invariant is written: a method with its law as docstring, and the observations it judges.

An observation is named as `"sent StartScan"`, `"recorded ScanReported"` or `"applied"`; what a
method is given for it is listed here:

| observation | arguments after `now` |
|---|---|
| `recorded KIND` of a coordinator | its `History` before this record, the record |
| `recorded GenerationSeen` | the `Target`, the record |
| `sent StartScan`, `SealIncremental`, `Finalize`, `CancelRestore` | the `History` it rests on, the receiver, the message |
| `sent` or `received OpenStream`, `ApplyChanges`, `StreamOpened`, `ChangesApplied` | the `Stream`, the message |
| `sent` or `received CompletionNotification`, `ScanProgress` | the `Source`, the message |
| `sent` or `received IncrementalSealed`, `Finalized` | the `Target`, the message |
| `received StartScan`, `SealIncremental`, `Finalize` | the `Source` or `Target`, the message |
| `applied` | the `Stream` before it, order, rows, digest |
| `sealed` | the `Target` before it, incremental, streams |
| `finalized` | the `Target` before it, rows, digest |
| others | as the judge's method of that name |
"""  # noqa: E501 - a table is read as a table.

from __future__ import annotations

from dataclasses import dataclass
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from increstore.judging.violation import InvariantViolated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from increstore.judging.config import JudgeConfig
    from increstore.judging.truth import Truth

Check = TypeVar("Check", bound="Callable[..., None]")

_MARKS: dict[Callable[..., None], tuple[str, str, tuple[str, ...]]] = {}
"""Invariant, name and observations of each marked method; a compiled one has no attributes."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A law: `id` ("C1"), `name` ("completion-truth"), what it says, and the group it is in.

    `observations` are those that its method is called with.
    """

    id: str
    name: str
    law: str
    group: str
    observations: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.id} {self.name}"


def invariant(identity: str, name: str, *observations: str) -> Callable[[Check], Check]:
    """Mark a method as the invariant of this id and name, called with these observations."""
    return _marking((identity, name, observations))


def part_of(identity: str, *observations: str) -> Callable[[Check], Check]:
    """Mark a method as another part of an invariant of the same monitor."""
    return _marking((identity, "", observations))


def _marking(mark: tuple[str, str, tuple[str, ...]]) -> Callable[[Check], Check]:
    def decorate(method: Check) -> Check:
        _MARKS[method] = mark
        return method

    return decorate


class Monitor:
    """The invariants of one group."""

    group: ClassVar[str]

    def __init__(self, truth: Truth, config: JudgeConfig) -> None:
        self.truth = truth
        self.config = config

    @classmethod
    def invariants(cls) -> tuple[Invariant, ...]:
        """Those of this group, in the order in which they are written down."""
        marks = list(cls._marks())
        return tuple(
            Invariant(
                identity,
                name,
                " ".join(cleandoc(method.__doc__ or "").split()),
                cls.group,
                tuple(o for _, (other, _, more) in marks if other == identity for o in more),
            )
            for method, (identity, name, _) in marks
            if name
        )

    @classmethod
    def checks(cls) -> Iterator[tuple[str, str, Callable[..., None]]]:
        """(invariant, observation, method to call) of each."""
        for method, (identity, _, observations) in cls._marks():
            for observation in observations:
                yield identity, observation, method

    @classmethod
    def _marks(cls) -> Iterator[tuple[Any, tuple[str, str, tuple[str, ...]]]]:
        for member in vars(cls).values():
            mark = _MARKS.get(member) if callable(member) else None
            if mark is not None:
                yield member, mark

    def violated(self, identity: str, now: int, node: str, says: str) -> InvariantViolated:
        """The verdict to raise."""
        name = next(mark[1] for _, mark in self._marks() if mark[0] == identity and mark[1])
        return InvariantViolated(f"{identity} {name}", says, now, node)
