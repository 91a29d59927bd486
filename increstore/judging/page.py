"""The catalogue as a page: docs/INVARIANTS.md."""

from __future__ import annotations

from itertools import groupby

from increstore.judging.catalogue import INVARIANTS, NOT_JUDGED

_HEAD = """\
# Invariants

What must be true of every restore, whatever fails. Each law is a method in `increstore/judging/`;
the simulation calls them with everything that happens, `increstore check JOURNAL` with everything
that a real run has written down. This page is made from their docstrings:
`increstore check --list --markdown`.

"Observed in" says what must be told for a law to be judged; a journal without details (of an older
version, say) has records only, and `increstore check` says what it could not judge.
"""

_FOOT = """
## Not judged by a monitor

| id | name | law | why |
|---|---|---|---|
"""


def invariants_page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    for group, laws in groupby(INVARIANTS, key=lambda law: law.group):
        parts.append(
            f"\n## {group.capitalize()}\n\n| id | name | law | observed in |\n|---|---|---|---|\n"
        )
        for law in laws:
            observed = ", ".join(f"`{name}`" for name in dict.fromkeys(law.observations))
            parts.append(f"| {law.id} | {law.name} | {law.law} | {observed} |\n")
    parts.append(_FOOT)
    parts += [f"| {law.id} | {law.name} | {law.law} | {law.why} |\n" for law in NOT_JUDGED]
    return "".join(parts)
