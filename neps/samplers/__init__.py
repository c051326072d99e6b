"""Samplers: what each trial evaluates, as pure functions of the history. No file, clock, thread or global random state.

All samplers and the interface for one's own are exported here; names in `searcher=` are resolved by `registry`.
Importing this needs NumPy only: scipy comes with the first model that is fitted.
"""

from __future__ import annotations

from neps.samplers.asha import ASHA, ASHAPrior, AsyncHyperband, AsyncHyperbandPrior
from neps.samplers.bayesian_optimization import BayesianOptimization
from neps.samplers.cost_cooling import CostCooling
from neps.samplers.freeze_thaw import FreezeThaw
from neps.samplers.grid_search import GridSearch
from neps.samplers.hyperband import Hyperband, HyperbandPrior, SuccessiveHalving, SuccessiveHalvingPrior
from neps.samplers.mobster import MOBSTER, PriorBandBO
from neps.samplers.pibo import PiBO
from neps.samplers.priorband import PriorBand
from neps.samplers.protocol import Done, Sampler, Suggestion, Wait
from neps.samplers.random_search import RandomSearch
from neps.samplers.regularized_evolution import RegularizedEvolution
from neps.samplers.sobol import Sobol

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
    "GridSearch",
    "Hyperband",
    "HyperbandPrior",
    "PiBO",
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
