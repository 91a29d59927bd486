"""Each law of data catches a story that breaks it."""

from __future__ import annotations

from dataclasses import replace

from increstore.protocol.records import IncrementalCompleted

from .story import (
    S0,
    S1,
    T0,
    T1,
    Story,
    a_finalizing_story,
    a_reported_story,
    a_second_incremental,
    a_story,
    a_topology,
    caught,
    pages_of,
    scan_id,
    streams_at,
)


class Chain:
    """An oracle: two keys after the full backup, one of them changed and one deleted later."""

    def __init__(self, changes=12) -> None:
        self._changes = changes

    def rows_after(self, incremental):
        return {"orders": [{1: ("a", None), 2: ("b", 5)}, {1: ("a", 7)}][incremental]}

    def changes(self, table, incremental):
        return self._changes


def test_t1_the_rows_are_those_of_the_chain():
    story = a_story(oracle=Chain())
    story.judge.tables(story.after(), 0, {"orders": {1: ("a", None), 2: ("b", 5)}})
    story.judge.tables(story.after(), 1, {"orders": {1: ("a", 7)}})


def test_t1_a_value_differs():
    story = a_story(oracle=Chain())
    with caught("T1", "after incremental 0: key 1 is ('a', 0); expected ('a', None)"):
        story.judge.tables(story.after(), 0, {"orders": {1: ("a", 0), 2: ("b", 5)}})


def test_t1_a_row_is_missing():
    story = a_story(oracle=Chain())
    with caught("T1", "key 2 is missing"):
        story.judge.tables(story.after(), 0, {"orders": {1: ("a", None)}})


def test_t1_a_deleted_row_is_there():
    story = a_story(oracle=Chain())
    with caught("T1", "key 2 is there with ('b', 5); expected no such key"):
        story.judge.tables(story.after(), 1, {"orders": {1: ("a", 7), 2: ("b", 5)}})


def test_t2_a_seal_names_other_evidence_than_was_reported():
    story = a_reported_story()
    first, second = streams_at(T0, 0)
    with caught("T2", "names 5 rows", "the sources have reported 4 rows"):
        story.ask_seal(T0, 0, (replace(first, rows=5), second))


def test_t2_a_seal_leaves_out_a_stream():
    story = a_reported_story()
    with caught("T2"):
        story.ask_seal(T0, 0, streams_at(T0, 0)[:1])


def test_t2_a_target_seals_what_is_not_durable_there():
    story = a_reported_story()
    story.ask_seal(T0)
    story.judge.truth.targets[T0].streams[S0, 0, 1].end = 1
    with caught("T2", "durable are 1 batches"):
        story.judge.sealed(story.after(), T0, 0, streams_at(T0, 0))


def test_t2_a_target_seals_without_a_stream_that_is_durable_there():
    story = a_reported_story()
    kept = streams_at(T0, 0)[1:]
    story.judge.truth.targets[T0].seal_asked[0] = kept
    with caught("T2", "without 2 batches of orders/s0"):
        story.judge.sealed(story.after(), T0, 0, kept)


def test_t2_a_batch_is_applied_with_other_rows_than_were_read():
    story = a_story(only=("T2",)).ask(S0).read(S0).open(T0, S0)
    with caught("T2", "was applied with 9 rows", "read were 3 rows"):
        story.judge.applied(story.after(), T0, scan_id(), 1, 9, 1)


def test_t2_fewer_changes_were_reported_than_the_chain_has():
    story = Story(oracle=Chain(changes=13)).begin().start_incremental(0)
    for source in (S0, S1):
        story.scan(source)
    for target in (T0, T1):
        story.seal(target)
    with caught("T2", "12 changes of incremental 0 were reported; the chain has 13"):
        story.record(IncrementalCompleted(0, story.wall))


def test_t3_a_table_that_is_not_of_the_restore():
    story = a_story()
    with caught("T3", "none of orders"):
        story.judge.tables(story.after(), 0, {"orders": {}, "people": {}})


def test_t4_a_row_of_a_page_goes_to_nobody():
    story = a_story().ask(S0)
    with caught("T4", "has 6 rows, 5 of them for a target"):
        story.judge.scan_read(story.after(), S0, scan_id(), 0, 6, pages_of(S0, 0)[0], False)


def test_t4_a_batch_goes_to_a_target_of_another_table():
    story = a_story().ask(S0)
    strange = replace(pages_of(S0, 0)[0][0], target="people/t0")
    with caught("T4", "people/t0 is none of its table"):
        story.judge.scan_read(story.after(), S0, scan_id(), 0, 3, (strange,), False)


def test_t4_a_page_holds_other_rows_when_it_is_read_again():
    story = a_story().ask(S0).read(S0)
    story.crash(S0)
    story.start(S0, incarnation=2)
    other = (replace(pages_of(S0, 0)[1][0], digest=999),)
    with caught("T4", "page 1 of incremental 0 was read again with other rows"):
        story.judge.scan_read(story.after(), S0, scan_id(), 1, 1, other, True)


def test_t5_a_change_after_the_seal():
    story = a_second_incremental(only=("T5",))
    with caught("T5", "after the seal"):
        story.apply(1, T0, S0, incremental=0)


def test_t5_a_seal_after_the_seal():
    story = a_second_incremental(only=("T5",))
    with caught("T5", "after it had been"):
        story.judge.sealed(story.after(), T0, 0, streams_at(T0, 0))


def test_t5_final_rows_before_the_last_seal():
    story = Story(only=("T5",)).begin().incremental(0)
    with caught("T5", "before incremental 1 was sealed"):
        story.judge.finalized(story.after(), T0, 8, 5)


def test_t5_final_rows_are_made_again_with_another_outcome():
    story = a_finalizing_story().finalize(T0)
    with caught("T5", "made again: 9 rows"):
        story.judge.finalized(story.after(), T0, 9, 5)


def test_t6_tables_become_visible_before_all_final_rows_are_recorded():
    story = a_finalizing_story().finalize(T0)
    with caught("T6", "before the final rows of orders/t1"):
        story.judge.published(story.after())


def test_t6_tables_become_visible_with_another_count_than_the_chain_promises():
    story = Story(a_topology(rows=17, digest=10)).begin().incremental(0).incremental(1)
    story.start_finalizing().finalize(T0).finalize(T1)
    with caught("T6", "rows 16; the chain promises 17"):
        story.judge.published(story.after())


def test_t6_tables_become_visible_with_another_digest_than_the_chain_promises():
    story = Story(a_topology(rows=16, digest=11)).begin().incremental(0).incremental(1)
    story.start_finalizing().finalize(T0).finalize(T1)
    with caught("T6", "digest 10; the chain promises 11"):
        story.judge.published(story.after())
