"""How each state looks: a glyph, its ASCII stand-in, a word, and the role of its colour.

No state is told by colour alone: two of them never share a glyph and a word. Glyphs are one cell
wide in every font that was tried.
"""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """One state as it is shown. `role` is a colour of the theme: see `ROLES`."""

    glyph: str
    ascii: str
    word: str
    role: str


ROLES = ("calm", "busy", "good", "alarm", "bad", "wait", "cut")
"""What colours mean; a theme gives each one its own shade."""

LOOKS: dict[str, Look] = {
    "idle": Look("·", ".", "idle", "calm"),
    "waiting": Look("·", ".", "waiting", "calm"),
    "scanning": Look("▶", ">", "scanning", "busy"),
    "sending": Look("»", "}", "sending", "busy"),
    "unnotified": Look("?", "?", "done, not notified", "alarm"),
    "reported": Look("✓", "+", "reported", "good"),
    "retrying": Look("↻", "~", "retrying", "wait"),
    "failed": Look("!", "!", "failed", "bad"),
    "applying": Look("▶", ">", "applying", "busy"),
    "sealing": Look("◌", "o", "sealing", "wait"),
    "sealed": Look("✓", "+", "sealed", "good"),
    "finalizing": Look("≡", "=", "finalizing", "busy"),
    "finalized": Look("■", "#", "finalized", "good"),
    "running": Look("▶", ">", "running", "busy"),
    "done": Look("✓", "+", "done", "good"),
    "completed": Look("■", "#", "completed", "good"),
    "broken": Look("!", "!", "storage failed", "bad"),
    "crashed": Look("×", "x", "crashed", "bad"),  # noqa: RUF001 - a glyph, not a letter
    "stopped": Look("‖", "|", "stands still", "wait"),
    "paused": Look("‖", "|", "paused", "wait"),
    "cut": Look("¦", ":", "cut off", "cut"),
    "refused": Look("!", "!", "refused", "bad"),
    "cancelled": Look("-", "-", "cancelled", "calm"),
    "unknown": Look(" ", " ", "unknown", "calm"),
}


def look_of(state: str) -> Look:
    """The look of a state; a state of a newer version is shown by its name."""
    return LOOKS.get(state) or Look(" ", " ", state, "calm")
