"""What a person types to see only some events.

    orders/s1            text, anywhere in the line people read
    !progress            not this text
    node:s1              of this node (its whole name or its last part)
    kind:message         of an event whose name begins so
    inc:2                about this incremental

Words stand for themselves, whatever their case; all of them must hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.view.history import TROUBLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.journal import JournalEvent

    Test = Callable[[JournalEvent], bool]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A filter as typed. An empty one lets everything pass."""

    text: str = ""
    only_trouble: bool = False
    node: str = ""
    """Beside the text: only this node, as when the log follows the selection."""

    @property
    def is_open(self) -> bool:
        return not (self.text.strip() or self.only_trouble or self.node)

    def compile(self) -> Test:
        """The filter as a function."""
        tests = [_test_of(word) for word in self.text.split()]
        if self.only_trouble:
            tests.append(lambda event: event.name in TROUBLE)
        if self.node:
            tests.append(_about(self.node))
        return lambda event: all(test(event) for test in tests)


def _test_of(word: str) -> Test:
    if word.startswith("!") and len(word) > 1:
        inner = _test_of(word[1:])
        return lambda event: not inner(event)
    name, colon, value = word.partition(":")
    if colon and value and name in _BY_NAME:
        return _BY_NAME[name](value)
    lowered = word.lower()
    return lambda event: lowered in event.as_line(0).lower()


def _about(node: str) -> Test:
    """The node's own events, and those that name it."""

    def test(event: JournalEvent) -> bool:
        facts = event.facts
        if event.node == node or any(value == node for value in facts.values()):
            return True
        return node in str(facts.get("where", "")).split(">")  # A fault that struck a link.

    return test


def _of_node(value: str) -> Test:
    return lambda event: value in (event.node, event.node.rpartition("/")[2])


def _of_kind(value: str) -> Test:
    return lambda event: event.name.startswith(value)


def _of_incremental(value: str) -> Test:
    return lambda event: str(event.facts.get("incremental", "")) == value


_BY_NAME: dict[str, Callable[[str], Test]] = {
    "node": _of_node,
    "kind": _of_kind,
    "inc": _of_incremental,
}
