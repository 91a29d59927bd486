"""Who made everybody wait: the path through an incremental that took longest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView
    from increstore.view.shards import AttemptView, ShardView


@dataclass(frozen=True, slots=True)
class ScanPath:
    """One source shard's way through an incremental; times are nanoseconds since 1970."""

    shard: str
    asked_at: int
    ended_at: int | None
    """The last attempt's end, as the source said it; None while it runs."""
    reported_at: int | None
    attempts: int
    rows: int
    error: str

    def took(self, now: int) -> int:
        """From being asked first until its report was durable, or until now."""
        return (self.reported_at or now) - self.asked_at


def paths_of(view: ClusterView, incremental: int) -> list[ScanPath]:
    """Every source's way through this incremental, the one that took longest first."""
    paths = [path for shard in view.sources if (path := _path(shard, incremental)) is not None]
    return sorted(paths, key=lambda path: (-path.took(view.now), path.shard))


def _path(shard: ShardView, incremental: int) -> ScanPath | None:
    tries = [attempt for attempt in shard.attempts if attempt.incremental == incremental]
    if not tries:
        return None
    last: AttemptView = tries[-1]
    succeeded = last.status == "success"
    return ScanPath(
        shard.name,
        tries[0].asked_at,
        last.ended_at,
        last.reported_at if succeeded else None,
        len(tries),
        last.rows,
        next((attempt.error for attempt in reversed(tries) if attempt.error), ""),
    )


def explain(view: ClusterView, incremental: int) -> str:
    """One sentence: who was last, and why."""
    paths = paths_of(view, incremental)
    if not paths:
        return f"incremental {incremental}: nobody has been asked yet"
    slowest = paths[0]
    took = slowest.took(view.now) / 1e9
    others = [path.took(view.now) for path in paths[1:]]
    sooner = f", {took - max(others) / 1e9:.3f} s after the others" if others else ""
    parts = [f"{slowest.shard} took longest: {took:.3f} s{sooner}"]
    if slowest.attempts > 1:
        parts.append(f"{slowest.attempts} attempts")
    if slowest.ended_at is not None and slowest.reported_at is not None:
        silent = (slowest.reported_at - slowest.ended_at) / 1e9
        if silent > took / 4:
            parts.append(f"{silent:.3f} s of it between its end and its durable report")
    elif slowest.ended_at is not None:
        silent = (view.now - slowest.ended_at) / 1e9
        parts.append(f"ended {silent:.3f} s ago, and the coordinator has no report")
    if slowest.error:
        parts.append(f"last error: {slowest.error}")
    return "; ".join(parts)
