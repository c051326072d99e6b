"""`neps.tell`: what came of an evaluation that goes on without a worker. The rules are in `neps._worker.untold`."""

from __future__ import annotations

import contextlib
import logging
import numbers
import re
from pathlib import Path
from typing import Any

from neps._api.arguments import root_path
from neps._api.told import outcome_of
from neps._calling import public
from neps._checking import ARGUMENTS
from neps._children import inherited, named
from neps._ledger.claims import Hold
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition
from neps._ledger.storage import told_of
from neps._trial import Trial
from neps._worker.untold import Untold
from neps.errors import ArgumentError, gist, shown

__all__ = ["tell"]

_logger = logging.getLogger("neps.api")
_FOLDER = re.compile(r"config_([1-9][0-9]{0,17})")


@public("neps.tell")
def tell(
    root_directory: str | Path,
    number: int | str,
    result: Any,
    *,
    attempt: int | str | None = None,
    loss_value_on_error: float | None = None,
    cost_value_on_error: float | None = None,
) -> Trial:
    """Publish what came of an evaluation whose run_pipeline has returned `neps.PENDING`. So does `neps tell`.

    From any process that sees the directory, once: the first result counts. It is recorded as a worker would: with what
    was reported, and by the arguments of that `neps.run`. If the process is killed, it is there or can be told again.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).
        number: of the trial, or the name of its folder (`pipeline_directory.name`).
        result: whatever run_pipeline may return, such as the loss; or an exception, or a text that says what went
            wrong, for a failed evaluation.
        attempt: of which this is told: the value of NEPS_ATTEMPT in the environment of run_pipeline, or a number. None:
            what NEPS_ATTEMPT is here, if it names this trial. So a late job tells nothing of a later attempt or run.
        loss_value_on_error: the loss of a failed evaluation; None: as passed to `neps.run`.
        cost_value_on_error: its cost, likewise.

    Returns:
        The trial with its result.

    Raises:
        neps.errors.ArgumentError: if an argument is wrong, such as a result that holds no loss.
        neps.errors.NotPendingError: if nothing can be told: there is no such trial, it has ended, a worker evaluates
            it, or another attempt has begun; nothing was written.
        neps.errors.EvaluationError: if no cost was told, and max_cost_total needs one; the loss is published.
        neps.errors.DirectoryError: if there is no run, or it can't be written to, for as long as that.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> history = neps.run(lambda x: neps.PENDING, root, space, searcher="sobol", max_evaluations_total=2)
        >>> neps.tell(root, 1, {"loss": 0.25, "cost": 3})
        <Trial 1: success, loss 0.25>
        >>> neps.tell(root, 2, "the job ran out of memory")
        <Trial 2: failed, the job ran out of memory>
    """
    root, trial = root_path(root_directory), _number(number)
    loss = ARGUMENTS.number_or_none("loss_value_on_error", loss_value_on_error)
    cost = ARGUMENTS.number_or_none("cost_value_on_error", cost_value_on_error, least=0)
    outcome = outcome_of(trial, result)
    meant, job = _attempt(attempt) if attempt is not None else (None, _inherited(root, trial))
    if job is not None and job.folder.number != trial:
        raise ArgumentError(
            f"attempt is {shown(attempt)}, an attempt at trial {job.folder.number}, but number is {trial}."
        )
    definition = read_definition(root)
    with told_of(root, f"Tell trial {trial} again: what was told before stays.", Layout(root).trial(trial)):
        told = Untold.of(root, definition, trial, meant, job).tell(outcome, (loss, cost))
    said = f"finished: loss {told.loss:g}" if told.succeeded else f"failed: {gist(told.error)}"
    _logger.info("Trial %d %s, as was told. See %s", trial, said, Layout(root).trial(trial))
    return told


def _number(given: object) -> int:
    if isinstance(given, numbers.Integral) and not isinstance(given, bool) and int(given) >= 1:
        return int(given)
    if isinstance(given, str) and (match := _FOLDER.fullmatch(given)):
        return int(match[1])
    raise ArgumentError(
        f"number is {shown(given)}; it must be the number of a trial, at least 1, or the name of its folder: config_N."
    )


def _attempt(given: int | str) -> tuple[int | None, Hold | None]:
    """The attempt by its number, or by its full name."""
    if isinstance(given, numbers.Integral) and not isinstance(given, bool) and int(given) >= 1:
        return int(given), None
    if isinstance(given, str) and (job := named(given)) is not None:
        return job.attempt, job
    raise ArgumentError(
        f"attempt is {shown(given)}; it must be what NEPS_ATTEMPT is in the environment of run_pipeline, or an "
        "attempt's number, at least 1."
    )


def _inherited(root: str, trial: int) -> Hold | None:
    """The attempt for which this process was started, if it is one at this trial; a job may see the root elsewhere."""
    job = inherited()
    if job is None or job.folder.number != trial:
        return None
    with contextlib.suppress(OSError):
        return job if job.folder.directory.parent.samefile(root) else None
    return job
