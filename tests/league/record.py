"""What was recorded of a league, and the table that docs/reliability.md shows of it. Called by `__main__` and tests."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.driving.environments import interpreter
from league.contest import LIBRARIES

__all__ = ["table", "versions", "wrong"]

_NAMES = {"neps": "neps", "neps017": "NePS", "optuna": "Optuna, journal", "smac": "SMAC"}
_PACKAGES = {"neps": "neps", "neps017": "neural-pipeline-search", "optuna": "optuna", "smac": "smac"}
_FAULTS = ("lost", "doubled", "stuck", "overspent", "short", "crashed", "hung")


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of each library, the version that is installed in its environment."""
    return {library: _version(library) for library in libraries}


def _version(library: str) -> str:
    ask = f"import importlib.metadata as m; print(m.version({_PACKAGES[library]!r}))"
    command = [str(interpreter(LIBRARIES[library])), "-c", ask]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def wrong(outcome: Mapping[str, Any]) -> str:
    """What went wrong, in words; empty where nothing did.

    A torn record is lost in any case: then it must be said, be used up, and stop nobody.
    """
    forgiven = {"lost": 1, "short": 1} if outcome["scenario"] == "torn record" else {}
    return ", ".join(f"{outcome[name]} {name}" for name in _FAULTS if outcome[name] > forgiven.get(name, 0))


def table(record: Mapping[str, Any]) -> list[str]:
    """The table in Markdown: a row a scenario, a column a library."""
    libraries = list(record["versions"])
    by_place = {(each["scenario"], each["library"]): each for each in record["outcomes"]}
    scenarios = list(dict.fromkeys(each["scenario"] for each in record["outcomes"]))
    heads = [f"{_NAMES[library]} {record['versions'][library]}" for library in libraries]
    lines = [f"| scenario | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for scenario in scenarios:
        cells = [_cell(by_place[scenario, library]) for library in libraries]
        lines.append(f"| {scenario} | {' | '.join(cells)} |")
    return lines


def _cell(outcome: Mapping[str, Any]) -> str:
    said = (*_FAULTS, "repeated")
    faults = ", ".join(f"{outcome[name]} {name}" for name in said if outcome[name]) or "nothing"
    took = f"{outcome['seconds']:g} s" if outcome["seconds"] is not None else ""
    if took:
        return took if faults == "nothing" else f"{took}; {faults}"
    return faults
