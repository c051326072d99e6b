"""`neps.run`: check the arguments, open the run, work, and return what is known. It owns no rule of the search."""

from __future__ import annotations

import difflib
import inspect
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from neps.api.arguments import choice, count, flag, number, root_path
from neps.api.defining import Proposal
from neps.api.ranks import check_no_rank
from neps.api.reading import load
from neps.budget import Budget, ExpectedCost
from neps.errors import ArgumentError
from neps.evaluation import check_signature
from neps.history import History
from neps.ledger.definition import LARGEST_SEED, LONGEST_LEASE_SECONDS
from neps.ledger.following import Follower
from neps.ledger.identity import Identity
from neps.ledger.opening import open_run
from neps.samplers import Sampler
from neps.samplers.registry import describe
from neps.space import Parameter, SearchSpace
from neps.views.announcing import Announcer
from neps.views.progress import check_progress, progress_display
from neps.views.summary import write_summary
from neps.worker import anew
from neps.worker.session import prepare, work
from neps.worker.settings import Keep, Settings

__all__ = ["run"]

_logger = logging.getLogger("neps")
Hooks = Iterable[Callable[[Sampler], Sampler]]


def run(  # noqa: PLR0913, PLR0917 - the contract: one function, one flat list of options
    run_pipeline: Callable[..., Any],
    root_directory: str | Path,
    pipeline_space: Mapping[str, Parameter] | SearchSpace,
    searcher: str | Sampler = "default",
    max_evaluations_total: int | None = None,
    max_evaluations_per_run: int | None = None,
    max_cost_total: float | None = None,
    max_fidelity_total: float | None = None,
    max_seconds_per_run: float | None = None,
    continue_until_max_evaluation_completed: bool = False,  # noqa: FBT001, FBT002
    expected_cost: ExpectedCost | None = None,
    seed: int | None = None,
    ignore_errors: bool = False,  # noqa: FBT001, FBT002
    loss_value_on_error: float | None = None,
    cost_value_on_error: float | None = None,
    max_attempts: int = 3,
    lease_seconds: float | None = None,
    progress: bool | Literal["auto"] = "auto",  # noqa: FBT001
    overwrite_working_directory: bool = False,  # noqa: FBT001, FBT002
    post_run_summary: bool = True,  # noqa: FBT001, FBT002
    task_id: str | int | None = None,
    development_stage_id: str | int | None = None,
    pre_load_hooks: Hooks | None = None,
    keep_checkpoints: Literal["all", "promotable", "best"] = "all",
    **searcher_kwargs: Any,
) -> History:
    """Minimise what `run_pipeline` returns, together with every other worker that shares `root_directory`.

    Start the same script as often as you like, on as many machines as you like, again after it was killed: what is
    there is joined. Returns once nothing is left to claim, or this call's share is done.

    Args:
        run_pipeline: called with a configuration by keyword, and with `pipeline_directory` and
            `previous_pipeline_directory` (absolute `pathlib.Path`; the latter may be None) where its signature names
            them. Returns the loss, or a mapping with `loss` and optionally `cost`, `account_for_cost`, `info_dict`,
            `learning_curve` (losses, the last at the fidelity; or see `neps.report`); what else is in the mapping goes
            into `info_dict`. It must not wait for all children of the process (`os.wait`): the worker has one.
        root_directory: the run's directory, on a filesystem that all workers see. Made if absent.
        pipeline_space: parameters by name.
        searcher: a searcher's name, a `Sampler`, or "default": freeze_thaw where a parameter is a fidelity
            (priorband with a default), else pibo where one has a default, else bayesian_optimization. The choice
            is logged.
        max_evaluations_total: trials over all workers, for ever; failed ones count. None: no limit.
        max_evaluations_per_run: evaluations by this call, failures and resumed trials included. None: no limit.
        max_cost_total: sum of the returned costs over all workers; a trial starts while what was returned and what
            the running ones are expected to cost is below it. None: no limit.
        max_fidelity_total: sum of the fidelity run by all workers, such as epochs; a trial that continues another one
            from k to m counts m - k. A trial starts while the sum over all decided ones, failed ones included, is below
            it, so it is exceeded by less than the last one adds. Needs a space with one fidelity. None: no limit.
        max_seconds_per_run: claim nothing new after so many seconds of this call. None: no limit.
        continue_until_max_evaluation_completed: stay until every trial has ended, ready to resume dead ones, instead
            of leaving once nothing is left to claim.
        expected_cost: what one evaluation is expected to cost: a number, or a function of the configuration. None: the
            mean of the costs seen of the same step of fidelity, from k to m (scaled by m - k while there are none);
            then the first trial runs alone, until it has returned a cost.
        seed: whole number from which all randomness is drawn. None: one is drawn and published.
        ignore_errors: go on after a failed evaluation, which is recorded as failed, instead of raising.
        loss_value_on_error: the loss to record for a failed evaluation.
        cost_value_on_error: the cost to record for a failed evaluation. With both, failures don't stop this worker.
        max_attempts: after so many deaths of its worker without progress, a trial is recorded as failed. Progress is a
            checkpoint saved by `neps.checkpoint`, or a `neps.report` of a further step; of checkpoints alone, ten times
            as many deaths are too many. The same for attempts that were left since the storage failed.
        lease_seconds: how long a worker may be silent before its trial is taken over: three times the filesystem's
            attribute cache or more, at most 10^9. None: 120, or as published.
        progress: whether to show a line of progress on standard error, below all else that is written to a terminal;
            "auto": if it is a terminal. Two plain lines there say in any case what was found and what is left; False
            silences these, too.
        overwrite_working_directory: move an earlier run in `root_directory` to `overwritten/`, once for a launch
            (NEPS_RUN_TOKEN, or SLURM's job), never under live workers: it joins those, and stays with their run. A
            second start in one SLURM job is no new launch: give it another NEPS_RUN_TOKEN.
        post_run_summary: write tables to `summary/` at the end.
        task_id: work in the subfolder `task_ID` of the root directory.
        development_stage_id: work in the subfolder `dev_ID` of that.
        pre_load_hooks: callables that take and return the sampler, called in order before the first trial.
        keep_checkpoints: which of the files that `neps.checkpoint` has saved stay on the disk; whatever can still be
            continued, resumed or retried always does, and so does the incumbent's. "all": all; "promotable": beside
            those the finished models, of trials at the highest fidelity; "best": no others. What is deleted is logged.
        **searcher_kwargs: the searcher's own settings; unknown ones are refused.

    Returns:
        The history of the whole run, as far as it is known at the end.

    Raises:
        neps.errors.ArgumentError: if an argument is wrong, before anything is written.
        neps.errors.LaunchError: if this process is one of several ranks of a distributed training (torchrun), likewise.
        neps.errors.DefinitionMismatchError: if the run in `root_directory` is defined differently.
        neps.errors.EvaluationError: if an evaluation of this worker failed (see `ignore_errors`); it is recorded.
        neps.errors.DirectoryError: if the directory can't be used, or not be written by this user.
        KeyboardInterrupt: after SIGINT; the trial was left and will be resumed. Other signals (SIGTERM; SIGUSR1,
            SIGUSR2, SIGHUP and SIGXCPU where they had no handler) end the process after that. A second signal ends it
            whatever run_pipeline does, after a grace: 5 s for SIGINT, 30 s for others.

    Example:
        >>> import neps, tempfile
        >>> history = neps.run(
        ...     run_pipeline=lambda x: (x - 0.3) ** 2,
        ...     root_directory=tempfile.mkdtemp(),
        ...     pipeline_space={"x": neps.Float(0, 1)},
        ...     searcher="random_search",
        ...     max_evaluations_total=3,
        ...     seed=1,
        ... )
        >>> len(history.trials), history.best.status
        (3, <Status.SUCCESS: 'success'>)
    """
    check_no_rank(os.environ)
    root = root_path(root_directory, task_id, development_stage_id)
    space = SearchSpace(pipeline_space)
    settings = Settings(
        budget=Budget(
            max_evaluations_total=count("max_evaluations_total", max_evaluations_total),
            max_cost_total=number("max_cost_total", max_cost_total, above=0),
            max_fidelity_total=number("max_fidelity_total", max_fidelity_total, above=0),
        ),
        max_evaluations_per_run=count("max_evaluations_per_run", max_evaluations_per_run),
        max_seconds_per_run=number("max_seconds_per_run", max_seconds_per_run, above=0),
        stay=flag("continue_until_max_evaluation_completed", continue_until_max_evaluation_completed),
        expected_cost=expected_cost if callable(expected_cost) else number("expected_cost", expected_cost, least=0),
        ignore_errors=flag("ignore_errors", ignore_errors),
        loss_value_on_error=number("loss_value_on_error", loss_value_on_error),
        cost_value_on_error=number("cost_value_on_error", cost_value_on_error, least=0),
        max_attempts=count("max_attempts", max_attempts) or 3,
        keep_checkpoints=Keep(choice("keep_checkpoints", keep_checkpoints, [str(keep) for keep in Keep])),
    )
    proposal = Proposal(
        root=root,
        space=space,
        searcher=searcher,
        searcher_settings=searcher_kwargs,
        seed=count("seed", seed, least=0, most=LARGEST_SEED),
        lease_seconds=number("lease_seconds", lease_seconds, above=0, most=LONGEST_LEASE_SECONDS),
    )
    _check_together(settings)
    _check_fidelity_budget(settings.budget.max_fidelity_total, space)
    check_signature(run_pipeline, space.parameters)
    _check_budget(_checked_sampler(proposal), settings.budget)
    hooks = _hooks(pre_load_hooks)
    check_progress(progress)
    overwrite = flag("overwrite_working_directory", overwrite_working_directory)
    summarise = flag("post_run_summary", post_run_summary)
    if overwrite:
        proposal.check()

    with progress_display(progress, settings.budget, space.fidelity) as display:
        opened = open_run(
            root, Identity.mine(), proposal.define, overwrite=overwrite, most=settings.budget.max_evaluations_total
        )
        announcer = Announcer(root, settings.budget, display, silent=progress is False)
        announcer.begins = _beginning(new=opened.new)
        try:
            sampler = _hooked(proposal.sampler_for(opened.definition), hooks)
            _check_budget(sampler, settings.budget)
            with anew.working(settings, overwrite=overwrite):
                context = prepare(opened, space, sampler, settings)
                if context.independent:
                    display.follow(Follower(opened.layout))
                evaluated = work(context, run_pipeline, announcer)
        finally:
            opened.heartbeat.stop()
        history = load(root)
        announcer.left(history, evaluated)
    if (spent := history.fidelity_spent) is not None:
        _logger.info("Fidelity spent by all trials of this run: %s", spent)
    if summarise:
        write_summary(root, history)
    return history


