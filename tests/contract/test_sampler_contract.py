"""The contract suite of `neps.testing.samplers`, on every sampler of neps and on one that a user might write."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from neps.samplers import (
    ASHA,
    MOBSTER,
    ASHAPrior,
    AsyncHyperband,
    AsyncHyperbandPrior,
    BayesianOptimization,
    CostCooling,
    FreezeThaw,
    FreezeThawPrior,
    GridSearch,
    Hyperband,
    HyperbandPrior,
    PiBO,
    PriorBand,
    PriorBandBO,
    RandomSearch,
    Sampler,
    Sobol,
    SuccessiveHalving,
    SuccessiveHalvingPrior,
    Suggestion,
)
from neps.testing.samplers import SamplerContract

if TYPE_CHECKING:
    from neps._budget import Budget
    from neps._history import History


class TestRandomSearch(SamplerContract):
    def make(self) -> Sampler:
        return RandomSearch()


class TestRandomSearchWithPriors(SamplerContract):
    def make(self) -> Sampler:
        return RandomSearch(use_priors=True)


class TestSobol(SamplerContract):
    def make(self) -> Sampler:
        return Sobol()


class TestGridSearch(SamplerContract):
    def make(self) -> Sampler:
        return GridSearch()


class TestGridSearchOfOneStep(SamplerContract):
    def make(self) -> Sampler:
        return GridSearch(steps_per_parameter=1)


class TestBayesianOptimization(SamplerContract):
    def make(self) -> Sampler:
        return BayesianOptimization()


class TestBayesianOptimizationFromTheDefault(SamplerContract):
    def make(self) -> Sampler:
        return BayesianOptimization(initial_design_size=1, sample_default_first=True)


class TestBayesianOptimizationInterleaved(SamplerContract):
    def make(self) -> Sampler:
        return BayesianOptimization(initial_design_size=1, random_interleave_prob=0.5)


class TestPiBO(SamplerContract):
    def make(self) -> Sampler:
        return PiBO()


class TestPiBOWithAnotherConfidence(SamplerContract):
    def make(self) -> Sampler:
        return PiBO(initial_design_size=1, sample_default_first=False, prior_confidence="high", prior_weight=1)


class TestCostCooling(SamplerContract):
    def make(self) -> Sampler:
        return CostCooling()


class TestCostCoolingFromTheDefault(SamplerContract):
    def make(self) -> Sampler:
        return CostCooling(initial_design_size=1, sample_default_first=True, random_interleave_prob=0.3)


class TestSuccessiveHalving(SamplerContract):
    def make(self) -> Sampler:
        return SuccessiveHalving()


class TestSuccessiveHalvingPrior(SamplerContract):
    def make(self) -> Sampler:
        return SuccessiveHalvingPrior(eta=2, early_stopping_rate=1)


class TestHyperband(SamplerContract):
    def make(self) -> Sampler:
        return Hyperband(sample_default_first=True)


class TestHyperbandPrior(SamplerContract):
    def make(self) -> Sampler:
        return HyperbandPrior()


class TestASHA(SamplerContract):
    def make(self) -> Sampler:
        return ASHA(eta=2)


class TestASHAPrior(SamplerContract):
    def make(self) -> Sampler:
        return ASHAPrior()


class TestAsyncHyperband(SamplerContract):
    def make(self) -> Sampler:
        return AsyncHyperband()


class TestAsyncHyperbandPrior(SamplerContract):
    def make(self) -> Sampler:
        return AsyncHyperbandPrior(eta=4)


class TestAsyncHyperbandFromTheDefaultAtTheTarget(SamplerContract):
    def make(self) -> Sampler:
        return AsyncHyperband(sample_default_first=True, sample_default_at_target=True)


class TestPriorBand(SamplerContract):
    def make(self) -> Sampler:
        return PriorBand()


class TestPriorBandWithOtherSettings(SamplerContract):
    def make(self) -> Sampler:
        return PriorBand(eta=4, sample_default_at_target=True, prior_confidence="high", inc_mutation_rate=0.0)


class TestPriorBandBO(SamplerContract):
    def make(self) -> Sampler:
        return PriorBandBO()


class TestMOBSTER(SamplerContract):
    def make(self) -> Sampler:
        return MOBSTER(random_interleave_prob=0.2)


class TestFreezeThaw(SamplerContract):
    def make(self) -> Sampler:
        return FreezeThaw()


class TestFreezeThawWithOtherSettings(SamplerContract):
    def make(self) -> Sampler:
        return FreezeThaw(eta=2, initial_design_size=1, random_interleave_prob=0.5, sample_default_first=True)


class TestFreezeThawPrior(SamplerContract):
    def make(self) -> Sampler:
        return FreezeThawPrior()


class TestFreezeThawPriorWithOtherSettings(SamplerContract):
    def make(self) -> Sampler:
        return FreezeThawPrior(eta=2, initial_design_size=1, sample_default_at_target=False, prior_confidence="high")


@dataclasses.dataclass(frozen=True)
class _HillClimber(Sampler):
    """A user's own: a random step from the best trial so far."""

    step: float = 0.1

    def settings(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def decide(
        self,
        history: History,
        number: int,  # noqa: ARG002
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion:
        space, best = history.space, history.best
        if best is None:
            return Suggestion(config=space.sample(generator))
        point = space.encode(best.config) + self.step * generator.standard_normal(space.dimensions)
        inside = 1.0 - abs(1.0 - abs(point))  # what leads beyond a bound comes back, so no corner is tried twice
        config = space.decode(np.where(np.isnan(inside), generator.random(space.dimensions), inside))
        if not space.is_allowed(config):
            config = space.sample(generator)
        return Suggestion(config=config, metadata={"from": best.number})


class TestOfAUser(SamplerContract):
    def make(self) -> Sampler:
        return _HillClimber(step=0.2)
