"""`increstore run`: scenario files, headless, with a verdict and the command that replays it.

Exit codes: 0 everything is green; 5 an invariant or an expectation is violated; 6 a run never
ended; 3 a scenario file is bad; 2 usage; 70 the program itself failed. `--json` writes one object
a run on stdout, and one for the whole (docs/JSON.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from increstore.stops import stopping_at_once

if TYPE_CHECKING:
    from increstore.cli.run_report import RunChoices


SEEDS_MAX = 1_000_000_000
"""As of a scenario file (`scenario.values`), whose imports would slow down `--help`."""
JOBS_MAX = 256


class SeedRange(click.ParamType):  # type: ignore[type-arg]
    """`7`, or `0..99` with both ends."""

    name = "A..B"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> range:
        if isinstance(value, range):
            return value
        first, dots, last = str(value).partition("..")
        try:
            low, high = int(first), int(last if dots else first)
        except ValueError:
            self.fail(f"expected a seed such as 7, or a range such as 0..99, got {value!r}")
        if low < 0 or high < low:
            self.fail(f"expected 0 or more, the smaller end first, got {value!r}")
        if high - low >= SEEDS_MAX:
            self.fail(f"expected {SEEDS_MAX:,} seeds at most, got {value!r}")
        return range(low, high + 1)


class PointList(click.ParamType):  # type: ignore[type-arg]
    """`17`, or `17,42`: crash points, 1-based."""

    name = "K[,K]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        try:
            points = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"expected crash points such as 17 or 17,42, got {value!r}")
        if min(points) < 1:
            self.fail(f"crash points begin at 1, got {value!r}")
        return points


@click.command(short_help="Run scenarios with injected faults, and judge them.")
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--on",
    "mode",
    type=click.Choice(["simulation", "memory", "tcp", "all"]),
    help="The mode to run in. Without it: the first that each scenario names; all: every one, "
    "and they must end alike.",
)
@click.option("--seed", "seed", type=click.IntRange(min=0), help="One seed instead of the file's.")
@click.option("--seeds", type=SeedRange(), help="Seeds instead of the file's, both ends included.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1, max=JOBS_MAX),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes to share the runs.",
)
@click.option(
    "--crash-everywhere",
    is_flag=True,
    help="Simulation: crash at every crash point, then at sampled pairs: a run each, hundreds for "
    "a short chain, thousands for a long one (see --jobs).",
)
@click.option("--crash-at", type=PointList(), help="Simulation: crash at these points only.")
@click.option(
    "--shrink",
    is_flag=True,
    help="Simulation: write the smallest scenario that fails as the first failure does.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where --shrink writes. Without it: the current folder.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write a JUnit XML file."
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the journal of the run (one scenario, one seed, one mode).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.option(
    "--serve",
    metavar="HOST:PORT",
    help="Memory and tcp: let `increstore watch HOST:PORT` look at the run (one run).",
)
@click.option(
    "--control", is_flag=True, help="With --serve: those who look may also break it by hand."
)
@click.pass_context
def run(
    context: click.Context,
    scenarios: tuple[Path, ...],
    mode: str | None,
    seed: int | None,
    seeds: range | None,
    jobs: int,
    crash_everywhere: bool,
    crash_at: tuple[int, ...] | None,
    shrink: bool,
    out: Path | None,
    junit: Path | None,
    journal: Path | None,
    as_json: bool,
    serve: str | None,
    control: bool,
) -> None:
    """Run scenario files, or all in a folder, and tell which invariants and expectations held.

    A scenario describes a cluster, a chain, faults, and how the restore must end. In simulation a
    run is a matter of milliseconds and the same for the same seed; on memory and tcp the
    production nodes do it in real time. The last line of a failed run is the command that
    replays it.
    """
    with stopping_at_once():
        from increstore.cli.run_report import RunChoices, run_and_report

    if seed is not None and seeds is not None:
        raise click.UsageError("--seed and --seeds exclude each other")
    if out is not None and not shrink:
        raise click.UsageError("--out is where --shrink writes: give --shrink, too")
    choices = RunChoices(
        scenarios=scenarios,
        mode=mode,
        seeds=seeds if seed is None else range(seed, seed + 1),
        jobs=jobs,
        crash_everywhere=crash_everywhere,
        crash_at=crash_at or (),
        shrink=shrink,
        out=Path() if out is None else out,
        junit=junit,
        journal=journal,
        as_json=as_json,
        serve=serve,
        takes_commands=control,
    )
    _refuse_contradictions(choices)
    context.exit(run_and_report(choices))


def _refuse_contradictions(choices: RunChoices) -> None:
    """What only a simulation can do is refused elsewhere, before anything runs."""
    wants = [
        name
        for name, wanted in (
            ("--crash-everywhere", choices.crash_everywhere),
            ("--crash-at", bool(choices.crash_at)),
            ("--shrink", choices.shrink),
        )
        if wanted
    ]
    if wants and choices.mode not in (None, "simulation"):
        raise click.UsageError(f"{wants[0]} works on simulation only, got --on {choices.mode}")
    if choices.takes_commands and choices.serve is None:
        raise click.UsageError("--control is for those who look at it: give --serve, too")
    if choices.crash_everywhere and choices.crash_at:
        raise click.UsageError("--crash-everywhere and --crash-at exclude each other")
    if choices.journal is not None and (choices.crash_everywhere or choices.mode == "all"):
        raise click.UsageError("--journal keeps one run: name one scenario, one seed, one mode")
