"""The three standard streams, which whoever calls us may have closed, filled up or left."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS_UNKNOWN = 80
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed_streams() -> None:
    """Open on nothing what the caller has closed.

    Otherwise the next file, a lock or a table, would get the number of stdout, and whatever is
    printed would be written into it.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            _point_at_nothing(number)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def tell(line: str) -> None:
    """Say one line on stderr. Who cannot be told does not end the work: nobody hears it then."""
    try:
        click.echo(line, err=True)
    except OSError:
        _point_at_nothing(sys.stderr.fileno())


def show_over(text: str) -> None:
    """Show this on the terminal in place of what was shown so before; nothing in a pipe.

    It is cut to one line: of two only the second could be written over. "" leaves nothing.
    """
    if not sys.stderr.isatty():
        return
    columns = COLUMNS_UNKNOWN
    with contextlib.suppress(OSError):
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or columns
    with contextlib.suppress(OSError):
        click.echo(f"\r\033[K{text[: columns - 1]}", err=True, nl=False)


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """A reader of stdout that leaves (a pager, `head`) ends the block, and is no error."""
    try:
        yield
    except BrokenPipeError:
        leave_stdout()


def leave_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail as well."""
    _point_at_nothing(sys.stdout.fileno())


def is_fault_of_output(error: Exception) -> bool:
    """Whether `error` was raised while something was printed: the disk below stdout is full."""
    places = list(traceback.walk_tb(error.__traceback__))
    return isinstance(error, OSError) and places[-1][0].f_code is click.echo.__code__


def _point_at_nothing(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing == number:
        os.set_inheritable(number, True)
    else:
        os.dup2(nothing, number)
        os.close(nothing)
