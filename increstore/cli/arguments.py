"""Kinds of arguments that several commands take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from increstore.chain.names import is_utf8

NOT_UTF8 = "is not UTF-8; rename it, or set a locale such as LC_ALL=C.UTF-8"
SECONDS_MAX = 1e9
"""Thirty years: more does not fit the clocks."""


class PathArgument(click.Path):
    """A path: not empty, as the variable of a script that was never set is, and UTF-8."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("is empty; name a path, or '.' for the current folder", param, ctx)
        if not is_utf8(str(value)):
            self.fail(f"{str(value)!r} {NOT_UTF8}", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.FloatRange):
    """A duration above zero, in seconds."""

    def __init__(self) -> None:
        super().__init__(0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds) or seconds > SECONDS_MAX:
            self.fail(f"{value} is no duration (expected up to {SECONDS_MAX:.0f})", param, ctx)
        return seconds
