"""Scenarios that are well formed and make no sense."""

from __future__ import annotations

import pytest

from increstore.scenario.faults import MODES
from tests.scenario.builders import fault_mistakes, mistakes
from tests.scenario.test_load import EXAMPLES

AT = '\nat = "1s"'


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('on = ["tcp", "tcp"]', "on: tcp is there 2 times; expected once"),
        (
            '[workload]\ndeletes = "60%"\nresets = "50%"',
            "[workload] deletes and resets: expected at most 100% together",
        ),
        (
            "[workload]\nempty = [4]",
            "[workload] empty: the chain has no incremental 4 (expected 1 to 3)",
        ),
        ("[workload]\nempty = [2, 2]", "[workload] empty: 2 is there 2 times; expected once"),
        (
            "[workload]\nempty = [2]\ndelete_only = [2]",
            "[workload] incremental 2 is in empty and in delete_only; expected one of them",
        ),
        (
            '[workload]\ncollection = "chain"',
            "[workload] collection: runs on memory and tcp only, but `on` has simulation; "
            'write on = ["memory", "tcp"]',
        ),
        (
            'on = ["tcp"]\n[workload]\ncollection = "chain"\nrows = 3\nkeys = "text"',
            "[workload] rows or keys: a given collection is not generated; leave it out",
        ),
        ('[policy]\nbackoff = "9s"', "[policy] backoff: expected at most backoff_max"),
        (
            '[network]\nreorder = "1%"',
            '[network] reorder: a stream keeps its order; leave it out, or use kind = "datagram"',
        ),
        (
            '[expect]\nreason = "x"',
            "[expect] reason: a completed restore has none; leave it out",
        ),
        (
            'on = ["tcp"]\n[workload]\ndamage = "reordered"',
            '[expect] outcome: a damaged collection is refused, got "completed"',
        ),
        (
            'on = ["tcp"]\n[workload]\nincrementals = 1\ndamage = "reordered"\n'
            '[expect]\noutcome = "refused"',
            '[workload] damage: "reordered" needs a chain of 2 incrementals or more, got 1',
        ),
        (
            'on = ["tcp"]\n[workload]\nrows = 0\nchanges = 0\ndamage = "corrupt-file"\n'
            '[expect]\noutcome = "refused"',
            '[workload] damage: "corrupt-file" needs a chain with rows; set rows or changes '
            "to 1 or more",
        ),
        (
            '[expect]\noutcome = "refused"',
            '[expect] outcome: expected "refused" only with [workload] damage or collection; '
            "nothing else refuses a restore",
        ),
        (
            '[expect]\nreached = ["restore.pausd"]',
            "[expect] reached: unknown mark 'restore.pausd' (did you mean 'restore.paused'?)",
        ),
        (
            '[expect]\nreached = ["batch.applied"]',
            "[expect] reached: batch.applied is a detail that only runs with a journal file tell",
        ),
        (
            '[expect]\nreached = ["dropped: of another shard"]',
            "[expect] reached: nothing is ever dropped as 'of another shard' (no node sends such a "
            "thing); leave it out, or expect it never",
        ),
        (
            '[expect]\nnever = ["dropped: of another generaton"]',
            "[expect] never: nothing is dropped as 'of another generaton' "
            "(did you mean 'of another generation'?)",
        ),
        (
            '[expect]\nreached = ["fault: cut"]\n[[fault]]\nid = "cat"\nkind = "drop"',
            "[expect] reached: no fault has the id 'cut' (did you mean 'cat'?)",
        ),
        (
            '[expect]\nreached = ["restore.paused"]\nnever = ["restore.paused"]',
            '[expect] "restore.paused" is in reached and in never; expected one of them',
        ),
        (
            '[[fault]]\nid = "cut"\nkind = "drop"\n[[fault]]\nid = "cut"\nkind = "drop"',
            '2 faults have the id "cut"; give each its own',
        ),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(text, mistake):
    assert mistakes(text) == [mistake]


