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

    __slots__ = ("damaged", "frames", "snapshots", "synced")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.synced = 0
        self.damaged: set[int] = set()  # Only ever asked for membership.
        self.snapshots: list[int] = [0]
        """`synced` after each durable write, for restarts on an older copy of the disk."""

    def append(self, frames: list[Frame]) -> None:
        """Into the page cache."""
        self.frames.extend(frames)

    def sync(self) -> None:
        """Everything appended so far is durable."""
        self.synced = len(self.frames)
        self.snapshots.append(self.synced)

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
            kept = self.synced + draw("kept", unsynced)
            del self.frames[kept + 1 :]
            self.damaged.add(kept)
        self.synced = len(self.frames)
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

    def read(self) -> list[Frame]:
        """Every whole frame; a damaged tail is cut, durably.

        Raises: DiskCorrupted for damage that is followed by a whole frame.
        """
        for place in range(len(self.frames)):
            if place in self.damaged:
                if any(later not in self.damaged for later in range(place + 1, len(self.frames))):
                    raise DiskCorrupted(
                        f"frame {place + 1} of {len(self.frames)} is damaged, and whole ones follow"
                    )
                del self.frames[place:]
                self.damaged.clear()
                break
        self.synced = len(self.frames)
        return list(self.frames)
