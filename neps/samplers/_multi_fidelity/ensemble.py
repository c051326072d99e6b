"""PriorBand's source of new configurations: at random, from the user's prior, or from near the incumbent.

NumPy only. `priorband` composes it. Whether to follow the incumbent, and how far, is what `followed` says of results.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from neps import _ranking as ranking
from neps._fidelity import Brackets, FidelityStep, hyperband_brackets
from neps._rounding import has_reached, rounded_down
from neps.samplers import _settings as settings
from neps.samplers._drawing.mutation import mutated_in_some
from neps.samplers._model_based.priors import with_confidence
from neps.samplers._multi_fidelity.sources import Beginning, Drawn, Source
from neps.space import SearchSpace, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neps._history import History
    from neps._trial import Trial
    from neps.space import Confidence

__all__ = ["Ensemble", "followed"]

_Values = tuple[tuple[str, Value], ...]
"""Of a configuration, those of the active parameters that are searched, with their names."""


@attrs.frozen
class Ensemble(Source):
    """Three ways to draw: uniformly, from the prior, and, once results speak for it, near the incumbent.

    At rung r one of 1 + `eta`^r is uniform. `PriorBand` explains the rest, and the settings.
    """

    default_if_any: ClassVar[bool] = True

    prior_confidence: Confidence | None = attrs.field(converter=settings.prior_confidence)
    inc_mutation_rate: float = attrs.field(converter=settings.inc_mutation_rate)
    inc_mutation_std: float = attrs.field(converter=settings.inc_mutation_std)

    def check(self, space: SearchSpace) -> None:
        """See `Source.check`: with the confidence that counts."""
        self.prior(space)

    def prior(self, space: SearchSpace) -> SearchSpace:
        """The space with the confidence that counts."""
        return with_confidence(space, self.prior_confidence)

    def configuration(self, begins: Beginning) -> Drawn:
        """See `Source.configuration`: one way is drawn, and then a configuration in that way."""
        generator, prior = begins.generator(), self.prior(begins.history.space)
        uniform, lot = 1.0 / (1.0 + begins.eta**begins.rung), generator.random()
        if lot < uniform:
            return prior.sample(generator), {"by": "random"}
        evidence = self.evidence(begins)
        if evidence is not None:
            incumbent, share = evidence
            if lot >= 1.0 - (1.0 - uniform) * share:
                config = mutated_in_some(
                    prior, incumbent.config, self.inc_mutation_rate, self.inc_mutation_std, generator
                )
                return config, {"by": "incumbent", "incumbent": incumbent.number, "share": round(share, 4)}
        if not prior.has_prior:
            return prior.sample(generator), {"by": "random"}
        return prior.sample_prior(generator), {"by": "prior"}

    def evidence(self, begins: Beginning) -> tuple[Trial, float] | None:
        """The incumbent and its share of what isn't drawn uniformly, once it has one."""
        budget = _first_brackets_fidelity(begins.rungs, begins.eta)
        return followed(begins.history, self.prior(begins.history.space), begins.eta, budget)

    def prior_share(self, begins: Beginning) -> float:
        """See `Source.prior_share`: what the incumbent leaves."""
        evidence = self.evidence(begins)
        return 1.0 if evidence is None else 1.0 - evidence[1]


def _first_brackets_fidelity(rungs: Sequence[float], eta: float) -> float:
    """What a full first bracket runs, where promotions go on from checkpoints."""
    sizes = hyperband_brackets(len(rungs), eta)[0].sizes
    steps = zip(rungs, (0.0, *rungs), strict=False)
    return sum(size * (end - begin) for size, (end, begin) in zip(sizes, steps, strict=True))


def followed(history: History, prior: SearchSpace, eta: float, budget: float) -> tuple[Trial, float] | None:
    """The incumbent, and its share, from 0 to 1, of what is not drawn uniformly: the rest is the prior's.

    The best 1 / eta of the highest rung in which eta or more have a finite loss are evidence for both: each has a
    density under the prior, and one under the prior that is moved to the incumbent, its defaults replaced by the
    incumbent's values. The shares are in proportion of the sums of these, weighted by rank: k for the best of k, 1 for
    the last (Mallik et al. 2023, "PriorBand", section 5). Without a prior, the incumbent has all.

    Args:
        history: what is known.
        prior: the search space, with the confidences that count.
        eta: above 1.
        budget: how much fidelity must have been run before, by trials that have ended; from k to m counts m - k.

    Returns:
        None as long as less was run, no trial at the highest fidelity has a finite loss, or no rung has so many.
    """
    incumbent = _incumbent(history)
    if incumbent is None or incumbent.fidelity != prior.highest_fidelity:
        return None
    best = _best_of_a_rung(history.brackets, eta)
    if not best or not _has_run(history, budget):
        return None
    values = [
        tuple((name, trial.config[name]) for name in prior.searched if name in trial.config)
        for trial in (incumbent, *best)
    ]
    return incumbent, _share(prior, values[0], tuple(values[1:]))


def _outside(history: History) -> Iterator[Trial]:
    """The default configuration at the highest fidelity, where that ran before all else; what users enqueued first."""
    for number in itertools.count(1):
        first = history.by_number.get(number)
        if first is not None and first.decision is not None and (first.place is None or first.place.bracket is None):
            yield first
        if first is None or not first.enqueued:
            return


def _incumbent(history: History) -> Trial | None:
    """The best trial of the highest rung, if it has a finite loss; or an imported one at the highest fidelity."""
    top = history.brackets.highest_rung(1)
    found = history.brackets.best(top, 1) if top is not None else []
    imported = (trial for trial in history.imported if trial.fidelity == history.space.highest_fidelity)
    return ranking.best([*found, *_outside(history), *imported])


def _has_run(history: History, budget: float) -> bool:
    """Looks at the first brackets alone, as soon as they have run so much."""
    brackets = (history.brackets[number] for number in sorted(history.brackets))
    run = 0.0
    for trial in itertools.chain(_outside(history), itertools.chain.from_iterable(brackets)):
        if trial.ended and (step := FidelityStep.of(trial.decision, history.by_number)) is not None:
            run += max(step.end - step.begin, 0.0)
            if has_reached(run, budget):
                return True
    return False


def _best_of_a_rung(brackets: Brackets, eta: float) -> list[Trial]:
    """The best 1 / eta of the highest rung with eta or more finite losses, in order; none if there is no such rung."""
    rung = brackets.highest_rung(eta)
    return brackets.best(rung, rounded_down(brackets.finite(rung) / eta)) if rung is not None else []


@functools.lru_cache(maxsize=16)
def _share(prior: SearchSpace, incumbent: _Values, best: tuple[_Values, ...]) -> float:
    """The share of the prior around the incumbent, from 0 to 1; asked again and again until one of them changes.

    Densities are compared as logarithms, since they may be beyond all floats. Without a prior nothing is shared.
    """
    if not prior.has_prior:
        return 1.0
    spaces = (SearchSpace(prior.parameters), _moved(prior, incumbent))  # both without what is forbidden
    configs = [dict(values) for values in best]
    logs = np.array([[space.log_prior(config) for config in configs] for space in spaces])
    scores = np.exp(logs - logs.max()) @ np.arange(len(best), 0, -1, dtype=np.float64)
    return float(scores[1] / scores.sum())


def _moved(prior: SearchSpace, values: _Values) -> SearchSpace:
    """The prior around a configuration: each confidence stays, and is low where there was no default.

    The prior of what is inactive in the configuration stays.
    """
    parameters = dict(prior.parameters)
    for name, value in values:
        parameters[name] = parameters[name].with_prior(default=value)
    return SearchSpace(parameters)