@pytest.mark.parametrize(
    ("fault", "mistake"),
    [
        # When it begins and ends.
        (
            'kind="drop"\nat="1s"\nafter={event="restore.accepted"}',
            "has `at` and `after`; expected one of them",
        ),
        ('kind="drop"\ndelay="1s"', "delay counts from an event; give `after` too, or write it "
         "as `at`"),
        ('kind="drop"\nduration="1s"\npermanent=true', "has duration and permanent; expected "
         "one end"),
        ('kind="drop"\nat="120s"', "begins when everything has healed already; begin earlier, or "
         "heal later"),
        ('kind="drop"\nat="1s..200s"', "begins when everything has healed already; begin "
         "earlier, or heal later"),
        ('kind="usurp"', 'never strikes: say when, with at = "3s" or '
         'after = {event = "incremental.started"}'),
        # Events.
        ('kind="usurp"\nafter={event="incremental.began"}',
         "after: unknown event 'incremental.began' (did you mean 'incremental.started'?)"),
        ('kind="usurp"\nafter={event="incremental.started", attempt=1}',
         "after: incremental.started has no fact 'attempt' "
         "(expected event, node, nth, incremental)"),
        ('kind="usurp"\nafter={event="incremental.started", incremental=4}',
         "after: the chain has no incremental 4 (expected 0 to 3)"),
        ('kind="usurp"\nafter={event="scan.reported", node="one of sources"}',
         "after: node: 'one of sources' draws a node; an event is waited for at named ones"),
        ('kind="usurp"\nafter={event="message.sent"}',
         "after: message.sent is a detail that only runs with a journal file tell"),
        # Messages.
        ('kind="drop"\nmessage="Completion"', "unknown message 'Completion' (did you mean "
         "'CompletionNotification'?)"),
        ('kind="drop"\nmessage="Finalize"\nincremental=1', "Finalize has no incremental; leave it "
         "out, or name another message"),
        ('kind="drop"\nmessage="StartScan"\norder=1\nstatus="fatal"', "StartScan has no order or "
         "status; leave it out, or name another message"),
        ('kind="drop"\nincremental=4', "incremental: the chain has no incremental 4 "
         "(expected 0 to 3)"),
        ('kind="reset"\nat="1s"\ntimes=2\nincremental=1', "times and incremental: a reset without "
         "a message strikes once; leave it out"),
        ('kind="reset"', 'never strikes: say when, with at = "3s" or '
         'after = {event = "incremental.started"}'),
        # Links.
        ('kind="partition"\ngroups=[]', 'groups: expected at least one, such as '
         '[["coordinator"], ["sources"]]'),
        ('kind="partition"\ngroups=["all"]', "groups: the only group has every node, so nobody "
         "is cut off; name two groups"),
        ('kind="partition"\ngroups=["coordinator", ["coordinator", "t0"]]', "groups: coordinator "
         "is in items 1 and 2; expected in one"),
        ('kind="partition"\ngroups=["coordinator", "sources", "targets"]\ndirection="to"',
         'direction: of 3 groups only "both" is clear'),
        ('kind="partition"\ngroups=["coordinator"]\nmode="slow"', 'mode = "slow" needs `by`'),
        ('kind="partition"\ngroups=["coordinator"]\nby="1s"', 'by: only mode = "slow" has it; '
         "leave it out"),
        ('kind="swizzle"\nnodes="all"\npermanent=true', "permanent: a swizzle has a duration; "
         "leave it out"),
        # Nodes.
        ('kind="crash"\nnode="coordinator"\nat="1s"\nrecord="ScanReported"', "record narrows a "
         'point; give one too, such as point = "after_append"'),
        ('kind="crash"\nnode="coordinator"\nat="1s"\ntimes=2', "times counts events or points; "
         "give `after` or `point`, or leave it out"),
        ('kind="crash"\nnode="t0"\nat="1s"\nrestart_after="1s"\nduration="2s"', "has "
         "restart_after and duration; expected one of them"),
        ('kind="crash"\nnode="t0"\nat="1s"\nwipe=true\nrollback=1', "has wipe and rollback; "
         "expected one of them"),
        ('kind="crash"\nnode="s0"\nat="1s"\nwipe=true', "node: wipe and rollback need a disk, not "
         "orders/s0"),
        # Disks and pages.
        ('kind="disk"\nnode="t0"\naction="slow"', 'action = "slow" needs `by`'),
        ('kind="disk"\nnode="t0"\naction="eio"\nby="1s"', 'by: only action = "slow" has it; leave '
         "it out"),
        ('kind="disk"\nnode="t0"\naction="stall"\npermanent=true', "permanent: a stall has a "
         "duration; leave it out"),
        ('kind="disk"\nnode="t0"\naction="torn"\ntimes=2', "times: torn strikes once; leave it "
         "out"),
        ('kind="disk"\nnode="sources"\naction="eio"', "node: a source shard keeps nothing, not "
         "orders/s0 or orders/s1"),
        ('kind="disk"\nnode="t0"\naction="eio"\nop="log"', "op: 'log' is written by the "
         "coordinator only, and node names none of them"),
        ('kind="disk"\nnode="coordinator"\naction="eio"\nop="seal"',
         "op: 'seal' is written by target "
         "shards only, and node names none of them"),
        ('kind="page"\ngarble=true\ntransient=false\nerror="e"',
         "transient and error: a garbled page is read all the same; leave it out"),
        ('kind="page"\nnode="t1"', "node: page faults strike source shards, not orders/t1"),
        ('kind="page"\nincremental=9', "incremental: the chain has no incremental 9 "
         "(expected 0 to 3)"),
        # Operator.
        ('kind="operator"\nverb="cap"\nat="1s"', "value: expected a number above 0, or -1 for no "
         "bound, got 0"),
        ('kind="operator"\nverb="pause"\nvalue=2\nat="1s"', 'value: only verb = "cap" has one, '
         "got 2"),
    ],
)  # fmt: skip
def test_a_fault_that_makes_no_sense_is_refused(fault, mistake):
    assert fault_mistakes(fault) == [mistake]


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ('kind="drop"\nfrom="s5"', "from"),
        ('kind="drop"\nto="s5"', "to"),
        ('kind="clog"\nnode="s5"', "node"),
        ('kind="swizzle"\nnodes="s5"', "nodes"),
        ('kind="partition"\ngroups=["coordinator", ["t0", "s5"]]', "groups, item 2"),
        ('kind="usurp"\nafter={event="scan.reported", source="s5"}', "after: source"),
        ('kind="clog"\nnode="one of s5"', "node"),
        ('kind="hold"\nuntil={event="storage.failed", node="s5"}', "until: node"),
    ],
)
def test_a_node_that_the_cluster_does_not_have_is_named_with_those_it_has(fault, place):
    (mistake,) = fault_mistakes(fault, "[cluster]\nsources = 3")
    assert mistake.startswith(f"{place}: no node ")
    assert "s5' (expected coordinator, sources, targets, shards, all, orders/s0, " in mistake


