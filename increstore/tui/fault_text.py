"""A fault as the text of a scenario file: templates for what is selected, and back again.

The form of the dashboard is this text: what a person learns here is what scenario files say, and
what is refused here is refused there, in the same words.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from increstore.scenario.complaints import complaints
from increstore.scenario.model import Scenario

if TYPE_CHECKING:
    from increstore.scenario.faults import AnyFault

KINDS: tuple[tuple[str, str], ...] = (
    ("drop", "lose messages"),
    ("delay", "messages come late"),
    ("duplicate", "messages come twice"),
    ("hold", "messages wait for a heal"),
    ("corrupt", "a byte of a frame changes"),
    ("partition", "two groups are cut apart"),
    ("clog", "a node's traffic waits"),
    ("slow_link", "a link is slow"),
    ("bandwidth", "a link is narrow"),
    ("half_open", "all lost, nobody notices"),
    ("reset", "connections break"),
    ("swizzle", "nodes clog one by one"),
    ("crash", "a node loses its power"),
    ("pause", "a node stands still"),
    ("disk", "writes are slow or fail"),
    ("page", "a source cannot read"),
    ("clock_jump", "the wall clock jumps"),
    ("operator", "pause, resume or cancel"),
    ("usurp", "another coordinator"),
    ("second_restore", "a rival for the target"),
)
"""Every kind a person may inject, with what it does in a few words."""

_REST: dict[str, str] = {
    "drop": '{message}from = "{node}"\ntimes = 1\n',
    "delay": '{message}from = "{node}"\nby = "3s"\ntimes = 1\n',
    "duplicate": '{message}from = "{node}"\ncopies = 1\nby = "100ms"\ntimes = 1\n',
    "hold": '{message}from = "{node}"\nduration = "5s"\n',
    "corrupt": '{message}from = "{node}"\ntimes = 1\n',
    "partition": 'groups = [["coordinator"], ["{node}"]]\nduration = "5s"\n',
    "clog": 'node = "{node}"\nduration = "5s"\n',
    "slow_link": 'from = "{node}"\nby = "500ms"\nduration = "10s"\n',
    "bandwidth": 'from = "{node}"\nbytes_per_second = "10KB"\nduration = "10s"\n',
    "half_open": 'from = "{node}"\nduration = "5s"\n',
    "reset": 'from = "{node}"\n',
    "swizzle": 'nodes = "shards"\nduration = "5s"\n',
    "crash": 'node = "{node}"\nrestart_after = "2s"\n',
    "pause": 'node = "{node}"\nduration = "5s"\n',
    "disk": 'node = "{node}"\naction = "eio"\ntimes = 1\n',
    "page": 'node = "{node}"\ntransient = true\ntimes = 1\n',
    "clock_jump": 'node = "{node}"\nby = "1h"\n',
    "operator": 'verb = "pause"\n',
    "usurp": "",
    "second_restore": "",
}


def template(kind: str, node: str) -> str:
    """The text of a fault of this kind, for the node (or selector) that is selected."""
    is_source = node == "sources" or node.rpartition("/")[2].startswith("s")
    message = 'message = "CompletionNotification"\n' if is_source else ""
    return f'kind = "{kind}"\n' + _REST[kind].format(node=node, message=message)


def parse_fault(text: str) -> tuple[AnyFault | None, list[str]]:
    """The fault that the text describes, or every mistake in it."""
    try:
        raw = {"format": 1, "title": "-", "why": "-", "fault": [tomllib.loads(text)]}
    except tomllib.TOMLDecodeError as error:
        return None, [f"not TOML: {error}"]
    try:
        scenario = Scenario.model_validate(raw, context={"file": True})
    except ValidationError as error:
        told = complaints(raw, error.errors(include_url=False))
        return None, [sentence.partition(": ")[2] or sentence for sentence in told]
    fault = scenario.faults[0]
    # The name that a file would give it is none here: the run gives it one of its own.
    named = "id" in raw["fault"][0]  # type: ignore[index]
    return (fault if named else fault.model_copy(update={"id": ""})), []
