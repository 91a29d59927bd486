"""`increstore restore`: the main job, as people and scripts call it."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from increstore.cli.arguments import PathArgument, Seconds
from increstore.cli.aside import work_aside
from increstore.cli.refusal import RefusalAsJson
from increstore.errors import ExitCode
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from increstore.cli.display import Display
    from increstore.cli.restore_in_view import Looks
    from increstore.journal import Journal
    from increstore.runtime.early import EarlyPages
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.request import RestoreRequest
    from increstore.runtime.restore import Outcome
    from increstore.runtime.spawn import WorkerNursery

_SHARDS = click.IntRange(1, 1000)
_SECONDS = Seconds()


@click.command(short_help="Restore a chain into tables; go on after a stop.")
@click.argument("collection", type=PathArgument())
@click.option(
    "--into",
    "target",
    required=True,
    type=PathArgument(),
    help="The directory that gets the tables: new, empty, or this restore's own.",
)
@click.option(
    "--upto", metavar="BACKUP", help="The last backup to restore: its name, or the start of it."
)
@click.option(
    "--table", "tables", multiple=True, metavar="T", help="Restore only this table; repeatable."
)
@click.option("--sources", type=_SHARDS, help="Source shards a table  [default: the cores, 2 to 8]")
@click.option("--targets", type=_SHARDS, help="Target shards a table  [default: the cores, 2 to 8]")
@click.option(
    "--on",
    type=click.Choice(["memory", "tcp"]),
    default="memory",
    show_default=True,
    help="Where the shards live: in this process, or in workers on loopback TCP.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be done, stop.")
@click.option("--json", "as_json", is_flag=True, help="Events and summary as JSON lines on stdout.")
@click.option("--plain", is_flag=True, help="One fact a line, also on a terminal.")
@click.option("--journal", type=PathArgument(), help="Append every event to this file.")
@click.option(
    "--stage-deadline",
    type=_SECONDS,
    metavar="SECONDS",
    help="Pause when one backup takes longer.",
)
@click.option(
    "--deadline", type=_SECONDS, metavar="SECONDS", help="Pause when the whole takes longer."
)
@click.option("--watch", is_flag=True, help="Show the dashboard while it runs.")
@click.option(
    "--serve",
    metavar="HOST:PORT",
    help="Let `increstore watch HOST:PORT` look at it; without a host only from this machine.",
)
@click.option(
    "--control", is_flag=True, help="With --serve: those who look may also pause and cancel it."
)
@click.option(
    "--drill",
    is_flag=True,
    help="Let faults be injected by hand, in the dashboard or with --control. Slower.",
)
@click.pass_context
def restore(
    ctx: click.Context,
    collection: Path,
    target: Path,
    upto: str | None,
    tables: tuple[str, ...],
    sources: int | None,
    targets: int | None,
    on: str,
    dry_run: bool,
    as_json: bool,
    plain: bool,
    journal: Path | None,
    stage_deadline: float | None,
    deadline: float | None,
    watch: bool,
    serve: str | None,
    control: bool,
    drill: bool,
) -> None:
    """Restore COLLECTION: the last full backup, then every incremental, strictly in order.

    The tables appear under --into as TABLE/*.parquet once all is restored and checked; until then
    readers see nothing. The same command again goes on after Ctrl-C, a crash or a power cut.
    """
    from increstore.runtime.request import RestoreRequest

    if as_json and plain:
        raise click.UsageError("--json and --plain exclude each other")
    looks = None
    if watch or serve is not None or control or drill:
        from increstore.cli.restore_in_view import Looks

        looks = Looks(watch, serve, control, drill)
        looks.check(shows_otherwise=as_json or plain or dry_run)
    request = RestoreRequest(collection, target, upto, tables, sources, targets, on)
    if dry_run:
        with RefusalAsJson(wanted=as_json):
            _dry_run(request, as_json)
        return
    code = restore_and_show(request, as_json, plain, journal, stage_deadline, deadline, looks)
    ctx.exit(code)


def restore_and_show(
    request: RestoreRequest,
    as_json: bool,
    plain: bool,
    journal_path: Path | None = None,
    stage_deadline_s: float | None = None,
    deadline_s: float | None = None,
    looks: Looks | None = None,
) -> int:
    """Restore with the display that fits; returns the exit code."""
    from increstore.runtime.allocator import choose_one_allocator, keep_freed_pages
    from increstore.runtime.spawn import WorkerNursery
    from increstore.runtime.threads import tune_threads

    choose_one_allocator()
    keep_freed_pages()
    tune_threads()
    workers = WorkerNursery()
    if request.on == "tcp":
        workers.start()  # Before the slow imports below.
    from increstore.journal import Journal, JournalFile

    journal = Journal()
    with ExitStack() as stack:
        refusal = stack.enter_context(RefusalAsJson(wanted=as_json))
        if journal_path is not None:
            journal_file = JournalFile(journal_path)
            stack.callback(journal_file.close)
            journal.subscribe(journal_file, details=True)
        if looks is not None:
            return _restore_in_view(
                request, looks, journal, workers, refusal, plain, stage_deadline_s, deadline_s
            )
        preparing = _begin_to_prepare(request, stack)
        # Meanwhile the rest is imported; first what the plan needs, so that pages can be read.
        with imports_go_first():
            import increstore.chain.reader
            import increstore.chain.validate  # noqa: F401
            from increstore.cli.display import choose_display
            from increstore.protocol.coordinator import CoordinatorConfig
            from increstore.runtime.refusal import refusals_told
            from increstore.runtime.restore import run_restore

        with refusals_told(journal):
            prepared, early = preparing.result()
        stack.callback(prepared.directory.close)
        stack.callback(prepared.log.close)
        display = choose_display(prepared, as_json=as_json, plain=plain)
        refusal.is_over = True
        journal.subscribe(display)
        config = CoordinatorConfig(
            stage_deadline_ns=_ns(stage_deadline_s), overall_deadline_ns=_ns(deadline_s)
        )
        with display:
            outcome = run_restore(prepared, config, journal, workers, early)
        code = exit_code_of(outcome)
        display.summarize(outcome, code)
        return code


def _restore_in_view(
    request: RestoreRequest,
    looks: Looks,
    journal: Journal,
    workers: WorkerNursery,
    refusal: RefusalAsJson,
    plain: bool,
    stage_deadline_s: float | None,
    deadline_s: float | None,
) -> int:
    with imports_go_first():
        from increstore.cli.display import choose_display
        from increstore.cli.restore_in_view import restore_in_view
        from increstore.protocol.coordinator import CoordinatorConfig

    config = CoordinatorConfig(
        stage_deadline_ns=_ns(stage_deadline_s), overall_deadline_ns=_ns(deadline_s)
    )

    as_json = refusal.is_wanted

    def choose(prepared: Prepared) -> Display:
        refusal.is_over = True
        return choose_display(prepared, as_json=as_json, plain=plain)

    return restore_in_view(request, looks, config, journal, workers, choose, as_json=as_json)


def _begin_to_prepare(
    request: RestoreRequest, stack: ExitStack
) -> Future[tuple[Prepared, EarlyPages | None]]:
    """Have a thread do `prepare_early`, until `stack` is left."""
    with imports_go_first():
        # Alone, and before the slow ones: the sooner files are named, the sooner they are counted.
        import increstore.runtime.early
        import increstore.runtime.prepare  # noqa: F401
    pool = ThreadPoolExecutor(1)
    # Not waited for when the block is left: Ctrl-C must not wait for minutes of checksums.
    stack.callback(pool.shutdown, wait=False)
    return pool.submit(prepare_early, request)


def prepare_early(request: RestoreRequest) -> tuple[Prepared, EarlyPages | None]:
    """Check everything, and begin to read: of a new restore in this process, the full backup."""
    from increstore.runtime.prepare import prepare

    if request.on != "memory":
        return prepare(request), None
    from increstore.runtime.early import EarlyPages

    early = EarlyPages()
    return prepare(request, early.start), early


def _ns(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


def exit_code_of(outcome: Outcome | None) -> int:
    """What a restore that ended like this exits with; None: it never began."""
    from increstore.protocol.coordinator import RestoreState

    if outcome is None:
        return int(ExitCode.PAUSED)
    if outcome.deadline_passed:
        return int(ExitCode.DEADLINE)
    codes = {
        RestoreState.COMPLETED: ExitCode.DONE,
        RestoreState.FAILED: ExitCode.RESTORE_FAILED,
    }
    return int(codes.get(outcome.state, ExitCode.PAUSED))


def _dry_run(request: RestoreRequest, as_json: bool) -> None:
    with imports_go_first():
        from increstore.cli.display import show_plan
        from increstore.runtime.prepare import make_plan

    plan, identity, newer = work_aside(lambda: make_plan(request))
    show_plan(plan, resumes=identity is not None, newer=newer, as_json=as_json)
    sys.stdout.flush()
