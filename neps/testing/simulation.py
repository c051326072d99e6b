"""A run in memory: a sampler, an objective and simulated workers, without files, clocks or processes.

Tests of samplers and benchmarks call it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from neps._budget import Budget, ExpectedCost, Limit
from neps._deciding import InMemory, checked_configs, generator_for
from neps._evaluation import read_return_value
from neps._history import History
from neps._outcome import Outcome, Result
from neps._trial import Decision, Status, Trial
from neps._worker.recorded import recorded
from neps._worker.settings import Settings
from neps.samplers._protocol import Sampler, Suggestion
from neps.space import SearchSpace

__all__ = ["Objective", "decided", "ended", "generator_for", "simulate"]

_FAILED = "the objective failed"

Objective = Callable[[Mapping[str, Any]], float | Mapping[str, Any] | None]
"""What `run_pipeline` would return for a configuration, or None for an evaluation that fails."""


def simulate(  # noqa: PLR0913 - as many as `neps.run` has of these
    sampler: Sampler,
    space: SearchSpace,
    objective: Objective,
    budget: int | Budget,
    *,
    seed: int = 0,
    workers: int = 1,
    expected_cost: ExpectedCost | None = None,
    first_configs: Sequence[Mapping[str, Any]] = (),
    imported: Sequence[Trial] = (),
    earlier: Sequence[Trial] = (),
) -> History:
    """Run `sampler` as `neps.run` would, with workers whose evaluations all take equally long.

    Failures stop nobody, as with `ignore_errors=True`.

    Args:
        sampler: what decides each trial.
        space: the search space.
        objective: maps a configuration to its loss, to a mapping with `loss` and `cost`, or to None where the
            evaluation fails.
        budget: the number of trials, at least 1, or a Budget; fewer are made if the sampler is done. Its
            `cost_if_missing` is `neps.run`'s `cost_value_on_error`: failures cost as much, too.
        seed: the run's seed.
        workers: how many trials are pending while the next is decided, plus one; at least 1.
        expected_cost: as of `neps.run`.
        first_configs: as of `neps.run`.
        imported: results from elsewhere that the sampler learns from, as in `History.imported`.
        earlier: results of earlier runs, as in `History.earlier`.

    Returns:
        The history after all evaluations.

    Raises:
        neps.errors.ArgumentError: if the sampler can't search the space.
        neps.errors.SamplerError: if the sampler waits though nothing is pending, or its answer is wrong.
        neps.errors.ReturnValueError: if the objective returns what isn't a loss, or lacks a cost that `budget` needs.

    Example:
        >>> from neps.samplers import Sobol
        >>> from neps.space import Float
        >>> history = simulate(Sobol(), SearchSpace({"x": Float(-1, 1)}), lambda config: config["x"] ** 2, 16)
        >>> len(history.trials), history.best.loss < 0.01
        (16, True)
    """
    limits = Budget(max_evaluations_total=budget) if isinstance(budget, int) else budget
    sampler.check(space)
    run = InMemory(
        sampler,
        space,
        seed,
        limits,
        expected_cost,
        first_configs=checked_configs(space, first_configs, "first_configs"),
        imported=tuple(imported),
        earlier=tuple(earlier),
    )
    while not isinstance(answer := run.claim(), Limit) or not answer.done:
        if isinstance(answer, Limit) or len(run.pending) == workers:
            _finish(run, objective)
    while run.pending:
        _finish(run, objective)
    return run.history


def _finish(run: InMemory, objective: Objective) -> None:
    """Evaluate what has been pending for longest."""
    trial = next(iter(run.pending.values()))
    returned = objective(run.space.handed(trial.config))
    outcome = Outcome(success=False, error=_FAILED) if returned is None else read_return_value(returned)
    run.publish(
        trial.number,
        recorded(outcome, Settings(budget=run.budget, cost_value_on_error=run.budget.cost_if_missing), 0.0),
    )


def decided(space: SearchSpace, number: int, suggestion: Suggestion) -> Trial:
    """The pending trial that `suggestion` becomes, for histories made by hand: nothing is checked."""
    config = MappingProxyType(dict(suggestion.config))
    fidelity = config[space.fidelity] if space.fidelity is not None else None
    decision = Decision(
        number=number,
        config=config,
        fidelity=None if fidelity is None else float(fidelity),
        place=suggestion.place,
        previous=suggestion.previous,
        metadata=MappingProxyType(dict(suggestion.metadata)),
    )
    return Trial(number=number, decision=decision)


def ended(trial: Trial, loss: float | None, cost: float | None = None) -> Trial:
    """The same trial after its evaluation; a loss of None means that it failed."""
    success = loss is not None
    result = Result.of(success=success, loss=loss, cost=cost, error=None if success else _FAILED)
    status = Status.SUCCESS if success else Status.FAILED
    return Trial(number=trial.number, decision=trial.decision, result=result, status=status, spent=cost or 0.0)
