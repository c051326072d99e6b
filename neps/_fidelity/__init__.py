"""Fidelities as a multi-fidelity search uses them: rungs, brackets, and who is promoted. Pure; no files, no randomness.

`rungs` says at which fidelities configurations are compared, `brackets` how many begin and go on, `promotion` what a
bracket needs next, from the trials that are known of it (`members`), `steps` how much fidelity trials run.
"""

from neps._fidelity.brackets import Bracket, hyperband_brackets, successive_halving_bracket
from neps._fidelity.members import BracketMembers, Brackets, RungMembers
from neps._fidelity.promotion import Vacancy, asynchronous_promotion, left_behind, synchronous_place, synchronous_places
from neps._fidelity.rungs import evenly_spaced, level_of, rungs, whole_powers
from neps._fidelity.steps import FidelitySpent, FidelityStep, fidelity_run, fidelity_spent

__all__ = [
    "Bracket",
    "BracketMembers",
    "Brackets",
    "FidelitySpent",
    "FidelityStep",
    "RungMembers",
    "Vacancy",
    "asynchronous_promotion",
    "evenly_spaced",
    "fidelity_run",
    "fidelity_spent",
    "hyperband_brackets",
    "left_behind",
    "level_of",
    "rungs",
    "successive_halving_bracket",
    "synchronous_place",
    "synchronous_places",
    "whole_powers",
]
