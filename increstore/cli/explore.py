"""`increstore explore`: everything that can happen in a small restore, tried.

Exit codes: 0 no law is broken, as far as was seen; 5 a law is broken, and the shortest way there is
told; 2 usage; 70 the program itself failed. `--json` writes one object a step of that way, and one
for the whole (docs/JSON.md).
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import fields
from math import factorial
from typing import TYPE_CHECKING, Any

import click

from increstore.cli.streams import show_over, tell
from increstore.compiled import is_compiled
from increstore.errors import ExitCode
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from increstore.simulation.explore import Budgets, Exploration, Search, Shape, Step

_SIZES = (
    ("sources", 2, (1, 6), "Source shards of each table."),
    ("targets", 1, (1, 6), "Target shards of each table."),
    ("incrementals", 2, (0, 9), "Incrementals after the full backup."),
    ("tables", 1, (1, 3), "Tables."),
    ("pages", 1, (1, 9), "Pages of each source shard's part of a backup."),
    ("batches", 1, (1, 9), "Batches of each page, for each target."),
    ("window", 2, (1, 99), "Batches of one stream under way at once."),
)
_FAULTS = (
    ("crashes", 1, "Crashes: any node, at any point of any step."),
    ("losses", 1, "Messages that never arrive."),
    ("duplicates", 0, "Messages that arrive twice."),
    ("failures", 0, "Reads and writes that fail and may be tried again."),
    ("hasty", 0, "Wake-ups that come while something is still under way."),
    ("operator", 0, "Times that a person pauses or cancels the restore."),
)
_TIMES_MAX = 99
"""Of one kind of fault: no search sees the end of far fewer."""
_STATES_MAX = 1_000_000
_SECOND_NS = 10**9
_EXCHANGES_MAX = 10_000
"""Ways to exchange like shards, each of which a state is looked at from."""


def _numbers(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of the world's size and of what may happen in it."""
    options: list[tuple[str, int, int, int, str]] = [
        (name, default, *ends, text) for name, default, ends, text in _SIZES
    ]
    options += [(name, default, 0, _TIMES_MAX, text) for name, default, text in _FAULTS]
    for name, default, least, most, text in reversed(options):
        kind = click.IntRange(min=least, max=most)
        option = click.option(f"--{name}", type=kind, default=default, show_default=True, help=text)
        command = option(command)
    return command


