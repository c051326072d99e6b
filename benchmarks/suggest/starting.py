"""How soon a fresh process of ours has its first suggestion of a model, and how much of that is imports.

`first` is what runs in those processes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.coordination.report import Table
from benchmarks.driving.environments import variables

__all__ = ["starting"]

_FIRST = Path(__file__).with_name("first.py")
_PACKAGES = ("numpy", "scipy", "torch", "neps")  # neps last: what it needs of the standard library counts as its own

_Parts = dict[str, Sequence[float]]
"""Processor and wall seconds by name."""


def starting(rounds: int) -> Table:
    """Medians over `rounds` processes, after one that warms the disk's cache."""
    _parts()
    measured = [_parts() for _ in range(rounds)]
    rows = [
        [name, *(f"{statistics.median(parts[name][clock] for parts in measured):.3f}" for clock in (0, 1))]
        for name in measured[0]
    ]
    return Table(("a fresh process", "processor seconds", "wall seconds"), rows)


def _parts() -> _Parts:
    """One process that makes the suggestion, and one that only imports what the other did."""
    report = _run()
    groups = {package: _of(package, report["modules"]) for package in _PACKAGES}
    imports: _Parts = _run("imports", groups={package: modules for package, modules in groups.items() if modules})
    rest = [total - sum(parts) for total, *parts in zip(report["made"], *imports.values(), strict=True)]
    return {
        "until the first suggestion of a model": report["made"],
        **imports,
        "four results, and the suggestion": rest,
        "the same again": report["again"],
    }


def _of(package: str, modules: Sequence[str]) -> list[str]:
    return [name for name in modules if name.partition(".")[0] == package]


def _run(*arguments: str, groups: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """What a process reports."""
    done = subprocess.run(
        [sys.executable, _FIRST, repr(time.perf_counter()), *arguments],
        input=json.dumps(groups),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=variables(),
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report
