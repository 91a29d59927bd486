"""`--serve HOST:PORT`: a run that `increstore watch HOST:PORT` may look at while it goes on."""

from __future__ import annotations

import ipaddress
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from increstore.cli.streams import tell
from increstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from increstore.runtime.broadcast import Broadcast
    from increstore.tui.playback.seam import Command, CommandResult

LOOPBACK = "127.0.0.1"


def place_of(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `PORT`: this machine alone, unless a host is named.

    Raises: UsageError.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"--serve: expected HOST:PORT or PORT, such as 7788, got {text!r}")
    return host.strip("[]") or LOOPBACK, int(port)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def serving(
    place: str | None, title: str, can: frozenset[str], answer: Callable[[Command], CommandResult]
) -> Iterator[Broadcast | None]:
    """A broadcast while the block runs; None when there is no place to serve at.

    With abilities in `can` viewers may ask for these; `answer` is called in other threads.
    Raises: UsageError when the place cannot be had.
    """
    if place is None:
        yield None
        return
    from increstore.runtime.broadcast import Broadcast

    host, port = place_of(place)
    on_command = _answering(answer) if can else None
    broadcast = Broadcast(title, can=sorted(can), on_command=on_command)
    found_host, found_port = broadcast.start(host, port)[0]
    _tell(host, f"[{found_host}]:{found_port}" if ":" in found_host else f"{host}:{found_port}")
    try:
        yield broadcast
    finally:
        broadcast.stop()


def _answering(
    answer: Callable[[Command], CommandResult],
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    from increstore.tui.playback.wire import command_of, plain_result

    def on_command(plain: dict[str, Any]) -> dict[str, Any]:
        try:
            return plain_result(answer(command_of(plain)))
        except ValueError as error:
            return {"is_done": False, "says": str(error)}

    return on_command


def _tell(host: str, address: str) -> None:
    tell(f"to look at it: increstore watch {address}")
    if not is_loopback(host):
        tell(
            f"anybody who reaches {host} can look at it: nothing is encrypted, and nobody is asked "
            "for a password",
        )
