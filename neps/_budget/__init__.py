"""Budgets of a run, as arithmetic: may another trial start, and what is it expected to cost?

No files, no clock. The worker asks before it asks its sampler; samplers see the limits.
"""

from neps._budget.costs import KnownCosts
from neps._budget.improvement import Improvement
from neps._budget.limits import Budget, ExpectedCost, Limit
from neps._budget.spending import Spending

__all__ = ["Budget", "ExpectedCost", "Improvement", "KnownCosts", "Limit", "Spending"]