def _beginning(*, new: bool) -> str:
    if anew.restarted():
        return "restarted, and goes on in"
    return "new run in" if new else "joins the run in"


def _check_together(settings: Settings) -> None:
    """Refuse what would silently do nothing, or end badly."""
    if settings.budget.max_cost_total is not None and settings.ignore_errors and settings.cost_value_on_error is None:
        message = (
            "ignore_errors=True with max_cost_total needs cost_value_on_error: a failed trial returns no cost, so the "
            "budget might never be reached."
        )
        raise ArgumentError(message)
    if settings.budget == Budget():
        _logger.info(
            "No budget is given (max_evaluations_total, max_cost_total, max_fidelity_total): the run goes on until it "
            "is stopped, or until nothing new is left in a finite space: not all searchers stop there."
        )


def _check_fidelity_budget(most: float | None, space: SearchSpace) -> None:
    """Refuse one that counts nothing, and would never be spent."""
    if most is None or (space.highest_fidelity or 0) > 0:
        return
    has = f"an upper bound of {space.highest_fidelity:g}" if space.fidelity else f"{list(space.fidelities) or 'none'}"
    message = (
        f"max_fidelity_total is {most:g}, which counts the fidelity that is run, so the space needs exactly one, with "
        f"an upper bound above 0, but it has {has}. Mark one parameter, as in Integer(1, 81, is_fidelity=True), or use "
        "max_evaluations_total or max_cost_total."
    )
    raise ArgumentError(message)


