"""The seam between a dashboard and what it shows: a simulation, a live run, a stream, a file.

Rules of this file, for sources and for whoever draws:
- A source never calls the dashboard. The dashboard's tick calls `drain`, some 24 times a second.
- Each event that is drained has been appended to `history()` before; `history().live` is the view
  of all events drained so far. When the past becomes another one (a fork, a seek backwards) the
  next `drain` comes with another `History` object, whose events are the new past: compare by `is`.
- All that is known of an event is among its `facts`, whatever the source: details are merged in.
- `can` says what `command` understands; what a source cannot do is answered, never raised.
- `stop` may be called at any time, also before `start` and again: it always leaves nothing behind,
  and nothing comes any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    from increstore.journal import JournalEvent
    from increstore.scenario.faults import AnyFault
    from increstore.view.history import History

FLAT_OUT = float("inf")
"""The speed of a world that does not wait for any clock."""
DRAIN_EVENTS_MAX = 20_000
"""Events that one tick of a dashboard asks for at the most."""
DRAIN_BUDGET_NS = 4_000_000
"""How long one `drain` may take; more would be felt at the keyboard."""
BEHIND_BUDGET = 3
"""So many times that is used while more waits than was taken: what waits too long is left out."""
DRAIN_SLICE = 64
"""Events between two looks at the clock."""

State = Literal["connecting", "running", "seeking", "paused", "ended", "lost", "failed"]
"""`lost`: the other side is gone, and is tried again. `failed`: by an error; see `error`."""
Ability = Literal[
    "pause", "step", "speed", "seek", "fork", "inject", "heal", "operate", "save",
]  # fmt: skip


# --- Commands: what a person asks of the world that is shown.


@dataclass(frozen=True, slots=True)
class Pause:
    """Stand still (the world, or the replay); not the restore's own pause: see `Operate`."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Step:
    """Go on to the next event, completion notification or incremental, and stand still there."""

    what: Literal["event", "notification", "incremental"] = "event"


@dataclass(frozen=True, slots=True)
class Speed:
    """So many seconds of the world in one of ours; `FLAT_OUT`: as quick as it goes."""

    factor: float


@dataclass(frozen=True, slots=True)
class Seek:
    """Be where `index` events have happened, or where it is the time `at` (ns since 1970).

    In a simulation as in a file: what comes after is not forgotten, it happens again.
    """

    index: int | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """Let the world go on otherwise from where `index` events have happened; None: from here.

    What was injected later is forgotten. The world stands still then.
    """

    index: int | None = None


@dataclass(frozen=True, slots=True)
class Inject:
    """Let a fault happen: now, or when its own `at` or `after` says so."""

    fault: AnyFault


@dataclass(frozen=True, slots=True)
class Heal:
    """End the fault of this id; None: every fault."""

    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Operate:
    """A person's word to the coordinator: "pause", "resume", "cancel" or "cap" (scans at once)."""

    verb: Literal["pause", "resume", "cancel", "cap"]
    value: int = 0


@dataclass(frozen=True, slots=True)
class SaveScenario:
    """Write the run so far, with all that was done by hand, as a scenario file."""

    path: Path


Command: TypeAlias = (
    Pause | Resume | Step | Speed | Seek | Fork | Inject | Heal | Operate | SaveScenario
)

ABILITIES: dict[type, Ability] = {
    Pause: "pause",
    Resume: "pause",
    Step: "step",
    Speed: "speed",
    Seek: "seek",
    Fork: "fork",
    Inject: "inject",
    Heal: "heal",
    Operate: "operate",
    SaveScenario: "save",
}
"""What a source must be able to do for each command."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What came of a command, in a sentence for people.

    A source that lives elsewhere answers before it is done; what follows is then seen as events.
    """

    is_done: bool
    says: str
    fault: str = ""
    """The id of the fault that was injected."""
    mistakes: tuple[str, ...] = ()
    """Of a fault that cannot be: what is wrong with it, for a form to show."""


def cannot(command: Command, why: str) -> CommandResult:
    """The answer to a command that this source does not understand."""
    name = type(command).__name__.lower()
    return CommandResult(is_done=False, says=f"cannot {name}: {why}")


@dataclass(frozen=True, slots=True)
class PlaybackStatus:
    """How a source is, as of the last `drain`. Times are nanoseconds since 1970."""

    state: State
    speed: float = 1.0
    now_ns: int = 0
    """The clock of what is shown: virtual in a simulation, of the event reached in a file."""
    began_ns: int = 0
    ends_ns: int | None = None
    """When the last event that is known to come happens: the end of a file, or of a run that was
    played further before; None: nobody knows."""
    events: int = 0
    """Events drained: the length of the history."""
    events_total: int | None = None
    """Events known to exist, the ones that are still to come included; None as above."""
    dropped: int = 0
    """Events left out because nobody could take them in time."""
    error: str = ""
    outcome: str = ""
    """How an ended run ended, in a sentence; empty while it runs."""
    is_repeatable: bool = False
    """Whether the same seed gives the same run again."""
    viewers: int = 0
    """Of a run that is also served: how many look at it."""


@runtime_checkable
class EndsSlowly(Protocol):
    """A source whose engine may need a while to end, and can be told so before `stop` waits."""

    def begin_to_stop(self) -> None:
        """Tell the engine to end, and wait for nothing. What it does until then is still shown."""
        ...

    @property
    def has_stopped(self) -> bool:
        """Whether `stop` would not have to wait."""
        ...

    def abandon(self) -> None:
        """From now on `stop` waits for nothing: the process is about to end."""
        ...


class Playback(Protocol):
    """One source of events. Methods are called from one thread, the dashboard's."""

    @property
    def can(self) -> frozenset[Ability]: ...

    @property
    def title(self) -> str:
        """What is shown, in a few words."""
        ...

    @property
    def status(self) -> PlaybackStatus: ...

    def start(self) -> None:
        """Begin. Raises: IncrestoreError when what is to be shown cannot be opened."""
        ...

    def drain(
        self, limit: int = DRAIN_EVENTS_MAX, budget_ns: int = DRAIN_BUDGET_NS
    ) -> list[JournalEvent]:
        """The next events, in order; at most `limit`, within about `budget_ns` of work."""
        ...

    def command(self, command: Command) -> CommandResult: ...

    def history(self) -> History:
        """All events drained so far, and the view of them."""
        ...

    def stop(self) -> None:
        """Leave; an engine that we started is told, and waited for.

        Raises: what the engine failed with, when nobody has been told yet (`error` says the same).
        """
        ...
