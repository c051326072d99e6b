"""One round of chaos, told by plain data: made by the program, carried to hosts and workers as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from chaos.rounds import Round

__all__ = ["Plan"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """One round.

    Args:
        folder: where all of it lies; the root, the evidence and the logs are below it.
        kind: what is searched with, and what goes on meanwhile.
        trials: that the search makes.
        lease: its lease_seconds.
        seed: of the search, of what strikes it, and of what is evaluated.
        python: the interpreter of the workers, which decides which neps they use.
        modules: that run_pipeline imports when it comes to them, as (name, what it uses of it).
        hosts: how many.
        workers_per_host: how many always run on each.
        faketime: the library by which a host's clock goes wrong; "" for none.
    """

    folder: Path
    kind: Round
    trials: int
    lease: float
    seed: int
    python: str
    modules: tuple[tuple[str, str], ...] = ()
    hosts: int = 4
    workers_per_host: int = 4
    faketime: str = ""

    @property
    def root(self) -> Path:
        """The search's root directory."""
        return self.folder / "root"

    @property
    def evidence(self) -> Path:
        """What happened."""
        return self.folder / "evidence.jsonl"

    @property
    def over(self) -> Path:
        """There once no worker is to be replaced any more."""
        return self.folder / "over"

    @property
    def quiet(self) -> Path:
        """There once the passer-by is to end."""
        return self.folder / "quiet"

    def token(self, host: str, boot: int) -> str:
        """Of which launch the workers of a host are: an array that was started twice by mistake, or a later one."""
        return f"array-{int(host.removeprefix('host')) % 2}" if boot == 0 else f"{host}-again-{boot}"

    def log(self, worker: str) -> Path:
        """What a worker wrote to standard output and error."""
        return self.folder / "logs" / f"{worker}.log"

    def clock(self, host: str) -> Path:
        """By how much a host's clock is wrong, as libfaketime reads it."""
        return self.folder / "clocks" / host

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Reads back what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        modules = tuple((name, attribute) for name, attribute in fields.pop("modules"))
        folder, kind = Path(fields.pop("folder")), Round(**fields.pop("kind"))
        return cls(folder=folder, kind=kind, modules=modules, **fields)
