"""Before a restore runs: is the chain whole, whose target is it, what is durable already.

Nothing is written before the chain is known to be whole. What is written first is whose target it
is, so that the same command, given again after any interruption, finds the same plan and goes on
from what is durable; a different one is refused.

Quick to import: Arrow and the rest come inside, while the checksums of the files are counted.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.chain.checksums import Checksums, paths_of
from increstore.chain.collection import Collection
from increstore.errors import TargetRefused, UsageError
from increstore.runtime.job import RestoreJob
from increstore.runtime.request import RestoreRequest
from increstore.runtime.spawn import available_cores
from increstore.store.target import TargetDirectory, TargetIdentity, examine_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from increstore.chain.collection import BackupChain
    from increstore.chain.plan import RestorePlan
    from increstore.protocol.records import CoordinatorRecord
    from increstore.store.coordinator_log import CoordinatorLog

SHARDS_DEFAULT_MAX = 8
LOCK_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A restore that may begin: the chain is whole and the target is ours."""

    request: RestoreRequest
    job: RestoreJob
    directory: TargetDirectory
    log: CoordinatorLog
    history: list[CoordinatorRecord]
    newer_backups: int

    @property
    def plan(self) -> RestorePlan:
        return self.job.plan

    @property
    def resumes(self) -> bool:
        return bool(self.history)


def make_plan(request: RestoreRequest) -> tuple[RestorePlan, TargetIdentity | None, int]:
    """The plan this request leads to, whose target it would be, and newer backups left out.

    Writes nothing. Raises: BackupChainBroken, TargetRefused, UsageError.
    """
    identity = examine_target(request.target)
    collection = Collection.open(request.collection)
    if identity is not None:
        _refuse_other_collection(request, collection, identity)
    else:
        _refuse_inside(request)
    request = _as_begun(request, identity)
    chain = collection.chain(upto=request.upto, tables=None)
    with contextlib.closing(Checksums(paths_of(chain.backups) if identity is None else ())) as sums:
        from increstore.chain.plan import plan_restore
        from increstore.chain.validate import require_valid

        require_valid(chain, checksums=identity is None, counted=sums)
    _refuse_unknown_tables(request, chain)
    sources, targets = _shard_numbers(request)
    plan = plan_restore(
        request.collection, chain.manifests, request.tables or None, sources, targets
    )
    if identity is not None:
        _refuse_other_plan(request, plan, identity)
    return plan, identity, sum(backup.name > plan.backups[-1] for backup in collection.backups)


def _refuse_inside(request: RestoreRequest) -> None:
    """A target in a collection would be taken for a part of it by whoever copies or prunes it."""
    if request.target.resolve().is_relative_to(request.collection.resolve()):
        raise TargetRefused(
            f"{request.target}: lies inside the collection {request.collection}; choose a folder "
            "outside of it; nothing was changed"
        )


def _as_begun(request: RestoreRequest, identity: TargetIdentity | None) -> RestoreRequest:
    """The request, completed by what the target began with."""
    if identity is None:
        return request
    begun = {
        "--sources": (request.sources, identity.sources),
        "--targets": (request.targets, identity.targets),
        "--table": (_chosen(request) or None, tuple(sorted(identity.tables))),
    }
    for option, (asked, stands) in begun.items():
        if asked is not None and asked != stands:
            raise _other_option(request, option, stands, asked)
    if request.upto is not None and not identity.upto.startswith(request.upto):
        raise _other_option(request, "--upto", identity.upto, request.upto)
    return RestoreRequest(
        collection=request.collection,
        target=request.target,
        upto=identity.upto,
        tables=identity.tables,
        sources=identity.sources,
        targets=identity.targets,
        on=request.on,
    )


def _other_option(
    request: RestoreRequest, option: str, stands: object, asked: object
) -> UsageError:
    return UsageError(
        f"{request.target}: this restore began with {option} {_told(stands)}, got {_told(asked)}; "
        "leave the option out to go on, or choose another target; nothing was changed"
    )


def _told(value: object) -> str:
    return (", ".join(value) or "(all)") if isinstance(value, tuple) else str(value)


def _chosen(request: RestoreRequest) -> tuple[str, ...]:
    """The chosen tables, each once, in the one order that two equal choices share."""
    return tuple(sorted(set(request.tables)))


