"""`neps.retry`: failed trials are reopened, and damaged ones mended. The rules are the ledger's; `neps retry` calls it.

`Retrying` says of each trial what was done or why not, for whoever shows that; `retry` is all or nothing.
"""

from __future__ import annotations

import dataclasses
import logging
import numbers
from collections.abc import Iterable
from pathlib import Path

from neps._api.arguments import root_path
from neps._api.reading import load
from neps._calling import public
from neps._checking import ARGUMENTS
from neps._ledger.layout import Layout
from neps._ledger.mending import is_mendable, mend
from neps._ledger.reading import read_definition, read_view
from neps._ledger.retrying import reopen
from neps._ledger.storage import told_of
from neps._trial import Status, Trial
from neps._views.status import why_damaged
from neps._views.wording import short_gist
from neps.errors import ArgumentError, shown

__all__ = ["Retried", "Retrying", "retry"]

_logger = logging.getLogger("neps.api")


@public("neps.retry")
def retry(root_directory: str | Path, trials: int | Iterable[int] = (), *, failed: bool = False) -> tuple[int, ...]:
    """Reopen failed trials in place: any worker evaluates them again, in their folders. So does `neps retry`.

    And trials that wait for `neps.tell`, by their numbers, such as where their job was lost. What is told of that
    attempt from then on is refused.

    A worker that runs takes them once it has nothing new to claim; where none runs, start one. Deaths count anew, what
    they have cost stays spent, and promotions stand. A damaged trial is mended first, if what it decides is whole.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).
        trials: the number of one trial, or several numbers.
        failed: instead of these, all trials that failed. Damaged ones that can't be retried are logged.

    Returns:
        The numbers of the trials that were reopened. One that another process has reopened meanwhile isn't among them.

    Raises:
        neps.errors.ArgumentError: if one of `trials` can't be retried, such as one that has not failed, or none is
            given; nothing was reopened.
        neps.errors.DirectoryError: if there is no run, this user may not write to it, or the filesystem fails. Nothing
            is lost: retry again.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(1, 2)}
        >>> budget = {"searcher": "random_search", "max_evaluations_total": 2, "ignore_errors": True}
        >>> neps.run(lambda x: x / 0, root, space, **budget)
        <History: 2 trials: 2 failed; best: none yet>
        >>> neps.retry(root, failed=True)
        (1, 2)
        >>> len(neps.run(lambda x: x, root, space, **budget).succeeded)
        2
    """
    retrying = Retrying(root_directory)
    chosen = retrying.chosen(_numbers(trials), failed=ARGUMENTS.flag("failed", failed))
    if not failed:
        _check_all(retrying, chosen)
    done = [retrying.retry(number) for number in chosen]
    for each in done:
        for line in each.said:
            _logger.log(logging.INFO if each.done else logging.WARNING, "Retrying %s", line)
    return tuple(each.number for each in done if each.reopened)


def _check_all(retrying: Retrying, chosen: Iterable[int]) -> None:
    """Refuse to begin where one of these can't be retried."""
    refused = [f"trial {number}: {why}" for number in chosen if (why := retrying.refusal(number))]
    if refused:
        raise ArgumentError(
            f"Nothing was reopened in {retrying.root}, because not all of them can be: {'; '.join(refused)}."
        )


def _numbers(trials: int | Iterable[int]) -> list[int]:
    given = [trials] if isinstance(trials, numbers.Integral) or not isinstance(trials, Iterable) else list(trials)
    for number in given:
        if not isinstance(number, numbers.Integral) or isinstance(number, bool):
            raise ArgumentError(f"trials is {shown(trials)}; it must be the number of a trial, or several.")
    return [int(number) for number in given]


@dataclasses.dataclass(frozen=True, slots=True)
class Retried:
    """What came of one trial. `done` is whether it will be evaluated again or has its result; `said` says it in lines.

    `reopened` is whether this call has reopened it.
    """

    number: int
    done: bool
    reopened: bool
    said: tuple[str, ...]


