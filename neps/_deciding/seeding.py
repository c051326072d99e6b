"""Where a run's randomness comes from: its seed and a trial's number (or what was enqueued), and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

from neps._trial import Entry

__all__ = ["confirming_seeds", "entry_generator", "generator_for", "trial_seed"]

_QUEUED = 2
"""With two more, it is a key that nothing else has: decisions have a number, places in brackets have two."""


def generator_for(seed: int, number: int) -> np.random.Generator:
    """The generator that a sampler gets for trial `number` of a run with this seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))


def entry_generator(seed: int, entry: Entry) -> np.random.Generator:
    """What completes an enqueued configuration: by the run's seed and the entry alone, so the same whoever takes it."""
    key = (_QUEUED, entry.batch, entry.place)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def trial_seed(seed: int, number: int) -> int:
    """The seed, below 2^32, that the evaluation of trial `number` may use."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {number}".encode(), digest_size=4).digest())


def confirming_seeds(seed: int, count: int) -> list[int]:
    """So many seeds, below 2^32 and all different, with which the best trials of a run with this seed are confirmed.

    More of them begin with the fewer ones.

    Example:
        >>> confirming_seeds(1, 2) == confirming_seeds(1, 3)[:2]
        True
    """
    found: dict[int, None] = {}
    turn = 0
    while len(found) < count:
        digest = hashlib.blake2b(f"{seed} confirm {turn}".encode(), digest_size=4).digest()
        found[int.from_bytes(digest)] = None
        turn += 1
    return list(found)
