"""What a root shows after (or during) a search: numbers, results, leftovers; and that nothing published ever changes.

Files are read here without neps, so that what it writes is judged by other eyes. Called by tests.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from stress.objective import journal

__all__ = [
    "Watch",
    "assert_complete",
    "configurations",
    "document",
    "evaluations",
    "leftovers",
    "numbers",
    "result",
    "results",
    "tree",
]


def numbers(root: Path) -> list[int]:
    """The numbers of all trials."""
    return sorted(int(path.name.removeprefix("config_")) for path in root.glob("config_*"))


def document(path: Path) -> dict[str, Any]:
    """A document's fields."""
    fields = yaml.safe_load(path.read_bytes())
    assert isinstance(fields, dict), path
    return fields


def result(root: Path, number: int) -> dict[str, Any]:
    """The result of a trial."""
    return document(root / f"config_{number}" / "result.yaml")


def results(root: Path) -> Counter[str]:
    """How many results there are, by their status."""
    return Counter(document(path)["status"] for path in root.glob("config_*/result.yaml"))


def configurations(root: Path) -> dict[int, str]:
    """The configuration of each trial, as text."""
    return {number: (root / f"config_{number}" / "config.yaml").read_text() for number in numbers(root)}


def evaluations(root: Path) -> Counter[int]:
    """How often the evaluation of each number was begun."""
    return Counter(entry.number for entry in journal(root) if entry.event == "begin")


def leftovers(root: Path) -> list[str]:
    """Staged files that nobody took away, and names that don't belong there."""
    staged = [path for path in root.rglob(".*") if path.name != ".neps" and ".neps" not in path.parts]
    own = (".neps", "neps.yaml", "launches", "overwritten", "stops", "endings", "known", "confirmations")
    strange = [path for path in root.iterdir() if path.name not in own]
    return [str(path) for path in staged + [path for path in strange if not path.name.startswith("config_")]]


def assert_complete(root: Path, size: int) -> None:
    """All numbers are there, each evaluated once, with one result; and nothing else."""
    assert numbers(root) == list(range(1, size + 1))
    assert results(root) == Counter({"success": size})
    assert evaluations(root) == dict.fromkeys(range(1, size + 1), 1)
    assert leftovers(root) == []


def tree(root: Path) -> dict[str, str | None]:
    """Every file with a hash of its content, and every folder."""
    return {str(path.relative_to(root)): _hash(path) if path.is_file() else None for path in root.rglob("*")}


class Watch:
    """An observer of a running search: each result, once seen, must stay the same file with the same content."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[Path, tuple[int, int, str]] = {}

    def look(self) -> int:
        """Looks at all results, and returns how many there are."""
        for path in self._root.glob("config_*/result.yaml"):
            self._seen.setdefault(path, _state(path))
        for path, state in self._seen.items():
            assert path.exists(), f"{path} is lost"
            assert _state(path) == state, f"{path} was overwritten"
        return len(self._seen)


def _state(path: Path) -> tuple[int, int, str]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, _hash(path)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
