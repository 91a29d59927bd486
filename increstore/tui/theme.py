"""Colours by role, for a dark and a light background, and for terminals without either.

The shades are those of Okabe and Ito, made darker where they would be too weak on white: people
with any kind of colour blindness tell them apart. Nothing is told by colour alone all the same.
"""

from __future__ import annotations

from functools import cache

from rich.style import Style
from textual.theme import Theme

DARK = Theme(
    name="increstore-dark",
    primary="#56B4E9",
    secondary="#009E73",
    accent="#E69F00",
    warning="#F0E442",
    error="#D55E00",
    success="#009E73",
    foreground="#E8E8E8",
    background="#101418",
    surface="#161B21",
    panel="#20272F",
    dark=True,
)
LIGHT = Theme(
    name="increstore-light",
    primary="#005A9C",
    secondary="#00674B",
    accent="#8A5A00",
    warning="#7A6A00",
    error="#A33A00",
    success="#00674B",
    foreground="#1A1A1A",
    background="#FFFFFF",
    surface="#F4F4F2",
    panel="#E6E6E2",
    dark=False,
)

_SHADES = {
    True: {
        "calm": "#8A949E",
        "busy": "#56B4E9",
        "good": "#2FBF94",
        "alarm": "bold #101418 on #F0E442",
        "bad": "bold #FF7A33",
        "wait": "#E69F00",
        "cut": "#CC79A7",
    },
    False: {
        "calm": "#5F6770",
        "busy": "#005A9C",
        "good": "#00674B",
        "alarm": "bold #FFFFFF on #8A3FA0",
        "bad": "bold #A33A00",
        "wait": "#7A5000",
        "cut": "#8B2F63",
    },
}


@cache
def style_of(role: str, *, is_dark: bool, has_colour: bool = True) -> Style:
    """The style of a role; without colours only weight and inversion are left."""
    if not has_colour:
        return {"alarm": Style(reverse=True, bold=True), "bad": Style(bold=True)}.get(
            role, Style.null()
        )
    return Style.parse(_SHADES[is_dark].get(role, ""))
