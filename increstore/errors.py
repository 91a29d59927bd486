"""Every error a person can meet, and the exit code it ends with.

A message says where, what, what was expected, what was found, and what to do; and, where a write
is concerned, whether the thing certainly did not happen or may have happened. A bug of ours is not
here: it is a failed assertion and ends the process with `ExitCode.BUG`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process ends with; a documented contract (README, "Exit codes")."""

    DONE = 0
    USAGE = 2
    BAD_INPUT = 3
    RESTORE_FAILED = 4
    VERIFICATION_FAILED = 5
    DEADLINE = 6
    PAUSED = 7
    BUG = 70


class IncrestoreError(Exception):
    """The base of every expected error."""

    exit_code = ExitCode.RESTORE_FAILED


class UsageError(IncrestoreError):
    """The command was called with arguments that cannot work."""

    exit_code = ExitCode.USAGE


class BackupChainBroken(IncrestoreError):
    """The collection cannot be restored as it is: `problems` names every place at once."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: tuple[str, ...] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class SnapshotRefused(IncrestoreError):
    """A table snapshot given to `increstore backup` cannot be read as that table."""

    exit_code = ExitCode.BAD_INPUT


class TargetRefused(IncrestoreError):
    """The target directory cannot take this restore (in use, foreign, read-only, not ours).

    `holder_is_gone`: it is in use only by what a killed restore left behind, for a moment.
    """

    exit_code = ExitCode.RESTORE_FAILED

    def __init__(self, message: str, *, holder_is_gone: bool = False) -> None:
        self.holder_is_gone = holder_is_gone
        super().__init__(message)


class StorageFailed(IncrestoreError):
    """A write or read of our own storage failed now (disk full, I/O error); it may pass.

    After it the write is indeterminate: whoever gets it reopens the storage before writing again.
    """

    exit_code = ExitCode.RESTORE_FAILED


class StorageCorrupted(IncrestoreError):
    """Stored bytes are not what was written, before the tail a crash may tear."""

    exit_code = ExitCode.RESTORE_FAILED


class LocalProtocolError(IncrestoreError):
    """We called a core or a transport in a way its contract forbids."""

    exit_code = ExitCode.BUG


class RemoteProtocolError(IncrestoreError):
    """A peer sent what the protocol forbids (frame, version, order, evidence)."""

    exit_code = ExitCode.RESTORE_FAILED


class VerificationFailed(IncrestoreError):
    """The restored rows differ from what the chain says."""

    exit_code = ExitCode.VERIFICATION_FAILED


class EngineStuck(IncrestoreError):
    """A run in a thread of its own that was told to stop has not."""


class WorkerKilled(IncrestoreError):
    """A process that shares the runs of a campaign was killed: how its runs went is not known."""


class JournalUnreadable(IncrestoreError):
    """A file that was given as a journal is none, or has lines that no version writes."""

    exit_code = ExitCode.BAD_INPUT


class ScenarioError(IncrestoreError):
    """A scenario file cannot be run as it is: `problems` names every mistake with its place."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: tuple[str, ...] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))
