"""Which proofs there are: one table. Each is a package of tests/ that `python -m PACKAGE` runs; see `proofs.record`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

__all__ = ["PROOFS", "Proof"]


_A_MINUTE = 120
"""So many times a minute, where a proof knows itself how many there are."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """One proof.

    Args:
        name: by which `scripts/stress` and the recorded file call it.
        module: what `python -m` runs. It takes `--seed N`, `--json FILE` and its size.
        what: what it tries, in a few words.
        size: the option that says how much: `minutes`, or `times`, which is whatever the proof counts.
        full: how much of that is all of it; 0, by `times`, if the proof itself knows.
        minutes: how long all of it takes, about.
    """

    name: str
    module: str
    what: str
    size: Literal["minutes", "times"]
    full: int
    minutes: int

    def sized(self, minutes: float | None) -> list[str]:
        """The options that make it take so many minutes; None is all of it."""
        if minutes is None:
            return [f"--{self.size}", str(self.full)]
        if self.size == "minutes":
            return ["--minutes", f"{minutes:g}"]
        return ["--times", str(max(1, round((self.full or _A_MINUTE * self.minutes) * minutes / self.minutes)))]


_LIST = (
    Proof(
        "system-calls",
        "system_calls",
        "each call that changes a file: killed there, made to fail, done but reported as failed",
        "times",
        0,
        45,
    ),
    Proof("torn-power", "torn_power", "power cuts that drop what was not synced", "times", 600, 15),
    Proof(
        "chaos",
        "chaos",
        "16 workers on 4 hosts: killed, frozen, cut off, with wrong clocks, launched twice",
        "minutes",
        30,
        30,
    ),
    Proof("visibility", "visibility", "workers that see changes late, against a reference model", "minutes", 10, 10),
    Proof("slurm-storm", "slurm_storm", "arrays of a real SLURM that lose tasks and nodes", "minutes", 15, 15),
    Proof("mounts-storm", "mounts_storm", "workers on two mounts of GlusterFS and of sshfs", "minutes", 10, 10),
    Proof("ranks-storm", "ranks_storm", "2 and 4 ranks under torchrun, of which one dies", "times", 50, 15),
)

PROOFS: Mapping[str, Proof] = MappingProxyType({proof.name: proof for proof in _LIST})
