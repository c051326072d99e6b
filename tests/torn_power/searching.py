"""The search whose disk loses power, and the evidence of it: each line knows how much of the log there was."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import neps
from system_calls.place import Entry, Place
from system_calls.training import Telling, Training

__all__ = ["SEARCHES", "Powered", "Search", "work"]


@dataclasses.dataclass(frozen=True)
class Powered(Place):
    """A place whose root lies on the disk."""

    mount: Path
    log_of_disk: Path

    @property
    def root(self) -> Path:
        """The run's root directory."""
        return self.mount / "root"

    def tell(self, event: str, number: int, evaluation: str = "", **facts: object) -> None:
        """Append a line: what it says had come about when so much of the log was written."""
        super().tell(event, number, evaluation, position=self.log_of_disk.stat().st_size, **facts)

    def told_before(self, position: int) -> list[Entry]:
        """The evidence of what was before a power cut."""
        return [entry for entry in self.told() if entry.facts["position"] <= position]


@dataclasses.dataclass(frozen=True)
class Search:
    """A kind of search.

    Args:
        name: for people.
        keeps: whether it keeps all checkpoints.
        arguments: of `neps.run`.
    """

    name: str
    keeps: bool
    arguments: dict[str, Any]


_SPACE = {"x": neps.Float(0, 1)}
SEARCHES = (
    Search("random search", True, {"pipeline_space": _SPACE, "searcher": "random_search"}),
    Search(
        "successive halving, with promotions and freeing",
        False,
        {
            "pipeline_space": {**_SPACE, "epochs": neps.Integer(1, 9, is_fidelity=True)},
            "searcher": "successive_halving",
            "keep_checkpoints": "best",
        },
    ),
)


def work(place: Place, search: Search, trials: int) -> None:
    """A worker."""
    neps.run(
        Training(place, epochs=2),
        place.root,
        **search.arguments,
        max_evaluations_total=trials,
        lease_seconds=20.0,
        seed=7,
        progress=False,
        callbacks=[Telling(place)],
    )
