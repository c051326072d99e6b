"""What a prior does: how much sooner a good one gets as far as a search without any, and what a bad one costs.

A good prior is centred close to the minimiser, a bad one at the worst of some random configurations.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.comparing.pooling import pooled, worst
from benchmarks.comparing.study import Array
from benchmarks.coordination.report import Table
from benchmarks.problems import Config
from benchmarks.problems.synthetic import Surface
from benchmarks.simulated.running import SURFACES, Prior, Run, generator_of, perform_all, space_of
from neps.space import Confidence

__all__ = ["SpeedUp", "Trio", "bad_default", "cost", "good_default", "longer", "measure", "report", "runs", "speed_up"]

_STEP = 0.1
_SAMPLES = 20
_FASTER = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Trio:
    """The regrets by evaluation of three runs with the same seed: without a prior, with a good one, with a bad one."""

    without: Array
    good: Array
    bad: Array


@dataclasses.dataclass(frozen=True, slots=True)
class SpeedUp:
    """How many times as many evaluations are needed without the prior; no more than `factor` if it wasn't `reached`."""

    factor: float
    reached: bool


Trios = Mapping[str, Sequence[Trio]]
"""By problem, one of each seed."""


def good_default(surface: Surface, generator: np.random.Generator) -> Config:
    """The minimiser, with each number moved by a normal step of 10 % of its scaled range, within the bounds."""
    space = space_of(surface.space)
    numbers = [not parameter.categories for parameter in space.parameters.values()]
    steps = _STEP * generator.standard_normal(space.dimensions)
    return space.decode(space.encode(surface.minimiser) + np.where(numbers, steps, 0.0))  # which clips


def bad_default(surface: Surface, generator: np.random.Generator) -> Config:
    """The worst of 20 configurations, drawn uniformly, by their noise-free values."""
    space = space_of(surface.space)
    return max((space.sample(generator) for _ in range(_SAMPLES)), key=surface.problem().value)


def longer(evaluations: int) -> int:
    """20 % more."""
    return evaluations + evaluations // 5


def runs(problems: Sequence[str], seeds: Sequence[int], evaluations: int, confidence: Confidence) -> list[Run]:
    """Those of a `Trio`, in its order, for each problem and seed; seeds are in the outer loop."""
    return [run for seed in seeds for name in problems for run in _trio(name, seed, evaluations, confidence)]


def _trio(name: str, seed: int, evaluations: int, confidence: Confidence) -> Iterator[Run]:
    good = good_default(SURFACES[name], generator_of(name, seed, 1))
    bad = bad_default(SURFACES[name], generator_of(name, seed, 2))
    yield Run(name, seed, "without a prior", "bayesian_optimization", longer(evaluations))
    yield Run(name, seed, "good prior", "pibo", evaluations, prior=Prior(good, confidence))
    yield Run(name, seed, "bad prior", "pibo", longer(evaluations), prior=Prior(bad, confidence))


def measure(problems: Sequence[str], seeds: Sequence[int], evaluations: int, jobs: int, confidence: Confidence) -> str:
    """Make the runs, and say how they compare."""
    trios: dict[str, list[Trio]] = {name: [] for name in problems}
    for curves in perform_all(runs(problems, seeds, evaluations, confidence), jobs, len(seeds)):
        for name, *trio in zip(problems, curves[::3], curves[1::3], curves[2::3], strict=True):
            trios[name].append(Trio(*trio))
    return report(trios, evaluations, confidence)


def speed_up(trio: Trio, evaluations: int) -> SpeedUp:
    """Of the good prior, to the regret that the run without one has after so many evaluations."""
    target = float(trio.without[evaluations - 1])
    needed, with_prior = _first(trio.without, target), _first(trio.good, target)
    if needed is None:
        message = "a run always reaches its own regret"
        raise AssertionError(message)
    return SpeedUp(needed / (with_prior or len(trio.good)), reached=with_prior is not None)


def _first(curve: Array, target: float) -> int | None:
    """The number of the first evaluation with that regret or less."""
    numbers = np.flatnonzero(curve <= target)
    return int(numbers[0]) + 1 if len(numbers) else None