def test_nodes_of_a_real_collection_are_not_judged_by_its_file():
    text = 'on = ["tcp"]\n[workload]\ncollection = "chain"\n'
    assert fault_mistakes('kind = "drop"\nfrom = "airports/s0"\nincremental = 9', text) == []


def test_what_an_operator_does_may_come_after_the_heal():
    assert fault_mistakes('kind = "operator"\nverb = "resume"\nat = "300s"') == []
    assert fault_mistakes('kind = "second_restore"\nat = "300s"') == []
    assert fault_mistakes('kind = "half_open"\npermanent = true\nat = "300s"') == []


VARIANTS = {
    **EXAMPLES,
    "crash with wipe": EXAMPLES["crash"].replace("coordinator", "t0") + "\nwipe = true",
    "crash with rollback": EXAMPLES["crash"].replace("coordinator", "t0") + "\nrollback = 2",
    "disk slow": EXAMPLES["disk"],
    **{
        f"disk {action}": f'node = "t0"\naction = "{action}"' + (AT if "fli" in action else "")
        for action in ("stall", "eio", "enospc", "fsync_error", "torn", "lose_unsynced", "bitflip")
    },
    "disk misdirect": f'node = "t0"\naction = "misdirect"{AT}',
}


@pytest.mark.parametrize("variant", MODES)
@pytest.mark.parametrize("mode", ["simulation", "memory", "tcp"])
def test_a_fault_is_refused_in_exactly_the_modes_that_cannot_run_it(variant, mode):
    kind = variant.split()[0]
    fault = f'kind = "{kind}"\n{VARIANTS[variant]}'
    found = fault_mistakes(fault, f'on = ["{mode}"]')
    if mode in MODES[variant]:
        assert found == []
    else:
        runs_on = " or ".join(MODES[variant])
        assert found == [f"{variant} runs on {runs_on} only, but `on` has {mode}"]
