"""Samplers: what each trial evaluates, as pure functions of the history. No file, clock, thread or global random state.

All samplers and the interface for one's own are exported here; names in `searcher=` are resolved by `registry`.
Each is imported when it is first used, and scipy with the first model that is fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps.lazily import importing
from neps.samplers.protocol import Done, Sampler, Suggestion, Wait

if TYPE_CHECKING:
    from neps.samplers.asha import ASHA, ASHAPrior, AsyncHyperband, AsyncHyperbandPrior
    from neps.samplers.bayesian_optimization import BayesianOptimization
    from neps.samplers.cost_cooling import CostCooling
    from neps.samplers.freeze_thaw import FreezeThaw, FreezeThawPrior
    from neps.samplers.grid_search import GridSearch
    from neps.samplers.hyperband import Hyperband, HyperbandPrior, SuccessiveHalving, SuccessiveHalvingPrior
    from neps.samplers.mobster import MOBSTER, PriorBandBO
    from neps.samplers.pibo import PiBO
    from neps.samplers.priorband import PriorBand
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
    "FreezeThawPrior",
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

__getattr__ = importing(
    __name__,
    {
        "ASHA": "asha",
        "ASHAPrior": "asha",
        "AsyncHyperband": "asha",
        "AsyncHyperbandPrior": "asha",
        "BayesianOptimization": "bayesian_optimization",
        "CostCooling": "cost_cooling",
        "FreezeThaw": "freeze_thaw",
        "FreezeThawPrior": "freeze_thaw",
        "GridSearch": "grid_search",
        "Hyperband": "hyperband",
        "HyperbandPrior": "hyperband",
        "MOBSTER": "mobster",
        "PiBO": "pibo",
        "PriorBand": "priorband",
        "PriorBandBO": "mobster",
        "RandomSearch": "random_search",
        "RegularizedEvolution": "regularized_evolution",
        "Sobol": "sobol",
        "SuccessiveHalving": "hyperband",
        "SuccessiveHalvingPrior": "hyperband",
    },
)
