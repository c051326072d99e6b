"""The command line, `neps …` or `python -m neps …`: parses, calls, and turns errors into one line and an exit code.

Exit codes: 0 it was done; 1 not all of what was asked for could be done; 2 it was asked wrongly, or there is no run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import neps
from neps.cli.clean import clean_runs
from neps.cli.retry import retry_trials
from neps.errors import NepsError
from neps.views.plot import write_plot

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None takes them from the command line.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):  # whatever an error or a path holds, it can be printed
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _command(_parser().parse_args(arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # `neps status ROOT | head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (NepsError, OSError) as error:
        print(f"neps: {error}", file=sys.stderr)
        return 2
    return code


def _command(options: argparse.Namespace) -> int:
    if options.command == "retry":
        return retry_trials(options.root, options.trial, failed=options.failed)
    if options.command == "clean":
        return clean_runs(options.root, options.run, keep=options.keep, dry=options.dry_run)
    if options.command == "plot":
        print(write_plot(options.root, options.output, width=options.width, panel=options.panel))
    else:
        neps.status(options.root)
    return 0


def _count(text: str) -> int:
    """A number of things, 0 included, or that of a trial."""
    if not (text.isascii() and text.isdecimal()):  # int() takes 1_3 for 13
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neps", description="Look at runs of neps, plot them, reopen their failed trials, and delete earlier runs."
    )
    parser.add_argument("--version", action="version", version=f"neps {neps.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    status = commands.add_parser("status", help="show how a run stands", description="Show how a run stands.")
    status.add_argument("root", metavar="ROOT", help="the root_directory of the run; may be read-only")

    plot = commands.add_parser(
        "plot",
        help="draw the best loss so far, and learning curves",
        description="Draw the best loss so far over what was spent, and learning curves where there are some.",
    )
    plot.add_argument(
        "root", metavar="ROOT", nargs="+", help="the root_directory of the run; several are drawn in one panel"
    )
    plot.add_argument(
        "--output", metavar="FILE", help="a .png, .pdf or .svg; if not given, ROOT/summary/plot.png is replaced"
    )
    plot.add_argument("--width", metavar="INCHES", type=float, help="3.3 for a column of a paper, for example")
    plot.add_argument("--panel", metavar="NAME", help="this one alone: best_so_far or learning_curves")

    again = commands.add_parser(
        "retry",
        help="reopen failed trials",
        description="Reopen failed trials in place: any worker evaluates them again, in their folders.",
        usage="neps retry [-h] ROOT (--trial N [N ...] | --failed)",  # argparse would put ROOT where N swallows it
    )
    again.add_argument("root", metavar="ROOT", help="the root_directory of the run")
    which = again.add_mutually_exclusive_group()
    which.add_argument("--trial", metavar="N", type=_count, nargs="+", default=[], help="these trials")
    which.add_argument("--failed", action="store_true", help="all failed trials")

    clean = commands.add_parser(
        "clean",
        help="delete earlier runs",
        description="Delete the earlier runs that overwrite_working_directory has moved aside; safe at any time.",
        usage="neps clean [-h] ROOT [--run RUN [RUN ...] | --keep N] [--dry-run]",
    )
    clean.add_argument("root", metavar="ROOT", help="the root_directory of the run, which itself is left as it is")
    chosen = clean.add_mutually_exclusive_group()
    chosen.add_argument("--run", metavar="RUN", nargs="+", default=[], help="these, by their names in overwritten/")
    chosen.add_argument("--keep", metavar="N", type=_count, default=0, help="all but the N that were begun last")
    clean.add_argument("--dry-run", action="store_true", help="delete nothing, and say what would be")
    return parser
