"""Worker processes of a campaign that end with it, however it ends.

Each worker holds the read end of one pipe, and only the campaign's process the other. When that
end is closed, or the process is gone (kill -9 too), every worker has its run end as by Ctrl-C, so
that what the run has made is removed, and exits.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, TypeVar

from increstore.errors import ExitCode
from increstore.proving.folders import remove_left_folders
from increstore.stops import STOP_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

GRACE_S = 10.0
"""How long a run may take to remove what it has made."""

Result = TypeVar("Result")
_working = threading.Event()


def begin(parent: Connection, campaigns_end: Connection) -> None:
    """Called once in each new worker, which was begun while stops had to wait (`stops_wait`)."""
    campaigns_end.close()  # Inherited; as long as it is open anywhere, the pipe never ends.
    # Ctrl-C goes to a whole group of processes: a worker hears of it by the pipe, and once.
    os.setpgid(0, 0)
    # A pool terminates its other workers when the first has ended; they are still tidying up.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The one that may wait is forgotten.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def work(make: Callable[[], Result]) -> Result:
    """Do what a worker is for; when it is interrupted, the worker ends and leaves nothing."""
    _working.set()
    try:
        return make()
    except KeyboardInterrupt:
        remove_left_folders()
        os._exit(ExitCode.PAUSED)
    finally:
        _working.clear()


def _end_with(parent: Connection) -> None:
    """Wait until nobody is there any more who could write, then end this process."""
    parent.poll(None)
    main = threading.main_thread().ident
    if _working.is_set() and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
        threading.Event().wait(GRACE_S)
    os._exit(ExitCode.PAUSED)
