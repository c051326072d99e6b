"""`neps.stop`: asks the workers of a run to leave. How they see that is the ledger's; `neps stop` calls it."""

from __future__ import annotations

import logging
from pathlib import Path

from neps._api.arguments import root_path
from neps._calling import public
from neps._checking import ARGUMENTS
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.liveness import workers_there
from neps._ledger.reading import read_definition, read_view
from neps._ledger.stopping import request_stop
from neps._ledger.storage import denial
from neps._listing import counted
from neps.errors import DirectoryError

__all__ = ["ask_to_stop", "stop"]

_logger = logging.getLogger("neps.api")


@public("neps.stop")
def stop(root_directory: str | Path, *, after_trial: bool = False) -> tuple[str, ...]:
    """Ask all workers of a run to leave, on all machines. So does `neps stop`. It returns at once.

    A worker that evaluates looks each third of `lease_seconds`, so each 40 s. Its run_pipeline is interrupted, as by a
    signal, its trial is handed back, and `neps.run` returns. A worker that is started later works: it resumes what was
    handed back. (So do the tasks of a job array that have not begun yet: cancel these first.) `neps status` shows who
    has not left yet.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).
        after_trial: let each worker finish the trial that it evaluates. A later call without this asks for more.

    Returns:
        The names of the workers that were seen. Others that have begun more than a lease ago leave, too.

    Raises:
        neps.errors.DirectoryError: if there is no run, or it can't be written to.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> def run_pipeline(x):
        ...     neps.stop(root, after_trial=True)  # as somebody else might
        ...     return x
        >>> neps.run(run_pipeline, root, space, searcher="random_search", max_evaluations_total=9, seed=1)
        <History: 1 trial: 1 succeeded; best: trial 1, loss 0.475765>
    """
    root = root_path(root_directory)
    names = ask_to_stop(root, after_trial=ARGUMENTS.flag("after_trial", after_trial))
    when = "after their trials" if after_trial else "now"
    _logger.info("%s of the run in %s asked to leave %s", counted(len(names), "worker"), root, when)
    return names


def ask_to_stop(root: str, *, after_trial: bool) -> tuple[str, ...]:
    """Publish the request; the names of the workers that it names.

    Raises:
        neps.errors.DirectoryError: if there is no run, or it can't be written to.
    """
    definition = read_definition(root)
    layout = Layout(root, definition.run)
    try:
        there = workers_there(layout, read_view(root, definition))
        return request_stop(layout, there, Identity.mine(), after_trial=after_trial).workers
    except OSError as error:
        if (denied := denial(root, error)) is not None:
            raise denied from error
        message = (
            f"The request to stop can't be written to {layout.stops}: {error}. Nobody may have seen it. Try again."
        )
        raise DirectoryError(message) from error
