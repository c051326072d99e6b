"""One decision, pure: from what is known of a run to the next trial, or to the reason why there is none.

Budgets, seeding, the question to the sampler, the check of its answer and what a trial is expected to cost stand here
alone. Workers, `neps.AskAndTell` and `neps.testing.simulate` ask; whoever asks stores. No files, no clocks.
"""

from neps._deciding.decision import Refused, decide, is_independent
from neps._deciding.given import checked_configs, completed
from neps._deciding.in_memory import InMemory
from neps._deciding.request import Request
from neps._deciding.seeding import confirming_seeds, entry_generator, generator_for

__all__ = [
    "InMemory",
    "Refused",
    "Request",
    "checked_configs",
    "completed",
    "confirming_seeds",
    "decide",
    "entry_generator",
    "generator_for",
    "is_independent",
]