def _checked_sampler(proposal: Proposal) -> Sampler:
    """Refuse an unknown searcher or setting; a misspelt argument of `run` itself comes in as a setting."""
    try:
        return proposal.sampler()
    except ArgumentError as error:
        own = [name for name in inspect.signature(run).parameters if name != "searcher_kwargs"]
        meant = [
            match for name in proposal.searcher_settings for match in difflib.get_close_matches(name, own, 1, 0.75)
        ]
        if not meant:
            raise
        message = f"{error} Or did you mean neps.run's own argument {meant[0]!r}?"
        raise ArgumentError(message) from None


def _check_budget(sampler: Sampler, budget: Budget) -> None:
    """Refuse a sampler that needs a budget which this call doesn't have; of a restart too, and one of a hook."""
    if sampler.needs_max_cost_total and budget.max_cost_total is None:
        name = describe(sampler)["name"]
        message = (
            f"searcher {name!r} needs max_cost_total, the budget by which it weighs costs, but none is given. Pass "
            "max_cost_total=… (a number above 0), and have run_pipeline return a cost."
        )
        raise ArgumentError(message)


def _hooks(hooks: Hooks | None) -> list[Callable[[Sampler], Sampler]]:
    if hooks is None:
        return []
    if not isinstance(hooks, Iterable):
        message = f"pre_load_hooks is {hooks!r}; it must be a list of callables that take and return a sampler."
        raise ArgumentError(message)
    checked = list(hooks)
    for hook in checked:
        if not callable(hook):
            message = f"pre_load_hooks has {hook!r}; each must be callable with a sampler and return one."
            raise ArgumentError(message)
    return checked


def _hooked(sampler: Sampler, hooks: list[Callable[[Sampler], Sampler]]) -> Sampler:
    for hook in hooks:
        sampler = hook(sampler)
        if not isinstance(sampler, Sampler):
            message = f"the pre_load_hook {hook!r} returned {sampler!r}; it must return a Sampler."
            raise ArgumentError(message)
    return sampler
