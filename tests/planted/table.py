"""Every planted bug, in the order of the laws they break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.planted.bugs import (
    completion,
    coordinator,
    data,
    durability,
    exactly_once,
    frames,
    liveness,
    on_disk,
    on_the_machine,
    order,
    resources,
    stale,
)

if TYPE_CHECKING:
    from tests.planted.bug import Bug

BUGS: tuple[Bug, ...] = (
    *order.BUGS,
    *exactly_once.BUGS,
    *completion.BUGS,
    *stale.BUGS,
    *durability.BUGS,
    *coordinator.BUGS,
    *data.BUGS,
    *resources.BUGS,
    *liveness.BUGS,
    *frames.BUGS,
    *on_disk.BUGS,
    *on_the_machine.BUGS,
)
