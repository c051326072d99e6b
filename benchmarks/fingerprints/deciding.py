"""What a searcher decides: on each history that it takes, and in short simulated runs, which its own decisions made.

A decision becomes plain data that doesn't depend on how neps names its parts. Called by `recorded`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.fingerprints.histories import STORIES, Row, history_of, loss_at, rows_of, units_in
from benchmarks.fingerprints.spaces import SPACES, is_conditional, searched, space_of, unit_of
from neps._budget import Budget
from neps._history import History
from neps._trial import Decision, Value, place_fields
from neps.errors import ArgumentError
from neps.samplers._protocol import Done, Sampler, Suggestion, Wait
from neps.samplers._registry import resolve
from neps.testing.simulation import simulate

__all__ = ["RUNS", "Decisions", "decisions", "is_by_model", "is_near"]

_NEAR = 1e-3
"""Of a parameter's range."""

Decisions = dict[str, Any]
"""By where it was decided, as in "floats, trial 26": plain data."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A short run whose history the searcher makes itself; each so-manieth evaluation fails, or gives NaN."""

    space: str
    evaluations: int
    workers: int = 1
    failing: int = 0
    diverging: int = 0
    cost: float | None = None
    seed: int = 0
    brief: bool = False


RUNS: Mapping[str, Run] = {
    "run": Run("floats", 16),
    "run until all is known": Run("finite", 30, workers=3, failing=7, seed=1),
    "run with a prior": Run("good prior", 16, workers=2, seed=2),
    "run over epochs": Run("many epochs", 45, seed=3, brief=True),
    "run over epochs, 4 workers, failures": Run("many epochs", 45, workers=4, failing=6, diverging=11, seed=4),
    "run over epochs, good prior": Run("epochs, good prior", 36, workers=2, failing=9, seed=5, brief=True),
    "run over epochs, bad prior": Run("epochs, bad prior", 50, workers=3, failing=12, diverging=7, seed=9),
    "run over shares with a budget of cost": Run("share", 60, cost=8.0, seed=6),
    "run over shares, some priors": Run("share, some priors", 40, workers=3, diverging=8, seed=7),
    "run over finite epochs": Run("finite epochs", 40, failing=10, seed=8),
    "run in branches": Run("branches", 24, workers=2, failing=9, seed=10),
    "run in branches over epochs": Run("branches, epochs, prior", 40, workers=2, diverging=11, seed=11),
}


def decisions(searcher: str, settings: Mapping[str, Any], *, conditional: bool) -> Decisions:
    """All that a searcher decides in spaces with conditions, or in those without.

    With settings other than its defaults, where histories are brief.
    """
    made = (_on_histories(searcher, settings, conditional), _in_runs(searcher, settings, conditional))
    return dict(itertools.chain(*made))


def _on_histories(searcher: str, settings: Mapping[str, Any], conditional: bool) -> Iterator[tuple[str, Any]]:  # noqa: FBT001 - as it is called
    for name, story in STORIES.items():
        if is_conditional(SPACES[story.space]) != conditional:
            continue
        rows, space = _rows(name), space_of(SPACES[story.space])
        sampler = _sampler(searcher, space, settings) if story.brief or not settings else None
        if sampler is None:
            continue
        for count in story.asked:
            history = history_of(name, rows[:count])
            yield f"{name}, trial {count + 1}", _plain(_ask(sampler, history, _budget(rows[:count])), space)


def _in_runs(searcher: str, settings: Mapping[str, Any], conditional: bool) -> Iterator[tuple[str, Any]]:  # noqa: FBT001 - as it is called
    over_fidelities = _sampler(searcher, space_of(SPACES["floats"]), {}) is None
    for name, run in RUNS.items():
        space = space_of(SPACES[run.space])
        wanted = (run.brief or not settings) and (over_fidelities or run.cost or space.fidelity is None)
        wanted = wanted and is_conditional(SPACES[run.space]) == conditional
        sampler = _sampler(searcher, space, settings) if wanted else None
        if sampler is None:
            continue
        budget = Budget(max_evaluations_total=run.evaluations, max_cost_total=run.cost)
        history = simulate(sampler, space, _Objective(run), budget, seed=run.seed, workers=run.workers)
        for trial in history.trials:
            yield f"{name}, trial {trial.number}", _plain(trial.decision, space)
        yield f"{name}, trial {len(history.trials) + 1}", _plain(_ask(sampler, history, budget), space)


