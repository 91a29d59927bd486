"""What all tests need."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Have commands that tests start heed Ctrl-C and a closed terminal, come what may.

    Whoever is started in the background of a script, or by nohup, ignores both, and so do those
    whom it starts: tests that interrupt a command would wait for it in vain.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
