"""What a drill does to files: each is found by the store or log that opens them next."""

from __future__ import annotations

import pytest

from increstore.errors import StorageCorrupted
from increstore.protocol.records import GenerationStarted, RestoreAccepted
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.drill.at_rest import AtRest, Older, copies_wanted
from increstore.scenario.actions import Crash
from increstore.scenario.load import parse_scenario
from increstore.store.coordinator_log import CoordinatorLog
from increstore.store.segment_store import SegmentStore
from increstore.store.target import TargetPaths
from tests.store.builders import a_layout, batches_of, evidence_of, upsert

T0 = "orders/t0"
HEAD = 'format = 1\ntitle = "A test"\nwhy = "It tests."\non = ["memory"]\n'
ROLLS_BACK = '[[fault]]\nkind = "crash"\nnode = "t0"\nat = "1s"\nrollback = 3\n'


def a_scenario(text=""):
    return parse_scenario(HEAD + text, "a test")


def a_store(target):
    paths = TargetPaths(target)
    return SegmentStore(paths.shard(T0), a_layout(), paths.staged_file("orders", 0))


def a_restored_shard(target, keep=lambda: None):
    """Two sealed incrementals of one batch each; `keep` is called before each write."""
    store = a_store(target)
    store.recover()
    for incremental in range(2):
        batches = batches_of([upsert(key) for key in range(3)], incremental)
        keep()
        store.append(batches)
        keep()
        store.seal(incremental, evidence_of(batches))


def a_log(target):
    log = CoordinatorLog(TargetPaths(target).coordinator_log)
    for number in range(1, 4):
        log.append([GenerationStarted(number, number)])
    log.close()


def test_a_wiped_node_has_stored_nothing(tmp_path):
    a_restored_shard(tmp_path)
    a_log(tmp_path)
    at_rest = AtRest(tmp_path, a_scenario())
    assert at_rest.after_death(Crash(T0, 0, wipe=True))
    assert at_rest.after_death(Crash(COORDINATOR, 0, wipe=True))
    assert a_store(tmp_path).recover().sealed == {}
    log = CoordinatorLog(TargetPaths(tmp_path).coordinator_log)
    assert log.replay() == []
    log.close()


def test_a_crash_alone_loses_nothing(tmp_path):
    a_restored_shard(tmp_path)
    before = a_store(tmp_path).recover()
    assert not AtRest(tmp_path, a_scenario()).after_death(Crash(T0, 0))
    assert a_store(tmp_path).recover() == before


@pytest.mark.parametrize("is_open", [False, True])
def test_a_torn_tail_is_left_once_and_cut_by_the_store(is_open, tmp_path):
    a_restored_shard(tmp_path)
    store = a_store(tmp_path)
    store.recover()
    store.record_generation(1)
    if is_open:
        store.append(batches_of([upsert(1)], 2))
    before = a_store(tmp_path).recover()
    at_rest = AtRest(tmp_path, a_scenario())
    at_rest.tear_at_next_death(T0)
    whole = _sizes(tmp_path)

    assert not at_rest.after_death(Crash(T0, 0)), "what is torn was never durable"
    torn = [name for name, size in _sizes(tmp_path).items() if size > whole[name]]
    assert torn == ["000002.changes" if is_open else "control"]
    assert a_store(tmp_path).recover() == before
    at_rest.after_death(Crash(T0, 0))
    assert _sizes(tmp_path) == whole


def _sizes(target):
    return {file.name: file.stat().st_size for file in TargetPaths(target).shard(T0).iterdir()}


@pytest.mark.parametrize("place", range(0, 1000, 97))
def test_a_flipped_bit_is_never_taken_for_what_was_written(place, tmp_path):
    """Found when the shard comes back, or when its final rows are made; or it means nothing."""
    a_restored_shard(tmp_path)
    undamaged = a_store(tmp_path).recover()
    assert AtRest(tmp_path, a_scenario()).flip_a_bit(T0, lambda size: place % size)
    store = a_store(tmp_path)
    try:
        recovered = store.recover()
    except StorageCorrupted:
        return
    if recovered == undamaged:
        store.seal(2, ())
        store.seal(3, ())
        with pytest.raises(StorageCorrupted):
            store.finalize()
    else:
        assert recovered.sealed.keys() < undamaged.sealed.keys(), "only a tail may be cut"


def test_a_damaged_record_of_the_log_is_told(tmp_path):
    a_log(tmp_path)
    assert AtRest(tmp_path, a_scenario()).flip_a_bit(COORDINATOR, lambda count: count - 1)
    log = CoordinatorLog(TargetPaths(tmp_path).coordinator_log)
    with pytest.raises(StorageCorrupted, match="record 3"):
        log.replay()
    log.close()


def test_who_has_stored_nothing_cannot_be_damaged(tmp_path):
    assert not AtRest(tmp_path, a_scenario()).flip_a_bit(T0, lambda size: 0)


@pytest.mark.parametrize(("writes", "left"), [(1, 3), (2, 2), (3, 1)])
def test_a_shard_goes_back_by_so_many_durable_writes(writes, left, tmp_path):
    at_rest = AtRest(tmp_path / "target", a_scenario(ROLLS_BACK))
    states = []

    def keep():
        states.append(a_store(tmp_path / "target").recover())
        older()

    older = at_rest.older.keeper(T0)
    a_restored_shard(tmp_path / "target", keep)
    assert at_rest.after_death(Crash(T0, 0, rollback=writes))
    assert a_store(tmp_path / "target").recover() == states[left]


def test_a_log_goes_back_too_and_further_from_there(tmp_path):
    target = tmp_path / "target"
    at_rest = AtRest(target, a_scenario(ROLLS_BACK))
    log = CoordinatorLog(TargetPaths(target).coordinator_log)
    records = [RestoreAccepted("r1", "plan", 1), *(GenerationStarted(n, n) for n in range(1, 4))]
    for record in records:
        at_rest.older.keeper(COORDINATOR)()
        log.append([record])
    log.close()
    for left in (3, 2, 1):
        at_rest.after_death(Crash(COORDINATOR, 0, rollback=1))
        log = CoordinatorLog(TargetPaths(target).coordinator_log)
        assert log.replay() == records[:left]
        log.close()


def test_no_more_copies_are_kept_than_a_scenario_may_want(tmp_path):
    assert copies_wanted(a_scenario()) == 0
    assert copies_wanted(a_scenario(ROLLS_BACK)) == 3
    assert Older(tmp_path / "target", 0).keeper(T0) is None
    a_restored_shard(tmp_path / "target", Older(tmp_path / "target", 3).keeper(T0))
    assert len(list(tmp_path.glob("target.older/*/*"))) == 3
