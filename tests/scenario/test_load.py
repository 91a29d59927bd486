from __future__ import annotations

import time

import pytest

from increstore.errors import ExitCode, ScenarioError
from increstore.scenario.faults import FAULT_MODELS
from increstore.scenario.load import BYTES_MAX, load_scenario, parse_scenario
from increstore.scenario.values import RATE_WHOLE, Span, exactly
from tests.scenario.builders import HEAD, MS, SECOND, a_fault, a_scenario, mistakes


def test_a_scenario_needs_only_a_title_and_a_reason():
    scenario = a_scenario()
    assert scenario.title == "t"
    assert scenario.on == ("simulation",)
    assert scenario.seeds == exactly(0)
    assert scenario.workload.incrementals == 3
    assert scenario.policy.repeat == SECOND
    assert scenario.policy.stage_deadline is None
    assert scenario.network.latency == Span(MS, 5 * MS)
    assert scenario.heal.at == 120 * SECOND
    assert scenario.expect.outcome == "completed"
    assert scenario.faults == ()


def test_every_section_is_read_with_its_units():
    scenario = a_scenario(
        """
        on = ["simulation", "tcp"]
        seeds = "0..9"
        [cluster]
        sources = 3
        scans_in_flight = -1
        [workload]
        deletes = "12.5%"
        keys = "composite"
        empty = [1, 2]
        [policy]
        backoff_max = "1m"
        stage_deadline = "90s"
        [network]
        loss = "0..5%"
        [disk]
        latency = "1ms"
        [nodes]
        crash = "0.2%"
        [pages]
        fail = "1%..2%"
        [swarm]
        omit = "50%"
        [heal]
        at = "30s"
        [expect]
        outcome = "paused"
        reason = "deadline"
        within = "5s"
        reached = ["restore.paused", "dropped: of another attempt"]
        never = ["restore.completed"]
        """
    )
    assert scenario.seeds == Span(0, 9)
    assert scenario.cluster.scans_in_flight == -1
    assert scenario.workload.deletes == 12_500
    assert scenario.workload.empty == (1, 2)
    assert scenario.policy.backoff_max == 60 * SECOND
    assert scenario.policy.stage_deadline == 90 * SECOND
    assert scenario.network.loss == Span(0, 5_000)
    assert scenario.disk.latency == exactly(MS)
    assert scenario.nodes.crash == exactly(200)
    assert scenario.pages.fail == Span(1_000, 2_000)
    assert scenario.swarm.omit == RATE_WHOLE // 2
    assert scenario.expect.never == ("restore.completed",)


def test_faults_are_numbered_unless_they_have_a_name():
    scenario = a_scenario(
        '[[fault]]\nkind="drop"\n[[fault]]\nid="cut"\nkind="half_open"\n[[fault]]\nkind="drop"'
    )
    assert [fault.id for fault in scenario.faults] == ["fault 1", "cut", "fault 3"]


EXAMPLES = {
    "drop": 'message = "CompletionNotification"\nfrom = "s1"\ntimes = 2',
    "delay": 'by = "1s..8s"\nstatus = "success"',
    "duplicate": 'copies = 2\nby = "1s"',
    "reorder": 'by = "1s"',
    "corrupt": "",
    "truncate": 'message = ["ApplyChanges", "ChangesApplied"]\nnth = 2',
    "hold": 'until = {event = "restore.paused"}',
    "partition": 'groups = [["coordinator"], ["sources", "t0"]]\ndirection = "to"\nmode = "hold"',
    "clog": 'node = "targets"\ndirection = "in"\nhold = false',
    "slow_link": 'from = "sources"\nby = "200ms"',
    "bandwidth": 'to = "targets"\nbytes_per_second = "64KB"',
    "half_open": 'from = "t0"\npermanent = true',
    "reset": 'at = "3s"\nfrom = "sources"\nto = "targets"',
    "swizzle": 'nodes = "all"\nduration = "10s"',
    "crash": 'node = "coordinator"\npoint = "after_append"\nrecord = "ScanReported"',
    "pause": 'node = "one of targets"\nat = "1s"\nduration = "2s"',
    "clock_jump": 'node = "coordinator"\nby = "-1h"\nat = "1s"',
    "clock_drift": 'node = "all"\nppm = -500',
    "usurp": 'after = {event = "incremental.started", incremental = 1}\ndelay = "10ms"',
    "second_restore": 'at = "500ms"',
    "disk": 'node = "targets"\naction = "slow"\nby = "50ms"\nop = "append"',
    "page": 'node = "s0"\nincremental = 1\npage = 0\ntransient = false\ntimes = 1\nerror = "x"',
    "operator": 'verb = "cap"\nvalue = 1\nat = "1s"',
}


