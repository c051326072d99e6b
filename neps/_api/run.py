"""`neps.run`: check the arguments, open the run, work, and return what is known. It owns no rule of the search."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neps._api.arguments import root_path
from neps._api.budgets import budget_of, check_cost_budget, check_fidelity_budget, check_together, has_no_budget
from neps._api.defining import Proposal
from neps._api.elsewhere import ELSEWHERE
from neps._api.forbidding import tried
from neps._api.hooks import Hooks, checked_hooks, hooked
from neps._api.keywords import check_keywords
from neps._api.spaces import Space, space_from
from neps._budget import ExpectedCost
from neps._calling import own_arguments, public
from neps._checking import ARGUMENTS
from neps._deciding import checked_configs
from neps._distributed.launched import group_of
from neps._evaluation import check_signature
from neps._history import History
from neps._ledger.definition import LARGEST_SEED, LONGEST_LEASE_SECONDS
from neps._ledger.identity import Identity
from neps._ledger.incumbent import Incumbent
from neps._ledger.launches import TOLD_ROOT
from neps._ledger.opening import open_run
from neps._ledger.reading import read_through_outages
from neps._ledger.rehearsal import VARIABLE, rehearsed
from neps._views.announcing import Announcer
from neps._views.progress import check_progress, progress_display
from neps._views.summary import try_to_write_summary, write_summary_within
from neps._worker import anew
from neps._worker.session import prepare, work
from neps._worker.settings import Keep, OnTimeLimit, Settings
from neps.callbacks import Callback
from neps.callbacks._protocol import checked
from neps.samplers import Sampler
from neps.space import SearchSpace

if TYPE_CHECKING:
    from neps._api.starting import Start
    from neps._distributed.leading import Leader

__all__ = ["CONFIRMING", "run"]

_logger = logging.getLogger("neps")
CONFIRMING = "NEPS_CONFIRM"
"""The environment variable by which `neps confirm` tells a script's `neps.run` to confirm."""
_SECONDS_FOR_SUMMARY = 5.0
"""At most, where a worker ends early: SLURM kills 30 s after a signal, some of which run_pipeline may have taken."""


