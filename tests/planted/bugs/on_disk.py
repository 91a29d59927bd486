"""The real stores: what a power cut, a damaged byte or a second process would find."""

from __future__ import annotations

from tests.planted.bug import Bug, Tests
from tests.planted.patching import Edit

_GROUP = "on disk"
_STORE = "increstore.store"


def _tests(name: str, *tests: str) -> Tests:
    return Tests(tuple(f"tests/{name}.py::{test}" for test in tests))


def _bug(name: str, says: str, edits: tuple[Edit, ...], test_file: str, test: str) -> Bug:
    return Bug(name, _GROUP, says, edits, _tests(test_file, test), (test,))


BUGS = (
    _bug(
        "batches are not synced",
        "A group of batches is acknowledged from the page cache.",
        (Edit(f"{_STORE}.segment_file:SegmentFile.append", "os.fdatasync(handle)", "pass"),),
        "store/test_synced",
        "test_a_group_is_synced_and_a_new_file_with_its_folder",
    ),
    _bug(
        "a new file has no name after a power cut",
        "The folder of a new segment file is not synced.",
        (
            Edit(
                f"{_STORE}.segment_file:SegmentFile.append",
                "sync_directory(self.path.parent)",
                "pass",
            ),
        ),
        "store/test_synced",
        "test_a_group_is_synced_and_a_new_file_with_its_folder",
    ),
    _bug(
        "final rows are named before they are synced",
        "The final file gets its name while its bytes may still be lost.",
        (Edit(f"{_STORE}.final_file:FinalFile.finish", "os.fsync(handle)", "pass"),),
        "store/test_synced",
        "test_final_rows_are_synced_before_they_have_their_name_and_named_before_recorded",
    ),
    _bug(
        "a fold replaces what it was made of before it is synced",
        "The end of a fold of several runs is not synced, and the runs are removed.",
        (
            Edit(
                f"{_STORE}.segment_runs:compact",
                'file.append([Entry({"kind": "end", "batches": count})])',
                'file.append([Entry({"kind": "end", "batches": count})], sync=False)',
            ),
        ),
        "store/test_synced",
        "test_a_fold_is_durable_under_its_name_before_what_it_replaces_is_removed",
    ),
    _bug(
        "the coordinator's log is not synced",
        "SQLite is told not to sync.",
        (
            Edit(
                f"{_STORE}.coordinator_log:CoordinatorLog._prepare",
                "PRAGMA synchronous = FULL",
                "PRAGMA synchronous = OFF",
            ),
        ),
        "store/test_synced",
        "test_the_coordinators_log_asks_for_a_sync_with_every_commit",
    ),
    _bug(
        "a torn tail stays",
        "Recovery goes on behind the whole records and leaves the torn bytes where they are.",
        (Edit(f"{_STORE}.recovery:_cut", "cut_tail(file.path, file.length)", "pass"),),
        "store/test_synced",
        "test_a_cut_tail_is_synced_before_anything_is_written_behind_it",
    ),
    _bug(
        "a torn tail is read",
        "The payload of the last record is not compared with its digest in a recovery.",
        (
            Edit(
                f"{_STORE}.segment_file:_payload_is_whole",
                "hasher.intdigest() == record.digest and not any(zeros)",
                "True",
            ),
        ),
        "store/test_segment_damage",
        "test_a_last_group_garbled_at_any_byte_keeps_what_was_acknowledged",
    ),
    _bug(
        "damage is taken for a torn tail",
        "A later record that proves the damaged bytes to have been durable is not looked for.",
        (
            Edit(
                f"{_STORE}.segment_file:_later_proof",
                "if record is not None and record.durable > fault:",
                "if False:",
            ),
        ),
        "store/test_segment_damage",
        "test_a_byte_flipped_anywhere_before_the_last_group_is_damage",
    ),
    _bug(
        "stored rows are read unchecked",
        "A flipped byte of a sealed file reaches the fold.",
        (Edit(f"{_STORE}.segment_file:load_payload", " or found != span.digest", ""),),
        "store/test_segment_damage",
        "test_a_flipped_byte_of_a_sealed_file_never_reaches_a_reader",
    ),
    _bug(
        "a flipped bit of the history is believed",
        "The checksum of a coordinator's record is not compared.",
        (
            Edit(
                f"{_STORE}.coordinator_log:CoordinatorLog._record",
                "if checksum != _checksum(text):",
                "if False:",
            ),
        ),
        "store/test_coordinator_log",
        "test_a_record_that_is_no_longer_what_was_written_is_refused",
    ),
    _bug(
        "a store writes on after a failed write",
        "After a full disk the store takes what it knows for what is durable.",
        (
            Edit(
                f"{_STORE}.segment_store:SegmentStore._writing",
                "self._is_usable = False",
                "self._is_usable = True",
            ),
        ),
        "store/test_segment_store",
        "test_a_full_disk_loses_nothing_acknowledged_and_the_restore_goes_on",
    ),
    _bug(
        "the log writes on after a failed append",
        "A coordinator's log that may or may not have written a record appends the next one.",
        (
            Edit(
                f"{_STORE}.coordinator_log:CoordinatorLog.append",
                "self._failed = True",
                "self._failed = False",
            ),
        ),
        "store/test_coordinator_log",
        "test_after_a_failed_append_the_log_refuses_to_write",
    ),
    _bug(
        "two coordinators write one log",
        "A coordinator whose log another one has taken over appends behind what that has written.",
        (
            Edit(
                f"{_STORE}.coordinator_log:CoordinatorLog.append",
                "self._require_ours()",
                "pass",
            ),
        ),
        "store/test_coordinator_log",
        "test_a_log_that_another_coordinator_has_written_to_is_not_written_to_any_more",
    ),
    _bug(
        "streams that no seal names count",
        "The rows of an attempt that failed are folded with the others.",
        (
            Edit(
                f"{_STORE}.ledger:Ledger.run_of",
                "for evidence in streams for place in self._streams[evidence.source].batches",
                "for stream in self._streams.values() for place in stream.batches",
            ),
        ),
        "store/test_contract",
        "test_only_the_streams_a_seal_names_count",
    ),
    _bug(
        "the next attempt goes on behind the one before",
        "A store appends the batches of a new attempt to those of the attempt that failed.",
        (
            Edit(
                f"{_STORE}.ledger:Ledger._end_of",
                "if stream is None or scan.attempt > stream.attempt:",
                "if stream is None:",
            ),
        ),
        "store/test_contract",
        "test_a_higher_attempt_takes_the_place_of_the_one_before",
    ),
    _bug(
        "the target is not locked",
        "Two processes restore into one target at once.",
        (
            Edit(
                f"{_STORE}.target_lock:take_lock",
                "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)",
                "pass",
            ),
        ),
        "store/test_target",
        "test_a_second_restore_is_refused_and_told_who_works_there",
    ),
    _bug(
        "the lock leaks",
        "A target that was refused, or is closed, stays locked until its process ends.",
        (Edit(f"{_STORE}.target:TargetDirectory.close", "os.close(self._lock)", "pass"),),
        "store/test_target",
        "test_the_same_restore_finds_its_target_again",
    ),
    _bug(
        "any restore may go on with a target",
        "The identity of a target is not compared with that of the restore.",
        (
            Edit(
                f"{_STORE}.target:TargetDirectory.claim",
                "elif self.identity != wanted:",
                "elif False:",
            ),
        ),
        "store/test_target",
        "test_another_restore_may_not_continue_it",
    ),
    _bug(
        "a folder that is not ours is overwritten",
        "Publication puts a table in the place of whatever has its name.",
        (
            Edit(
                f"{_STORE}.publish:_refuse_strangers",
                "if is_staged and is_visible:",
                "if False:",
            ),
        ),
        "store/test_publish",
        "test_a_folder_that_is_not_ours_is_never_overwritten",
    ),
    _bug(
        "publication is not written down",
        "After a crash between two renames a table of ours is taken for a stranger's.",
        (
            Edit(
                f"{_STORE}.publish:publish",
                "if not already.issuperset(ordered):",
                "if False:",
            ),
        ),
        "store/test_synced",
        "test_publication_is_written_down_before_the_first_rename_and_each_is_synced",
    ),
    _bug(
        "the fold keeps what was erased",
        "A key whose newest change is an erase is among the final rows.",
        (
            Edit(
                "increstore.chain.fold:fold_to_rows",
                "kept = operations_of(stack)[groups.newest] != Op.ERASE",
                "kept = operations_of(stack)[groups.newest] != 99",
            ),
        ),
        "store/test_contract",
        "test_the_final_rows_are_the_fold_of_the_chain",
    ),
    _bug(
        "the fold looks through a reset",
        "Columns that a reset has made NULL get the value of an older change.",
        (
            Edit(
                "increstore.chain.fold:_Unfinished.of",
                "floor=np.maximum(newest_barrier, starts),",
                "floor=starts,",
            ),
        ),
        "chain/test_fold",
        "test_an_erase_and_then_an_upsert_is_a_reset",
    ),
    _bug(
        "memory is not bounded by bytes",
        "A source that no target takes anything from holds three times what it may.",
        (
            Edit(
                "increstore.protocol.pages:PagesAhead.next_to_ask",
                "if expected >= self._bytes_max",
                "if expected >= 3 * self._bytes_max",
            ),
        ),
        "protocol/test_source_shard",
        "test_memory_is_bounded_when_a_target_is_silent",
    ),
)
