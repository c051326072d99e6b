"""Every trial of a run, read from its folder alone: where it stands, and what in it is not as neps has written it.

The judgement is the ledger's (`Trust`), as of a reader who writes nothing. Called by the examination.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator

from neps._doctor.documents import Torn, torn_documents
from neps._doctor.finding import Finding, Kind, Mend, Standing
from neps._doctor.leftovers import leftover
from neps._doctor.workers import is_alive
from neps._ledger.damage import verdict_on
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.layout import RESULT, TRIAL, end_name
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState, read_state
from neps._ledger.trust import Trust
from neps._listing import counted

__all__ = ["Examined", "Surroundings", "examine_trial"]

_LONG = 86400.0


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What the judgement of one trial needs of the run: `now` is the filesystem's time, `cached` the cache's numbers.

    `authors` are the workers that are known, by name; `busy` says whether any of them lives. `refusal` says why
    `neps retry` refuses a trial, None if it takes it; `retry` retries it.
    """

    root: str
    trust: Trust
    now: float
    cached: frozenset[int]
    authors: dict[str, Identity]
    busy: bool
    refusal: Callable[[int], str | None]
    retry: Callable[[int], str]


@dataclasses.dataclass(frozen=True, slots=True)
class Examined:
    """One trial: where it stands, what was found, and what was read of it, if it could be."""

    number: int
    standing: Standing
    findings: list[Finding]
    state: TrialState | None = None


def examine_trial(folder: TrialFolder, around: Surroundings) -> Examined:
    """Look at all that lies in a trial's folder."""
    state, error = _read(folder, around.trust)
    names = _names(folder)
    if error is not None:
        standing, findings = _unreadable(folder, error, around)
    elif state is None:
        standing, findings = Standing.RESERVED, [_half_claim(folder, names)]
    else:
        standing, findings = _stands(folder, state, around)
        findings += _missing_result(folder, state, names)
    told = error.path if error is not None else None
    findings += [_torn(folder, torn) for torn in torn_documents(folder, names, state) if torn.path != told]
    return Examined(folder.number, standing, [*findings, *_leftovers(folder, names, state, standing, around)], state)


def _read(folder: TrialFolder, trust: Trust) -> tuple[TrialState | None, UnreadableDocumentError | None]:
    """Where it stands, or why that can't be told."""
    try:
        if (state := trust.read_state(folder)) is None:
            folder.check_undecided()
    except UnreadableDocumentError as error:
        return None, error
    except OSError as error:
        return None, UnreadableDocumentError(folder.path, f"it can't be read: {error}")
    return state, None


def _leftovers(
    folder: TrialFolder, names: list[str], state: TrialState | None, standing: Standing, around: Surroundings
) -> Iterator[Finding]:
    starter = {state.start.identity.worker: state.start.identity} if state else {}
    ended = standing in {Standing.SUCCESS, Standing.FAILED, Standing.DAMAGED}
    ended = ended or (state is not None and state.start.identity.proven_dead())
    for name in names:
        if name.startswith("."):
            age = _age(f"{folder.path}/{name}", around.now)
            if found := leftover(folder.path, name, around.authors | starter, age, folder, ended=ended):
                yield found


def _names(folder: TrialFolder) -> list[str]:
    if os.path.islink(folder.path):  # noqa: PTH114 - it leads out of the root
        return []
    try:
        return sorted(os.listdir(folder.path))  # noqa: PTH208
    except OSError:
        return []


def _age(path: str, now: float) -> float:
    try:
        return max(0.0, now - os.lstat(path).st_mtime)
    except OSError:
        return 0.0


# A trial that can't be read


def _unreadable(
    folder: TrialFolder, error: UnreadableDocumentError, around: Surroundings
) -> tuple[Standing, list[Finding]]:
    """What becomes of it, in the order in which `Trust.judged` and the results cache decide that."""
    number, lease = folder.number, around.trust.lease
    verdict = verdict_on(folder) is not None
    standing = Standing.DAMAGED if verdict or error.lasting else Standing.UNREADABLE
    optimizer = _becomes(error, lease, verdict=verdict)
    if number in around.cached and not verdict:
        optimizer = f"The results cache has its success, and workers that know that go by it. Without it: {optimizer}"
    refusal = around.refusal(number)
    advice = refusal[:1].upper() + refusal[1:] if refusal else f"`neps retry {around.root} {number}` reopens it"
    mend = None if refusal else Mend("retry it", functools.partial(around.retry, number))
    return standing, [
        Finding(
            kind=_kind_of(error),
            what=error.why,
            optimizer=optimizer,
            advice=f"{advice}. Or restore the file from a backup.",
            path=error.path,
            trial=number,
            mend=mend,
        )
    ]


def _becomes(error: UnreadableDocumentError, lease: float, *, verdict: bool) -> str:
    outcome = "counts as failed. Its number is used up, and a damaged attempt's cost counts as 0"
    if verdict:
        return f"It is declared damaged, and {outcome}."
    if error.lasting:
        return f"The next worker that looks at it declares it damaged: it {outcome}."
    return f"If this stays so for lease_seconds={lease:g}, a worker declares it damaged: it {outcome}."


def _kind_of(error: UnreadableDocumentError) -> Kind:
    if "permission" in error.why.lower():
        return Kind.PERMISSION
    if "its number" in error.why:
        return Kind.DUPLICATE
    foreign = error.lasting or "another run" in error.why
    return Kind.FOREIGN if foreign else Kind.TORN


