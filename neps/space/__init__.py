"""The search space: parameters, their place in the unit cube, and their priors.

Pure values and arithmetic: no file, clock, thread or global random state. Every other layer may import it; it
imports nothing of neps but `errors` and `calling`.
"""

from neps.space._categorical import Categorical
from neps.space._choice import Choice
from neps.space._conditions import Comparison, Conditions, at_least, at_most, less_than, more_than
from neps.space._constant import Constant
from neps.space._float import Float
from neps.space._integer import Integer
from neps.space._number import Number
from neps.space._parameter import Parameter
from neps.space._prior import Confidence
from neps.space._repeat import Repeat
from neps.space._search_space import SearchSpace
from neps.space._values import Value

__all__ = [
    "Categorical",
    "CategoricalParameter",
    "Choice",
    "Comparison",
    "Conditions",
    "Confidence",
    "Constant",
    "ConstantParameter",
    "Float",
    "FloatParameter",
    "Integer",
    "IntegerParameter",
    "Number",
    "Parameter",
    "Repeat",
    "SearchSpace",
    "Value",
    "at_least",
    "at_most",
    "less_than",
    "more_than",
]

FloatParameter = Float
IntegerParameter = Integer
CategoricalParameter = Categorical
ConstantParameter = Constant
