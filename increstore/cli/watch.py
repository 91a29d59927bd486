"""`increstore watch`: the dashboard over a scenario, a journal, or a run that is served elsewhere.

Exit codes: 0 the person left; 2 usage (also: no terminal); 3 a scenario or journal is bad; 4 the
engine failed; 128 + n after signal n. With `--plain` the code is that of what was watched: 0
completed, 3 a chain was refused, 4 failed, 5 an invariant is violated, 6 it never ended, 7 paused,
cancelled or interrupted.
"""

from __future__ import annotations

import click

from increstore.stops import imports_go_first


class Speed(click.ParamType):  # type: ignore[type-arg]
    """`1`, `0.5`, or `flat-out`."""

    name = "X"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if value in ("flat-out", "max"):
            return float("inf")
        try:
            speed = float(str(value).removeprefix("x"))
        except ValueError:
            speed = 0.0
        if not speed > 0:
            self.fail(f"expected a number above 0, or flat-out, got {value!r}")
        return speed


@click.command(short_help="Watch a restore live: states, faults, messages, time.")
@click.argument("what", nargs=-1, metavar="[SCENARIO|JOURNAL|HOST:PORT]...")
@click.option("--seed", type=click.IntRange(min=0), help="Scenario: this seed, not the file's.")
@click.option(
    "--on",
    "mode",
    type=click.Choice(["simulation", "memory", "tcp"]),
    help="Scenario: where it runs. Without it: the first mode that it names.",
)
@click.option(
    "--speed",
    type=Speed(),
    help="Seconds of the world in one of ours, or flat-out. Without it: 1, in simulation 0.1; with "
    "--plain: flat-out.",
)
@click.option("--paused", is_flag=True, help="Begin paused: Space lets it go on, s steps.")
@click.option("--plain", is_flag=True, help="One fact a line, for pipes and screen readers.")
@click.option("--ascii", "is_ascii", is_flag=True, help="No characters beyond ASCII.")
@click.option("--theme", type=click.Choice(["dark", "light"]), default="dark", show_default=True)
@click.option(
    "--control", is_flag=True, help="HOST:PORT: ask to control it too (if its server lets us)."
)
@click.pass_context
def watch(
    context: click.Context,
    what: tuple[str, ...],
    seed: int | None,
    mode: str | None,
    speed: float | None,
    paused: bool,
    plain: bool,
    is_ascii: bool,
    theme: str,
    control: bool,
) -> None:
    """Watch a restore: every shard, what the barrier waits for, faults, messages.

    A SCENARIO (.toml) is run, by default in simulation, where it can be paused, stepped, rewound
    and broken by hand. A JOURNAL is played, and followed until its restore has ended, or is gone.
    HOST:PORT is a restore that was started with --serve. Folders and several scenarios give a list
    to choose from; without an argument it is ./scenarios, or those that are shipped. Keys are told
    by ? on every screen.
    """
    with imports_go_first():
        from increstore.cli.watching import Wishes, watch_it

    wishes = Wishes(what, seed, mode, speed, paused, plain, is_ascii, theme, control)
    context.exit(watch_it(wishes))
