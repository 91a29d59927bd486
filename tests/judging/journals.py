"""Journals of simulated runs, and ways to doctor them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from increstore.judging.from_journal import JournalVerdict, check_journal
from increstore.proving.journalled import Recorded, replay

SCENARIO = """
format = 1
title = "A small restore"
why = "Its journal is judged."
[cluster]
sources = 2
targets = 2
[workload]
incrementals = 2
rows = 24
changes = 8
[policy]
repeat = "200ms"
{more}
[heal]
at = "20s"
"""

CRASHES = """
[[fault]]
kind = "crash"
node = "orders/t0"
after = { event = "incremental.started", incremental = 1 }
delay = "5ms"
restart_after = "100ms"
[[fault]]
kind = "crash"
node = "coordinator"
after = { event = "incremental.started", incremental = 2 }
delay = "5ms"
restart_after = "100ms"
[[fault]]
kind = "drop"
message = "CompletionNotification"
times = 2
"""

PAUSE = """
[[fault]]
kind = "operator"
verb = "pause"
after = { event = "incremental.started", incremental = 1 }
[expect]
outcome = "paused"
"""

COUP = """
[[fault]]
kind = "usurp"
after = { event = "incremental.started", incremental = 1 }
delay = "1ms"
[[fault]]
kind = "disk"
node = "targets"
action = "slow"
by = "900ms"
times = 4
after = { event = "incremental.started", incremental = 1 }
"""


@cache
def lines_of(more: str = "", seed: int = 1) -> tuple[str, ...]:
    """The journal of one simulated run."""
    lines: list[str] = []
    verdict = replay(Recorded("small.toml", SCENARIO.format(more=more), seed, (), None), lines)
    assert verdict.failure is None, verdict.failure
    return tuple(lines)


def judged(folder: Path, lines) -> JournalVerdict:
    path = folder / "journal.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return check_journal(path)


def place_of(lines, event: str, nth: int = 0, **facts) -> int:
    """Where the nth line of this event with these facts stands."""
    places = [
        place
        for place, line in enumerate(lines)
        if (found := json.loads(line))["event"] == event
        and all(found.get(name) == value for name, value in facts.items())
    ]
    return places[nth]


def without(lines, place: int) -> list[str]:
    return [*lines[:place], *lines[place + 1 :]]


def twice(lines, place: int) -> list[str]:
    return [*lines[: place + 1], *lines[place:]]


def altered(lines, place: int, **facts) -> list[str]:
    found = json.loads(lines[place])
    assert facts.keys() <= found.keys()
    return [*lines[:place], json.dumps({**found, **facts}), *lines[place + 1 :]]


def without_details(lines) -> list[str]:
    """As an older version would have written it."""
    from increstore.journal import DETAIL_EVENTS

    kept = []
    for line in lines:
        found = json.loads(line)
        if found["event"] in DETAIL_EVENTS:
            continue
        for name in ("evidence", "streams", "not_before", "ends_life"):
            found.pop(name, None)
        if found["event"] == "target.finalized":
            del found["digest"]
        kept.append(json.dumps({k: v for k, v in found.items() if not k.endswith("_at")}))
    return kept