@public("neps.run", ELSEWHERE)
def run(  # noqa: PLR0913 - the contract: one function, one flat list of options
    run_pipeline: Callable[..., Any],
    root_directory: str | Path,
    pipeline_space: Space,
    *,
    searcher: str | Sampler = "default",
    max_evaluations_total: int | None = None,
    max_evaluations_per_run: int | None = None,
    max_cost_total: float | None = None,
    max_fidelity_total: float | None = None,
    target_loss: float | None = None,
    patience: int | None = None,
    patience_cost: float | None = None,
    max_seconds_per_run: float | None = None,
    max_seconds_per_trial: float | None = None,
    on_time_limit: Literal["fail", "last_report"] = "fail",
    continue_until_max_evaluation_completed: bool = False,
    cost: Literal["returned", "duration"] = "returned",
    expected_cost: ExpectedCost | None = None,
    seed: int | None = None,
    ignore_errors: bool = False,
    loss_value_on_error: float | None = None,
    cost_value_on_error: float | None = None,
    max_attempts: int = 3,
    lease_seconds: float | None = None,
    progress: bool | Literal["auto"] = "auto",
    overwrite_working_directory: bool = False,
    post_run_summary: bool = True,
    task_id: str | int | None = None,
    development_stage_id: str | int | None = None,
    pre_load_hooks: Hooks | None = None,
    first_configs: Sequence[Mapping[str, Any]] | None = None,
    start_from: str | Path | Sequence[str | Path] | None = None,
    keep_checkpoints: Literal["all", "promotable", "best"] = "all",
    callbacks: Iterable[Callback] | None = None,
    **searcher_kwargs: Any,
) -> History:
    """Minimise what `run_pipeline` returns, together with every other worker that shares `root_directory`.

    Start the same script as often as you like, on as many machines as you like, again after it was killed: what is
    there is joined. Returns once nothing is left to claim, or this call's share is done. Under torchrun all ranks call
    it with the same arguments: rank 0 is the worker, and all train each trial together (see docs/distributed.md).

    To maximise an accuracy, return `{"loss": 1 - accuracy}` or `{"loss": -accuracy}`. There is no argument for that:
    all that is stored, shown, and read by other workers is a loss: lower is better.

    Args:
        run_pipeline: called with a configuration by keyword, and with `pipeline_directory` and
            `previous_pipeline_directory` (absolute `pathlib.Path`; the latter may be None) where its signature names
            them. Returns the loss, or a mapping with `loss` and optionally `cost`, `account_for_cost`, `info_dict`,
            `learning_curve` (losses, the last at the fidelity; or see `neps.report`); what else is in the mapping goes
            into `info_dict`. Or `neps.PENDING`: the evaluation goes on elsewhere, and `neps.tell` publishes its result.
            `neps.current_trial()` tells it the trial's number and seed, and when to save and return, so that a signal
            or the end of the job costs nothing. It must not wait for all children of the process (`os.wait`): the
            worker has one.
        root_directory: the run's directory, on a filesystem that all workers see. Made if absent.
        pipeline_space: parameters by name; or a SearchSpace, the path of a YAML or JSON file, or a ConfigurationSpace
            (see `neps.space_from`).
        searcher: a searcher's name, a `Sampler`, or "default": freeze_thaw where a parameter is a fidelity
            (freeze_thaw_prior with a default), else pibo where one has a default, else bayesian_optimization. The
            choice is logged.
        max_evaluations_total: trials over all workers and all restarts; failed ones count. None: no limit.
        max_evaluations_per_run: evaluations by this call, failures and resumed trials included. None: no limit.
        max_cost_total: sum of the returned costs over all workers; a trial starts while what was returned and what
            the running ones are expected to cost is below it. An evaluation that returns no cost raises
            EvaluationError; its loss is kept. None: no limit.
        max_fidelity_total: sum of the fidelity run by all workers, such as epochs; a trial that continues another one
            from k to m counts m - k. A trial starts while the sum over all decided ones, failed ones included, is below
            it, so the sum exceeds it by less than the last one's part. Needs a space with one fidelity. None: no limit.
        target_loss: begin nothing new once a trial has reached this loss, or a lower one, at the highest fidelity. What
            runs ends normally. None: no target.
        patience: the same once so many results in a row have brought no improvement: a lower loss, or a finite one at a
            higher fidelity than any before. An equal loss is none; a failed trial counts. Only trials count that were
            decided with the best loss known, so that many workers don't use it up at once; with a fidelity, each by its
            part of a full evaluation. A later start with more patience goes on. None: no limit.
        patience_cost: the same by what these trials cost, in all. None: no limit.
        max_seconds_per_run: claim nothing new after so many seconds of this call. None: no limit.
        max_seconds_per_trial: after so many seconds, an evaluation ends at its next call of `neps.report` or
            `neps.checkpoint`, and the worker goes on with the next trial. Attempts that were handed back count, too. A
            loss that is returned later counts all the same: so `neps.current_trial().should_stop()`, which is True from
            then on, is a way to end with one. Without any of these calls for another lease_seconds, the trial ends as
            failed, and the process restarts with its command line; where that isn't safe, it runs on. None: no limit.
        on_time_limit: "fail": it is recorded as failed. "last_report": with the loss of its last report, whatever its
            step, at the trial's own fidelity; as failed if it has reported nothing.
        continue_until_max_evaluation_completed: stay until every trial has ended, ready to resume dead ones, instead
            of leaving once nothing is left to claim.
        cost: "returned": what run_pipeline returns as its cost. "duration": the seconds that the evaluation took, also
            of one that fails; a cost that is returned then goes into `info_dict`. Of a trial that was resumed these are
            the seconds of its last attempt: what a killed worker used isn't known, and doesn't count. Pass the same to
            all workers of a run.
        expected_cost: what one evaluation is expected to cost: a number, or a function of the configuration, with
            the values that run_pipeline gets. None: the mean of the costs seen of the same step of fidelity, from k to
            m (scaled by m - k while there are none); then the first trial runs alone, until it has returned a cost.
        seed: whole number from which all randomness is drawn. None: one is drawn and published.
        ignore_errors: go on after a failed evaluation, which is recorded as failed, instead of raising.
        loss_value_on_error: the loss to record for a failed evaluation.
        cost_value_on_error: the cost to record for a failed evaluation, and with max_cost_total or patience_cost for
            one that returns no cost; trials that already ended without one count at it, too. With both, failures don't
            stop this worker.
        max_attempts: after so many deaths of its worker without progress, a trial is recorded as failed. Progress is a
            checkpoint saved by `neps.checkpoint`, or a `neps.report` of a further step; of checkpoints alone, ten times
            as many deaths are too many. The same for attempts that were handed back because the storage failed, or
            because their jobs were too short for any progress.
        lease_seconds: how long a worker may be silent before its trial is taken over: three times the filesystem's
            attribute cache or more, at most 10^9. None: 120, or as published.
        progress: whether to show a line of progress on standard error, below all else that is written to a terminal;
            "auto": if it is a terminal. Two plain lines say what was found and what is left, even without it; False
            silences these, too.
        overwrite_working_directory: move an earlier run in `root_directory` to `overwritten/`, once for a launch
            (NEPS_RUN_TOKEN, or SLURM's job), never under live workers: it joins those, and stays with their run. A
            second start in one SLURM job is no new launch: give it another NEPS_RUN_TOKEN.
        post_run_summary: write tables to `summary/` at the end, also after an error, Ctrl-C or a signal: then within
            5 s, or not at all.
        task_id: work in the subfolder `task_ID` of the root directory.
        development_stage_id: work in the subfolder `dev_ID` of that.
        pre_load_hooks: callables that take and return the sampler, called in order before the first trial.
        first_configs: configurations that the first trials of a new run evaluate, in this order, before the searcher
            decides; each of some or all parameters, by name. What is missing is its default, or else drawn. Without a
            fidelity, they begin where the searcher begins new ones. They count as any trial does. All workers pass the
            same, or none; `neps.enqueue` adds more later.
        start_from: the root_directory of an earlier run, or several, from which a new run learns; their spaces may have
            been narrower, wider, or have had other parameters. What is new in this space needs a default, with which
            the earlier run went; what lies outside is left out, and it is said how much. Its best configuration is
            evaluated first. How far the rest is believed, the new results decide, so it may have been another data set.
        keep_checkpoints: which of the files that `neps.checkpoint` has saved stay on the disk; whatever can still be
            continued, resumed or retried always does, and so does the incumbent's. "all": all; "promotable": beside
            those the finished models, of trials at the highest fidelity; "best": no others. What is deleted is logged.
        callbacks: told when a trial of this worker starts, reports a loss and ends: `neps.Callback`s of your own, or
            ready ones for experiment trackers (`neps.callbacks`). An error in one is logged and costs nothing.
        **searcher_kwargs: the searcher's own settings; unknown ones are refused.

    Returns:
        The history of the whole run, as far as it is known at the end.

    Raises:
        neps.errors.ArgumentError: if an argument is wrong, before anything is written.
        neps.errors.LaunchError: if this process is one of several ranks of a distributed training that torchrun has not
            started, likewise; or if not all ranks of torchrun call it; or if its job is shorter than the `margin` that
            run_pipeline asks `should_stop` for (see docs/inside-run-pipeline.md).
        neps.errors.RankError: if the ranks of torchrun can't go on together: one died, say. The trial is resumed.
        neps.errors.DefinitionMismatchError: if the run in `root_directory` is defined differently.
        neps.errors.EvaluationError: if an evaluation of this worker failed (see `ignore_errors`), or returned no cost
            where max_cost_total is given; it is recorded.
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
    group = group_of(os.environ)
    root = rehearsed(root_path(root_directory, task_id, development_stage_id))
    if (confirmed := _confirmed(root, locals())) is not None:
        return confirmed
    space = tried(space_from(pipeline_space))
    check_keywords("neps.run", own_arguments(run), searcher, space, searcher_kwargs)
    missing_cost = ARGUMENTS.number_or_none("cost_value_on_error", cost_value_on_error, least=0)
    settings = Settings(
        budget=budget_of(
            missing_cost,
            max_evaluations_total=max_evaluations_total,
            max_cost_total=max_cost_total,
            max_fidelity_total=max_fidelity_total,
            target_loss=target_loss,
            patience=patience,
            patience_cost=patience_cost,
        ),
        max_evaluations_per_run=ARGUMENTS.whole_or_none("max_evaluations_per_run", max_evaluations_per_run),
        max_seconds_per_run=ARGUMENTS.number_or_none("max_seconds_per_run", max_seconds_per_run, above=0),
        max_seconds_per_trial=ARGUMENTS.number_or_none("max_seconds_per_trial", max_seconds_per_trial, above=0),
        on_time_limit=OnTimeLimit(
            ARGUMENTS.choice("on_time_limit", on_time_limit, [str(each) for each in OnTimeLimit])
        ),
        wait_for_all=ARGUMENTS.flag("continue_until_max_evaluation_completed", continue_until_max_evaluation_completed),
        expected_cost=expected_cost
        if callable(expected_cost)
        else ARGUMENTS.number_or_none("expected_cost", expected_cost, least=0),
        cost_is_duration=ARGUMENTS.choice("cost", cost, ("returned", "duration")) == "duration",
        ignore_errors=ARGUMENTS.flag("ignore_errors", ignore_errors),
        loss_value_on_error=ARGUMENTS.number_or_none("loss_value_on_error", loss_value_on_error),
        cost_value_on_error=missing_cost,
        max_attempts=ARGUMENTS.whole_or_none("max_attempts", max_attempts) or 3,
        keep_checkpoints=Keep(ARGUMENTS.choice("keep_checkpoints", keep_checkpoints, [str(keep) for keep in Keep])),
        callbacks=checked(callbacks),
    )
    proposal = Proposal(
        root=root,
        space=space,
        searcher=searcher,
        searcher_settings=searcher_kwargs,
        seed=ARGUMENTS.whole_or_none("seed", seed, least=0, most=LARGEST_SEED),
        lease_seconds=ARGUMENTS.number_or_none("lease_seconds", lease_seconds, above=0, most=LONGEST_LEASE_SECONDS),
        first_configs=checked_configs(space, first_configs or (), "first_configs"),
        start=_start(start_from, space),
    )
    check_together(settings, searcher)
    check_fidelity_budget(settings.budget.max_fidelity_total, space)
    check_signature(run_pipeline, space.arguments, space.conditional)
    check_cost_budget(proposal.sampler(), settings.budget)
    hooks = checked_hooks(pre_load_hooks)
    check_progress(progress)
    overwrite = ARGUMENTS.flag("overwrite_working_directory", overwrite_working_directory)
    summarise = ARGUMENTS.flag("post_run_summary", post_run_summary)
    if overwrite:
        proposal.check()

    leading: AbstractContextManager[Leader | None] = contextlib.nullcontext()
    if group is not None:
        from neps._distributed.following import follow
        from neps._distributed.leading import leading as lead

        alike = _alike(root, space, proposal, settings)
        if group.rank:
            return follow(group, alike, run_pipeline, root, space, settings)
        leading = lead(group, alike)

    with leading as leader, progress_display(progress, settings.budget, space.fidelity) as display:
        opened = open_run(
            root,
            Identity.mine(),
            proposal.define,
            overwrite=overwrite,
            most=settings.budget.max_evaluations_total,
            lease=proposal.lease_seconds,
        )
        announcer = Announcer(root, settings.budget, display, silent=progress is False)
        announcer.begins = _beginning(new=opened.new)
        announcer.searcher = opened.definition.searcher["name"]
        announcer.notes += [*_notes(settings, searcher, space, opened.moved), *_other_root(root)]
        try:
            sampler = hooked(proposal.sampler_for(opened.definition), hooks)
            check_cost_budget(sampler, settings.budget)
            with anew.working(settings, overwrite=overwrite):
                last = functools.partial(write_summary_within, root, _SECONDS_FOR_SUMMARY) if summarise else None
                context = prepare(opened, space, sampler, settings, peers=leader)
                if leader is not None:
                    leader.opened(opened.definition.run, context.lease, opened.heartbeat.stop)
                display.follow(Incumbent(opened.layout) if context.independent else None, context.improvement)
                evaluated = work(context, run_pipeline, announcer, last)
        finally:
            opened.heartbeat.stop()
        history = read_through_outages(root, opened.definition)
        if leader is not None:
            leader.share(history)
        announcer.left(history, evaluated)
    _conclude(root, history, summarise=summarise)
    return history


def _start(given: object, space: SearchSpace) -> Start | None:
    if given is None:
        return None
    from neps._api.starting import Start, roots_of

    return Start(roots, space) if (roots := roots_of(given)) else None


def _alike(root: str, space: SearchSpace, proposal: Proposal, settings: Settings) -> dict[str, str]:
    """What all ranks of one training have to be called with, as text."""
    searcher = proposal.searcher if isinstance(proposal.searcher, str) else type(proposal.searcher).__qualname__
    budget = dataclasses.asdict(settings.budget)
    own = (
        *("max_evaluations_per_run", "max_seconds_per_run", "max_seconds_per_trial", "on_time_limit"),
        *("ignore_errors", "max_attempts"),
    )
    return {
        "root_directory": root,
        "pipeline_space": json.dumps([space.definition(), space.forbidden_definition()], default=str),
        "searcher": f"{searcher} {sorted(proposal.searcher_settings)}",
        "seed": str(proposal.seed),
        "lease_seconds": str(proposal.lease_seconds),
        "first_configs": json.dumps([*map(dict, proposal.first_configs)]),
        "start_from": str(proposal.start.roots if proposal.start is not None else ()),
        **{name: str(value) for name, value in budget.items()},
        **{name: str(getattr(settings, name)) for name in own},
    }


def _conclude(root: str, history: History, *, summarise: bool) -> None:
    if (spent := history.fidelity_spent) is not None:
        _logger.info("Fidelity spent by all trials of this run: %s", spent)
    if summarise:
        try_to_write_summary(root, history)


def _confirmed(root: str, given: Mapping[str, Any]) -> History | None:
    """What the call returns where `neps confirm` has started the script, and it is not to search."""
    if not os.environ.get(CONFIRMING):
        return None
    from neps._api.confirming import confirmed_instead

    return confirmed_instead(root, given)


def _beginning(*, new: bool) -> str:
    if anew.restarted():
        return "restarted, and goes on in"
    return "new run in" if new else "joins the run in"


def _notes(settings: Settings, searcher: str | Sampler, space: SearchSpace, moved: str | None) -> Iterator[str]:
    """What people may not expect of this call."""
    if len(space.fidelities) > 1:
        yield f"The fidelities {', '.join(space.fidelities)} stay at their upper bounds: searchers use a single one."
    if moved is not None:
        yield f"The earlier run was moved to {moved} (overwrite_working_directory)."
    if (
        has_no_budget(settings, searcher)
        and settings.max_evaluations_per_run is None
        and settings.max_seconds_per_run is None
    ):
        yield "No budget is given: it runs until you stop it (see max_evaluations_total)."


def _other_root(root: str) -> Iterator[str]:
    """Whoever has launched this worker will look for the run, and stop it, where they said that it is."""
    told = os.environ.get(TOLD_ROOT)
    if not told or os.environ.get(VARIABLE) or Path(os.path.realpath(root)).is_relative_to(os.path.realpath(told)):
        return
    yield (
        f"neps launch was given --root {told}, but this script's root_directory is {root}: the logs are in the former, "
        f"the search in the latter. Look at it by `neps status {root}`, and give that as --root next time."
    )
