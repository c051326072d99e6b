"""Which GPUs and cores of this machine each worker gets. Found by what is visible here; nothing is started.

Called for `neps launch --local`: on a cluster, SLURM does this.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import TypeVar

from neps.errors import ArgumentError, shown

__all__ = ["Share", "shares", "visible_gpus"]

_T = TypeVar("_T")
VISIBLE = "CUDA_VISIBLE_DEVICES"
_SECONDS = 30.0
_NONE = frozenset({"", "-1", "NoDevFiles"})
_QUERY = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What one worker gets: GPUs by what CUDA calls them (None: nothing is said about them), and cores by number.

    `bound`: whether the cores are its own, so that it may be bound to them.
    """

    gpus: tuple[str, ...] | None
    cores: tuple[int, ...]
    bound: bool

    def environment(self, given: Mapping[str, str], ranks: int = 1) -> dict[str, str]:
        """What this says to a worker, beside the variables that are given; its ranks share its cores."""
        said: dict[str, str] = {}
        if self.gpus is not None:
            said[VISIBLE] = ",".join(self.gpus)
            if VISIBLE not in given:  # the numbers are nvidia-smi's, which CUDA counts in another order by itself
                said["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        if "OMP_NUM_THREADS" not in given:
            said["OMP_NUM_THREADS"] = str(max(1, len(self.cores) // ranks))
        return said


def shares(
    workers: int,
    *,
    gpus_each: int | None,
    cores_each: int | None,
    share: bool,
    environment: Mapping[str, str] | None = None,
) -> list[Share]:
    """A share for each worker.

    Args:
        workers: how many.
        gpus_each: GPUs a worker; None: all that are visible, in equal parts.
        cores_each: cores a worker; None: all that this process may use, in equal parts, or one each if they are fewer.
        share: whether several workers may get the same GPUs and cores where there are too few.
        environment: None is this process's.

    Raises:
        ArgumentError: if there are too few.
    """
    gpus = visible_gpus(os.environ if environment is None else environment) if gpus_each != 0 else []
    own_gpus = _gpus(gpus, workers, gpus_each, share=share)
    cores, bound = _cores(workers, cores_each, share=share)
    return [Share(mine, own, bound) for mine, own in zip(own_gpus, cores, strict=True)]


def _cores(workers: int, each: int | None, *, share: bool) -> tuple[list[tuple[int, ...]], bool]:
    """Those of each worker, and whether they are its own."""
    can_bind = hasattr(os, "sched_setaffinity")  # not on macOS
    cores = sorted(os.sched_getaffinity(0)) if can_bind else list(range(os.cpu_count() or 1))
    many = each or max(1, len(cores) // workers)
    enough = many * workers <= len(cores)
    if each is not None and not enough and not share:
        raise ArgumentError(
            f"{workers} workers with --cpus-per-worker {many} need {workers * many} cores; this process may use "
            f"{len(cores)}. Start fewer workers, give each fewer, or let them share by --share."
        )
    return [tuple(_round(cores, many, index)) for index in range(workers)], can_bind and enough


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """The GPUs that a process with this environment sees: by CUDA_VISIBLE_DEVICES, else by nvidia-smi, else none.

    Raises:
        ArgumentError: if nvidia-smi is there and fails.
    """
    if (said := environment.get(VISIBLE)) is not None:
        listed = [name.strip() for name in said.split(",")]
        return [] if listed[0] in _NONE else listed
    try:
        done = subprocess.run(  # noqa: S603 - no user's text in it
            _QUERY, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except FileNotFoundError:
        return []
    except (OSError, subprocess.SubprocessError) as error:
        raise ArgumentError(
            f"nvidia-smi can't say which GPUs there are ({error}). Set {VISIBLE}, such as {VISIBLE}=0,1, or pass "
            "--gpus-per-worker 0 for workers without GPUs."
        ) from error
    indices = done.stdout.split()
    if not all(index.isdecimal() for index in indices):
        raise ArgumentError(f"nvidia-smi says {shown(done.stdout)}, and should list numbers. Set {VISIBLE} instead.")
    return indices


def _gpus(gpus: Sequence[str], workers: int, each: int | None, *, share: bool) -> list[tuple[str, ...] | None]:
    if each == 0:
        return [()] * workers
    if each is None and not gpus:
        return [None] * workers
    many = len(gpus) // workers if each is None else each
    if (many == 0 or many * workers > len(gpus)) and not (share and gpus):
        raise ArgumentError(_too_few(gpus, workers, each))
    return [tuple(_round(gpus, min(max(1, many), len(gpus)), index)) for index in range(workers)]


def _too_few(gpus: Sequence[str], workers: int, each: int | None) -> str:
    seen = ", ".join(gpus[:8]) or "none"
    asked = "" if each is None else f" with --gpus-per-worker {each}"
    return (
        f"{workers} workers{asked} need {workers * (each or 1)} GPUs; {len(gpus)} can be seen ({seen}). Start fewer "
        "workers, let them share by --share, or start them without GPUs by --gpus-per-worker 0."
    )


def _round(all_of_them: Sequence[_T], many: int, index: int) -> list[_T]:
    """So many, beginning where those before have ended; from the front again where there are too few."""
    return [all_of_them[(index * many + place) % len(all_of_them)] for place in range(many)]
