"""The command line: one lazy group, so that `--help` answers before anything heavy is imported.

Every command lives in a module of its own and imports trio, pyarrow and the rest inside its
function. Expected errors become one message on stderr and their exit code (see `errors`).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from increstore import __version__
from increstore.cli.streams import is_fault_of_output, leave_stdout, open_closed_streams, tell
from increstore.errors import BackupChainBroken, ExitCode, IncrestoreError
from increstore.stops import (
    end_process,
    end_stopped,
    imports_go_first,
    interrupt_when_told,
    is_interruption,
)

_COMMANDS = (
    "demo", "backup", "chain", "restore", "verify", "run", "watch", "replay", "check", "explore",
)  # fmt: skip


class LazyGroup(click.Group):
    """A group that imports a command's module only when it is listed or called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        with imports_go_first():
            module = importlib.import_module(f"increstore.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command; a reader that has left (a pager, `head`) is no error of anybody."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # Here, because click itself would make an exit code 1 of it.
            leave_stdout()
            return ctx.exit(ExitCode.DONE)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the closest command when the one asked for does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(error.message + hint, ctx) from error


def _show_version(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        from increstore.compiled import is_compiled

        click.echo(f"increstore, version {__version__}{' (compiled)' if is_compiled() else ''}")
        ctx.exit()


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 2 usage, 3 bad chain or input, 4 restore failed, "
    "5 verification failed, 6 deadline, 7 paused or cancelled, 70 a bug of ours.",
)
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
    help="Show the version and exit.",
)  # fmt: skip
def group() -> None:
    """Restore a chain of backups, strictly in order, and prove it.

    A collection holds one full backup and the incrementals that follow it. `backup` makes one,
    `chain` shows and checks it, `restore` turns it into tables, `verify` compares them with what
    the chain says.
    """


def run_command_line() -> NoReturn:
    """What the console script does. Never returns. Raises: KeyboardInterrupt, see `main`."""
    # Imports make many objects that live as long as the process: looking through them again and
    # again costs a fifth of the start. From here on the collector runs, but seldom.
    gc.set_threshold(100_000, 50, 100)
    # numpy's linear algebra, which we do not use, would start a thread for every core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    open_closed_streams()
    _insist_on_utf8()
    try:
        interrupt_when_told()
        code = group.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        end_stopped()
    except IncrestoreError as error:
        show_error(error)
        code = error.exit_code
    except Exception as error:
        if is_interruption(error):
            end_stopped()
        code = _unexpected(error)
    _leave(int(code or 0))


def _insist_on_utf8() -> None:
    """Start anew in UTF-8 mode where the locale has another encoding.

    Arrow takes paths as UTF-8 whatever the locale, and so do manifests: in Latin-1 or ASCII the
    same name would mean two files, or none.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"  # For the workers, too.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _unexpected(error: Exception) -> ExitCode:
    if is_fault_of_output(error):
        tell(f"error: stdout cannot be written: {getattr(error, 'strerror', error)}")
        leave_stdout()
        return ExitCode.RESTORE_FAILED
    tell("".join(traceback.format_exception(error)).rstrip())
    tell("increstore: this is a bug; please report the lines above")
    return ExitCode.BUG


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    end_process(code)


def show_error(error: IncrestoreError) -> None:
    """Print an expected error to stderr: one line, or one line a problem."""
    if isinstance(error, BackupChainBroken) and len(error.problems) > 1:
        tell(f"error: {len(error.problems)} problems:")
        for problem in error.problems:
            tell(f"  - {problem}")
    else:
        tell(f"error: {error}")
