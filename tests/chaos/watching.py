"""Looks at the results of a round now and then: when each was first seen, whether one changed, and if all are there."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator

from chaos.evidence import record
from chaos.plan import Plan
from chaos.strikes import CHAOS
from stress.evidence import numbers

__all__ = ["Results"]

_LOOK_SECONDS = 1.0


@dataclasses.dataclass
class Results:
    """What was seen of the results: `count` is how many there are now."""

    plan: Plan
    count: int = 0

    def __post_init__(self) -> None:
        self._seen: dict[tuple[int, int], str] = {}
        self._next = 0.0

    def has_more(self, *, now: bool = False) -> bool:
        """Looks if it is time to, and says whether there is something new."""
        if time.monotonic() < self._next and not now:
            return False
        before = len(self._seen)
        there = dict(self._there())
        for number, attempt in sorted(there.keys() - self._seen.keys()):
            record(self.plan.evidence, CHAOS, "seen", number=number, attempt=attempt)
        for number, attempt in self._seen.keys() - there.keys():
            record(self.plan.evidence, CHAOS, "changed", what=f"config_{number}: that of attempt {attempt} is lost")
        for key in self._seen.keys() & there.keys():
            if self._seen[key] != there[key]:
                what = f"config_{key[0]}: that of attempt {key[1]} was overwritten"
                record(self.plan.evidence, CHAOS, "changed", what=what)
        self._seen |= there
        self.count = sum(1 for _ in self.plan.root.glob("config_*/result.yaml"))
        self._next = time.monotonic() + _LOOK_SECONDS
        return len(self._seen) > before

    def are_complete(self) -> bool:
        """Whether nothing is to be evaluated any more."""
        there = numbers(self.plan.root)
        paths = [self.plan.root / f"config_{number}" / "result.yaml" for number in there]
        if not all(path.exists() for path in paths):
            return False
        return len(there) >= self.plan.trials

    def _there(self) -> Iterator[tuple[tuple[int, int], str]]:
        """Each result that was ever published, by trial and attempt: a retry moves it to another name."""
        for folder in self.plan.root.glob("config_*"):
            number = int(folder.name.removeprefix("config_"))
            for path in folder.glob("attempt_*.end.yaml"):
                content = path.read_bytes()
                if b"\nstatus: " in content:
                    yield (number, int(path.name.split("_")[1].split(".")[0])), hashlib.sha256(content).hexdigest()
