"""Plain lines: one fact a line, for pipes."""

from __future__ import annotations

from increstore.view.cluster import ClusterView
from increstore.view.plain import PlainLines

from .journals import an_event


def test_the_text_of_a_scenario_is_not_told_as_a_fact():
    view = ClusterView()
    opened = an_event("journal.opened", node="journal", seed=3, text="format = 1\ntitle = 't'\n")
    view.apply(opened)

    (line,) = PlainLines(view).lines_of(opened)

    assert line.endswith("journal  journal.opened  seed=3")
