"""Reading a run without taking part in it: needs no write permission, and writes nothing."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from neps._history import History
from neps._ledger.definition import Definition, find_definition
from neps._ledger.endings import last_ending, reason_of
from neps._ledger.known_trials import read_results
from neps._ledger.layout import DEFINITION, Layout
from neps._ledger.outage import LEASES, Outage
from neps._ledger.view import View
from neps._trial import Decision, Trial
from neps.errors import ArgumentError, DirectoryError, shown
from neps.space import SearchSpace

__all__ = [
    "check_not_moved",
    "history_of",
    "no_run",
    "read_definition",
    "read_history",
    "read_through_outages",
    "read_trials",
    "read_view",
    "root_of",
]

_logger = logging.getLogger("neps.ledger")

_PATIENCE = 0.5
_BELOW = ("*", "task_*/dev_*")
_MOST_NAMED = 5


def root_of(root_directory: str | Path) -> str:
    """The absolute path of a run, from how a user names it: links stay, but for those before a `..`.

    Raises:
        ArgumentError: if that is no path, or empty, as by a variable that isn't set: it would mean the current folder.
    """
    if not isinstance(root_directory, str | os.PathLike) or not os.fspath(root_directory):
        message = (
            f"root_directory is {root_directory!r}; it must be a path, the root_directory of a run. Write '.' for the "
            "current folder."
        )
        raise ArgumentError(message)
    path = Path(root_directory).expanduser().absolute()
    return os.path.realpath(path) if ".." in path.parts else str(path)


def read_definition(root: str | Path) -> Definition:
    """The definition of the run in `root`.

    Raises:
        DirectoryError: if there is none.
    """
    definition = find_definition(os.path.abspath(root))  # noqa: PTH100
    if definition is None:
        raise no_run(str(root), f"holds no run: there is no {DEFINITION} in it")
    return definition


def check_not_moved(root: str, run: str, what: str) -> None:
    """Make sure that what was just published for a run has reached it.

    Args:
        root: the run's root directory.
        run: its identifier, as it was read before.
        what: what was published, as the subject of a sentence.

    Raises:
        DirectoryError: if another run is there by now, or none.
    """
    found = find_definition(root)
    if found is None or found.run != run:
        raise DirectoryError(
            f"The run in {root} was moved aside at this moment (overwrite_working_directory). {what} belongs to it, "
            "and the run that is there now doesn't see it. Do it again for that one."
        )


def no_run(root: str, why: str) -> DirectoryError:
    """The error for a folder without a run; it names the runs below it, if there are some."""
    if not os.path.lexists(root):
        return DirectoryError(f"{root} does not exist. Give the root_directory of a run.")
    paths = sorted(path.parent for pattern in _BELOW for path in Path(root).glob(f"{pattern}/{DEFINITION}"))
    names = ", ".join(shown(str(path.relative_to(root))).strip("'\"") for path in paths[:_MOST_NAMED])
    if not names:
        return DirectoryError(f"{root} {why}. Give the root_directory of a run.")
    more = ", …" if len(paths) > _MOST_NAMED else ""
    return DirectoryError(f"{root} {why}. There are runs in {names}{more}: give one of these.")


def read_history(root: str | Path, definition: Definition | None = None) -> History:
    """All that there is of a run.

    Args:
        root: where it lies.
        definition: the run's, if that was read already.

    Raises:
        DirectoryError: if there is no run, or it can't be read.
    """
    definition = definition or read_definition(root)
    ended = last_ending(Layout(root_of(root), definition.run))
    return history_of(definition, read_trials(root, definition), root, reason_of(ended))


def read_through_outages(root: str, definition: Definition) -> History:
    """All that there is of a run, for a worker that leaves it: a filesystem that fails then is waited for.

    Raises:
        DirectoryError: if it fails for too long.
    """
    outage = Outage(_logger, LEASES * definition.lease_seconds)
    while True:
        try:
            return read_history(root, definition)
        except OSError as error:
            if (pause := outage.failed(f"{root} can't be read", error)) is None:
                raise outage.over(root, error) from error
            time.sleep(pause)


def history_of(
    definition: Definition, trials: Mapping[int, Trial], root: str | Path | None = None, ended_by: str | None = None
) -> History:
    """These trials as the history of a run, with what was imported into the run in `root`; results have ended it so."""
    space = SearchSpace.from_definition(definition.space, definition.forbid)
    if root is None:
        return History(space, trials, definition.seed, ended_by=ended_by)
    layout = Layout(os.path.abspath(root), definition.run)  # noqa: PTH100
    known = read_results(layout, functools.partial(Decision.check, space=space))
    return History(space, trials, definition.seed, ended_by=ended_by, imported=known.imported, earlier=known.earlier)


def read_trials(root: str | Path, definition: Definition) -> dict[int, Trial]:
    """All trials of a run by number; numbers that are reserved but not committed wait, without a decision."""
    return read_view(root, definition).everything()


def read_view(root: str | Path, definition: Definition) -> View:
    """What there is. What can't be read is looked at again for a moment, lest one failure hide a result.

    What is damaged is said once, of what is returned.
    """
    layout = Layout(os.path.abspath(root), definition.run)  # noqa: PTH100
    fits = functools.partial(Decision.check, space=SearchSpace.from_definition(definition.space, definition.forbid))
    deadline = time.monotonic() + _PATIENCE
    while True:
        view = View(layout, None, lease=definition.lease_seconds, poll=1.0, fits=fits)
        over = time.monotonic() > deadline
        try:
            view.join()
            if over or not any(reserved.torn.looks for reserved in view.numbers.reserved.values()):
                view.say_damage()
                return view
        except OSError:
            if over:
                raise
        time.sleep(0.05)
