"""Searchers that evaluate each configuration once, a fidelity at its upper bound: one module for each.

Random, Sobol and grid search look at no result; regularized evolution and the model-based ones do.
"""
