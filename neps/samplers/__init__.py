"""Samplers: what each trial evaluates, as pure functions of the history. No file, clock, thread or global random state.

The four samplers and the interface for one's own are exported here; names in `searcher=` are resolved by `registry`.
Importing this needs NumPy only: scipy comes with the first model that is fitted.
"""

from __future__ import annotations

from neps.samplers.bayesian_optimization import BayesianOptimization
from neps.samplers.grid_search import GridSearch
from neps.samplers.protocol import Done, Sampler, Suggestion, Wait
from neps.samplers.random_search import RandomSearch
from neps.samplers.sobol import Sobol

__all__ = ["BayesianOptimization", "Done", "GridSearch", "RandomSearch", "Sampler", "Sobol", "Suggestion", "Wait"]
