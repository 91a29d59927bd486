"""What chance did in a run, written down as faults of a scenario that has no chance left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from increstore.scenario import faults as f
from increstore.scenario.values import Span, exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from increstore.scenario.faults import AnyFault
    from increstore.scenario.model import Scenario
    from increstore.simulation.strikes import Strike


def without_chance(scenario: Scenario) -> Scenario:
    """The same scenario, with base latencies and no ambient faults."""
    nothing = exactly(0)
    calm = scenario.with_part(
        "network",
        latency=exactly(scenario.network.latency.low),
        loss=nothing,
        duplicate=nothing,
        reorder=nothing,
        corrupt=nothing,
        truncate=nothing,
    )
    calm = calm.with_part("disk", latency=exactly(scenario.disk.latency.low))
    calm = calm.with_part("nodes", crash=nothing).with_part("pages", fail=nothing)
    return calm.with_part("swarm", omit=0).model_copy(update={"seeds": exactly(0)})


def modes_of(scenario: Scenario) -> tuple[str, ...]:
    """Every mode in which all faults of the scenario can run."""
    return tuple(
        mode
        for mode in ("simulation", "memory", "tcp")
        if all(
            mode in f.MODES[variant] for fault in scenario.faults for variant in f.variants(fault)
        )
    )


def as_faults(strikes: Iterable[Strike], *, is_stream: bool) -> list[AnyFault]:
    """A fault for each strike, in the order in which they struck."""
    return [
        _WRITERS[strike.kind](strike, number, is_stream)
        for number, strike in enumerate(strikes, start=1)
    ]


def _message(strike: Strike, number: int) -> dict[str, Any]:
    return {
        "id": f"{strike.kind} {number}",
        "message": strike.message,
        "from": strike.node,
        "to": strike.receiver,
        "nth": strike.number,
        "times": 1,
    }


def _loss(strike: Strike, number: int, is_stream: bool) -> AnyFault:
    # A stream loses a message only by breaking.
    model = f.Reset if is_stream else f.Drop
    return model(**_message(strike, number))


def _late(model: Any) -> Callable[[Strike, int, bool], AnyFault]:
    def write(strike: Strike, number: int, is_stream: bool) -> AnyFault:
        fault: AnyFault = model(by=_duration(strike.by), **_message(strike, number))
        return fault

    return write


def _damage(model: Any) -> Callable[[Strike, int, bool], AnyFault]:
    def write(strike: Strike, number: int, is_stream: bool) -> AnyFault:
        fault: AnyFault = model(**_message(strike, number))
        return fault

    return write


def _crash(strike: Strike, number: int, is_stream: bool) -> AnyFault:
    return f.CrashFault(
        id=f"crash {number}",
        node=(strike.node,),
        at=_duration(strike.at),
        point=cast("Any", strike.point),
        restart_after=_duration(strike.by),
        times=1,
    )


def _page(strike: Strike, number: int, is_stream: bool) -> AnyFault:
    return f.PageFaultSpec(
        id=f"page {number}",
        node=(strike.node,),
        incremental=strike.incremental,
        attempt=strike.attempt,
        page=strike.number,
        times=1,
    )


def _duration(value: int) -> Span:
    return exactly(value)


_WRITERS: dict[str, Callable[[Strike, int, bool], AnyFault]] = {
    "loss": _loss,
    "latency": _late(f.Delay),
    "reorder": _late(f.Reorder),
    "duplicate": _late(f.Duplicate),
    "corrupt": _damage(f.Corrupt),
    "truncate": _damage(f.Truncate),
    "crash": _crash,
    "page": _page,
}
