"""The search space: parameters, their place in the unit cube, and their priors.

Pure values and arithmetic: no file, clock, thread or global random state. Every other layer may import it; it
imports nothing of neps but `errors`.
"""

from neps.space.parameters import (
    AnyParameter,
    Categorical,
    CategoricalParameter,
    Constant,
    ConstantParameter,
    Float,
    FloatParameter,
    Integer,
    IntegerParameter,
    Parameter,
    Value,
)
from neps.space.search_space import SearchSpace

__all__ = [
    "AnyParameter",
    "Categorical",
    "CategoricalParameter",
    "Constant",
    "ConstantParameter",
    "Float",
    "FloatParameter",
    "Integer",
    "IntegerParameter",
    "Parameter",
    "SearchSpace",
    "Value",
]