def _torn(folder: TrialFolder, torn: Torn) -> Finding:
    return Finding(
        kind=torn.kind,
        what=torn.why,
        optimizer=torn.optimizer,
        advice=torn.advice,
        path=torn.path,
        trial=folder.number,
        wrong=torn.wrong,
    )


# One that can


def _half_claim(folder: TrialFolder, names: list[str]) -> Finding:
    inside = [name for name in names if not name.startswith(".")]
    what = f"its number is reserved and not decided: there is no {TRIAL}"
    if inside:
        what += f", but {counted(len(inside), 'other file')}"
    return Finding(
        kind=Kind.STUCK,
        what=what,
        optimizer="A worker that has a trial to start decides this number; if the budget is spent, it stays as it is.",
        advice="Nothing has to be done.",
        path=folder.path,
        trial=folder.number,
        wrong=False,
    )


def _stands(folder: TrialFolder, state: TrialState, around: Surroundings) -> tuple[Standing, list[Finding]]:
    if state.result is not None:
        if state.result.origin.damaged:
            return Standing.DAMAGED, [_declared(folder, state, around)]
        return (Standing.SUCCESS if state.result.outcome.success else Standing.FAILED), []
    if state.end is not None:
        return Standing.WAITING, _waiting(folder, state, around)
    if state.mark is not None:
        return Standing.UNTOLD, _untold(folder, state, around)
    return _running(folder, state, around)


def _declared(folder: TrialFolder, state: TrialState, around: Surroundings) -> Finding:
    refusal = around.refusal(folder.number)
    advice = refusal or f"`neps retry {around.root} {folder.number}` reopens it"
    return Finding(
        kind=Kind.TORN,
        what=f"it was declared damaged: {state.result.outcome.error if state.result else ''}",
        optimizer="It counts as failed. Its number is used up, and a damaged attempt's cost counts as 0.",
        advice=f"{advice[:1].upper()}{advice[1:]}.",
        path=f"{folder.path}/{RESULT}",
        trial=folder.number,
        mend=None if refusal else Mend("retry it", functools.partial(around.retry, folder.number)),
    )


def _waiting(folder: TrialFolder, state: TrialState, around: Surroundings) -> list[Finding]:
    if around.busy:
        return []
    left = state.end is End.LEFT
    return [
        Finding(
            kind=Kind.STUCK,
            what=f"its last attempt {'was left' if left else 'died'}, and no worker runs",
            optimizer="The next worker that starts resumes it in its folder, before it starts anything new.",
            advice="Start a worker.",
            path=folder.path,
            trial=folder.number,
            wrong=not left,
        )
    ]


def _untold(folder: TrialFolder, state: TrialState, around: Surroundings) -> list[Finding]:
    marked = state.mark.marked if state.mark else None
    age = 0.0 if marked is None else time.time() - marked.timestamp()
    if age < _LONG:
        return []
    number = folder.number
    return [
        Finding(
            kind=Kind.STUCK,
            what=f"it has waited for neps.tell for {age / 3600:.0f} h",
            optimizer="Nobody takes it over, however long that lasts; the budget counts it as started.",
            advice=f"Tell its result (`neps tell {around.root} {number}`), or reopen it if its job was lost "
            f"(`neps retry {around.root} {number}`).",
            path=folder.path,
            trial=number,
        )
    ]


def _running(folder: TrialFolder, state: TrialState, around: Surroundings) -> tuple[Standing, list[Finding]]:
    identity, lease = state.start.identity, around.trust.lease
    age = _age(_touched(folder, state.start.attempt), around.now)
    if is_alive(identity, age, lease):
        return Standing.RUNNING, []
    proven = identity.proven_dead()
    silent = "its process has ended" if proven else f"it has been silent for {age:.0f} s, longer than the lease"
    how = "at once" if proven else f"once it has seen that silence last for lease_seconds={lease:g}"
    finding = Finding(
        kind=Kind.DEAD if around.busy else Kind.STUCK,
        what=f"worker {identity.worker} on {identity.host} is dead: {silent}",
        optimizer=f"A free worker resumes the trial in its folder, {how}. If it has died max_attempts times without "
        "progress, it fails.",
        advice="Nothing has to be done: workers run." if around.busy else "Start a worker: none runs.",
        path=folder.path,
        trial=folder.number,
        wrong=not around.busy,
    )
    return Standing.DEAD, [finding]


def _touched(folder: TrialFolder, attempt: int) -> str:
    """What says when its worker last showed life."""
    lock = folder.lock_path(attempt)
    start = TRIAL if attempt == 1 else f"attempt_{attempt}.yaml"
    return lock if os.path.lexists(lock) else f"{folder.path}/{start}"


def _missing_result(folder: TrialFolder, state: TrialState, names: list[str]) -> list[Finding]:
    """An end that is a result, and no result.yaml: whoever published it died in between."""
    if state.result is None or RESULT in names or end_name(state.start.attempt) not in names:
        return []
    return [
        Finding(
            kind=Kind.STUCK,
            what=f"there is no {RESULT}, though attempt {state.start.attempt} has ended with a result",
            optimizer=f"It goes by {end_name(state.start.attempt)}; the next worker that joins links it.",
            advice="`--mend` links it.",
            path=folder.path,
            trial=folder.number,
            wrong=False,
            mend=Mend(f"link {RESULT}", functools.partial(_link, folder)),
        )
    ]


def _link(folder: TrialFolder) -> str:
    read_state(folder, complete=True)
    return f"linked {folder.path}/{RESULT}"
