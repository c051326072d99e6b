"""What a model over configurations and fidelities makes of a history: new configurations, and what to continue.

Needs scipy, so samplers import it when they first need a model. The mathematics is in `neps._models`; here it meets
trials: failures, pending ones, checkpoints, learning curves, and what earlier decisions remember.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neps._fidelity import level_of
from neps._history import History
from neps._models.acquisition import LogExpectedImprovement
from neps._models.fidelity_process import FidelityHyperparameters, FidelityProcess
from neps._models.fidelity_surrogate import FidelitySurrogate, fidelity_surrogate
from neps._models.stopping import Stages
from neps._ranking import loss_key, ranks
from neps._rounding import just_above
from neps._trial import Trial, Value
from neps.samplers._drawing.claimed import Claimed
from neps.samplers._model_based.axes import Axes, axes_of
from neps.samplers._model_based.proposal import (
    INCUMBENTS,
    PENDING,
    Term,
    calm,
    observed_loss,
    ranked,
    remembered,
    remembered_as,
    with_term,
)
from neps.samplers._model_based.step_costs import step_costs, step_of

__all__ = ["continuation", "new_configuration"]

_Array = NDArray[np.float64]

_EXPLORATION = 0.1
"""How much of the model's standard deviation counts where a new configuration is looked for. Cheap evaluations are many
and worth more near what is known to be good. The choice between it and what may be continued counts all of it."""
_FORGONE = 0.05
"""How much of a new configuration's rate, in logarithms, is given away where that spares decisions: it begins at the
highest rung of which no more is lost. The lowest ones tell little where they are noisy, or where it is too good."""
_FROZEN = 500  # of more that may be continued, those with the lowest losses at each level are looked at
_BLOCK = 2**21  # how many covariances are looked at together
_NEGLIGIBLE = 1e-12
_OWN = ("walk", "slope", "trend", "early_noise")


def new_configuration(
    history: History, levels: Sequence[float], generator: np.random.Generator, term: Term | None = None
) -> tuple[dict[str, Value], dict[str, Any]] | None:
    """The configuration that promises most at the highest fidelity.

    Args:
        history: with at least one ended trial.
        levels: the rungs, from the lowest.
        generator: draws the candidates.
        term: what to add to log expected improvement.

    Returns:
        The configuration and the metadata to remember, or None where all configurations are taken.
    """
    with calm():
        beliefs = _Beliefs(history, levels)
        point = beliefs.newcomer(generator, term)
        return None if point is None else (history.space.decode(point), beliefs.metadata)


def continuation(
    history: History,
    levels: Sequence[float],
    rungs: Sequence[float],
    generator: np.random.Generator,
    random_interleave_prob: float = 0.0,
    term: Term | None = None,
) -> tuple[dict[str, Value], Trial | None, int, dict[str, Any]] | None:
    """What to run next: a trial's continuation, or a new configuration.

    Args:
        history: with at least one ended trial.
        levels: the fidelities at which there is a choice, from the lowest.
        rungs: what a plan beyond the next step looks at, or the level before; with the lowest and the highest.
        generator: draws the candidates for a new configuration.
        random_interleave_prob: with this probability the new configuration is drawn uniformly.
        term: what to add to log expected improvement where a new configuration is looked for.

    Returns:
        The configuration, the trial to continue, which of the levels to run to, and the metadata to remember; or None
        where there is nothing to continue, and nothing new. A new configuration runs to the highest rung at which to
        begin loses it no more than 5 % of its rate.
    """
    with calm():
        beliefs = _Beliefs(history, levels)
        drawn = random_interleave_prob > 0.0 and generator.random() < random_interleave_prob
        newcomer = beliefs.random(generator) if drawn else beliefs.newcomer(generator, term)
        return beliefs.leader(newcomer, np.unique([beliefs.level(rung) for rung in rungs]))


@dataclasses.dataclass(frozen=True, eq=False)
class _Beliefs:
    """What is believed, given a history: a process over its configurations and fidelities, pending trials included."""

    history: History
    levels: Sequence[float]

    @functools.cached_property
    def axes(self) -> Axes:
        return axes_of(self.history.space)

    @functools.cached_property
    def decided(self) -> list[Trial]:
        return [trial for trial in self.history.trials if trial.decision is not None]

    @functools.cached_property
    def frozen(self) -> list[Trial]:
        """The trials that may be continued: not yet at the highest fidelity, with a finite loss, continued by none.

        At most 500, from each level in turn the one with the lowest loss.
        """
        continued = {trial.previous for trial in self.decided}
        frozen = [
            trial
            for trial in self.decided
            if ranks(trial) and trial.number not in continued and self.level(trial.fidelity) < len(self.levels) - 1
        ]
        if len(frozen) <= _FROZEN:
            return frozen
        ranked: list[tuple[int, Trial]] = []
        begun: Counter[int] = Counter()
        for trial in sorted(frozen, key=loss_key):
            level = self.level(trial.fidelity)
            ranked.append((begun[level], trial))
            begun[level] += 1
        chosen = sorted(ranked, key=lambda each: each[0])[:_FROZEN]  # stable: of equal ranks the lower loss
        return sorted((trial for _, trial in chosen), key=lambda trial: trial.number)

    @functools.cached_property
    def surrogate(self) -> FidelitySurrogate:
        trials, fidelities, losses = zip(*self._observations(), strict=True)
        points = self.axes.encode(trial.config for trial in trials)
        return fidelity_surrogate(
            points, self._distances(fidelities), np.array(losses), self.axes.choices, self._remembered()
        )

    @functools.cached_property
    def process(self) -> FidelityProcess:
        """The surrogate's, as if pending trials had ended as it predicts."""
        process = self.surrogate.process
        pending = [trial for trial in self.decided if not trial.ended][-PENDING:]
        if not pending:
            return process
        points = self.axes.encode(trial.config for trial in pending)
        return process.believing_at(points, self._distances([trial.fidelity for trial in pending]))

    @functools.cached_property
    def means(self) -> _Array:
        """What is predicted, at the highest fidelity, of each observation's configuration: (n,)."""
        return self.process.mean(self.process.X)

    @functools.cached_property
    def best(self) -> float:
        """What is predicted of the best that is at the highest fidelity; of the worst of all, before there is one."""
        finished = self.process.u == 0.0
        return float(self.means[finished].min() if finished.any() else self.means.max())

    @property
    def metadata(self) -> dict[str, Any]:
        """What a decision remembers: where the next fit begins."""
        h = self.surrogate.process.over_fidelities
        own = {name: getattr(h, name) for name in _OWN}
        return {"by": "model", "model": remembered_as(dataclasses.asdict(h.top) | own, self.surrogate.warp)}

    def leader(
        self, newcomer: _Array | None, planned: NDArray[np.intp]
    ) -> tuple[dict[str, Value], Trial | None, int, dict[str, Any]] | None:
        """Which rate is highest, of those of frozen trials and of the newcomer (d,) from each planned level: the same.

        See `continuation`.
        """
        frozen = self.frozen
        points = self.axes.encode(trial.config for trial in frozen)
        begun = np.array([self.level(trial.fidelity) for trial in frozen], dtype=np.intp)
        first = begun + 1
        if newcomer is not None:
            points = np.concatenate([points, np.tile(newcomer, (len(planned), 1))])
            begun, first = np.append(begun, np.full_like(planned, -1)), np.append(first, planned)
        if not len(points):
            return None
        rates = self.stages(points, begun, first, planned).log_rates
        leader = int(rates.argmax())
        if leader < len(frozen):
            return dict(frozen[leader].config), frozen[leader], int(first[leader]), self.metadata
        leader = int(np.flatnonzero(rates >= rates[leader] - _FORGONE).max(initial=leader))
        return self.history.space.decode(points[leader]), None, int(first[leader]), self.metadata

    def newcomer(self, generator: np.random.Generator, term: Term | None = None) -> _Array | None:
        """The point that promises most at the highest fidelity, of those that no trial has: (d,), or None."""
        if Claimed.of(self.history).exhausted is not None:
            return None
        best = min(self.best, float(self.means.min()))
        improvement = LogExpectedImprovement(self.process, best)
        acquisition = with_term(improvement, _EXPLORATION, term, self.axes, self.decided)
        incumbents = self.process.X[np.argsort(self.means, kind="stable")[:INCUMBENTS]]
        Z = ranked(self.axes, acquisition, incumbents, generator)
        config = self.axes.first_unclaimed(Z, self.process.X, Claimed.of(self.history))
        return self.random(generator) if config is None else self.axes.encode([config])[0]

    def random(self, generator: np.random.Generator) -> _Array | None:
        """A point that is drawn uniformly of those that no trial has: (d,), or None."""
        claimed = Claimed.of(self.history)
        return None if claimed.exhausted else self.axes.encode([claimed.another(generator)])[0]

    def level(self, fidelity: float | None) -> int:
        """The highest level that a fidelity has reached; -1 below the lowest."""
        return level_of(fidelity, self.levels)

    def stages(
        self, points: _Array, begun: NDArray[np.intp], first: NDArray[np.intp], planned: NDArray[np.intp]
    ) -> Stages:
        """What is ahead of candidates (m, d), which have reached the levels `begun` (m,), -1 of none.

        They run to the levels `first` (m,), and from there from one that is planned to the next.
        """
        levels = np.array(self.levels)
        means, (deviations, costs) = np.zeros(len(points)), np.zeros((2, len(points), len(levels)))
        costs_seen = step_costs(self.decided, self.history.by_number, self.levels)
        total = np.concatenate([[0.0], np.cumsum(costs_seen)])
        for last, to in np.unique(np.stack([begun, first], axis=1), axis=0):
            ahead = np.append(to, planned[planned > to])
            rows = np.flatnonzero((begun == last) & (first == to))
            means[rows], deviations[rows, -len(ahead) :] = self._expected(points[rows], levels[ahead])
            widths = np.diff(total[[last + 1, *(ahead + 1)]])
            costs[rows, -len(ahead) :] = np.maximum(widths, _NEGLIGIBLE * total[-1])
        used = (costs > 0.0).any(axis=0)
        return Stages(means, deviations[:, used], costs[:, used], self.best)

    def _expected(self, points: _Array, levels: _Array) -> tuple[_Array, _Array]:
        """What is predicted of points (m, d) at the last of these levels (k,), and by how much each changes that.

        (m,) and (m, k). They are looked at in blocks, or all covariances of many levels wouldn't fit into memory.
        """
        distances = self._distances(levels.tolist())
        noise = self.process.noise(distances)
        rows = max(_BLOCK // (len(self.process.X) * len(levels)), 1)
        parts = [self.process.joint(points[at : at + rows], distances) for at in range(0, len(points), rows)]
        means = np.concatenate([part[:, -1] for part, _ in parts])
        return means, np.array([_changes(each, noise) for _, covariances in parts for each in covariances])

    def _observations(self) -> Iterator[tuple[Trial, float, float]]:
        """Losses at the ends of trials, and where their learning curves pass levels on the way; imported ones first."""
        for trial in self.history.imported:
            yield trial, trial.fidelity or self.levels[-1], observed_loss(trial)
        for trial in self.decided:
            if (step := step_of(trial, self.history.by_number)) is not None:
                for low, level in itertools.pairwise((0.0, *self.levels)):
                    if step.begin < level < step.end and (passed := _passed(trial, low, level)) is not None:
                        yield trial, *passed
            if trial.ended:
                yield trial, trial.fidelity or self.levels[-1], observed_loss(trial)

    def _distances(self, fidelities: Sequence[float | None]) -> _Array:
        """How far fidelities are from the highest, in logarithms: from 0 there to 1 at the lowest level and below."""
        low, high = self.levels[0], self.levels[-1]
        if low == high:
            return np.zeros(len(fidelities))
        distances = [math.log(high / (fidelity or high)) / math.log(high / low) for fidelity in fidelities]
        return np.minimum(distances, 1.0)  # a learning curve may begin anywhere above 0

    def _remembered(self) -> tuple[FidelityHyperparameters, float] | None:
        found = remembered(self.decided, self.axes.dimensions, _OWN)
        return None if found is None else (FidelityHyperparameters(found[0], *found[2]), found[1])


def _passed(trial: Trial, low: float, level: float) -> tuple[float, float] | None:
    """The last of (low, level] in `Trial.learning_curve`, if its loss is finite; without a look at all of that."""
    outcome = trial.outcome
    if outcome is None or outcome.learning_curve is None:
        return None
    losses, steps = outcome.learning_curve, outcome.learning_curve_steps
    begin = (trial.fidelity or 0.0) - len(losses) + 1

    def step(place: int) -> float:
        return steps[place] if steps is not None else begin + place

    last = bisect.bisect_right(range(len(losses)), just_above(level), key=step) - 1
    if last < 0 or step(last) <= low or not math.isfinite(losses[last]):
        return None
    return float(step(last)), float(losses[last])


def _changes(covariance: _Array, noise: _Array) -> list[float]:
    """By how much each level (k,), seen after those before, is expected to change what is predicted at the last."""
    changes = []
    for stage in range(len(noise)):
        seen = covariance[stage] / math.sqrt(max(covariance[stage, stage], 0.0) + noise[stage])
        covariance = covariance - np.outer(seen, seen)
        changes.append(abs(float(seen[-1])))
    return changes
