"""Runs in memory: a searcher minimises a problem with simulated workers, and what is kept is the regret by evaluation.

Called by `workers` and `priors`, which decide on the runs.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np

from benchmarks.comparing.study import FLOOR, Array
from benchmarks.problems import Config, Param
from benchmarks.problems import problem as named
from benchmarks.problems.synthetic import REPORTED, TUNED, Surface
from neps.samplers._registry import resolve
from neps.space import Categorical, Confidence, Float, Integer, SearchSpace, Value
from neps.testing.simulation import simulate

__all__ = ["SURFACES", "Prior", "Run", "generator_of", "perform", "perform_all", "regrets", "space_of"]

SURFACES: Mapping[str, Surface] = {surface.name: surface for surface in (*REPORTED, *TUNED)}
"""The functions whose minimum and minimiser are known. Of tables only the minimum is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Prior:
    """Where the user expects good values, and how surely."""

    default: Config
    confidence: Confidence


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run that is wanted. `label` says what is special about it."""

    problem: str
    seed: int
    label: str
    searcher: str
    evaluations: int
    workers: int = 1
    prior: Prior | None = None

    def __str__(self) -> str:
        return f"{self.problem}, seed {self.seed}, {self.label}"


def generator_of(name: str, seed: int, *stream: int) -> np.random.Generator:
    """Random numbers of a problem's seed; without `stream`, those of its noise, as `benchmarks.regret` draws them."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *stream])


def space_of(params: Sequence[Param], prior: Prior | None = None) -> SearchSpace:
    """The space that neps searches, with a prior on each parameter or on none."""
    kinds = {"float": Float, "integer": Integer, "categorical": Categorical}
    return SearchSpace({param["name"]: kinds[param["type"]](**_arguments(param, prior)) for param in params})


def _arguments(param: Param, prior: Prior | None) -> Param:
    own = {key: value for key, value in param.items() if key not in {"name", "type"}}
    if prior is None:
        return own
    return {**own, "default": prior.default[param["name"]], "default_confidence": prior.confidence}


def perform(run: Run) -> Array:
    """The regrets of a run, by evaluation. The searcher sees noise, which is the same for all runs of a seed."""
    problem, generator = named(run.problem), generator_of(run.problem, run.seed)
    if problem.optimum is None:
        message = f"nobody knows the optimum of {run.problem}, so a run on it has no regret"
        raise ValueError(message)
    space = space_of(problem.space, run.prior)
    losses, values = list[float](), list[float]()

    def objective(config: Mapping[str, Value]) -> float:
        losses.append(problem.loss(config, generator))
        values.append(problem.value(config))
        return losses[-1]

    sampler = resolve(run.searcher, space, {})
    simulate(sampler, space, objective, run.evaluations, seed=run.seed, workers=run.workers)
    return regrets(losses, values, problem.optimum)


def regrets(losses: Sequence[float], values: Sequence[float], minimum: float) -> Array:
    """By how much the value of the incumbent, which has the lowest loss so far, is above the minimum: `FLOOR` or more.

    The losses are observed, the values are without their noise.
    """
    incumbents = [int(np.argmin(losses[:number])) for number in range(1, len(losses) + 1)]
    return np.maximum(np.array(values)[incumbents] - minimum, FLOOR)


def perform_all(runs: Sequence[Run], jobs: int, seeds: int = 1) -> list[list[Array]]:
    """For each of so many seeds the regrets of its runs, of which there are as many; so many runs at once.

    Says on stderr as each ends. Interrupted, it leaves out the seeds that aren't whole.

    Raises:
        KeyboardInterrupt: if no seed is whole.
    """
    made, began = dict[int, Array](), time.monotonic()
    try:
        for index, curve in _in_any_order(runs, jobs):
            made[index] = curve
            progress = f"[{len(made)}/{len(runs)}, {time.monotonic() - began:.0f} s]"
            line = f"{progress} {runs[index]}: regret {curve[-1]:.3g} after {len(curve)}"
            print(line, file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        if not (whole := _whole(made, len(runs), seeds)):
            raise
        print(f"interrupted: {len(whole)} of {seeds} seeds are whole, and count", file=sys.stderr, flush=True)
        return whole
    return _whole(made, len(runs), seeds)


def _whole(made: Mapping[int, Array], runs: int, seeds: int) -> list[list[Array]]:
    """The curves of each seed all of whose runs have been made."""
    each = runs // seeds
    groups = (range(seed * each, (seed + 1) * each) for seed in range(seeds))
    return [[made[index] for index in group] for group in groups if all(index in made for index in group)]


def _in_any_order(runs: Sequence[Run], jobs: int) -> Iterator[tuple[int, Array]]:
    if jobs == 1:
        yield from enumerate(map(perform, runs))
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(perform, run): index for index, run in enumerate(runs)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)  # of use where a run failed
