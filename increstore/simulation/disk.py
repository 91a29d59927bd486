"""A simulated disk: one append-only file of frames, a page cache before it, and what may go wrong.

Rules of this file:
- `append` fills the page cache; only `sync` makes durable, in order.
- A crash draws the fate of what was not synced: lost, kept up to some frame, the next one torn,
  or all of it flushed. What was synced stays, unless a fault takes it.
- A reader sees each frame as whole or damaged (every frame has a checksum, and a checksum never
  lies here). A damaged frame with a whole one after it is corruption; at the end it is a torn tail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Frame = tuple[Any, ...]
"""What one write appends: a kind, then its values. Atomic: whole or damaged, never half read."""

FATES = ("lost", "torn", "flushed")
"""What may become of bytes in the page cache, in the order drawn: 0 is the usual one."""


class DiskCorrupted(Exception):
    """A damaged frame has a whole one after it: not a torn tail."""


class Disk:
    """The frames of one node. `synced` of them are durable; the rest may vanish in a crash."""

    __slots__ = ("damaged", "frames", "snapshots", "synced", "writer", "written")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.synced = 0
        self.damaged: set[int] = set()  # Only ever asked for membership.
        self.snapshots: list[int] = [0]
        """`synced` after each durable write, for restarts on an older copy of the disk."""
        self.written = 0
        """How many frames have ever become durable: it rises, whatever is lost afterwards."""
        self.writer: object = None
        """Who writes now: what is not synced is of that node alone."""

    def append(self, frames: list[Frame]) -> None:
        """Into the page cache."""
        self.frames.extend(frames)

    def sync(self) -> None:
        """Everything appended so far is durable."""
        self._keep()
        self.snapshots.append(self.synced)

    def _keep(self, torn: int = 0) -> None:
        """What is there is durable; so many frames at its end are torn."""
        self.written += len(self.frames) - self.synced - torn
        self.synced = len(self.frames)

    def tear(self, kept: int) -> None:
        """Of what was not synced so many frames are durable, and a part of the next one."""
        whole = self.synced + kept
        del self.frames[whole + 1 :]
        self.damaged.add(whole)
        self._keep(torn=1)

    def drop_unsynced(self) -> None:
        del self.frames[self.synced :]

    def crash(self, draw: Callable[[str, int], int]) -> str:
        """Power is lost: only what was synced is sure. Returns the fate of the rest."""
        unsynced = len(self.frames) - self.synced
        if not unsynced:
            return "nothing unsynced"
        fate = FATES[draw("fate", len(FATES))]
        if fate == "lost":
            self.drop_unsynced()
        elif fate == "torn":
            self.tear(draw("kept", unsynced))
        else:
            self._keep()
        return fate

    def flip_bit(self, position: int) -> None:
        """Damage one durable frame at rest; the last one is position 0, counted backwards."""
        if position < self.synced:
            self.damaged.add(self.synced - 1 - position)

    def misdirect(self, position: int) -> None:
        """The last durable write landed on an earlier frame (counted backwards from it)."""
        if 0 < position < self.synced:
            self.damaged.add(self.synced - 1 - position)
            del self.frames[self.synced - 1]
            self.synced -= 1

    def wipe(self) -> None:
        """A new, empty disk."""
        self.frames.clear()
        self.damaged.clear()
        self.snapshots = [0]
        self.synced = 0

    def roll_back(self, writes: int) -> None:
        """The disk as it was so many durable writes ago."""
        kept = self.snapshots[max(0, len(self.snapshots) - 1 - writes)]
        del self.frames[kept:]
        self.damaged = {place for place in self.damaged if place < kept}
        self.snapshots = [known for known in self.snapshots if known <= kept]
        self.synced = kept

    def cut_torn_tail(self) -> None:
        """Damaged frames at the very end were never acknowledged: they go, durably."""
        while self.synced == len(self.frames) and self.synced - 1 in self.damaged:
            self.synced -= 1
            self.damaged.discard(self.synced)
            del self.frames[self.synced]

    def read(self) -> list[Frame]:
        """Every whole frame that is durable; a damaged tail is cut.

        Raises: DiskCorrupted for damage that is followed by a whole frame.
        """
        self.cut_torn_tail()
        for place in range(self.synced) if self.damaged else ():
            if place in self.damaged:
                raise DiskCorrupted(
                    f"frame {place + 1} of {self.synced} is damaged, and whole ones follow"
                )
        return self.frames[: self.synced]
