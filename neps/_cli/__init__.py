"""The command line, `neps …` or `python -m neps …`: parses, calls, and turns errors into one line and an exit code.

Each command is a module of this package with a click command of the same name, imported when it is called, so that
none pays for the others. Nothing else of neps uses click.

Exit codes: 0 it was done; 1 it could not be done, or not all of it; 2 it was asked wrongly; 130 it was interrupted.
"""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from collections.abc import Sequence

import click

import neps
from neps._cli.failing import failed
from neps.errors import NepsError, nearest

__all__ = ["main"]

_COMMANDS = (
    *("status", "best", "top", "show", "plot", "dashboard", "export", "summary"),
    *("launch", "stop", "tell", "enqueue", "import", "retry", "confirm", "clean", "check", "doctor", "preempt-test"),
)
"""In the order of the help; `neps NAME` is the command NAME in the module `neps._cli.NAME`, with _ for -, and after a
name that Python keeps for itself."""
_INTERRUPTED = 130


class _Commands(click.Group):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_") + "_" * keyword.iskeyword(cmd_name)
        command = getattr(importlib.import_module(f"neps._cli.{name}"), name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; an error with a hint where there is none of that name."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            hint = nearest(args[0], _COMMANDS) or f" Commands: {', '.join(_COMMANDS)}."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> int | None:
        """Do it; a reader that has enough, as in `neps status ROOT | head`, is no error (click would exit with 1)."""
        try:
            code: int | None = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return code


@click.group(
    "neps",
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="ROOT is the root_directory of a run, as passed to neps.run.",
)
@click.version_option(neps.__version__, message="neps %(version)s")
@click.pass_context
def _neps(context: click.Context) -> None:
    """Start and stop workers, look at runs of neps, export them, tell results, reopen failed trials, and clean up."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None takes them from the command line.

    Returns:
        The exit code.
    """
    if sys.stdout is None:  # as in `neps status ROOT >&-`
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open to the end
    for stream in (sys.stdout, sys.stderr):  # whatever an error or a path holds, it can be printed
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code: int | None = _neps.main(arguments, prog_name="neps", standalone_mode=False)
    except click.Abort:
        return _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (NepsError, OSError) as error:
        return failed(error)
    return code or 0
