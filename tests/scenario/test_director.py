"""What holds for all faults together: triggers, ends, overlaps, the heal, marks and the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.errors import LocalProtocolError
from increstore.scenario.actions import Fate
from increstore.scenario.director import Director, compile_scenario
from tests.scenario.builders import (
    MS,
    SECOND,
    a_batch,
    a_director,
    a_report,
    a_scan,
    a_scenario,
    benign,
    told,
    worst,
)

COORDINATOR, S0, S1, T0, T1 = "coordinator", "orders/s0", "orders/s1", "orders/t0", "orders/t1"


# --- Overlaps.

DROP = 'kind = "drop"\nduration = "9s"'
DELAY = 'kind = "delay"\nby = "1s"\nduration = "9s"'
LATER = 'kind = "reorder"\nby = "2s"\nduration = "9s"'
TWICE = 'kind = "duplicate"\nby = "5s"\nduration = "9s"'
HOLD = 'kind = "hold"\nduration = "9s"'
RESET = 'kind = "reset"\nmessage = "ApplyChanges"\nduration = "9s"'
CORRUPT = 'kind = "corrupt"\nduration = "9s"'
SLOW = 'kind = "slow_link"\nby = "100ms"'
CUT = 'kind = "half_open"\nfrom = "s0"\nto = "t0"'
JAM = 'kind = "clog"\nnode = "t0"'


@pytest.mark.parametrize(
    ("faults", "fate"),
    [
        ((DELAY, DROP, TWICE, CUT), Fate((), fault="fault 4")),
        ((DELAY, HOLD, DROP, JAM), Fate((), fault="fault 3")),
        ((DROP, RESET), Fate((), fault="fault 1")),
        ((HOLD, RESET, JAM), Fate((), reset=True, fault="fault 2")),
        ((CORRUPT, HOLD, DELAY), Fate(hold="fault 2", fault="fault 2")),
        ((CORRUPT, JAM, HOLD), Fate(hold="fault 2", fault="fault 2")),
        ((DELAY, CORRUPT, SLOW), Fate(damage="corrupt", fault="fault 2")),
        ((DELAY, SLOW, LATER), Fate((3_100 * MS,), fault="fault 2, fault 1, fault 3")),
        (
            (SLOW, TWICE, TWICE),
            Fate(
                (100 * MS, 5_100 * MS, 5_100 * MS),
                fault="fault 1, fault 2, fault 3",
                keeps_order=True,
            ),
        ),
    ],
)
def test_the_strongest_decides_alone_and_below_it_delays_and_copies_add(faults, fate):
    assert a_director(*faults).fate(0, S0, T0, a_batch()) == fate


def test_only_what_strikes_is_spent():
    director = a_director(CUT + '\nduration = "1s"', 'kind = "drop"\ntimes = 1', DELAY)
    assert director.fate(0, S0, T0, a_batch()) == Fate((), fault="fault 1")
    director.due(SECOND)
    assert director.fate(SECOND, S0, T0, a_batch()) == Fate((), fault="fault 2")
    assert director.fate(SECOND, S0, T0, a_batch()) == Fate((SECOND,), fault="fault 3")


def test_what_a_cut_takes_still_counts_for_nth():
    director = a_director(CUT + '\nduration = "1s"', 'kind = "drop"\nnth = 2')
    assert director.fate(0, S0, T0, a_batch(1)).fault == "fault 1"
    director.due(SECOND)
    assert director.fate(SECOND, S0, T0, a_batch(2)) == Fate((), fault="fault 2")


# --- Triggers.


def test_a_fault_without_a_trigger_is_there_from_the_start():
    assert a_director(DROP).fate(0, S0, T0, a_batch()) is not None


def test_a_moment_may_be_drawn():
    text = 'kind = "drop"\nat = "1s..3s"'
    assert a_director(text, draw=benign).next_due == SECOND
    assert a_director(text, draw=worst).next_due == 3 * SECOND


@pytest.mark.parametrize(
    ("after", "node", "name", "facts"),
    [
        ('event = "scan.reported"', COORDINATOR, "scan.reported", {}),
        ('event = "scan.reported", status = "fatal"', COORDINATOR, "scan.reported",
         {"status": "fatal", "rows": 3}),
        ('event = "scan.reported", source = "s1"', COORDINATOR, "scan.reported", {"source": S1}),
        ('event = "scan.reported", source = "sources"', COORDINATOR, "scan.reported",
         {"source": S0}),
        ('event = "storage.failed", node = ["coordinator", "t1"]', T1, "storage.failed", {}),
        ('event = "restore.paused", reason = "deadline"', COORDINATOR, "restore.paused",
         {"reason": "the stage deadline of 3 s passed"}),
        ('event = "changes.applied", watermark = 3', T0, "changes.applied", {"watermark": 3}),
    ],
)  # fmt: skip
def test_an_event_triggers_when_every_fact_given_is_there(after, node, name, facts):
    director = a_director(f'kind = "usurp"\nafter = {{{after}}}')
    director.observe(5, node, name, facts)
    assert len(director.due(5)) == 1


@pytest.mark.parametrize(
    ("after", "node", "name", "facts"),
    [
        ('event = "scan.reported"', COORDINATOR, "scan.asked", {}),
        ('event = "scan.reported", status = "fatal"', COORDINATOR, "scan.reported",
         {"status": "success"}),
        ('event = "scan.reported", status = "fatal"', COORDINATOR, "scan.reported", {}),
        ('event = "scan.reported", source = "s1"', COORDINATOR, "scan.reported", {"source": S0}),
        ('event = "storage.failed", node = "t1"', T0, "storage.failed", {}),
        ('event = "restore.paused", reason = "deadline"', COORDINATOR, "restore.paused",
         {"reason": "asked"}),
        ('event = "scan.reported", nth = 2', COORDINATOR, "scan.reported", {}),
    ],
)  # fmt: skip
def test_another_event_triggers_nothing(after, node, name, facts):
    director = a_director(f'kind = "usurp"\nafter = {{{after}}}')
    director.observe(5, node, name, facts)
    assert director.due(5) == []


def test_a_fault_is_triggered_by_the_first_event_only():
    director = a_director('kind = "usurp"\nafter = {event = "scan.reported"}')
    for now in (5, 6):
        director.observe(now, COORDINATOR, "scan.reported", {})
    assert len(director.due(6)) == 1


def test_only_matching_events_count_towards_the_nth():
    director = a_director(
        'kind = "usurp"\nafter = {event = "scan.reported", status = "success", nth = 2}'
    )
    for status in ("success", "fatal", "success"):
        assert director.due(5) == []
        director.observe(5, COORDINATOR, "scan.reported", {"status": status})
    assert len(director.due(5)) == 1


def test_one_fault_may_wait_for_another():
    director = a_director(
        'id = "first"\nkind = "drop"',
        'kind = "usurp"\nafter = {event = "fault.injected", fault = "first"}',
    )
    director.fate(0, S0, T0, a_batch())
    for name, facts in director.take_events():
        director.observe(1, "scenario", name, facts)
    assert [action.fault for action in director.due(1)] == ["fault 2"]


def test_until_counts_from_the_begin_of_the_fault():
    director = a_director('kind = "drop"\nat = "1s"\nuntil = {event = "scan.reported", nth = 2}')
    director.observe(1, COORDINATOR, "scan.reported", {})
    director.due(SECOND)
    director.observe(SECOND, COORDINATOR, "scan.reported", {})
    assert director.fate(SECOND, S0, T0, a_batch()) is not None
    director.observe(SECOND, COORDINATOR, "scan.reported", {})
    assert director.fate(SECOND, S0, T0, a_batch()) is None


# --- The heal.


def test_the_heal_ends_everything_but_what_is_permanent():
    director = a_director(
        CUT, 'id = "for ever"\nkind = "half_open"\nfrom = "s1"\npermanent = true', DROP, DELAY,
        'kind = "disk"\nnode = "t0"\naction = "eio"', 'kind = "page"',
        'kind = "crash"\nnode = "t1"\npoint = "after_sync"', more='[heal]\nat = "5s"',
    )  # fmt: skip
    director.due(5 * SECOND)
    assert director.healed
    assert director.fate(5 * SECOND, S0, T0, a_batch()) is None
    assert director.fate(5 * SECOND, S1, T0, a_batch()) == Fate((), fault="for ever")
    assert director.disk_fault(5 * SECOND, T0, "append") is None
    assert director.page_fault(5 * SECOND, S0, a_scan(), 0) is None
    assert director.crash_at(5 * SECOND, T1, "after_sync", []) is None
    assert director.next_due is None


def test_a_driver_may_heal_earlier():
    director = a_director(CUT, 'kind = "usurp"\nat = "9s"')
    director.heal(SECOND)
    assert director.fate(SECOND, S0, T0, a_batch()) is None
    assert director.due(500 * SECOND) == [], "what had not begun never does"
    assert told(director) == [
        ("injected", "fault 1", ""), ("ended", "fault 1", ""), ("skipped", "fault 2", ""),
    ]  # fmt: skip


def test_what_is_triggered_after_the_heal_is_skipped_but_for_people():
    after = 'after = {event = "restore.paused"}'
    director = a_director(
        f'kind = "usurp"\n{after}', f'kind = "operator"\nverb = "resume"\n{after}',
        f'kind = "crash"\nnode = "t0"\npermanent = true\n{after}',
    )  # fmt: skip
    director.due(120 * SECOND)
    director.observe(130 * SECOND, COORDINATOR, "restore.paused", {})
    assert [action.fault for action in director.due(130 * SECOND)] == ["fault 2", "fault 3"]
    assert told(director, "skipped") == [("skipped", "fault 1", "")]


def test_a_fault_that_struck_nothing_is_told_as_skipped():
    director = a_director('kind = "drop"\nmessage = "Finalize"')
    director.fate(0, S0, T0, a_batch())
    director.due(120 * SECOND)
    assert told(director) == [("skipped", "fault 1", "")]
    assert "fault: fault 1" not in director.reached


FAULTS = st.lists(
    st.sampled_from(
        [
            DROP, DELAY, TWICE, HOLD, CORRUPT, SLOW, CUT, JAM,
            'kind = "swizzle"\nnodes = "all"\nduration = "7s"',
            'kind = "crash"\nnode = "targets"\nat = "2s"\nrestart_after = "3s"',
            'kind = "crash"\nnode = "one of all"\npoint = "after_sync"\ntimes = 2',
            'kind = "crash"\nnode = "t0"\nat = "1s"\nuntil = {event = "restore.paused"}',
            'kind = "pause"\nnode = "s0"\nat = "1s"',
            'kind = "clock_drift"\nnode = "all"\nppm = 9',
            'kind = "disk"\nnode = "targets"\naction = "slow"\nby = "1s"\ntimes = 3',
            'kind = "page"\ntimes = 1',
            'kind = "usurp"\nafter = {event = "restore.paused"}',
        ]
    ),
    max_size=6,
)  # fmt: skip


@given(faults=FAULTS, draw=st.sampled_from([benign, worst]), paused=st.booleans())
def test_every_fault_that_is_not_permanent_has_ended_after_the_heal(faults, draw, paused):
    director = a_director(*faults, draw=draw, more='[heal]\nat = "10s"')
    released, held = [], []
    for now in range(0, 11 * SECOND, SECOND // 2):
        for sender, receiver in ((S0, T0), (T1, S1), (COORDINATOR, T0)):
            fate = director.fate(now, sender, receiver, a_batch())
            held += [] if fate is None or fate.hold is None else [fate.hold]
        director.disk_fault(now, T0, "append")
        director.page_fault(now, S0, a_scan(), 0)
        director.crash_at(now, T0, "after_sync", [])
        if paused and now == 3 * SECOND:
            director.observe(now, COORDINATOR, "restore.paused", {})
        released += [getattr(action, "hold", None) for action in director.due(now)]

    assert set(held) <= set(released), "what was held has been let go"
    assert director.next_due is None
    assert not director.has_message_faults
    begun = {(line.fault, line.where) for line in director.log if line.kind == "crash"}
    for fault, where in begun:
        lines = [x.what for x in director.log if (x.fault, x.where) == (fault, where)]
        assert lines.count("injected") == lines.count("ended")
    for fault in {line.fault for line in director.log if line.kind != "crash"}:
        ends = [x.what for x in director.log if x.fault == fault and x.what != "injected"]
        assert len(ends) == 1, "one end, or one word that nothing came of it"


# --- Marks and the log.


def test_marks_are_events_dropped_messages_and_faults_that_struck():
    director = a_director(
        'id = "cut"\n' + DROP,
        more='[expect]\nreached = ["fault: cut", "scan.asked", "dropped: after the end", '
        '"restore.paused"]\nnever = ["restore.failed"]\n',
    )
    assert director.wanted == {"scan.asked", "restore.paused", "restore.failed"}
    assert director.not_reached() == [
        "fault: cut", "scan.asked", "dropped: after the end", "restore.paused",
    ]  # fmt: skip
    director.fate(0, S0, T0, a_batch())
    director.observe(0, S0, "scan.asked", {})
    director.mark("dropped: after the end", 3)
    assert director.not_reached() == ["restore.paused"]
    assert director.seen_never() == []
    director.observe(0, COORDINATOR, "restore.paused", {})
    director.observe(0, COORDINATOR, "restore.failed", {})
    assert director.not_reached() == []
    assert director.seen_never() == ["restore.failed"]
    assert director.reached["dropped: after the end"] == 3


def test_what_a_fault_does_becomes_an_event_once():
    director = a_director('id = "late"\nkind = "delay"\nby = "1s"')
    director.fate(7, S0, COORDINATOR, a_report())
    assert director.take_events() == [
        ("fault.injected", {"fault": "late", "kind": "delay", "where": f"{S0}>{COORDINATOR}",
                            "detail": "CompletionNotification"}),
        ("fault.ended", {"fault": "late", "kind": "delay",
                         "detail": "the last of its times; 1 strike"}),
    ]  # fmt: skip
    assert director.take_events() == []
    assert [line.at for line in director.log] == [7, 7]


# --- Compiled once, directed often.


def test_runs_of_one_scenario_share_what_was_compiled_and_nothing_else():
    compiled = compile_scenario(a_scenario("[[fault]]\n" + 'kind = "drop"'))
    first, second = Director(compiled, benign), Director(compiled, benign)
    assert first.fate(0, S0, T0, a_batch()) is not None
    assert first.fate(0, S0, T0, a_batch()) is None
    assert second.fate(0, S0, T0, a_batch()) is not None


def test_the_nodes_of_a_real_collection_are_passed_on():
    scenario = a_scenario(
        'on = ["memory"]\n[workload]\ncollection = "chain"\n'
        '[[fault]]\nkind = "clog"\nnode = "targets"\n'
    )
    director = Director.of(scenario, ("coordinator", "airports/s0", "airports/t0"), benign)
    assert director.fate(0, "airports/s0", "airports/t0", a_batch()) is not None


def test_the_same_draws_give_the_same_run():
    def run(draw):
        director = a_director(*([DELAY, CUT, 'kind = "swizzle"\nnodes = "all"']), draw=draw)
        seen = []
        for now in range(0, 130 * SECOND, SECOND):
            seen.append(director.due(now))
            seen.append(director.fate(now, S0, T1, a_batch()))
        return seen, director.log

    assert run(worst) == run(worst)
    assert run(worst) != run(benign)


# --- Ambient rates, for drivers without a network of their own.

WEATHER = '[network]\nkind = "datagram"\nlatency = "2ms..4ms"\nloss = "{0}"\ncorrupt = "{1}"\n' \
          'truncate = "{2}"\nreorder = "{3}"\nduplicate = "{4}"\n'  # fmt: skip


def weather(loss="0%", corrupt="0%", truncate="0%", reorder="0%", duplicate="0%", draw=worst):
    rates = WEATHER.format(loss, corrupt, truncate, reorder, duplicate)
    return a_director(more=rates, draw=draw).ambient_fate(0, S0, T0, 1, a_batch())


def test_ambient_chance_strikes_only_with_draws_at_the_far_end():
    assert weather("1%").copies == ()
    assert weather("1%", draw=benign).copies == (2 * MS,)
    assert weather(corrupt="1%").damage == "corrupt"
    assert weather(truncate="1%").damage == "truncate"
    assert weather(reorder="1%").copies[0] > 4 * MS
    assert len(weather(duplicate="1%").copies) == 2
    assert 3_900_000 < weather().copies[0] <= 4 * MS


def test_ambient_loss_on_a_stream_breaks_the_connection():
    director = a_director(more='[network]\nloss = "100%"\n')
    assert director.ambient_fate(0, S0, T0, 1, a_batch()).reset


def test_after_the_heal_only_latency_is_left():
    director = a_director(more='[network]\nlatency = "3ms"\nloss = "100%"\n')
    fate = director.ambient_fate(120 * SECOND, S0, T0, 1, a_batch())
    assert fate == Fate((3 * MS,), fault="ambient", keeps_order=True)


def test_ambient_chance_is_keyed_by_link_kind_and_number():
    labels = []

    def draw(label, bound):
        labels.append(label)
        return 0

    director = a_director(more='[network]\nloss = "1%"\n', draw=draw)
    director.ambient_fate(0, S0, T0, 7, a_batch())
    assert labels == [
        f"net {S0}>{T0} ApplyChanges 7 latency", f"net {S0}>{T0} ApplyChanges 7 loss",
    ]  # fmt: skip


def test_rates_must_be_settled_before_they_are_drawn():
    director = a_director(more='[network]\nloss = "0..5%"\n')
    with pytest.raises(LocalProtocolError, match="settled"):
        director.ambient_fate(0, S0, T0, 1, a_batch())