def _refuse_unknown_tables(request: RestoreRequest, chain: BackupChain) -> None:
    known = chain.manifests[-1].tables
    unknown = [table for table in _chosen(request) if table not in known]
    if unknown:
        raise UsageError(
            f"{request.collection}: no table {', '.join(map(repr, unknown))} in this chain "
            f"(it has: {', '.join(sorted(known))})"
        )


def _shard_numbers(request: RestoreRequest) -> tuple[int, int]:
    usual = min(max(2, available_cores()), SHARDS_DEFAULT_MAX)
    return request.sources or usual, request.targets or usual


def _refuse_other_collection(
    request: RestoreRequest, collection: Collection, identity: TargetIdentity
) -> None:
    """Asked before the options: in another collection even the backups have other names."""
    found = [backup.manifest.collection for backup in collection.backups if backup.manifest]
    if found and identity.collection not in found:
        raise TargetRefused(
            f"{request.target}: this target belongs to collection {identity.collection}, got "
            f"{found[-1]} ({request.collection}); choose another target; nothing was changed"
        )


def _refuse_other_plan(
    request: RestoreRequest, plan: RestorePlan, identity: TargetIdentity
) -> None:
    if identity.fingerprint != plan.fingerprint:
        raise TargetRefused(
            f"{request.target}: the chain up to {identity.upto} is not the one this restore began "
            f"with (expected plan {identity.fingerprint}, got {plan.fingerprint}); choose another "
            "target; nothing was changed"
        )


def prepare(
    request: RestoreRequest, begin: Callable[[RestorePlan], None] | None = None
) -> Prepared:
    """Check everything, take the target, and read what is already durable.

    `begin` is told the plan of a new restore as soon as there is one, before the target is taken.
    Raises: BackupChainBroken, TargetRefused, UsageError, StorageFailed, StorageCorrupted.
    """
    plan, identity, newer = make_plan(request)
    if begin is not None and identity is None:
        begin(plan)
    directory = _take(request.target)
    try:
        wanted = identity or TargetIdentity(
            collection=plan.collection_id,
            restore=secrets.token_hex(8),
            upto=plan.backups[-1],
            fingerprint=plan.fingerprint,
            sources=plan.sources,
            targets=plan.targets,
            tables=_chosen(request),
        )
        directory.claim(wanted)
        job = RestoreJob(plan, wanted.restore, request.target)
        log, history = _remember(plan, directory, is_new=identity is None)
        return Prepared(request, job, directory, log, history, newer)
    except BaseException:
        directory.close()
        raise


def _remember(
    plan: RestorePlan, directory: TargetDirectory, *, is_new: bool
) -> tuple[CoordinatorLog, list[CoordinatorRecord]]:
    """The coordinator's log and what it holds, checked against the files that are still needed."""
    from increstore.store.coordinator_log import CoordinatorLog

    log = CoordinatorLog(directory.paths.coordinator_log)
    try:
        history = log.replay()
        if not is_new:
            from increstore.store.working_files import require_working_files

            require_working_files(directory.paths, history)
            _check_what_is_left(plan, history)
    except BaseException:
        log.close()
        raise
    return log, history


def _take(target: Path) -> TargetDirectory:
    """The target, waiting a moment for the last processes of a restore that was killed."""
    patience = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            return TargetDirectory.open(target)
        except TargetRefused as error:
            if not error.holder_is_gone or time.monotonic() > patience:
                raise
            time.sleep(0.05)


def _check_what_is_left(plan: RestorePlan, history: Sequence[CoordinatorRecord]) -> None:
    """Checksums of the backups that are still to be scanned; the others are no longer needed."""
    from increstore.chain.validate import require_valid
    from increstore.protocol.records import IncrementalCompleted

    done = {r.incremental for r in history if isinstance(r, IncrementalCompleted)}
    left = [name for number, name in enumerate(plan.backups) if number not in done]
    if left:
        collection = Collection.open(plan.collection)
        chain = collection.chain(upto=plan.backups[-1], tables=None)
        require_valid(chain, checksums=True, only=left)


def resume_command(request: RestoreRequest) -> str:
    """What to type to go on."""
    words = ["increstore", "restore", str(request.collection), "--into", str(request.target)]
    if request.on != "memory":
        words += ["--on", request.on]
    return shlex.join(words)