class Retrying:
    """Retries trials of one run, as it was read when this was made.

    Raises:
        neps.errors.NepsError: if there is no run.
    """

    def __init__(self, root_directory: str | Path) -> None:
        self.root = root_path(root_directory)
        with told_of(self.root, "Nothing was reopened. Retry again."):
            self._definition = read_definition(self.root)
            self._history = load(self.root)

    def chosen(self, trials: Iterable[int], *, failed: bool) -> list[int]:
        """The numbers to retry, each once: these, or all that failed.

        Raises:
            neps.errors.ArgumentError: if neither is given, or both.
        """
        given = list(dict.fromkeys(trials))
        if given and failed:
            raise ArgumentError("Both the numbers of trials and `failed` are given: give one or the other.")
        if not given and not failed:
            raise ArgumentError(self._explanation())
        return [trial.number for trial in self._history.failed] if failed else given

    def refusal(self, number: int) -> str | None:
        """Why a trial can't be retried, or None."""
        trial = self._history.by_number.get(number)
        if trial is None:
            return "there is no such trial"
        if trial.decision is None and (why := self._why_unreadable(number)):
            return (
                f"it can't be read now: {why}. If that stays so, a worker declares the trial damaged after "
                f"lease_seconds={self._definition.lease_seconds:g}: start one if none runs"
            )
        if trial.status is not Status.FAILED and not trial.awaits_tell:
            return f"it has not failed: its status is {trial.status}; nothing to retry"
        return self._lost(trial) if trial.decision is None else None

    def retry(self, number: int) -> Retried:
        """Reopen a trial if that can be done.

        Raises:
            DirectoryError: if it can't be written.
        """
        if (refusal := self.refusal(number)) is not None:
            line = f"trial {number}: {refusal} ({self._folder(number)})"
            return Retried(number, done=False, reopened=False, said=(line,))
        with told_of(self.root, f"Nothing is lost: retry trial {number} again."):
            return self._retry(self._history.by_number[number])

    def _retry(self, trial: Trial) -> Retried:
        number, attempts, said = trial.number, trial.attempts, list[str]()
        if is_mendable(trial):
            said = self._mend(trial)
            trial = load(self.root).by_number[number]
            if trial.attempts == attempts and trial.status is not Status.FAILED:
                what = "its result was found" if trial.succeeded else "it can be read again"
                said.append(f"trial {number}: {what}, its status is {trial.status} ({self._folder(number)})")
                return Retried(number, done=True, reopened=False, said=tuple(said))
        reopened = trial.attempts == attempts and reopen(self.root, self._definition, trial)
        quicker = "told or reopened" if trial.awaits_tell else "reopened"
        what = "reopened in {}" if reopened else f"was {quicker} by another process meanwhile ({{}})"
        said.append(f"trial {number}: {what.format(self._folder(number))}")
        return Retried(number, done=reopened, reopened=reopened, said=tuple(said))

    def _mend(self, trial: Trial) -> list[str]:
        """Mend a damaged trial; what was done to it."""
        folder = self._folder(trial.number)
        moved = mend(self.root, self._definition, trial)
        why = (
            f"trial {trial.number}: is damaged: {why_damaged(self.root, trial)}. What can't be read is renamed to "
            "NAME.damaged-…, and the trial is evaluated again in its folder, with its configuration. It keeps its "
            f"number and its place; the cost of a damaged attempt is unknown, and counts as 0 ({folder})"
        )
        return [why, *(f"trial {trial.number}: renamed to {folder}/{name}" for name in moved)]

    def _lost(self, trial: Trial) -> str:
        """What can be done about a trial of which nobody knows what it decides."""
        continuing = [str(other.number) for other in self._history if other.previous == trial.number]
        too = f" (of trials that continue it, too: {', '.join(continuing)})" if continuing else ""
        return (
            f"it is damaged, and what it was to evaluate with it: {why_damaged(self.root, trial)}. Its number stays "
            "used up. To have the number decided again, as if this trial had never been, stop all workers and move the "
            f"folder{too} out of the root; what it has cost is forgotten then"
        )

    def _why_unreadable(self, number: int) -> str:
        """Why its documents can't be read, though nobody has declared it damaged yet; empty if that's not so."""
        reserved = read_view(self.root, self._definition).numbers.reserved.get(number)
        return reserved.why if reserved is not None and reserved.torn.looks else ""

    def _explanation(self) -> str:
        failures = self._history.failed
        ask = "Say which trials to retry: give their numbers, or ask for all that failed (--failed, or failed=True)."
        if not failures:
            return f"{ask} No trial has failed in {self.root}."
        listed = "\n".join(f"  trial {trial.number}: {short_gist(trial.error)}" for trial in failures)
        return f"{ask} Failed in {self.root}:\n{listed}"

    def _folder(self, number: int) -> str:
        return Layout(self.root).trial(number)
