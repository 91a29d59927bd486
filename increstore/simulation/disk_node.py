"""A role with a disk in the simulated world: its durable work, and what the power may do to it.

Durable work is done one thing at a time in the order asked; batches that wait are committed as one
group. Like a step's records, an effect's write has three crash points: `before_append`,
`after_append` (in the page cache) and `after_sync` (durable, and nobody was told).
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from increstore.simulation.ambient import RATE_WHOLE
from increstore.simulation.disk import FATES, Disk
from increstore.simulation.nodes import SimulatedNode

if TYPE_CHECKING:
    from increstore.simulation.disk import Frame
    from increstore.simulation.world import World

GROUP_BATCHES_MAX = 32
OF_RECORDS = ("generation", "log")
"""Operations that write the records of a step."""


class DiskNode(SimulatedNode):
    """A role with a disk: durable work waits in one queue and is done in order."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.disk = Disk()
        self.next_fate = ""
        """What a fault has planned for unsynced bytes at the next crash."""
        self._work: deque[tuple[str, Any]] = deque()
        self._is_writing = False

    def start(self, _: object = None) -> None:
        self._work.clear()
        self._is_writing = False
        super().start()

    def power_off(self) -> None:
        fate = self.disk.crash(self._fate)
        if fate != "nothing unsynced":
            self.world.tell(self.name, "disk.power_lost", fate=fate)

    def _fate(self, purpose: str, bound: int) -> int:
        """What becomes of unsynced bytes; without the ambient chance of worse they are lost."""
        torn = self.world.ambient.torn
        if purpose == "fate" and self.next_fate:
            planned, self.next_fate = self.next_fate, ""
            return FATES.index(planned)
        if purpose == "fate" and self.draw("torn", RATE_WHOLE) >= torn:
            return 0
        return self.draw(purpose, bound)

    def enqueue(self, operation: str, value: Any) -> None:
        """Add durable work; `operation` is what faults name it by."""
        self._work.append((operation, value))
        if not self._is_writing:
            self._write_next()

    @abstractmethod
    def frames_of(self, operation: str, work: list[Any]) -> list[Frame]:
        """What this work appends."""

    @abstractmethod
    def written(self, operation: str, work: list[Any], frames: list[Frame]) -> None:
        """The frames are durable."""

    @abstractmethod
    def write_failed(self, operation: str, work: list[Any], error: str) -> None:
        """The disk said no; what was written may or may not be durable."""

    def _write_next(self) -> None:
        if self.core is None:
            return
        self._is_writing = True
        waiting = self._work
        operation, value = waiting.popleft()
        work = [value]
        if operation == "append":
            while waiting and waiting[0][0] == "append" and len(work) < GROUP_BATCHES_MAX:
                work.append(waiting.popleft()[1])
        if self._is_cut_off("before_append", operation, work):
            return
        frames = self.frames_of(operation, work)
        delay, error, is_written = self._fate_of_write(operation)
        if is_written:
            self.disk.append(frames)
        ending = (self.life, operation, work, frames, error)
        self.world.at(self.world.now + delay, 0, self._write_ended, ending)
        if frames:
            self._is_cut_off("after_append", operation, work)

    def _is_cut_off(self, point: str, operation: str, work: list[Any]) -> bool:
        """Pass a crash point of an effect; records have passed theirs in the step."""
        if operation in OF_RECORDS:
            return False
        if self.world.meters_points:
            return self.world.is_cut_off(self, point, work)
        self.world.points += 1
        return False

    def _fate_of_write(self, operation: str) -> tuple[int, str, bool]:
        """How long it takes, why it fails (or ""), and whether it reaches the page cache."""
        world = self.world
        delay = self.delay("disk", world.ambient.disk)
        fault = world.director.disk_fault(world.now, self.name, operation)
        if fault is None:
            return delay, "", True
        world.tell_of_faults()
        return delay + fault.by_ns, fault.error, not fault.error or fault.action == "fsync_error"

    def _write_ended(self, arg: tuple[int, str, list[Any], list[Frame], str]) -> None:
        life, operation, work, frames, error = arg
        if life != self.life:
            return
        self._is_writing = False
        self.world.trace_text(operation)
        if error:
            # After a failed fsync the pages may be on the disk or not: both are drawn.
            if self.draw("after a failed fsync", 2):
                self.disk.sync()
            else:
                self.disk.drop_unsynced()
            self.write_failed(operation, work, error)
        else:
            self.disk.sync()
            if not frames or not self._is_cut_off("after_sync", operation, work):
                self.written(operation, work, frames)
        if life == self.life and self._work and not self._is_writing:
            self._write_next()
