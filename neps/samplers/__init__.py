"""Samplers: what each trial evaluates, as pure functions of the history. No file, clock, thread or global random state.

    _protocol           the interface, for one's own, too
    _registry           from names in `searcher=` to samplers: the table says where each is
    _settings           what each setting may be
    _single_fidelity/   searchers that evaluate each configuration once, one module each
    _multi_fidelity/    searchers over fidelities, one module for those that differ in one part
    _model_based/       what those with a model share
    _drawing/           what those without one draw from

All searchers are exported here: what makes each of its settings, with what it does. Each is imported when it is first
used, and scipy with the first model that is fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps._budget import Budget
from neps._fidelity import Brackets
from neps._lazily import importing
from neps._trial import Place
from neps.samplers._protocol import Done, Sampler, Suggestion, Wait
from neps.samplers._registry import SEARCHERS

if TYPE_CHECKING:
    from neps.samplers._multi_fidelity.asha import ASHA, ASHAPrior, AsyncHyperband, AsyncHyperbandPrior
    from neps.samplers._multi_fidelity.freeze_thaw import FreezeThaw, FreezeThawPrior
    from neps.samplers._multi_fidelity.hyperband import (
        Hyperband,
        HyperbandPrior,
        SuccessiveHalving,
        SuccessiveHalvingPrior,
    )
    from neps.samplers._multi_fidelity.mobster import MOBSTER
    from neps.samplers._multi_fidelity.priorband import PriorBand, PriorBandBO
    from neps.samplers._single_fidelity.bayesian_optimization import BayesianOptimization
    from neps.samplers._single_fidelity.cost_cooling import CostCooling
    from neps.samplers._single_fidelity.grid_search import GridSearch
    from neps.samplers._single_fidelity.pibo import PiBO
    from neps.samplers._single_fidelity.random_search import RandomSearch
    from neps.samplers._single_fidelity.regularized_evolution import RegularizedEvolution
    from neps.samplers._single_fidelity.sobol import Sobol

__all__ = [
    "ASHA",
    "MOBSTER",
    "ASHAPrior",
    "AsyncHyperband",
    "AsyncHyperbandPrior",
    "BayesianOptimization",
    "Brackets",
    "Budget",
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
