"""One search in a storm, told by plain data: made by a program, read by its workers from a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

__all__ = ["Plan"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """One search.

    Args:
        folder: where the evidence lies, and the root if no other place is said.
        trials: that the search makes, by `max_evaluations_total` or by as large a `max_cost_total`.
        seed: of the search.
        searcher: of the search.
        lease: its lease_seconds.
        epoch_seconds: about as long an epoch takes.
        by_cost: whether the budget is one of cost, of which each trial takes two.
        overwrite: whether workers are started with overwrite_working_directory=True.
        place: the root directory, if it isn't below `folder`.
    """

    folder: Path
    trials: int
    seed: int
    searcher: str = "hyperband"
    lease: float = 6.0
    epoch_seconds: float = 0.3
    by_cost: bool = False
    overwrite: bool = False
    place: Path | None = None

    @property
    def root(self) -> Path:
        """The search's root directory."""
        return self.place or self.folder / "root"

    @property
    def evidence(self) -> Path:
        """What happened."""
        return self.folder / "evidence.jsonl"

    @property
    def reach(self) -> Path:
        """The file that says up to which trial the search may get."""
        return self.folder / "reach"

    @property
    def file(self) -> Path:
        """Where workers read this."""
        return self.folder / "plan.json"

    def write(self) -> None:
        """For workers to read, in a folder that is made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(dataclasses.asdict(self), default=str))

    def let(self, reach: int) -> None:
        """Up to which trial the search may get from now on: so that it isn't over before all has struck."""
        new = self.reach.with_suffix(".new")
        new.write_text(str(reach))
        new.replace(self.reach)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """What `write` wrote."""
        fields: dict[str, Any] = json.loads(path.read_text())
        place = fields.pop("place")
        return cls(**{**fields, "folder": Path(fields["folder"])}, place=Path(place) if place else None)
