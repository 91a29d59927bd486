"""Scenarios and directors for tests, made from the text that people write."""

from __future__ import annotations

from increstore.errors import ScenarioError
from increstore.protocol.messages import (
    ApplyChanges,
    ChangesApplied,
    CompletionNotification,
    Finalize,
    ScanId,
    StartScan,
    Status,
)
from increstore.scenario.director import Director, compile_scenario
from increstore.scenario.load import parse_scenario

MS = 1_000_000
SECOND = 1_000 * MS
HEAD = 'title = "t"\nwhy = "w"\n'


def a_scenario(text="", head=HEAD):
    return parse_scenario(head + text, "t.toml")


def a_fault(text, head=HEAD):
    """The only fault of a scenario."""
    (fault,) = a_scenario("[[fault]]\n" + text, head).faults
    return fault


def benign(label, bound):
    return 0


def worst(label, bound):
    return bound - 1


def a_director(*faults, draw=benign, more=""):
    """A director of these faults (the lines under `[[fault]]`) over the default cluster."""
    text = more + "".join(f"\n[[fault]]\n{fault}\n" for fault in faults)
    return Director(compile_scenario(a_scenario(text)), draw)


def mistakes(text, head=HEAD):
    """What is wrong with this file, without the file's name."""
    try:
        a_scenario(text, head)
    except ScenarioError as error:
        return [problem.removeprefix("t.toml: ") for problem in error.problems]
    return []


def fault_mistakes(fault, more=""):
    """What is wrong with this fault, without its place."""
    found = mistakes(more + "\n[[fault]]\n" + fault)
    return [mistake.partition("): ")[2] or mistake for mistake in found]


def a_scan(source="orders/s0", incremental=1, attempt=1):
    return ScanId("r", incremental, source, attempt)


def a_report(source="orders/s0", incremental=1, attempt=1, status=Status.SUCCESS):
    return CompletionNotification(a_scan(source, incremental, attempt), 1, status, 4, (), "")


def a_batch(order=1, payload=b"", source="orders/s0", incremental=1, attempt=1):
    return ApplyChanges(a_scan(source, incremental, attempt), 1, order, 1, 0, payload)


def an_acknowledgement(watermark=1, source="orders/s0"):
    return ChangesApplied(a_scan(source), 1, watermark)


def a_question(source="orders/s0", incremental=1, attempt=1):
    return StartScan(a_scan(source, incremental, attempt), 1)


def a_finalize():
    return Finalize("r", 1)


def told(director, *whats):
    """(what, fault, where) of the log, of these kinds only when any is given."""
    return [
        (line.what, line.fault, line.where)
        for line in director.log
        if not whats or line.what in whats
    ]
