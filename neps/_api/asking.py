"""`neps.AskAndTell`: a search whose evaluations the caller makes. It owns no rule: those are in `neps._deciding`.

Where its trials live is behind `Trials`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import operator
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from neps._api.arguments import root_path
from neps._api.budgets import budget_of, check_cost_budget, check_fidelity_budget
from neps._api.defining import Proposal
from neps._api.elsewhere import ELSEWHERE
from neps._api.forbidding import tried
from neps._api.in_root import InRoot
from neps._api.keywords import check_keywords
from neps._api.run import CONFIRMING
from neps._api.spaces import Space, space_from
from neps._api.starting import Start, roots_of
from neps._api.told import outcome_of
from neps._budget import ExpectedCost, Limit
from neps._calling import own_arguments, public
from neps._checking import ARGUMENTS
from neps._children import current_trial
from neps._deciding import InMemory, checked_configs
from neps._history import History
from neps._ledger.definition import LARGEST_SEED
from neps._ledger.identity import Identity
from neps._ledger.opening import open_run
from neps._outcome import Outcome
from neps._trial import Trial
from neps._worker.recorded import recorded
from neps._worker.settings import Settings
from neps.errors import ArgumentError, NepsError, NotPendingError, ReturnValueError, shown
from neps.samplers import Sampler
from neps.samplers._registry import default_name, resolve

__all__ = ["AskAndTell", "Trials"]

_logger = logging.getLogger("neps")
_FEW = 5


class Trials(Protocol):
    """Where the trials of a search live."""

    @property
    def pending(self) -> Mapping[int, Trial]:
        """The trials that wait to be told, by number."""

    @property
    def history(self) -> History:
        """All trials that are known, as they are now."""

    def claim(self) -> Trial | Limit:
        """Decide the next trial, and hold it from now on; or why none may start."""

    def publish(self, number: int, outcome: Outcome) -> Trial:
        """End a pending trial, once and for all.

        Raises:
            ReturnValueError: if the outcome lacks a cost that the budget needs; then nothing is changed.
        """


class AskAndTell:
    """A search whose evaluations you make: `ask` what to evaluate, `tell` what came of it. In memory or a directory.

    Ask for as many trials as you like before you tell anything, and tell in any order. Every searcher works, and
    decides as it does for `neps.run` with as many workers. Threads may share one. Processes share a `root_directory`;
    without one, ask and tell in one of them, and evaluate in the others.

    Args:
        pipeline_space: parameters by name, as for `neps.run`.
        root_directory: the run's directory, as for `neps.run`, whose workers may share it. A trial that was asked for
            waits there until it is told, also after this process has ended: see `pending`. None: in memory.
        searcher: a searcher's name, a `Sampler`, or "default", as for `neps.run`.
        seed: whole number from which all randomness is drawn. None: one is drawn; `history.seed` is what it was.
        max_evaluations_total: how many trials there may be; failed ones count. None: no limit.
        max_cost_total: sum of the costs that are told; a trial starts while what was told and what the pending ones
            are expected to cost is below it. None: no limit.
        max_fidelity_total: sum of the fidelity run, as for `neps.run`. None: no limit.
        target_loss: the loss to reach, as for `neps.run`. None: no target.
        patience: how many results may bring no improvement, as for `neps.run`. None: no limit.
        patience_cost: what these may cost, as for `neps.run`. None: no limit.
        expected_cost: what one evaluation is expected to cost: a number, or a function of the configuration. None: the
            mean of the costs told; then the first trial is alone until its cost was told.
        loss_value_on_error: the loss to record for a failed evaluation.
        cost_value_on_error: the cost to record for a failed evaluation, and with max_cost_total for one that has none.
            None: failures cost nothing.
        first_configs: configurations to ask for first, in this order, as for `neps.run`.
        start_from: the root directory of an earlier search, or several, to learn from, as for `neps.run`.
        **searcher_kwargs: the searcher's own settings; unknown ones are refused.

    Raises:
        neps.errors.ArgumentError: if an argument is wrong, or the run in `root_directory` is defined differently.
        neps.errors.DirectoryError: if `root_directory` can't be used, or one to start from holds no run.

    Example:
        >>> import neps
        >>> search = neps.AskAndTell({"x": neps.Float(0, 1)}, searcher="sobol", max_evaluations_total=8, seed=1)
        >>> while (trial := search.ask()) is not None:
        ...     _ = search.tell(trial, (trial.config["x"] - 0.3) ** 2)
        >>> search.done, search.reason
        (True, 'max_evaluations_total=8 is reached')
        >>> search.history.best.loss < 0.01
        True
    """

    @public("neps.AskAndTell", ELSEWHERE, hidden=1)
    def __init__(  # noqa: PLR0913 - one flat list of options, as of `neps.run`
        self,
        pipeline_space: Space,
        *,
        root_directory: str | Path | None = None,
        searcher: str | Sampler = "default",
        seed: int | None = None,
        max_evaluations_total: int | None = None,
        max_cost_total: float | None = None,
        max_fidelity_total: float | None = None,
        target_loss: float | None = None,
        patience: int | None = None,
        patience_cost: float | None = None,
        expected_cost: ExpectedCost | None = None,
        loss_value_on_error: float | None = None,
        cost_value_on_error: float | None = None,
        first_configs: Sequence[Mapping[str, Any]] | None = None,
        start_from: str | Path | Sequence[str | Path] | None = None,
        **searcher_kwargs: Any,
    ) -> None:
        space = tried(space_from(pipeline_space))
        own = own_arguments(AskAndTell.__init__)[1:]
        check_keywords("neps.AskAndTell", own, searcher, space, searcher_kwargs)
        missing_cost = ARGUMENTS.number_or_none("cost_value_on_error", cost_value_on_error, least=0)
        budget = budget_of(
            missing_cost,
            max_evaluations_total=max_evaluations_total,
            max_cost_total=max_cost_total,
            max_fidelity_total=max_fidelity_total,
            target_loss=target_loss,
            patience=patience,
            patience_cost=patience_cost,
        )
        self._settings = Settings(
            budget=budget,
            expected_cost=expected_cost
            if callable(expected_cost)
            else ARGUMENTS.number_or_none("expected_cost", expected_cost, least=0),
            loss_value_on_error=ARGUMENTS.number_or_none("loss_value_on_error", loss_value_on_error),
            cost_value_on_error=missing_cost,
        )
        drawn = ARGUMENTS.whole_or_none("seed", seed, least=0, most=LARGEST_SEED)
        check_fidelity_budget(budget.max_fidelity_total, space)
        check_cost_budget(resolve(searcher, space, searcher_kwargs), budget)
        self._space = space
        proposal = Proposal(
            root="" if root_directory is None else root_path(root_directory),
            space=space,
            searcher=searcher,
            searcher_settings=searcher_kwargs,
            seed=drawn,
            lease_seconds=None,
            first_configs=checked_configs(space, first_configs or (), "first_configs"),
            start=Start(earlier, space) if (earlier := roots_of(start_from)) else None,
        )
        make = _in_memory if root_directory is None else _in_root
        self._trials: Trials = make(proposal, self._settings)
        self._limit: Limit | None = None
        self._one_at_a_time = threading.RLock()

    def __repr__(self) -> str:
        with contextlib.suppress(NepsError, OSError):  # of a root that is gone, say
            return f"<AskAndTell: {len(self.history)} trials, {len(self._trials.pending)} pending>"
        return "<AskAndTell>"

    @property
    def history(self) -> History:
        """All trials that were asked for, as they are now; what is told later is not in it."""
        with self._one_at_a_time:
            return self._trials.history

    @property
    def pending(self) -> tuple[Trial, ...]:
        """The trials that wait to be told, by number. In a root directory those of an earlier process, too.

        Example:
            >>> import neps, tempfile
            >>> space, root = {"x": neps.Float(0, 1)}, tempfile.mkdtemp()
            >>> asked = neps.AskAndTell(space, root_directory=root, searcher="sobol", seed=1).ask()
            >>> again = neps.AskAndTell(space, root_directory=root)
            >>> again.pending
            (<Trial 1: running, waits for neps.tell>,)
            >>> again.tell(1, 0.5)
            <Trial 1: success, loss 0.5>
        """
        with self._one_at_a_time:
            return tuple(self._handed_out(trial) for _, trial in sorted(self._trials.pending.items()))

    @property
    def done(self) -> bool:
        """Whether the last `ask` found that nothing is left to evaluate, for good."""
        return self._limit is not None and self._limit.done

    @property
    def reason(self) -> str | None:
        """Why the last `ask` returned no trial; None if it did."""
        return self._limit.reason if self._limit is not None else None

    @public("neps.AskAndTell.ask", hidden=1)
    def ask(self) -> Trial | None:
        """The next trial to evaluate, which is pending from now on; None if none may start now.

        After None, tell a pending trial's result, and ask again; if none is pending, the search is at its end. `done`
        says whether it is at an end in any case, and `reason` why there is no trial.

        Returns:
            A trial with its `number`, its `config` (as run_pipeline gets it: with objects for their names), and with a
            fidelity its `fidelity` and `previous`: the number of the trial whose checkpoint it continues, None where it
            begins anew.

        Raises:
            neps.errors.SamplerError: if a sampler of your own answers what none may answer.
            neps.errors.DirectoryError: if the run was moved aside, or the filesystem fails. Nothing is lost: ask again.
        """
        with self._one_at_a_time:
            answer = self._trials.claim()
            self._limit = answer if isinstance(answer, Limit) else None
        return None if isinstance(answer, Limit) else self._handed_out(answer)

    @public("neps.AskAndTell.tell", hidden=1)
    def tell(self, trial: Trial | int, result: Any) -> Trial:
        """Say what came of an evaluation, once. A failure is a result, too, and stops nothing.

        Args:
            trial: a trial that `ask` returned, or its number.
            result: whatever `run_pipeline` may return: a loss, or a mapping with `loss` and optionally `cost`,
                `account_for_cost`, `info_dict` and `learning_curve`; what else is in it goes into `info_dict`. Or the
                exception that the evaluation raised, or a text that says what went wrong.

        Returns:
            The trial with its result.

        Raises:
            neps.errors.NotPendingError: if the trial was told already, was retried meanwhile, or was never asked for.
            neps.errors.DirectoryError: if the run was moved aside, or the filesystem fails.
            neps.errors.ArgumentError: if `result` can't be read, or has no cost though max_cost_total needs one. The
                trial is still pending then: tell it again.

        Example:
            >>> import neps
            >>> search = neps.AskAndTell({"x": neps.Float(0, 1)}, searcher="sobol")
            >>> first, second = search.ask(), search.ask()
            >>> search.tell(second, {"loss": 0.5, "accuracy": 0.9}).info_dict
            {'accuracy': 0.9}
            >>> search.tell(first, MemoryError("too large"))
            <Trial 1: failed, MemoryError: too large>
        """
        with self._one_at_a_time:
            told = self._pending(trial).number
            outcome = recorded(outcome_of(told, result), self._settings, 0.0)
            try:
                return self._trials.publish(told, outcome)
            except ReturnValueError as error:
                raise ArgumentError(f"Nothing was told of trial {told}, which is still pending: {error}") from error

    def _handed_out(self, trial: Trial) -> Trial:
        """With a configuration of its own, which the user may change, and as run_pipeline would get it."""
        own = trial.decision and dataclasses.replace(trial.decision, config=self._space.handed(trial.config))
        return dataclasses.replace(trial, decision=own)

    def _pending(self, given: Trial | int) -> Trial:
        """The pending trial that is meant."""
        known, asked = self._trials.pending, _number_of(given)
        trial = known.get(asked) or self._trials.history.by_number.get(asked)
        if trial is None:
            raise NotPendingError(_never_asked_for(asked, list(known)))
        if (why := _refusal(given if isinstance(given, Trial) else trial, trial, waits=asked in known)) is not None:
            raise NotPendingError(why)
        return trial


def _in_memory(asked: Proposal, settings: Settings) -> InMemory:
    if asked.searcher == "default":
        _logger.info("searcher='default' is %s: %s", *default_name(asked.space))
    sampler, seed = asked.sampler(), secrets.randbits(32) if asked.seed is None else asked.seed
    known, best = ((), ()) if asked.start is None else asked.start.results()
    first = (*asked.first_configs, *best)
    return InMemory(sampler, asked.space, seed, settings.budget, settings.expected_cost, _now, first, earlier=known)


def _in_root(asked: Proposal, settings: Settings) -> InRoot:
    """Join the run that is there, or start it."""
    if os.environ.get(CONFIRMING) and not current_trial():
        message = (
            f"{CONFIRMING} is set, by `neps confirm`, which has a script's neps.run confirm instead of searching; this "
            "one uses neps.AskAndTell, which would go on with the search. Nothing was evaluated. Call "
            "neps.confirm(run_pipeline, root_directory), with a function that evaluates a configuration."
        )
        raise ArgumentError(message)
    opened = open_run(asked.root, Identity.mine(), asked.define, overwrite=False, lease=asked.lease_seconds)
    try:
        sampler = asked.sampler_for(opened.definition)
        check_cost_budget(sampler, settings.budget)
        return InRoot(opened, asked.space, sampler, settings)
    except BaseException:
        opened.heartbeat.stop()
        raise


def _now() -> datetime:
    return datetime.now(UTC)


def _number_of(given: object) -> int:
    try:
        return given.number if isinstance(given, Trial) else operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentError(f"trial is {shown(given)}; it must be a trial that ask returned, or its number.") from None


def _never_asked_for(number: int, pending: list[int]) -> str:
    listed = ", ".join(map(str, pending[:_FEW])) + (", …" if len(pending) > _FEW else "")
    are = f"the pending trials are {listed}" if pending else "no trial is pending"
    return f"trial {shown(number)} was never asked for; {are}. Ask first."


def _refusal(given: Trial, known: Trial, *, waits: bool) -> str | None:
    """Why a trial can't be told, of which this is known now, and whether it waits for that; None if it can."""
    if _seed_of(given) != _seed_of(known):
        return f"trial is {given!r} of another search. Tell it to the one that you asked."
    if not waits:
        why = "was told already, and stays as it is" if known.ended else "doesn't wait to be told"
        return f"trial {known.number} {why}: {known!r}."
    if given.attempts != known.attempts:
        return (
            f"trial {given.number} was asked for in attempt {given.attempts}, and is in attempt {known.attempts} since "
            "it was retried. Tell what came of that one, from `pending` or by its number."
        )
    return None


def _seed_of(trial: Trial) -> int | None:
    """What tells searches apart: it follows from the search's seed and the number."""
    return trial.decision.seed if trial.decision is not None else None
