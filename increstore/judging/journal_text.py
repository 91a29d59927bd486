"""The lines of whatever file a person has given as a journal: text, or a refusal that says why.

A file that was meant to be a journal may be anything: a table, an archive, a device without an end.
What is no text is never shown, and no line is read further than any journal's goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.errors import JournalUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE_CHARS_MAX = 64 * 1024 * 1024
"""Far beyond any line that a run writes."""
_ESCAPES = range(0xDC80, 0xDD00)
"""What stands for a byte that is no UTF-8, as Python reads it by `surrogateescape`."""
_SHOWN_MAX = 60
_WRITTEN_BY = "name a file that `--journal FILE` has written"


def journal_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (1-based) and text of each line, its end included.

    Bytes that are no UTF-8 are kept as surrogates: half a character may end a run that was killed.
    Raises: JournalUnreadable when the file cannot be read, is empty, or no line ever ends.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            while text := file.readline(LINE_CHARS_MAX):
                number += 1
                if len(text) == LINE_CHARS_MAX:
                    raise JournalUnreadable(
                        f"{path}: line {number} is longer than {LINE_CHARS_MAX:,} characters, and "
                        f"so is none of a journal; {_WRITTEN_BY}"
                    )
                yield number, text
    except OSError as error:
        raise JournalUnreadable(
            f"{path}: the journal cannot be read ({error.strerror}); {_WRITTEN_BY}"
        ) from error
    if not number:
        raise JournalUnreadable(
            f"{path}: is empty (expected the journal of a run); {_WRITTEN_BY}, or run again what "
            "was to write this one"
        )


def what_it_is(text: str) -> str:
    """Words for a line that is no event of a journal: what it is, without what nobody can read."""
    shown = text.strip(" \t\r\n")[:_SHOWN_MAX]
    place = next((n for n, c in enumerate(shown) if not _is_text(c)), None)
    if place is None:
        return readable(shown) + ".." * (len(text.rstrip()) > _SHOWN_MAX)
    character = ord(shown[place])
    byte = character - 0xDC00 if character in _ESCAPES else character
    return f"no text (a byte {byte:#04x} after {place} characters)"


def readable(text: str) -> str:
    """On one line, and in characters that every terminal can show."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _is_text(character: str) -> bool:
    return character.isprintable() or character in "\t\r\n"
