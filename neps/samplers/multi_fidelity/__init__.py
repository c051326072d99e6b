"""Searchers over fidelities: most configurations are evaluated at low ones, few go on to the highest.

`bracket_search` composes those with brackets. Rungs, brackets and promotions themselves are in `neps.fidelity`.
"""
