"""What the cases of a rehearsal mean: a line on each, what is wrong, and what to change. Values in, text out."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from neps._ledger.records import End
from neps._preempting.interrupting import Case, Interrupted, Resumed

__all__ = ["problems", "shown", "went_on"]

_NANOSECONDS = 1e9
_LEAST_SECONDS = 0.05
"""What is less is shown as nothing."""


def went_on(case: Case) -> bool | None:
    """Whether the next attempt went on from a checkpoint; None if that can't be told.

    The steps that were reported tell best: a checkpoint may be read and then be ignored, or lie elsewhere.
    """
    before, resumed = case.interrupted, case.resumed
    if resumed is None or not resumed.opened:
        return None
    if before.steps and resumed.steps and (len(before.steps) > 1 or resumed.steps[0] != before.steps[0]):
        return resumed.steps[0] > before.steps[0]
    return None if resumed.read is None else bool(_read_back(before, resumed))


def _read_back(before: Interrupted, resumed: Resumed) -> list[str]:
    return sorted({file.name for file in before.saved} & set(resumed.read or ()))


def _lost(case: Case) -> str:
    """Steps and seconds that have to be done again, as a sentence."""
    before, resumed = case.interrupted, case.resumed
    seconds = before.after
    if went_on(case) and before.saved:
        seconds = min(seconds, max(0.0, (before.at - before.saved[-1].written) / _NANOSECONDS))
    lost = [f"{seconds:.1f} s"] if seconds >= _LEAST_SECONDS else []
    if resumed is not None and resumed.steps and before.steps:
        again = sum(step >= resumed.steps[0] for step in before.steps)
        lost = [f"{again} step{'s' * (again != 1)}", *lost] if again else lost
    return f"{' and '.join(lost)} of work was lost" if lost else "Nothing was lost"


def shown(case: Case) -> Iterator[str]:
    """What happened, in lines."""
    yield from _interrupted(case.interrupted)
    if case.resumed is not None and case.resumed.opened:
        yield from _resumed(case, case.resumed)


def _interrupted(before: Interrupted) -> Iterator[str]:
    steps = f"reported step {before.steps[-1]:g} and " if before.steps else ""
    saved = f"saved {before.saved[-1].name}" if before.saved else "saved nothing"
    yield f"{_name(before)} in {before.attempt}, after {before.after:.1f} s. It had {steps}{saved}."
    if before.signum != signal.SIGKILL:
        left = "is still there" if before.left_after is None else f"left after {before.left_after:.1f} s"
        handed = {End.LEFT: "handed the trial back", End.RESULT: "published a result"}
        yield f"  The worker {left}, and {handed.get(before.how or End.DIED, 'did not hand the trial back')}."


def _resumed(case: Case, resumed: Resumed) -> Iterator[str]:
    names = ", ".join(_read_back(case.interrupted, resumed))
    read = f" read {names} and" if names else ""
    begins = f" began at step {resumed.steps[0]:g}" if resumed.steps else " began again"
    yield f"  Started again, the trial{read}{begins}. {_lost(case)}."
    if resumed.end is not None:
        yield f"  It ended with {_what(resumed)}."


def _what(resumed: Resumed) -> str:
    end = resumed.end
    if end is None or end.result is None:
        return "no result"
    outcome = end.result.outcome
    return f"the loss {outcome.loss:g}" if outcome.success and outcome.loss is not None else "a failure"


def problems(case: Case, *, grace: float) -> Iterator[str]:
    """What is wrong, and what to change."""
    before = case.interrupted
    if before.signum != signal.SIGKILL:
        yield from _impolite(case, grace)
    if case.resumed is None:
        return
    if not case.resumed.opened:
        yield "The script was started again, and nobody resumed the trial. See what it has printed."
        return
    if went_on(case) is False:
        yield _lost_all(before, case.resumed)
    yield from _bad_end(case)


def _impolite(case: Case, grace: float) -> Iterator[str]:
    before, name = case.interrupted, _name(case.interrupted)
    if before.left_after is None:
        yield (
            f"The worker still ran {grace:g} s after {name}: something in run_pipeline swallows the interruption (an "
            "`except BaseException:` or a bare `except:` in a loop, a signal handler of its own, a long call of C "
            "code). Let KeyboardInterrupt and neps's interruption pass, and set no handler. A scheduler kills it then."
        )
    elif before.how is End.RESULT:
        yield (
            f"run_pipeline returned after {name}, so what it returned counts as the result of a whole training. Let "
            "the interruption pass: catch `Exception`, not `BaseException`, and save in `finally` if you need to."
        )
    elif before.how is not End.LEFT:
        yield (
            f"The worker ended by {name} and did not hand the trial back. Other hosts then wait for lease_seconds. "
            "Call neps.run in the main thread, and don't set the signal's action to its default."
        )


def _lost_all(before: Interrupted, resumed: Resumed) -> str:
    if not before.saved:
        return (
            "Nothing was saved in the trial's folder before it was interrupted, so it began anew. Save with "
            "neps.checkpoint.save(pipeline_directory, state), and begin with neps.checkpoint.load(pipeline_directory)."
        )
    names = ", ".join(sorted({file.name for file in before.saved})[:5])
    if resumed.read is not None and not _read_back(before, resumed):
        return (
            f"{names} lay in the trial's folder, and the next attempt did not read it: it began anew. Begin "
            "run_pipeline with `state = neps.checkpoint.load(pipeline_directory)`, or with what loads your own file."
        )
    return (
        f"{names} lay in the trial's folder, but the reports began again at step {resumed.steps[0]:g}. Save the epoch "
        "with the weights, restore both, and go on from there."
    )


def _bad_end(case: Case) -> Iterator[str]:
    resumed = case.resumed
    if resumed is None or resumed.end is None:
        return
    result = resumed.end.result
    if result is not None and not result.outcome.success:
        error = (result.outcome.error or "no error is recorded").strip().splitlines()[-1]
        yield f"The trial failed once it was resumed: {error}"
    elif result is None:
        yield "The resumed attempt ended without a result. See what the script has printed."


def _name(before: Interrupted) -> str:
    return signal.Signals(before.signum).name