def cost(trio: Trio, evaluations: int, after: int) -> float:
    """By how much the log10 regret of the bad prior after `after` is above that of no prior after `evaluations`."""
    return float(np.log10(trio.bad[after - 1]) - np.log10(trio.without[evaluations - 1]))


def report(trios: Trios, evaluations: int, confidence: Confidence) -> str:
    """What good priors gain and bad ones cost, by problem and over all."""
    parts = (*_speed_ups(trios, evaluations, confidence), *_costs(trios, evaluations, confidence))
    return "\n\n".join(parts)


def _speed_ups(trios: Trios, evaluations: int, confidence: Confidence) -> Iterator[str]:
    yield f"## Speed-up by a good prior of {confidence} confidence"
    yield (
        "How many evaluations the search without a prior needs to come to the regret that it has after E, divided by "
        f"how many are needed with the prior: the median over seeds. Where {evaluations} with the prior don't get "
        f"there (not reached), {evaluations} is taken, so the speed-up is smaller than what is printed."
    )
    marks = (evaluations // 2, evaluations)
    found = {mark: {name: [speed_up(trio, mark) for trio in group] for name, group in trios.items()} for mark in marks}
    heading = [text for mark in marks for text in (f"E = {mark}", "not reached")]
    rows = [[name, *(cell for mark in marks for cell in _cells(found[mark][name]))] for name in trios]
    yield str(Table(("problem", *heading), rows))
    for mark in marks:
        yield _overall(found[mark], mark)


def _cells(group: Sequence[SpeedUp]) -> tuple[str, str]:
    return f"{_median(group):.2f}", f"{_missed(group)} of {len(group)}"


def _median(group: Sequence[SpeedUp]) -> float:
    return statistics.median(each.factor for each in group)


def _missed(group: Sequence[SpeedUp]) -> int:
    return sum(not each.reached for each in group)


def _overall(found: Mapping[str, Sequence[SpeedUp]], mark: int) -> str:
    logs = {name: [math.log(each.factor) for each in group] for name, group in found.items()}
    mean = pooled(logs).through(math.exp)
    verdict = "yes" if mean.mean >= _FASTER else "**NO**"
    missed, count = sum(map(_missed, found.values())), sum(map(len, found.values()))
    slowest = worst({name: _median(group) for name, group in found.items()}, ".2f", lowest=True)
    return (
        f"E = {mark}: geometric mean {mean.text('.2f')}, with its 95 % bootstrap interval. It is at least "
        f"{_FASTER:g}: {verdict} ({mean.side(_FASTER)}). Not reached in {missed} of {count} runs. "
        f"Worst: {slowest}."
    )


def _costs(trios: Trios, evaluations: int, confidence: Confidence) -> Iterator[str]:
    marks = (evaluations, longer(evaluations))
    yield f"## Cost of a bad prior of {confidence} confidence"
    yield (
        f"log10 regret with the prior, less that without one after {evaluations} evaluations: the mean over seeds. It "
        "is above 0 where the prior costs."
    )
    found = {
        mark: {name: [cost(trio, evaluations, mark) for trio in group] for name, group in trios.items()}
        for mark in marks
    }
    rows = [[name, *(f"{statistics.fmean(found[mark][name]):+.2f}" for mark in marks)] for name in trios]
    yield str(Table(("problem", *(f"after {mark}" for mark in marks)), rows))
    means = {mark: pooled(found[mark]) for mark in marks}
    for mark, mean in means.items():
        dearest = worst({name: statistics.fmean(group) for name, group in found[mark].items()}, "+.2f")
        yield (
            f"After {mark}: mean {mean.text('+.3f')}, with its 95 % bootstrap interval ({mean.side(0)}). "
            f"Worst: {dearest}."
        )
    last = means[marks[1]]
    verdict = "yes" if last.mean <= 0 else "**NO**"
    yield (
        f"A bad prior costs at most 20 % of the evaluations, which is so if the mean after {marks[1]} isn't above 0: "
        f"{verdict} ({last.side(0)})."
    )
