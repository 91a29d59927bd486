"""Recovery of a segment store: from the files of a shard to what is durable.

Rules of this file:
- Only the last file of a chain may end in a torn tail; it is cut. Everything else must be whole,
  because a later file or record proves that it had been: StorageCorrupted.
- The payloads of an unsealed file are verified now, before anybody sends behind them; those of
  sealed files when the fold reads them, before any reader can see a row. So a start costs a read
  of one incremental and of the record areas, whatever the size of the table.
- Files that a fold replaced, and files under temporary names, are removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.chain.files import make_directories, sync_directory
from increstore.errors import StorageCorrupted
from increstore.store.files import TEMPORARY_SUFFIX, told_as_storage_failed
from increstore.store.segment_file import Contents, SegmentFile, cut_tail, damaged, read_segment
from increstore.store.segment_runs import RUN_SUFFIX, Run, read_run
from increstore.store.shard_state import CHANGES_SUFFIX, ShardState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.chain.fold import FoldLayout
    from increstore.store.seam import StoreLayout


def recover_shard(
    directory: Path, layout: StoreLayout, fold: FoldLayout, final_file: Path
) -> ShardState:
    """Everything durable in `directory`, which is created when it is missing.

    Raises: StorageCorrupted for damage before the tail; StorageFailed when it cannot be read.
    """
    state = ShardState(directory, layout, fold)
    with told_as_storage_failed(directory, "opening the shard's directory"):
        make_directories(directory)
        names = sorted(path.name for path in directory.iterdir())
    _recover_control(state, final_file)
    _recover_chain(state, names)
    remove_files(directory, [name for name in names if name.endswith(TEMPORARY_SUFFIX)])
    unsealed = state.ledger.open_incremental()
    if state.finalized is not None and unsealed is not None:
        raise _missing(state, unsealed, "the final rows were made after it")
    return state


def remove_files(directory: Path, names: Sequence[str]) -> None:
    """Durably remove those of the named files that exist."""
    with told_as_storage_failed(directory, "removing files that no longer count"):
        for name in names:
            (directory / name).unlink(missing_ok=True)
        if names:
            sync_directory(directory)


def _recover_control(state: ShardState, final_file: Path) -> None:
    control = state.control
    with told_as_storage_failed(control.path, "reading"):
        if not control.path.exists():
            return
    contents = read_segment(control.path, control.header, verify_payloads=True)
    _cut(control, contents)
    for record in contents.records if contents else ():
        facts = record.facts
        if facts["kind"] == "generation":
            state.generation = facts["generation"]  # Only higher ones are ever written.
        elif final_file_stands(final_file, facts["bytes"]):
            state.finalized = (facts["rows"], facts["digest"])


def final_file_stands(final_file: Path, size: int) -> bool:
    """Whether the final rows recorded are still there, or were published since."""
    if not size:
        return True
    with told_as_storage_failed(final_file, "looking for the final rows"):
        # One look, since publication may be under way: it moves the whole folder, and checks for
        # itself what it moves.
        try:
            return final_file.stat().st_size == size
        except FileNotFoundError:
            return not final_file.parent.exists()


def _recover_chain(state: ShardState, names: Sequence[str]) -> None:
    runs = _recover_runs(state, names)
    covered = {incremental: run for run in runs for incremental in run.seals}
    for incremental in sorted(state.layout.batch_schemas):
        path = state.changes_path(incremental)
        run = covered.get(incremental)
        if run is not None:
            if incremental == run.first:
                state.runs.append(run)
            state.ledger.seal(incremental, run.seals[incremental])
            # Still here after a crash between the fold and the removal of what it replaces.
            remove_files(state.directory, [path.name] if path.name in names else [])
            continue
        if path.name in names:
            _recover_file(state, path, incremental, names)
        if incremental not in state.ledger.sealed:
            _refuse_later(state, incremental, names)
            return


def _recover_runs(state: ShardState, names: Sequence[str]) -> list[Run]:
    """The folds of several incrementals; one that lies within a wider one is left over."""
    ranges = {}
    for name in names:
        if name.endswith(RUN_SUFFIX):
            low, _, high = name.removesuffix(RUN_SUFFIX).partition("-")
            ranges[name] = range(int(low), int(high) + 1)
    left_over = [
        name
        for name, own in ranges.items()
        if any(own != other and own[0] in other and own[-1] in other for other in ranges.values())
    ]
    kept = [name for name in ranges if name not in left_over]
    runs = [read_run(state.directory / name, state.layout, state.fold) for name in kept]
    remove_files(state.directory, left_over)
    return runs


def _recover_file(state: ShardState, path: Path, incremental: int, names: Sequence[str]) -> None:
    file = state.file_of(incremental)
    contents = read_segment(path, file.header, verify_payloads=False)
    if _is_sealed(contents):
        _require_whole(path, contents)
    else:
        _refuse_later(state, incremental, names)
        contents = read_segment(path, file.header, verify_payloads=True)
        _cut(file, contents)
    for record in contents.records if contents else ():
        state.count(path, incremental, record)


def _is_sealed(contents: Contents | None) -> bool:
    return contents is not None and any(r.facts["kind"] == "seal" for r in contents.records)


def _require_whole(path: Path, contents: Contents | None) -> None:
    """Nothing is ever written behind a seal."""
    assert contents is not None
    if contents.records[-1].facts["kind"] != "seal" or contents.size != contents.length:
        end = next(r.end for r in contents.records if r.facts["kind"] == "seal")
        raise damaged(path, end, "the end of the sealed file", "more bytes")


def _refuse_later(state: ShardState, incremental: int, names: Sequence[str]) -> None:
    """Only the end of the chain may be unsealed: a later file proves that a seal had been."""
    for name in names:
        is_ours = name.endswith((CHANGES_SUFFIX, RUN_SUFFIX))
        if is_ours and int(name.partition(".")[0].partition("-")[0]) > incremental:
            raise _missing(state, incremental, f"{name} was written after it")


def _missing(state: ShardState, incremental: int, proof: str) -> StorageCorrupted:
    path = state.changes_path(incremental)
    return StorageCorrupted(
        f"{path}: expected incremental {incremental} whole and sealed, since {proof}; got "
        f"{'a file without a whole seal' if path.exists() else 'no such file'}; remove the target "
        "and start the restore again"
    )


def _cut(file: SegmentFile, contents: Contents | None) -> None:
    """Cut what a crash tore off; the file goes on where its last whole record ends."""
    file.length = contents.length if contents and contents.records else 0
    if contents is None or contents.size != file.length:
        cut_tail(file.path, file.length)
