"""What `neps.run` says in any case, without logging: what it found, and what it leaves. Two plain lines on stderr."""

from __future__ import annotations

import sys

from neps._budget import Budget
from neps._history import History
from neps._ledger.view import View
from neps._listing import beyond_words, counted
from neps._trial import Status
from neps._views.progress import Display
from neps._views.saying import say
from neps._views.wording import best_words
from neps.samplers._confirming import Confirming

__all__ = ["Announcer"]

_OTHERS = ("failed", "running", "to be resumed", "waiting for neps.tell", "without a decision")


class Announcer:
    """Tells of one call of `neps.run`. It never fails that.

    Args:
        root: the run's directory.
        budget: what may be spent.
        display: told whatever the worker does.
        silent: whether to say nothing.
    """

    def __init__(self, root: str, budget: Budget, display: Display, *, silent: bool) -> None:
        self._root, self._budget, self._display, self._silent = root, budget, display, silent
        self._began = False
        self._what = ""
        self.begins = "joins the run in"
        """How the first line begins."""
        self.searcher = ""
        """Its name."""
        self.notes: list[str] = []
        """What else the first line says, a sentence each."""

    def update(self, view: View, what: str) -> None:
        """The worker has joined, which comes first, or now does something else."""
        self._what = what
        if not self._began:
            self._began = True
            self._say_found(view)
        self._display.update(view, what)

    def interrupted(self, view: View, by: str) -> None:
        """The worker stops early; its process may be about to end."""
        left = f"{self._what.capitalize()}. " if self._what.startswith("trial ") else ""
        ended = _counts(self._budget, view.ended, view.failures)
        by = "Ctrl-C" if by in {"SIGINT", "KeyboardInterrupt"} else by
        self._say(f"interrupted by {by}. {left}To go on, start the same command again ({ended} in {self._root}).")
        self._display.stop()

    def left(self, history: History, evaluated: int) -> None:
        """The worker found nothing more to do, after so many evaluations of its own."""
        ended = [trial for trial in history.trials if trial.ended]
        undecided = sum(trial.decision is None for trial in history.pending)
        waiting = sum(trial.status is Status.WAITING for trial in history.pending) - undecided
        untold = sum(trial.awaits_tell for trial in history.pending)
        running = len(history.pending) - undecided - waiting - untold
        failed = len(ended) - len(history.succeeded)
        counts = _counts(self._budget, len(ended), failed, running, waiting, untold, undecided)
        since = f" ({self._what})" if self._what else ""
        most = self._budget.max_evaluations_total
        by_results = history.ended_by is not None and self._what == history.ended_by
        best = "" if self._confirms else f"; {_best(history)}"
        more_to_come = history.pending or (most is not None and len(ended) < most and not by_results)
        if evaluated or more_to_come:  # others go on, or will
            self._say(f"leaves {self._root}{since}: {counts}{best}.")
            return
        raised = None if most is None else "raise max_evaluations_total"
        how = "pass more patience or a lower target_loss" if by_results else raised
        go_on = "To" if how is None else f"To go on, {how}; to"
        self._say(
            f"nothing left to do in {self._root}{since}: {counts}{best}. These are earlier results. "
            f"{go_on} search anew, use another root_directory, or overwrite_working_directory=True."
        )

    def _say_found(self, view: View) -> None:
        most = self._budget.max_evaluations_total
        if most is not None and view.ended >= most:
            return  # then there is nothing left to do, which is said with more about it
        found = f": {self._counts(view)}" if view.ended or view.pending else ""
        by = f" by {self.searcher}" if self.searcher else ""
        purpose = (
            "The best configurations are evaluated with other seeds."
            if self._confirms
            else f"The loss is minimised{by}."
        )
        self._say(f"{self.begins} {self._root}{found}. {' '.join([purpose, *self.notes])}")

    @property
    def _confirms(self) -> bool:
        """Whether nothing is searched: the lowest of the losses is then luck, and not what is looked for."""
        return self.searcher == Confirming.name

    def _counts(self, view: View) -> str:
        pending = list(view.pending.values())
        held = [each for each in pending if not each.awaits_tell]
        waiting = sum(each.waits or each.state.start.identity.proven_dead() for each in held)
        running, untold = len(held) - waiting, len(pending) - len(held)
        return _counts(self._budget, view.ended, view.failures, running, waiting, untold)

    def _say(self, text: str) -> None:
        if self._silent or sys.stderr is None:
            return
        say(sys.stderr, f"neps: {text}")


def _counts(budget: Budget, ended: int, *others: int) -> str:
    """So many trials have ended, and so many others failed, run, wait and so on, as far as they are given."""
    most = budget.max_evaluations_total
    parts = [
        f"{counted(ended, 'trial')} ended"
        if most is None or ended > most
        else f"{ended} of {counted(most, 'trial')} ended"
    ]
    parts += [f"{number} {how}" for how, number in zip(_OTHERS, others, strict=False) if number]
    return ", ".join(parts)


def _best(history: History) -> str:
    words = best_words(history.best, history.space.fidelity, len(history.succeeded))
    return "; ".join(filter(None, [words, beyond_words(history.trials, history.imported)]))