@functools.cache
def _rows(name: str) -> list[Row]:
    return rows_of(name)


def _sampler(searcher: str, space: Any, settings: Mapping[str, Any]) -> Sampler | None:
    """None where it refuses the space."""
    try:
        return resolve(searcher, space, settings)
    except ArgumentError:
        return None


def _budget(rows: list[Row]) -> Budget:
    """Twice what is spent already."""
    return Budget(max_evaluations_total=1000, max_cost_total=1.0 + 2.0 * sum(row.cost or 0.0 for row in rows))


def _ask(sampler: Sampler, history: History, budget: Budget) -> Suggestion | Wait | Done:
    number = len(history.trials) + 1
    seeds = np.random.SeedSequence(history.seed, spawn_key=(number,))
    return sampler.decide(history, number, budget, np.random.Generator(np.random.PCG64(seeds)))


class _Objective:
    """The loss of a configuration, and a cost if the run has a budget of it."""

    def __init__(self, run: Run) -> None:
        self._run, self._described, self._evaluations = run, SPACES[run.space], 0

    def __call__(self, config: Mapping[str, Value]) -> float | Mapping[str, float] | None:
        self._evaluations += 1
        if self._run.failing and self._evaluations % self._run.failing == 0:
            return None
        if self._run.diverging and self._evaluations % self._run.diverging == 0:
            return float("nan")
        described, best = self._described, (0.4, 0.7, 0.2)
        units = [unit_of(described[name], config[name]) if name in config else 0.0 for name in searched(described)]
        share = self._share(config)
        loss = loss_at(units_in(described, config, units, best), best, share)
        return {"loss": loss, "cost": float(f"{share * (0.5 + units[0]):.6g}")} if self._run.cost else loss

    def _share(self, config: Mapping[str, Value]) -> float:
        shares = [
            float(config[name]) / arguments["upper"]  # type: ignore[arg-type]
            for name, arguments in self._described.items()
            if arguments.get("is_fidelity")
        ]
        return shares[0] if shares else 1.0


def _plain(answer: Suggestion | Decision | Wait | Done | None, space: Any) -> Any:
    """A decision as plain data."""
    if isinstance(answer, Wait):
        return {"wait": answer.reason}
    if isinstance(answer, Done):
        return {"done": answer.reason}
    if answer is None:
        return None
    if not (space.is_conditional or sorted(answer.config) == sorted(space.parameters)):
        raise ValueError(f"a configuration of other parameters than the space's: {dict(answer.config)}")
    fields = {
        "config": {name: answer.config[name] for name in space.parameters if name in answer.config},
        "previous": answer.previous,
        "place": answer.place and list(place_fields(answer.place).values()),
        "reasons": dict(answer.metadata),
    }
    return {name: value for name, value in fields.items() if value not in (None, {})}


def is_by_model(decision: Mapping[str, Any]) -> bool:
    """Whether a model found a recorded decision."""
    return bool(_by(decision) == "model")


def is_near(name: str, decision: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two decisions, on the history or in the run of that name, differ by rounding at most."""
    described = SPACES[STORIES[name].space if name in STORIES else RUNS[name].space]
    if any(decision.get(part) != other.get(part) for part in ("previous", "place")) or _by(decision) != _by(other):
        return False
    if "config" not in decision or "config" not in other:
        return decision == other
    if decision["config"].keys() != other["config"].keys():
        return False
    shared = [key for key in searched(described) if key in decision["config"]]
    pairs = [(described[key], decision["config"][key], other["config"][key]) for key in shared]
    return all(abs(unit_of(each, one) - unit_of(each, two)) <= _NEAR for each, one, two in pairs)


def _by(decision: Mapping[str, Any]) -> Any:
    return decision.get("reasons", {}).get("by")
