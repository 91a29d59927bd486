"""Which class plays which kind of fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.scenario import faults as f
from increstore.scenario import links, node_faults, occasions
from increstore.scenario.strikes import MessageStrike

if TYPE_CHECKING:
    from increstore.scenario.compiled import CompiledFault
    from increstore.scenario.director import Director
    from increstore.scenario.live import LiveFault

PLAYERS: dict[str, type[LiveFault]] = {
    "drop": MessageStrike,
    "delay": MessageStrike,
    "duplicate": MessageStrike,
    "reorder": MessageStrike,
    "corrupt": MessageStrike,
    "truncate": MessageStrike,
    "hold": MessageStrike,
    "reset": node_faults.ResetNow,
    "reset of a message": MessageStrike,
    "partition": links.PartitionState,
    "clog": links.ClogState,
    "slow_link": links.SlowState,
    "bandwidth": links.NarrowState,
    "half_open": links.HalfOpenState,
    "swizzle": links.SwizzleState,
    "crash": node_faults.CrashNow,
    "crash at a point": node_faults.CrashAtPoint,
    "pause": node_faults.PauseState,
    "clock_jump": node_faults.ClockJumpNow,
    "clock_drift": node_faults.DriftState,
    "usurp": node_faults.UsurpNow,
    "second_restore": node_faults.SecondRestoreNow,
    "disk": occasions.WriteState,
    "disk at rest": occasions.DiskNow,
    "page": occasions.PageState,
    "operator": node_faults.OperatorNow,
}


def live_fault(compiled: CompiledFault, director: Director) -> LiveFault:
    """The fault as it will be in one run."""
    return PLAYERS[_role(compiled.spec)](compiled, director)


def _role(spec: f.AnyFault) -> str:
    if isinstance(spec, f.Reset) and spec.message is not None:
        return "reset of a message"
    if isinstance(spec, f.CrashFault) and spec.point:
        return "crash at a point"
    if isinstance(spec, f.DiskFaultSpec) and spec.action in f.DISK_AT_REST:
        return "disk at rest"
    return spec.kind
