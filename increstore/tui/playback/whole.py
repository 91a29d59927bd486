"""Events as a dashboard gets them: all that is known of them among their facts."""

from __future__ import annotations

from increstore.journal import JournalEvent


def whole(event: JournalEvent) -> JournalEvent:
    """The same event with its details merged in."""
    if event.details is None:
        return event
    facts = {**event.facts, **event.details}
    return JournalEvent(event.at, event.node, event.name, facts, None, event.is_detail)
