"""`neps retry`: reopens failed trials, and says of each what was done or why not. The rules are the ledger's."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from neps.api import load
from neps.api.arguments import root_path
from neps.ledger.definition import Definition
from neps.ledger.layout import Layout
from neps.ledger.reading import read_definition, read_view
from neps.ledger.retrying import is_mendable, mend, reopen
from neps.ledger.storage import denial
from neps.trial import Status, Trial
from neps.views.status import short_gist, why_damaged

__all__ = ["retry_trials"]


def retry_trials(root_directory: str, numbers: Sequence[int], *, failed: bool) -> int:
    """Reopen the trials `numbers`, or all that failed; with neither, say what could be reopened.

    Returns:
        0; 1 if one of `numbers` was not reopened; 2 if nothing was asked for.

    Raises:
        neps.errors.NepsError: if there is no run.
        OSError: if it can't be written; a DirectoryError where this user may not.
    """
    root = root_path(root_directory)
    definition, trials = read_definition(root), load(root).by_number
    failures = [trial for trial in trials.values() if trial.status is Status.FAILED]
    if not numbers and not failed:
        print(_explanation(root, failures), file=sys.stderr)
        return 2
    chosen = [trial.number for trial in failures] if failed else list(dict.fromkeys(numbers))
    if not chosen:
        print(f"No trial has failed in {root}.")
    try:
        reopened = [_retry(root, definition, trials, number) for number in chosen]
    except OSError as error:
        if (denied := denial(root, error)) is not None:
            raise denied from error
        raise
    if any(reopened):
        print("Any worker evaluates them again: a running one once it has nothing new to claim, or start one.")
    return 0 if failed or all(reopened) else 1


def _retry(root: str, definition: Definition, trials: Mapping[int, Trial], number: int) -> bool:
    """Reopen one trial if that can be done, and print what came of it."""
    trial, folder = trials.get(number), Layout(root).trial(number)
    refusal = _refusal(root, definition, trial, trials)
    if trial is None or refusal is not None:
        print(f"trial {number}: {refusal} ({folder})")
        return False
    attempts = trial.attempts
    if is_mendable(trial):
        trial = _mended(root, definition, trial)
        if trial.attempts == attempts and trial.status is not Status.FAILED:
            what = "its result came to light" if trial.succeeded else "it can be read again"
            print(f"trial {number}: {what}, its status is {trial.status} ({folder})")
            return True
    if trial.attempts != attempts or not reopen(root, definition, trial):
        print(f"trial {number}: was reopened by somebody else meanwhile ({folder})")
        return False
    print(f"trial {number}: reopened in {folder}")
    return True


def _mended(root: str, definition: Definition, trial: Trial) -> Trial:
    """Say what is done to a damaged trial, do it, and read it anew."""
    folder = Layout(root).trial(trial.number)
    print(
        f"trial {trial.number}: is damaged: {why_damaged(root, trial)}. What can't be read is renamed to "
        "NAME.damaged-…, and the trial is evaluated again in its folder, with its configuration. It keeps its number "
        f"and its place; what a damaged attempt has cost is not known, and counts as nothing ({folder})"
    )
    for name in mend(root, definition, trial):
        print(f"trial {trial.number}: renamed to {folder}/{name}")
    return load(root).by_number[trial.number]


def _refusal(root: str, definition: Definition, trial: Trial | None, trials: Mapping[int, Trial]) -> str | None:
    """Why a trial can't be retried, or None."""
    if trial is None:
        return "there is no such trial"
    if trial.decision is None and (why := _why_unreadable(root, definition, trial.number)):
        return (
            f"it can't be read now: {why}. Start a worker if none runs: after lease_seconds="
            f"{definition.lease_seconds:g} it declares the trial damaged; then retry it"
        )
    if trial.status is not Status.FAILED:
        return f"it has not failed, its status is {trial.status}; nothing to retry"
    if trial.decision is None:
        continuing = [str(other.number) for other in trials.values() if other.previous == trial.number]
        too = f" (of trials that continue it, too: {', '.join(continuing)})" if continuing else ""
        return (
            f"it is damaged, and what it was to evaluate with it: {why_damaged(root, trial)}. Its number stays used "
            "up. To have the number decided again, as if this trial had never been, stop all workers and move the "
            f"folder{too} out of the root; what it has cost is forgotten then"
        )
    return None


def _why_unreadable(root: str, definition: Definition, number: int) -> str:
    """Why its documents can't be read, though nobody has declared it damaged yet; empty if that's not so."""
    taken = read_view(root, definition).numbers.taken.get(number)
    return taken.why if taken is not None and taken.torn.looks else ""


def _explanation(root: str, failures: Sequence[Trial]) -> str:
    if not failures:
        return f"neps: say which trials to retry, by --trial N or --failed. No trial has failed in {root}."
    listed = "\n".join(f"  trial {trial.number}: {short_gist(trial.error)}" for trial in failures)
    return f"neps: say which trials to retry, by --trial N or --failed (all of these). Failed in {root}:\n{listed}"
