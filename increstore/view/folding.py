"""Which event is folded how: the one table of the view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from increstore.view import fault_folds, restore_folds, shard_folds
from increstore.view.snapshots import SNAPSHOT, take_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.view.cluster import ClusterView

Fold: TypeAlias = "Callable[[ClusterView, str, dict[str, Any], int], None]"
"""Takes the view, the event's node, its facts, and its time."""

FOLDS: dict[str, Fold] = {
    "restore.planned": restore_folds.planned,
    "restore.accepted": restore_folds.accepted,
    "coordinator.started": restore_folds.generation,
    "restore.resumed": restore_folds.resumed,
    "history.recovered": restore_folds.recovered,
    "restore.completed": restore_folds.ended("completed"),
    "restore.paused": restore_folds.ended("paused"),
    "restore.failed": restore_folds.ended("failed"),
    "restore.cancelled": restore_folds.ended("cancelled"),
    "restore.refused": restore_folds.refused,
    "restore.finalizing": shard_folds.finalizing,
    "incremental.started": restore_folds.incremental_started,
    "incremental.completed": restore_folds.incremental_completed,
    "barrier.waits": restore_folds.barrier,
    "scan.asked": shard_folds.asked,
    "scan.progress": shard_folds.progress,
    "scan.reported": shard_folds.reported,
    "scan.retry_scheduled": shard_folds.retry,
    "page.read": shard_folds.page_read,
    "page.failed": shard_folds.page_failed,
    "changes.applied": shard_folds.applied,
    "batch.applied": shard_folds.applied,
    "target.sealed": shard_folds.target_sealed,
    "run.sealed": shard_folds.run_sealed,
    "target.finalized": shard_folds.finalized,
    "rows.finalized": shard_folds.finalized,
    "message.sent": shard_folds.sent,
    "node.crashed": fault_folds.crashed,
    "node.restarted": fault_folds.back,
    "life.began": fault_folds.back,
    "storage.failed": fault_folds.storage_failed,
    "storage.corrupted": fault_folds.storage_failed,
    "shard.restarting": fault_folds.restarting,
    "fault.injected": fault_folds.fault_injected,
    "fault.ended": fault_folds.fault_ended,
    "stream.gap": fault_folds.gap,
    SNAPSHOT: take_snapshot,
}