@click.command(short_help="Try everything that can happen in a small restore.")
@_numbers
@click.option(
    "--cap",
    "in_flight",
    type=click.IntRange(min=1),
    help="Scans in flight at once. Without it: all.",
)
@click.option("--samples", is_flag=True, help="Carry samples of progress too, instead of none.")
@click.option(
    "--distinct",
    is_flag=True,
    help="Give each shard batches of its own: like shards are then not taken for one another.",
)
@click.option("--depth-max", type=click.IntRange(min=1), metavar="N", help="Look N steps far.")
@click.option(
    "--states-max",
    type=click.IntRange(min=1),
    default=_STATES_MAX,
    show_default=True,
    metavar="N",
    help="Stop at so many states; a million take about 300 MB.",
)
@click.option(
    "--seconds-max", type=click.IntRange(min=1), metavar="S", help="Stop after so many seconds."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.pass_context
def explore(
    context: click.Context,
    /,
    samples: bool,
    distinct: bool,
    in_flight: int | None,
    depth_max: int | None,
    states_max: int,
    seconds_max: int | None,
    as_json: bool,
    **numbers: int,
) -> None:
    """Search every state of a small restore, breadth first, over the cores that run in production.

    Messages may arrive in any order, and as many faults may happen as the options allow, each at
    any moment. Every law is checked in every state; that an end can be reached from each of them is
    checked when all are known. docs/EXPLORE.md tells what is left out. Exit code 0: no law is
    broken. 5: one is, and the shortest way there is printed.
    """
    _refuse_compiled()
    with imports_go_first():
        from increstore.simulation.explore import Budgets, Limits, Search, Shape, SmallWorld

    budgets = Budgets(**{field.name: numbers.pop(field.name) for field in fields(Budgets)})
    shape = Shape(**numbers, in_flight=in_flight or -1, alike=not distinct)
    _refuse_too_many_exchanges(shape)
    clock, limits = _Clock(seconds_max), Limits(depth_max, states_max)
    with _telling_how_far(clock):
        if not as_json:
            click.echo(_scope(shape, budgets))
        is_enough = clock.is_enough
        search = Search(SmallWorld(shape), budgets, limits, samples=samples, is_enough=is_enough)
        seen = search.run()
    report = Report(search, seen, clock.seconds, _command(context))
    if as_json:
        report.print_json()
    else:
        report.print_text()
    context.exit(report.exit_code)


def _refuse_compiled() -> None:
    if is_compiled():
        raise click.UsageError(
            "this is the compiled build, whose cores cannot be kept state by state; explore with "
            "one that was installed without INCRESTORE_COMPILED"
        )


def _refuse_too_many_exchanges(shape: Shape) -> None:
    ways = (factorial(shape.sources) * factorial(shape.targets)) ** shape.tables
    is_capped = 0 < shape.in_flight < shape.sources * shape.tables
    if shape.alike and not is_capped and ways > _EXCHANGES_MAX:
        raise click.UsageError(
            f"{ways:,} ways to exchange like shards are too many (expected {_EXCHANGES_MAX:,} at "
            "most); take fewer shards, or tell them apart with --distinct"
        )


def _command(context: click.Context) -> str:
    """The command that searches the same again."""
    parts = ["increstore explore"]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if option.name == "as_json" or value is False or value in (None, option.default):
            continue
        parts.append(option.opts[0] if value is True else f"{option.opts[0]} {value}")
    return " ".join(parts)


def _scope(shape: Shape, budgets: Budgets) -> str:
    """What is searched: the size of the restore, and what may happen to it."""
    sizes = [_counted(getattr(shape, name), name) for name, *_ in _SIZES if name != "window"]
    faults = [
        _counted(getattr(budgets, field.name), field.name)
        for field in fields(budgets)
        if getattr(budgets, field.name)
    ]
    return f"a full backup, {', '.join(sizes)}; with {', '.join(faults) or 'no fault'}"


def _counted(number: int, many: str) -> str:
    one = {"losses": "loss", "crashes": "crash", "batches": "batch"}.get(many, many.rstrip("s"))
    return f"{number} {one if number == 1 else many}"


class _Clock:
    """How long the search has taken, told on a terminal about once a second."""

    def __init__(self, seconds_max: int | None) -> None:
        self._began = time.monotonic_ns()
        self._told = self._began
        self._limit = None if seconds_max is None else self._began + seconds_max * _SECOND_NS
        self._states = self._depth = 0

    @property
    def progress(self) -> str:
        return f"at {self._states:,} states, {self._depth} steps far"

    @property
    def seconds(self) -> float:
        return (time.monotonic_ns() - self._began) / _SECOND_NS

    def is_enough(self, states: int, depth: int) -> bool:
        now = time.monotonic_ns()
        self._states, self._depth = states, depth
        if now - self._told >= _SECOND_NS:
            self._told = now
            show_over(f"{states:,} states, {depth} steps far")
        return self._limit is not None and now >= self._limit


@contextmanager
def _telling_how_far(clock: _Clock) -> Iterator[None]:
    """Whoever interrupts a search has waited for it: say how far it came."""
    try:
        yield
    except KeyboardInterrupt:
        show_over("")
        tell(f"stopped {clock.progress}: no law is broken so far")
        raise
    show_over("")


class Report:
    """What was seen, for people and for programs; `command` would show it again."""

    def __init__(self, search: Search, seen: Exploration, seconds: float, command: str) -> None:
        from increstore.simulation.explore import LAWS, retell

        self._seen = seen
        self._seconds = seconds
        self._command = command
        self._laws = len(LAWS)
        self._steps: list[Step] = []
        if seen.violation is not None:
            self._steps = retell(seen.violation, search.table)

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.VERIFICATION_FAILED if self._seen.violation else ExitCode.DONE

    def print_text(self) -> None:
        seen, seconds = self._seen, max(self._seconds, 0.001)
        for line in self._story():
            click.echo(line)
        click.echo(
            f"{seen.states:,} states ({seen.states_in_full:,} if like shards were told apart), "
            f"{seen.transitions:,} transitions, {seen.depth} steps far, {seen.ended:,} ends\n"
            f"{seconds:.1f} s, {seen.states / seconds:,.0f} states/s; the production cores took "
            f"{seen.core_steps:,} different steps in {seen.node_states:,} states of single nodes"
        )
        click.echo(self._verdict())

    def print_json(self) -> None:
        import json

        seen, violation = self._seen, self._seen.violation
        for step in self._steps:
            click.echo(json.dumps(step.as_json()))
        result = {
            "event": "explore.completed",
            "broken": violation.law.title if violation else None,
            "says": violation.says if violation else None,
            "exhausted": seen.is_exhausted,
            "stopped_by": seen.stopped_by or None,
            "states": seen.states,
            "states_in_full": seen.states_in_full,
            "transitions": seen.transitions,
            "depth": seen.depth,
            "ends": seen.ended,
            "node_states": seen.node_states,
            "core_steps": seen.core_steps,
            "seconds": round(self._seconds, 3),
            "command": self._command,
        }
        click.echo(json.dumps(result))

    def _story(self) -> list[str]:
        width = max((len(step.node) for step in self._steps), default=0)
        return [step.line(width) for step in self._steps]

    def _verdict(self) -> str:
        violation = self._seen.violation
        if violation is not None:
            law = violation.law
            return (
                f"\nbroken after {len(self._steps)} steps, the fewest: {law.title}\n"
                f"  the law:  {law.sentence}\n  seen:     {violation.says}\n{self._command}"
            )
        if self._seen.is_exhausted:
            return f"every state was seen: all {self._laws} laws hold, and each state can still end"
        limit = f"--{self._seen.stopped_by}-max"
        return (
            f"stopped by {limit} before everything was seen; no law is broken so far, and whether "
            "each state can still end is not known"
        )
