"""Where configurations come from without a model: Sobol points, initial designs, mutations, what is unclaimed.

NumPy only. Searchers of both kinds call it.
"""
