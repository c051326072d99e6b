"""Where configurations come from without a model: Sobol points, initial designs, mutations, all by number, unclaimed.

NumPy only. Searchers of both kinds call it.
"""
