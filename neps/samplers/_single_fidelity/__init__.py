"""Searchers that evaluate each configuration once, a fidelity at its upper bound: one module for each.

Random, Sobol and grid search look at no result. Bayesian optimization, with its two variants, is composed of an initial
design and what expected improvement is weighed with: see `_model_based.model_search`.
"""
