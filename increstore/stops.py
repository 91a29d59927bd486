"""How a process ends, and the signals that ask it to: Ctrl-C, a service manager's, a lost terminal.

Quick to import: the command line begins with it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
from typing import TYPE_CHECKING, NoReturn

from increstore.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_at_the_end: list[Callable[[], None]] = []


def heard_stops() -> list[signal.Signals]:
    """Those that count: what nohup or a shell's background job has set to be ignored stays so."""
    return [number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]


def stop_at_once_when_told() -> None:
    """From here on a stop ends the process at once, with its sentence and its exit code.

    For the time before there is anything to tidy up, when the program is still being imported: an
    exception that strikes an import may be swallowed by it, or show itself as quite another.
    """
    for number in heard_stops():
        signal.signal(number, lambda *_: end_stopped())


@contextlib.contextmanager
def stopping_at_once() -> Iterator[None]:
    """The same for a block."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    stop_at_once_when_told()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_when_told() -> None:
    """From here on every stop does what Ctrl-C does: KeyboardInterrupt, wherever the program is.

    SIGINT has Python's own handler, for trio looks for just that one, and then delivers the
    exception only where it does no harm.
    """
    for number in heard_stops():
        is_sigint = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_sigint else _pass_on_as_sigint)


def _pass_on_as_sigint(number: int, frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell's background job, which does not mind Ctrl-C: this stop was meant for it alone.
        signal.default_int_handler(number, frame)
    signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def imports_go_first() -> Iterator[None]:
    """Let a stop wait for the imports of the block, and do then what it would have done.

    For imports of a program that has something to tidy up. See `stop_at_once_when_told` for what an
    exception does to them.
    """
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in heard_stops():
        signal.signal(number, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard:
            signal.raise_signal(heard[0])


def is_interruption(error: BaseException | None) -> bool:
    """Whether an error is what something else has made of a KeyboardInterrupt."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_interruption(part) for part in error.exceptions)
    return isinstance(error, KeyboardInterrupt) or (
        error is not None and is_interruption(error.__cause__)
    )


def at_the_end(tidy_up: Callable[[], None]) -> None:
    """Have this done before the process ends, in whichever way but a kill; it must be quick."""
    _at_the_end.append(tidy_up)
    atexit.register(tidy_up)


def end_process(code: int) -> NoReturn:
    """End it at once: what must last is synced, and what is not said by now nobody shall hear.

    The usual way out takes modules down, which costs 60 ms, and waits for every thread, also for
    one that is deep in checksums.
    """
    for tidy_up in _at_the_end:
        tidy_up()
    os._exit(code)


def end_stopped() -> NoReturn:
    """The end after a stop. Further ones change nothing: `timeout` sends each signal twice."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.write(2, b"stopped\n")
    end_process(ExitCode.PAUSED)


@contextlib.contextmanager
def stops_wait() -> Iterator[None]:
    """Hold back stops until the block has ended.

    Threads and processes that are begun inside never hear of one: only whoever waits for them does.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
