"""What `scripts/bench curves` and `scripts/bench tables` do alike: they train, show what is known, and pack.

Each of them names its tasks, and says what figures tell.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.curves.making import Trained, make, trained
from benchmarks.curves.packing import pack, table_of
from benchmarks.curves.store import Store
from benchmarks.driving.command_line import names
from benchmarks.problems.curve_tables import Table, table
from benchmarks.problems.curve_tasks import CurveTask

__all__ = ["Known", "perform"]

_FEWEST = 20
"""Below so many configurations, figures say nothing."""

Known = Sequence[tuple[CurveTask, Table]]
"""Tasks, and what is known of each."""


def perform(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    tasks: Sequence[CurveTask],
    figures: Callable[[Known], Iterable[str]],
    training: Trained = trained,
) -> int:
    """Do what a command line says; the exit status.

    Args:
        parser: says whose it is; the options are added here.
        arguments: of the command line; None: this process's.
        tasks: all that there are.
        figures: what is shown of tasks of which enough is known, line by line.
        training: how a configuration is trained.
    """
    options = _options(parser, arguments, tasks)
    chosen = [task for task in tasks if not options.tasks or task.name in options.tasks]
    if options.command == "run":
        make(Store(options.store), chosen, options.number, training)
    elif options.command == "pack":
        for task in chosen:
            print(pack(task, Store(options.store), options.number, options.tables))
    else:
        known = [(task, _known(task, options)) for task in chosen]
        print(*figures([(task, found) for task, found in known if len(found.configs) >= _FEWEST]), sep="\n")
    return 0


def _options(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, tasks: Sequence[CurveTask]
) -> argparse.Namespace:
    known = ", ".join(task.name for task in tasks)
    parser.add_argument("command", choices=["run", "figures", "pack"])
    parser.add_argument("--tasks", type=names, metavar="A,B", help=known)
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="trainings that are done; for figures, default: those of the tables"
    )
    parser.add_argument("--number", type=int, default=500, metavar="N", help="configurations of each task (500)")
    parser.add_argument("--tables", type=Path, metavar="DIR", help="where tables are")
    options = parser.parse_args(arguments)
    if options.store is None and options.command != "figures":
        parser.error(f"{options.command} needs --store DIR")
    for name in options.tasks or ():
        if name not in {task.name for task in tasks}:
            parser.error(f"--tasks names {name!r}, but there is none of that name: choose among {known}")
    return options


def _known(task: CurveTask, options: argparse.Namespace) -> Table:
    if options.store is None:
        return table(task.name, options.tables)
    return table_of(task, Store(options.store).first(task)[: options.number])
