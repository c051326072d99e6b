"""The search space: parameters, their place in the unit cube, and their priors.

Pure values and arithmetic: no file, clock, thread or global random state. Every other layer may import it; it
imports nothing of neps but `errors` and `calling`.
"""

from neps.space.categorical import Categorical
from neps.space.constant import Constant
from neps.space.float import Float
from neps.space.integer import Integer
from neps.space.number import Number
from neps.space.parameter import Parameter
from neps.space.prior import Confidence
from neps.space.search_space import SearchSpace
from neps.space.values import Value

__all__ = [
    "Categorical",
    "CategoricalParameter",
    "Confidence",
    "Constant",
    "ConstantParameter",
    "Float",
    "FloatParameter",
    "Integer",
    "IntegerParameter",
    "Number",
    "Parameter",
    "SearchSpace",
    "Value",
]

FloatParameter = Float
IntegerParameter = Integer
CategoricalParameter = Categorical
ConstantParameter = Constant
