"""Journals of real runs of the simulation, to be folded."""

from __future__ import annotations

from functools import cache

from increstore.journal import JournalEvent
from increstore.scenario.load import parse_scenario
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting

HEADER = 'format = 1\ntitle = "t"\nwhy = "w"\n'
SECOND = 1_000_000_000

SILENT = """
[policy]
repeat = "200ms"
stage_deadline = "3s"
[[fault]]
id = "silence"
kind = "drop"
message = "CompletionNotification"
from = "s1"
permanent = true
[expect]
outcome = "paused"
"""

STORM = """
[workload]
tables = 2
[network]
loss = "5%"
duplicate = "3%"
[nodes]
crash = "0.5%"
[pages]
fail = "3%"
[policy]
resume_after = "1s"
resumes_max = 30
"""


@cache
def journal_of(text="", seed=0):
    """(outcome, events) of one run."""
    events: list[JournalEvent] = []
    setting = prepare_setting(parse_scenario(HEADER + text, "test"))
    outcome = simulate(setting, seed, journal_to=events.append, details=True)
    return outcome, tuple(events)


def an_event(name, node="coordinator", at_s=0.0, **facts):
    return JournalEvent(1_700_000_000 * SECOND + round(at_s * SECOND), node, name, facts)
