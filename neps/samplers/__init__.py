"""Samplers: what each trial evaluates, as pure functions of the history. No file, clock, thread or global random state.

    protocol            the interface, for one's own, too
    registry            from names in `searcher=` to samplers: the table says where each is
    settings            what each setting may be
    single_fidelity/    searchers that evaluate each configuration once, one module each
    multi_fidelity/     searchers over fidelities, one module for those that differ in one part
    model_based/        what those with a model share
    drawing/            what those without one draw from

All searchers are exported here: what makes each of its settings, with what it does. Each is imported when it is first
used, and scipy with the first model that is fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps.lazily import importing
from neps.samplers.protocol import Done, Sampler, Suggestion, Wait
from neps.samplers.registry import SEARCHERS
from neps.trial import Place

if TYPE_CHECKING:
    from neps.samplers.multi_fidelity.asha import ASHA, ASHAPrior, AsyncHyperband, AsyncHyperbandPrior
    from neps.samplers.multi_fidelity.freeze_thaw import FreezeThaw, FreezeThawPrior
    from neps.samplers.multi_fidelity.hyperband import (
        Hyperband,
        HyperbandPrior,
        SuccessiveHalving,
        SuccessiveHalvingPrior,
    )
    from neps.samplers.multi_fidelity.mobster import MOBSTER
    from neps.samplers.multi_fidelity.priorband import PriorBand, PriorBandBO
    from neps.samplers.single_fidelity.bayesian_optimization import BayesianOptimization
    from neps.samplers.single_fidelity.cost_cooling import CostCooling
    from neps.samplers.single_fidelity.grid_search import GridSearch
    from neps.samplers.single_fidelity.pibo import PiBO
    from neps.samplers.single_fidelity.random_search import RandomSearch
    from neps.samplers.single_fidelity.regularized_evolution import RegularizedEvolution
    from neps.samplers.single_fidelity.sobol import Sobol

__all__ = [
    "ASHA",
    "MOBSTER",
    "ASHAPrior",
    "AsyncHyperband",
    "AsyncHyperbandPrior",
    "BayesianOptimization",
    "CostCooling",
    "Done",
    "FreezeThaw",
    "FreezeThawPrior",
    "GridSearch",
    "Hyperband",
    "HyperbandPrior",
    "PiBO",
    "Place",
    "PriorBand",
    "PriorBandBO",
    "RandomSearch",
    "RegularizedEvolution",
    "Sampler",
    "Sobol",
    "SuccessiveHalving",
    "SuccessiveHalvingPrior",
    "Suggestion",
    "Wait",
]

__getattr__ = importing(__name__, {made_by: module for module, made_by in SEARCHERS.values()})