def test_every_kind_of_fault_has_an_example():
    assert list(EXAMPLES) == list(FAULT_MODELS)


@pytest.mark.parametrize("kind", FAULT_MODELS)
def test_each_kind_of_fault_is_read(kind):
    fault = a_fault(f'kind = "{kind}"\n{EXAMPLES[kind]}')
    assert type(fault) is FAULT_MODELS[kind]
    assert fault.kind == kind


def test_the_facts_of_an_event_are_keys_beside_it():
    after = a_fault(
        'kind="usurp"\nafter={event="scan.reported", nth=2, status="fatal", incremental=1}'
    ).after
    assert after.event == "scan.reported"
    assert after.nth == 2
    assert dict(after.facts) == {"incremental": 1, "status": "fatal"}


def test_a_scenario_that_is_read_never_changes():
    scenario = a_scenario()
    with pytest.raises(ValueError, match="frozen"):
        scenario.cluster.sources = 9
    assert scenario.with_part("cluster", sources=9).cluster.sources == 9
    assert scenario.cluster.sources == 2


# --- Files.


def test_a_file_is_named_in_every_complaint(tmp_path):
    path = tmp_path / "orders.toml"
    path.write_text('title = "t"\n[cluster]\nsources = 0\n', encoding="utf-8")
    with pytest.raises(ScenarioError) as error:
        load_scenario(path)
    assert error.value.exit_code is ExitCode.BAD_INPUT
    assert error.value.problems == (
        f"{path}: why: is missing",
        f"{path}: [cluster] sources: expected a number of at least 1, got 0",
    )


def test_a_mark_of_an_editor_at_the_beginning_is_passed_over(tmp_path):
    path = tmp_path / "marked.toml"
    path.write_text('format = 1\ntitle = "t"\nwhy = "w"\n', encoding="utf-8-sig")

    assert load_scenario(path).title == "t"


def test_a_sound_file_is_loaded(tmp_path):
    path = tmp_path / "orders.toml"
    path.write_text('title = "t"\nwhy = "w"\n', encoding="utf-8")
    assert load_scenario(path) == a_scenario()


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path / "missing.toml")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path)
    path = tmp_path / "binary.toml"
    path.write_bytes(b"title = '\xff'")
    with pytest.raises(ScenarioError, match=r"line 1: not UTF-8.*byte 9 is 0xff"):
        load_scenario(path)


def test_lists_without_end_within_lists_are_a_mistake_and_no_bug():
    with pytest.raises(ScenarioError, match="lists within lists"):
        parse_scenario("x = " + "[" * 5_000 + "]" * 5_000, "t.toml")


def test_the_mistakes_of_a_file_that_a_program_wrote_are_few_and_short():
    faults = '[[fault]]\nkind = "drop"\nfrom = "s9"\nmessage = "StartScan"\n' * 200
    with pytest.raises(ScenarioError) as error:
        parse_scenario(f'title = "t"\nwhy = 1\nformat = "{"x" * 9_000}"\n{faults}', "t.toml")
    told = error.value.problems
    assert len(told) == 51
    assert max(map(len, told)) < 900
    assert told[-1] == "t.toml: and 152 more mistakes"


def test_seeds_that_nobody_can_wait_for_are_a_mistake():
    (mistake,) = mistakes('seeds = "0..99999999999999999999"')
    assert "seeds: expected 1,000,000,000 seeds at most" in mistake


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("title = ", "line 1, column 9: not TOML: "),
        ('title = "t"\n[[fault]\n', "line 2, column "),
        ('title = "t"\ntitle = "u"\n', "line 2, column 12: not TOML: Cannot overwrite a value"),
        ('title = "t"\nx = [1,', "line 2, column "),
        ("[a.b]\nx = 1\n[a.b]\n", "line 3, column 5: not TOML: Cannot declare 'a', 'b' twice"),
    ],
)
def test_what_is_not_toml_has_a_line_and_a_column(text, place):
    with pytest.raises(ScenarioError) as error:
        parse_scenario(text, "t.toml")
    assert str(error.value).startswith(f"t.toml: {place}")


