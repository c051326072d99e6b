"""What a worker does where its job was too short for an evaluation: it was told to stop before it got anywhere.

Else such a trial, or each trial of a job that is shorter than `margin`, would be handed back for ever. `Evaluations`
calls it once run_pipeline has ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator

from neps._evaluation import Evaluated, Interrupted, PendingType, RanOut, Stopping
from neps._ledger.claims import Claim
from neps._ledger.layout import is_ledger_name, start_name
from neps._ledger.setbacks import Setbacks
from neps._outcome import Outcome
from neps._worker import anew
from neps._worker.context import Context
from neps.errors import LaunchError

__all__ = ["judged"]

_logger = logging.getLogger("neps.worker")
_HALF = 0.5
_MORE_TIME = "Give the jobs more time (sbatch --time)"

Ended = Evaluated | Interrupted | PendingType


def judged(ended: Ended, held: Claim, stopping: Stopping, context: Context) -> Ended:
    """An evaluation that was told, here or in a child, that the walltime is short: its job may be too short for it.

    Only with the first evaluation of a worker, which had most of the job: any other may just have begun too late. If
    the job had less than `margin` from the beginning, that isn't the trial's fault, and the worker ends by an error.
    """
    if not isinstance(ended, Interrupted) or ended.reason != "walltime":
        return ended
    ran_out = stopping.ran_out
    if ran_out is None and (margin := held.hold.stopped_margin()) is not None:
        ran_out = stopping.out_of_walltime(margin)
    if ran_out is None or not _had_the_job(ran_out, context) or _got_somewhere(held):
        return ended
    if ran_out.had > ran_out.margin:
        return _one_more(ended, held, ran_out, context)
    error = LaunchError(
        f"this job is too short: {max(0.0, ran_out.had):.0f} s of its walltime were left when its first evaluation "
        f"began, and run_pipeline asks should_stop(margin={ran_out.margin:g}), so it was told to stop before it could "
        f"get anywhere. Trial {held.number} is handed back, and nothing is lost. {_MORE_TIME}, or pass a smaller "
        "margin: the seconds that saving and returning takes."
    )
    return ended if isinstance(ended.exception, SystemExit) else dataclasses.replace(ended, exception=error)


def _one_more(ended: Interrupted, held: Claim, ran_out: RanOut, context: Context) -> Evaluated | Interrupted:
    most, setbacks = context.settings.max_attempts, Setbacks()
    with contextlib.suppress(OSError):  # which says nothing
        setbacks = Setbacks.of(held.folder, held.attempt, most - 1)
    count = setbacks.short_jobs + 1
    done = "no checkpoint saved by neps.checkpoint, no neps.report of a further step, nothing written into its folder"
    advice = f"{_MORE_TIME}, or save and report more often"
    if count >= most:
        error = (
            f"given up after {count} attempts whose jobs were too short for any progress: {done} (max_attempts={most}; "
            f"the last one had {ran_out.had:.0f} s of walltime). {advice}."
        )
        return Evaluated(Outcome(success=False, error=error))
    _logger.warning(
        "The job was too short for trial %d: it had %.0f s of walltime, and the trial made no progress: %s. %s. The "
        "trial fails after max_attempts=%d such attempts; so far: %d. See %s",
        *(held.number, ran_out.had, done, advice, most, count, held.folder.path),
    )
    return dataclasses.replace(ended, job_too_short=True)


def _had_the_job(ran_out: RanOut, context: Context) -> bool:
    """Whether the evaluation had most of the job for itself, as far as is known."""
    is_first = context.time_left.is_first and not anew.restarted()
    return is_first and ran_out.had >= _HALF * context.walltime.whole


def _got_somewhere(held: Claim) -> bool:
    """Whether the attempt has done anything that a later one may go on from; the user's own files are believed."""
    with contextlib.suppress(OSError):
        if Setbacks.advanced(held.folder, held.attempt):
            return True
        began = os.lstat(f"{held.folder.path}/{start_name(held.attempt)}").st_mtime_ns
        return any(changed >= began for changed in _changes(held.folder.path))
    return True


def _changes(folder: str) -> Iterator[int]:
    """When each file that isn't the ledger's was changed."""
    for inside, _, names in os.walk(folder):
        for name in names:
            if inside != folder or not (is_ledger_name(name) or name.startswith(".")):
                with contextlib.suppress(OSError):
                    yield os.lstat(f"{inside}/{name}").st_mtime_ns
