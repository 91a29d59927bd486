"""Verdicts as a JUnit XML file, as CI systems read it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.proving.campaign import FileReport
    from increstore.proving.verdict import Verdict


def write_junit(path: Path, reports: Sequence[FileReport]) -> None:
    """One test suite a file and mode; a test case for the green seeds together, one a red run.

    Raises: StorageFailed when the file cannot be written.
    """
    root = Xml.Element("testsuites", name="increstore run")
    for report in reports:
        _add_suite(root, report)
    Xml.indent(root)
    try:
        path.write_bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    except OSError as error:
        raise StorageFailed(
            f"{path}: the JUnit file cannot be written ({error.strerror}); name another one"
        ) from error


def _add_suite(root: Xml.Element, report: FileReport) -> None:
    plan = report.plan
    green = report.runs - len(report.failures)
    suite = Xml.SubElement(
        root,
        "testsuite",
        name=_printable(f"{plan.path} on {plan.mode}"),
        tests=str(len(report.failures) + bool(green)),
        failures=str(len(report.failures)),
    )
    if green:
        name = f"{plan.scenario.title} ({green} runs)"
        Xml.SubElement(suite, "testcase", classname=_printable(plan.path), name=_printable(name))
    for verdict in report.failures:
        _add_failure(suite, verdict)


def _add_failure(suite: Xml.Element, verdict: Verdict) -> None:
    assert verdict.failure is not None
    name = f"seed {verdict.seed}" + (f" crash at {verdict.crash_at}" if verdict.crash_at else "")
    case = Xml.SubElement(suite, "testcase", classname=_printable(verdict.scenario), name=name)
    failure = Xml.SubElement(case, "failure", message=_printable(verdict.failure.what))
    told = (verdict.failure.says, *verdict.led_there, verdict.explanation, verdict.replay_command())
    failure.text = _printable("\n".join(filter(None, told)))


def _printable(text: str) -> str:
    """Without what XML cannot hold: control characters, and bytes of a path that are no text."""
    return "".join("?" if _is_no_xml(c) else c for c in text)


def _is_no_xml(character: str) -> bool:
    is_control = character < " " and character not in "\n\t"
    return is_control or "\ud800" <= character <= "\udfff" or character in "\ufffe\uffff"
