"""The screen as a picture that fetches nothing."""

from __future__ import annotations

import re

_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def without_fonts(svg: str) -> str:
    """The picture without fonts from elsewhere: those that are there will do."""
    return _FONT_FACES.sub("", svg)
