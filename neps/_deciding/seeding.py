"""Where a run's randomness comes from: its seed and a trial's number, and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["generator_for", "trial_seed"]


def generator_for(seed: int, number: int) -> np.random.Generator:
    """The generator that a sampler gets for trial `number` of a run with this seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))


def trial_seed(seed: int, number: int) -> int:
    """The seed, below 2^32, that the evaluation of trial `number` may use."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {number}".encode(), digest_size=4).digest())
