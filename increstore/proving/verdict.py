"""Did a run end as its scenario says it must? The same questions in every mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from increstore.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from increstore.judging.violation import InvariantViolated
    from increstore.scenario.model import Scenario


class FailureKind(IntEnum):
    """Why a run failed, the gravest first; shrinking keeps the kind (and the invariant)."""

    INVARIANT = 1
    STALL = 2
    OUTCOME = 3
    ROWS = 4
    MARK = 5
    CRASHED = 6
    """The program itself raised: a bug, or an invariant of its own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one run is red. `what` names it: the invariant's id and name, or the expectation."""

    kind: FailureKind
    what: str
    says: str
    node: str = ""
    at_ns: int = 0
    error_code: ExitCode = ExitCode.BUG
    """Of CRASHED: what the error that was raised ends a command with."""

    @property
    def name(self) -> str:
        """The kind and what it is of it, such as "invariant C1 completion-truth"."""
        kind = self.kind.name.lower()
        return kind if kind == self.what else f"{kind} {self.what}"

    @property
    def exit_code(self) -> ExitCode:
        if self.kind is FailureKind.STALL:
            return ExitCode.DEADLINE
        if self.kind is FailureKind.CRASHED:
            return self.error_code
        return ExitCode.VERIFICATION_FAILED

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.name.lower(),
            "what": self.what,
            "says": self.says,
            "node": self.node,
            "t": self.at_ns / 1e9,
        }


class Outcome(Protocol):
    """What a verdict needs to know of a run, in whatever mode it was."""

    @property
    def state(self) -> str:
        """ "completed", "failed", "paused", "cancelled", "refused", or "running"."""
        ...

    @property
    def reason(self) -> str: ...
    @property
    def violation(self) -> InvariantViolated | None: ...
    @property
    def tables(self) -> Mapping[str, Mapping[Any, Any]] | None: ...
    @property
    def reached(self) -> Mapping[str, int]: ...
    @property
    def not_reached(self) -> Sequence[str]: ...
    @property
    def seen_never(self) -> Sequence[str]: ...
    @property
    def explanation(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is reported of one run: plain values, so that worker processes can send it."""

    scenario: str
    """The path as given, for the replay command."""
    title: str
    mode: str
    seed: int
    state: str
    reason: str
    failure: Failure | None
    seconds: float
    """How long the restore took: virtual in simulation, real in the other modes."""
    explanation: str = ""
    """What the restore waited for, or had last waited for; in simulation only if it never ended."""
    led_there: tuple[str, ...] = ()
    """Of a red real run, the last events that matter, as people read them."""
    digest: str = ""
    moments: int = 0
    """Events of the simulation's heap."""
    points: int = 0
    crash_at: tuple[int, ...] = ()
    evidence: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Rows applied by table and incremental, as the seals say."""
    reached: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_green(self) -> bool:
        return self.failure is None

    def replay_command(self) -> str:
        """What to type to see this run again."""
        words = ["increstore", "run", quoted(self.scenario), "--on", self.mode]
        words += ["--seed", str(self.seed)]
        if self.crash_at:
            words += ["--crash-at", ",".join(map(str, self.crash_at))]
        return " ".join(words)

    def as_json(self) -> dict[str, Any]:
        """One line of `--json` (docs/JSON.md)."""
        found: dict[str, Any] = {
            "event": "verdict",
            "scenario": self.scenario,
            "mode": self.mode,
            "seed": self.seed,
            "ok": self.is_green,
            "state": self.state,
            "reason": self.reason,
            "seconds": round(self.seconds, 6),
            "digest": self.digest,
            "moments": self.moments,
            "points": self.points,
        }
        if self.crash_at:
            found["crash_at"] = list(self.crash_at)
        if self.failure is not None:
            found["failure"] = self.failure.as_json()
            found["replay"] = self.replay_command()
        return found


def quoted(text: str) -> str:
    """As one word for a shell."""
    import shlex

    return shlex.quote(text)


def find_failure(
    scenario: Scenario, outcome: Outcome, expected_rows: Mapping[str, Mapping[Any, Any]] | None
) -> Failure | None:
    """The gravest thing that is wrong with this outcome; None when all is as it must be."""
    if outcome.violation is not None:
        return _of_violation(outcome.violation)
    expect = scenario.expect
    if outcome.state == "running":
        return Failure(FailureKind.STALL, "end", f"it has not ended: {outcome.explanation}")
    if outcome.state != expect.outcome or expect.reason not in outcome.reason:
        wanted = expect.outcome + (f" with {expect.reason!r} in its reason" * bool(expect.reason))
        got = outcome.state + (f": {outcome.reason}" if outcome.reason else "")
        return Failure(FailureKind.OUTCOME, "outcome", f"expected {wanted}, got {got}")
    return _wrong_rows(outcome, expected_rows) or _wrong_marks(outcome)


_LIVENESS = ("L6", "L7", "L1")


def _of_violation(found: InvariantViolated) -> Failure:
    if found.invariant.startswith("raised "):
        return Failure(FailureKind.CRASHED, found.invariant, found.says, found.node, found.at)
    is_stall = found.invariant.partition(" ")[0] in _LIVENESS
    kind = FailureKind.STALL if is_stall else FailureKind.INVARIANT
    return Failure(kind, found.invariant, found.says, found.node, found.at)


def _wrong_rows(
    outcome: Outcome, expected: Mapping[str, Mapping[Any, Any]] | None
) -> Failure | None:
    """Completed: exactly the chain's rows are visible. Anything else: no rows are."""
    if outcome.state != "completed":
        if outcome.tables is None:
            return None
        says = f"rows are visible although the restore is {outcome.state}"
        return Failure(FailureKind.ROWS, "rows", says)
    if expected is None or outcome.tables == expected:
        return None
    return Failure(FailureKind.ROWS, "rows", _first_difference(outcome.tables or {}, expected))


def _first_difference(
    got: Mapping[str, Mapping[Any, Any]], expected: Mapping[str, Mapping[Any, Any]]
) -> str:
    for table in sorted(expected):
        rows = got.get(table, {})
        for key in sorted(expected[table]):
            if rows.get(key) != expected[table][key]:
                found = rows.get(key, "no row")
                return f"{table} {key}: expected {expected[table][key]}, got {found}"
        for key in sorted(rows):
            if key not in expected[table]:
                return f"{table} {key}: expected no row, got {rows[key]}"
    return f"expected tables {sorted(expected)}, got {sorted(got)}"


def _wrong_marks(outcome: Outcome) -> Failure | None:
    if outcome.not_reached:
        missed = ", ".join(outcome.not_reached)
        says = (
            f"never seen: {missed}; a scenario that does not reach what it is about proves nothing"
        )
        return Failure(FailureKind.MARK, "reached", says)
    if outcome.seen_never:
        return Failure(FailureKind.MARK, "never", f"seen: {', '.join(outcome.seen_never)}")
    return None
