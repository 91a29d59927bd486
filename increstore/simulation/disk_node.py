"""A role with a disk in the simulated world: its durable work, and what the power may do to it.

Durable work is done one thing at a time in the order asked; batches that wait are committed as one
group. Two coordinators may have one disk between them: then one of them writes at a time.

Like a step's records, an effect's write has three crash points: `before_append`,
`after_append` (in the page cache) and `after_sync` (durable, and nobody was told).

A write that fails has the consequences of the real one (see `store.files`): an EIO or ENOSPC comes
from the write, which may have left a part of the group behind, torn; a failed fsync comes after
the whole of it, and it may be durable or gone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from increstore.simulation.ambient import MS, RATE_WHOLE
from increstore.simulation.disk import FATES, Disk
from increstore.simulation.nodes import SimulatedNode
from increstore.store.seam import GROUP_BATCHES_MAX

if TYPE_CHECKING:
    from increstore.protocol.ready import ApplyBatch
    from increstore.simulation.disk import Frame
    from increstore.simulation.world import World

BUSY_NS = MS
"""How long who finds another one writing waits before it looks again, as SQLite does."""
OF_RECORDS = ("generation", "log")
"""Operations that write the records of a step."""
REFUSED = "refused"
"""What happens to a write that does not begin, because one before it has failed."""


class Fate:
    """What happens to one write: how long it takes (ns), and how and why it fails, or "" twice."""

    __slots__ = ("action", "delay", "error")

    def __init__(self, delay: int, action: str = "", error: str = "") -> None:
        self.delay = delay
        self.action = action
        self.error = error

    @property
    def fills_the_cache(self) -> bool:
        """Whether all of it gets as far as the page cache."""
        return self.action in ("", "fsync_error")


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
        if self.disk.writer is not self:
            return  # Nothing of ours is on its way to the disk.
        self.disk.writer = None
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
        """The disk said no; what is left of the write is on the disk already."""

    def unfit(self, work: list[Any]) -> ApplyBatch | None:
        """The batch of a group that keeps all of it from being written; whoever has it tells."""
        return None

    def leaves_parts(self, operation: str) -> bool:
        """Whether a part of such a write is there when the disk is full in the midst of it."""
        return False

    def take_hold(self, operation: str, work: list[Any], frames: list[Frame]) -> None:
        """The write has ended in an error and is durable all the same; nobody is told."""

    def _write_next(self) -> None:
        if self.core is None:
            return
        self._is_writing = True
        if self.disk.writer is not None:
            self.world.at(self.world.now + BUSY_NS, 0, self._write_again, self.life)
            return
        operation, value = self._work.popleft()
        work = [value] if operation != "append" else self._group(value)
        if operation == "append" and (unfit := self.unfit(work)) is not None:
            self._set_aside(work, unfit)
            return
        if self._is_cut_off("before_append", operation, work):
            return
        frames = self.frames_of(operation, work)
        fate = self.fate_of_write(operation)
        if frames and fate.fills_the_cache:
            self.disk.writer = self
            self.disk.append(frames)
        ending = (self.life, operation, work, frames, fate)
        self.world.at(self.world.now + fate.delay, 0, self._write_ended, ending)
        if frames:
            self._is_cut_off("after_append", operation, work)

    def _group(self, first: Any) -> list[Any]:
        """The batches that one sync makes durable."""
        group, waiting = [first], self._work
        while waiting and waiting[0][0] == "append" and len(group) < GROUP_BATCHES_MAX:
            group.append(waiting.popleft()[1])
        return group

    def _set_aside(self, work: list[Any], unfit: ApplyBatch) -> None:
        """Of the group, and of what waits, goes on what is of other scans."""
        again = [*(("append", batch) for batch in work), *self._work]
        self._work = deque(
            (operation, value)
            for operation, value in again
            if operation != "append" or value.scan != unfit.scan
        )
        self._is_writing = False
        if self._work:
            self._write_next()

    def _write_again(self, life: int) -> None:
        if life == self.life:
            self._write_next()

    def _is_cut_off(self, point: str, operation: str, work: list[Any]) -> bool:
        """Pass a crash point of an effect; records have passed theirs in the step."""
        if operation in OF_RECORDS:
            return False
        if self.world.meters_points:
            return self.world.is_cut_off(self, point, work)
        self.world.points += 1
        return False

    def fate_of_write(self, operation: str) -> Fate:
        """What happens to a write that begins now."""
        world = self.world
        delay = self.delay("disk", world.ambient.disk)
        fault = world.director.disk_fault(world.now, self.name, operation)
        if fault is None:
            return Fate(delay)
        world.tell_of_faults()
        return Fate(delay + fault.by_ns, fault.action if fault.error else "", fault.error)

    def _write_ended(self, arg: tuple[int, str, list[Any], list[Frame], Fate]) -> None:
        life, operation, work, frames, fate = arg
        if life != self.life:
            return
        self._is_writing = False
        self.world.trace_text(operation)
        if self.disk.writer is self:
            self.disk.writer = None
        if fate.error:
            self._leave(fate.action, operation, work, frames)
            self.write_failed(operation, work, fate.error)
        else:
            if frames:
                self.disk.sync()
            if not frames or not self._is_cut_off("after_sync", operation, work):
                self.written(operation, work, frames)
        if life == self.life and self._work and not self._is_writing:
            self._write_next()

    def _leave(self, action: str, operation: str, work: list[Any], frames: list[Frame]) -> None:
        """What is on the disk of a write that has failed."""
        if action == "fsync_error":
            if self.draw("after a failed fsync", 2):
                if frames:
                    self.disk.sync()
                self.take_hold(operation, work, frames)
            elif frames:
                self.disk.drop_unsynced()
        elif action != REFUSED and self.leaves_parts(operation):
            part = self.draw(f"part of a failed {operation}", len(frames) + 1)
            if part:
                self.disk.append(frames[:part])
                self.disk.tear(part - 1)
