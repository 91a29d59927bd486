"""The words of scenario files are those of the product: these tests keep the two together."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import increstore
from increstore.scenario.words import DETAILS, EVENTS, MESSAGES, RECORDS, is_drop, message_fields

PACKAGE = Path(increstore.__file__).parent
PAGE = PACKAGE.parent / "docs" / "JSON.md"


def calls(folder, names):
    """Every call of a method of these names: where it is, and the call."""
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", None) in names:
                yield f"{path.name}:{node.lineno}", node


def sample(part):
    """Texts that a part of an f-string may be."""
    source = ast.unparse(part)
    if "__name__" in source:
        return ["StartScan", "BatchRejected"]
    if "reason" in source or "objection" in source:
        return ["stale generation", "evidence mismatch"]
    assert source == "verb", f"a new kind of reason: {source}"
    return ["pause", "cancel"]


def texts(argument):
    """What the first argument of a drop may be."""
    if isinstance(argument, ast.Constant):
        return [argument.value]
    if isinstance(argument, ast.JoinedStr):
        found = [""]
        for part in argument.values:
            ends = [part.value] if isinstance(part, ast.Constant) else sample(part.value)
            found = [begin + end for begin in found for end in ends]
        return found
    if isinstance(argument, ast.IfExp):
        return texts(argument.body) + texts(argument.orelse)
    return sample(argument)


def test_every_reason_to_drop_a_message_may_be_a_mark():
    reasons = [
        (place, text)
        for place, call in calls("protocol", {"drop", "_drop"})
        if call.args and not isinstance(call.args[0], ast.Name)
        for text in texts(call.args[0])
    ]
    assert len(reasons) > 30
    assert [found for found in reasons if not is_drop(found[1])] == []


@pytest.mark.parametrize("why", ["", "of another world", "Xyz", "StartScan is nothing"])
def test_other_reasons_are_no_marks(why):
    assert not is_drop(why)


def test_every_event_that_is_written_somewhere_may_trigger_a_fault_with_its_facts():
    unknown, emitted = [], 0
    for place, call in calls(".", {"emit", "tell"}):
        if len(call.args) < 2 or not isinstance(call.args[1], ast.Constant):
            continue
        name = call.args[1].value
        if not re.fullmatch(r"[a-z]+\.[a-z_]+", str(name)):
            continue
        emitted += 1
        facts = {keyword.arg for keyword in call.keywords}
        if name in DETAILS and facts == {"is_detail"}:
            continue
        if name not in EVENTS or not facts <= set(EVENTS[name]):
            unknown.append((place, name, facts - set(EVENTS.get(name, ()))))
    assert emitted > 5
    assert unknown == [], "add them to EVENTS (or to DETAILS) in scenario/words.py"


def test_every_event_of_the_documented_history_may_trigger_a_fault():
    tables = (
        PAGE.read_text(encoding="utf-8").partition("### Events")[2].partition("### The summ")[0]
    )
    names = set(re.findall(r"`([a-z]+\.[a-z_]+)`", tables))
    assert len(names) > 20
    assert sorted(names - {"journal.opened"} - set(EVENTS) - set(DETAILS)) == []


def test_there_are_thirteen_messages_and_every_record_has_a_name():
    assert len(MESSAGES) == 13
    assert "ScanReported" in RECORDS
    assert "GenerationSeen" in RECORDS


def test_what_narrows_a_message_is_what_it_has():
    narrowing = {"incremental", "attempt", "order", "status"}
    assert message_fields("ApplyChanges") & narrowing == {"incremental", "attempt", "order"}
    assert message_fields("CompletionNotification") & narrowing == {
        "incremental", "attempt", "status",
    }  # fmt: skip
    assert message_fields("SealIncremental") & narrowing == {"incremental"}
    assert message_fields("Finalize") & narrowing == set()