def test_a_newer_format_asks_for_a_newer_program():
    assert mistakes("format = 2") == [
        "scenario format 2 is newer than this program reads (expected 1); upgrade increstore"
    ]
    assert mistakes("format = 0") == ["format: expected 1, got 0"]


# --- Every mistake at once, each with its place.


def test_every_mistake_is_told_at_once():
    found = mistakes(
        """
        [cluster]
        sources = "3"
        bogus = 3
        [network]
        kind = "udp"
        loss = "5"
        latency = 3
        [[fault]]
        kind = "drop"
        form = "s1"
        at = "3"
        [[fault]]
        kind = "dorp"
        [[fault]]
        node = "s0"
        [[fault]]
        kind = "crash"
        node = "coordinator"
        [zork]
        """,
        head='title = ""\n',
    )
    assert found[:9] == [
        "title: must not be empty, got ''",
        "why: is missing",
        "[cluster] sources: expected a whole number, got '3'",
        "[cluster]: unknown key 'bogus' (expected sources, targets or scans_in_flight)",
        "[network] kind: expected 'stream' or 'datagram', got 'udp'",
        '[network] latency: expected a duration such as "250ms", "3s", "2m" or "1h", '
        'or a range "1ms..20ms", written as text, got 3',
        '[network] loss: expected a rate such as "5%" or "0.5%", got \'5\'',
        'fault 1 (kind = "drop"): at: expected a duration such as "250ms", "3s", "2m" or "1h", '
        "got '3'",
        "fault 1 (kind = \"drop\"): unknown key 'form' (did you mean 'from'?)",
    ]
    assert found[9] == "fault 2 (kind = \"dorp\"): unknown kind 'dorp' (did you mean 'drop'?)"
    assert found[10].startswith("fault 3: kind is missing (expected drop, delay, ")
    assert found[11].startswith("unknown key 'zork' (expected format, title, ")
    assert found[12].startswith('fault 4 (kind = "crash"): never strikes: say when')
    assert len(found) == 13


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('on = "tcp"', "on: expected a list, got 'tcp'"),
        ("on = []", "on: expected at least one item, got []"),
        ('on = ["udp"]', "on, item 1: expected 'simulation', 'memory' or 'tcp', got 'udp'"),
        ('seeds = "a"', 'seeds: expected a seed such as "7", or a range such as "0..9", got \'a\''),
        ("seeds = true", 'seeds: expected seeds such as "7" or "0..9", got True'),
        ("network = 3", "[network]: expected a table, got 3"),
        ("fault = 3", "fault: expected a list, got 3"),
        ("fault = [3]", "fault 1: expected a table, got 3"),
        ("title = 3", "title: expected a text in quotes, got 3"),
        ("[cluster]\nscans_in_flight = 0", "[cluster] scans_in_flight: expected a number of scans "
         "above 0, or -1 for no bound, got 0"),
        ("[workload]\nrows = -1", "[workload] rows: expected a number of at least 0, got -1"),
        ("[workload]\nrows = 1000001", "[workload] rows: expected a number of at most 1000000, "
         "got 1000001"),
        ("[cluster]\ntargets = 257", "[cluster] targets: expected a number of at most 256, "
         "got 257"),
        ("[workload]\nrows = 1.5", "[workload] rows: expected a whole number, got 1.5"),
        ("[workload]\nrows = true", "[workload] rows: expected a whole number, got True"),
        ("[workload]\nempty = [0]", "[workload] empty, item 1: expected a number of at least 1, "
         "got 0"),
        ('[policy]\nrepeat = "0s"', "[policy] repeat: expected a duration longer than 0, "
         "got '0s'"),
        ("[policy]\nrepeat = 3", '[policy] repeat: expected a duration such as "250ms", "3s", '
         '"2m" or "1h", written as text, got 3'),
        ('[network]\nlatency = "-1ms"', "[network] latency: expected a duration of at least 0, "
         "got '-1ms'"),
        ("[disk]\ntorn = 50", '[disk] torn: expected a rate such as "5%" or "0.5%", written as '
         "text, got 50"),
        ('[pages]\nfail = "101%"', "[pages] fail: expected a rate of at most 100%, got '101%'"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_what_was_expected(text, mistake):
    head = 'why = "w"\n' if text.startswith("title") else 'title = "t"\nwhy = "w"\n'
    assert mistakes(text, head) == [mistake]


@pytest.mark.parametrize(
    ("fault", "mistake"),
    [
        ('kind="drop"\nfrom=3', "from: expected a text or a list of texts, got 3"),
        ('kind="drop"\nfrom=[]', "from: expected at least one text, got an empty list"),
        ('kind="drop"\ntimes=0', "times: expected a number of at least 1, got 0"),
        ('kind="drop"\npermanent="yes"', "permanent: expected true or false, got 'yes'"),
        ('kind="delay"', "by: is missing"),
        ('kind="partition"\ngroups=[["coordinator"], [3]]',
         "groups, item 2: expected a text or a list of texts, got [3]"),
        ('kind="bandwidth"\nbytes_per_second="64"',
         'bytes_per_second: expected a size such as "64KB" or "1MB", got \'64\''),
        ('kind="bandwidth"\nbytes_per_second="0B"',
         "bytes_per_second: expected a size above 0, got '0B'"),
        ('kind="drop"\nafter={incremental=1}', "after, event: is missing"),
        ('kind="drop"\nafter="3s"', "after: expected a table, got '3s'"),
        ('kind="drop"\nafter={event="incremental.started", nth=0}',
         "after, nth: expected a number of at least 1, got 0"),
        ('kind="drop"\nafter={event="incremental.started", incremental=[1]}',
         "after: fact 'incremental': expected a text or a number, got [1]"),
        ('kind="clock_drift"\nnode="all"\nppm=1000000',
         "ppm: expected a number below 1000000, got 1000000"),
        ('kind="usurp"\nat="1s"\nduration="3s"',
         "unknown key 'duration' (expected id, at, after, delay or kind)"),
    ],
)  # fmt: skip
def test_a_wrong_value_of_a_fault_has_its_number_and_kind(fault, mistake):
    kind = fault.partition('"')[2].partition('"')[0]
    assert mistakes("[[fault]]\n" + fault) == [f'fault 1 (kind = "{kind}"): {mistake}']


def test_a_broken_part_hides_no_mistake_elsewhere_and_makes_none_up():
    found = mistakes(
        """
        [cluster]
        sources = "three"
        [heal]
        at = "soon"
        [[fault]]
        kind = "drop"
        from = "s2"
        times = "many"
        [[fault]]
        kind = "crash"
        node = "s2"
        at = "130s"
        point = "after_append"
        record = "ScanReprted"
        [expect]
        reached = ["fault: fault 1", "fault: fault 2", "fault: fault 3"]
        """
    )
    assert found == [
        "[cluster] sources: expected a whole number, got 'three'",
        "fault 1 (kind = \"drop\"): times: expected a whole number, got 'many'",
        '[heal] at: expected a duration such as "250ms", "3s", "2m" or "1h", got \'soon\'',
        "fault 2 (kind = \"crash\"): unknown record 'ScanReprted' (did you mean 'ScanReported'?)",
    ]


def test_the_default_name_of_a_fault_does_not_move_when_one_before_it_is_broken():
    found = mistakes(
        """
        [[fault]]
        kind = "dorp"
        [[fault]]
        kind = "drop"
        [[fault]]
        kind = "drop"
        id = "fault 1"
        """
    )
    assert found == ["fault 1 (kind = \"dorp\"): unknown kind 'dorp' (did you mean 'drop'?)"]


def test_a_file_that_no_person_has_written_is_refused_before_it_is_understood(tmp_path):
    path = tmp_path / "long.toml"
    path.write_text(f"{HEAD}{'#' * BYTES_MAX}", encoding="utf-8")

    with pytest.raises(ScenarioError, match=r"long.toml: too long for a scenario \(expected 1,0"):
        load_scenario(path)

    path.write_text(f"{HEAD}{'#' * 1000}", encoding="utf-8")
    assert load_scenario(path).format == 1


A_DROP = '[[fault]]\nkind = "drop"\nmessage = "Finalize"\n'
MARKS = ", ".join(f'"fault: q{number}"' for number in range(30_000))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ('[[fault]]\nkind = "dorp"\n' + A_DROP * 15_000, "(did you mean 'drop'?)"),
        (A_DROP * 8_000 + f"[expect]\nreached = [{MARKS}]\n", "and 29,950 more mistakes"),
    ],
    ids=["one is broken", "thousands of marks"],
)
def test_a_file_with_thousands_of_faults_is_judged_in_seconds(text, last):
    """The time rose with the square of the faults: to many seconds, and to minutes."""
    began = time.process_time()
    assert mistakes(text)[-1].endswith(last)
    assert time.process_time() - began < 3
