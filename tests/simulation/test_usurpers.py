"""Two coordinators of one restore at once: one log, one history, and the older one falls silent."""

from __future__ import annotations

from increstore.scenario.load import parse_scenario
from increstore.simulation.inject import OVERTAKEN
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting

HEADER = 'format = 1\ntitle = "t"\nwhy = "w"\n'
POLICY = '[policy]\nrepeat = "200ms"\n[heal]\nat = "5s"\n'


def a_setting(text):
    return prepare_setting(parse_scenario(HEADER + POLICY + text, "test"))


def a_coup(incremental=1, delay="0ms..30ms", name="coup"):
    return (
        f'[[fault]]\nid = "{name}"\nkind = "usurp"\ndelay = "{delay}"\n'
        f'after = {{event = "incremental.started", incremental = {incremental}}}\n'
    )


def test_wherever_anyone_crashes_during_two_coups_the_chain_is_restored():
    """A usurper that crashes before its first record comes up again with what the first one has
    written meanwhile: with a copy of its own it asked for the past, and failed."""
    setting = a_setting(a_coup() + a_coup(2, name="another"))
    points = simulate(setting, 0).points

    outcomes = {k: simulate(setting, 0, crash_at=frozenset({k})) for k in range(1, points + 1)}

    assert points > 200
    assert {k: (o.state, o.violation) for k, o in outcomes.items()} == dict.fromkeys(
        range(1, points + 1), ("completed", None)
    )


def test_chance_calls_an_overtaken_coordinator_by_its_new_name():
    """Under one name both would draw the same, and seeds would make other runs than so far."""
    outcome = simulate(a_setting(a_coup()), 4, record=True)

    drawn = {label.rpartition(" ")[0] for label in outcome.tape if " disk " in label}
    assert {"coordinator disk", f"{OVERTAKEN} disk"} <= drawn


def test_what_both_coordinators_record_is_one_history():
    """Whoever records, the next record follows from it: each generation begins where the one
    before it has ended."""
    setting = a_setting(a_coup() + a_coup(2, name="another"))

    for seed in range(20):
        events = []
        simulate(setting, seed, journal_to=events.append)
        started = [e.facts["incremental"] for e in events if e.name == "incremental.started"]
        generations = [e.facts["generation"] for e in events if e.name == "coordinator.started"]
        assert started == [0, 1, 2, 3]
        assert generations in ([1, 2], [1, 2, 3])  # A usurper may be overtaken before it begins.


def test_whatever_a_dying_coordinator_leaves_half_written_the_other_goes_on():
    """Power goes out in the midst of a record of the older one, while the newer one takes over."""
    setting = a_setting(
        '[nodes]\ncrash = "1%"\n[disk]\nlatency = "5ms"\ntorn = "100%"\n'
        + a_coup() + a_coup(2, name="another")
    )  # fmt: skip

    outcomes = [simulate(setting, seed) for seed in range(30)]

    assert [o.violation for o in outcomes] == [None] * 30
    assert {o.state for o in outcomes} == {"completed"}
