"""The model: what a run's directory may hold, told by each document in the moment in which it appears.

It knows neither neps's code nor what any client believes: the protocol of docs/how-it-works.md, from the outside.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import yaml

from visibility.disk import Inode

__all__ = ["Attempt", "Reference", "Rules"]

_PATH = re.compile(r".*/config_(\d+)/(trial|result|attempt_(\d+)(\.end|\.pending)?)\.yaml")
_KNOWN = re.compile(r".*/known/[^/]+/known_(\d+)\.yaml")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is asked of a run: `most` trials, by number or, if `by_cost`, by what they cost (1 each)."""

    most: int
    in_turn: bool
    by_cost: bool
    max_attempts: int


@dataclasses.dataclass
class Attempt:
    """One: who opened it, which losses its evaluations came to, and how it ended."""

    owner: str
    losses: set[float] = dataclasses.field(default_factory=set)
    end: dict[str, Any] | None = None
    inode: int = 0
    marked: bool = False


class Reference:
    """The model of one run. `wrong` is what broke a rule; each entry is a sentence."""

    def __init__(self, rules: Rules, may_be_dead: Callable[[str, int, int], bool]) -> None:
        self._rules, self._may_be_dead = rules, may_be_dead
        self.trials: dict[int, list[Attempt]] = {}
        self.results: dict[int, int] = {}
        self.wrong: list[str] = []
        self._decided: list[tuple[object, ...]] = []
        self._waiting: list[tuple[int, int]] = []
        self._enqueued: dict[tuple[int, int], dict[str, Any]] = {}
        self._continued: set[str] = set()

    def observe(self, path: str, inode: Inode) -> None:
        """A document has got its name."""
        if (match := _KNOWN.fullmatch(path)) is not None:
            self._enqueue(int(match[1]), yaml.load(inode.content.now, Loader=_Loader))  # noqa: S506 - a safe one
            return
        if (match := _PATH.fullmatch(path)) is None:
            return
        number, kind, attempt = int(match[1]), match[2], int(match[3] or 1)
        fields = yaml.load(inode.content.now, Loader=_Loader)  # noqa: S506 - a safe one
        if kind == "trial":
            self._commit(number, fields)
        elif kind == "result":
            self._result(number, inode, fields)
        elif kind.endswith(".end"):
            self._end(number, attempt, inode, fields)
        elif kind.endswith(".pending"):
            self.trials[number][attempt - 1].marked = True
        else:
            self._open(number, attempt, fields)

    def evaluated(self, number: int, attempt: int, worker: str, loss: float) -> None:
        """An evaluation has come to an end, and its worker holds that attempt, for all that it knows."""
        held = self._attempt(number, attempt)
        if held is None or held.owner != worker:
            self._say(f"{worker} evaluates attempt {attempt} of trial {number}, which isn't its own")
        else:
            held.losses.add(loss)

    def published(self, number: int, attempt: int, loss: float, *, believed: bool) -> None:
        """A worker has published a result, or found that it could not: for all that it knows."""
        held = self._attempt(number, attempt)
        is_so = held is not None and held.end is not None and held.end.get("loss") == loss
        if is_so != believed:
            self._say(f"attempt {attempt} of trial {number}: its worker believes {believed}, and it is {is_so}")

    def check_end(self) -> None:
        """Nothing is to be done any more."""
        numbers = sorted(self.trials)
        if numbers != list(range(1, len(numbers) + 1)):
            self._say(f"the numbers have gaps: {numbers}")
        if lacking := [number for number in numbers if number not in self.results]:
            self._say(f"trials without a result: {lacking}")
        if len(numbers) != self._rules.most:
            self._say(f"{len(numbers)} trials instead of {self._rules.most}")

    def _attempt(self, number: int, attempt: int) -> Attempt | None:
        attempts = self.trials.get(number, [])
        return attempts[attempt - 1] if attempt <= len(attempts) else None

    def _commit(self, number: int, fields: dict[str, Any]) -> None:
        if number in self.trials:
            self._say(f"trial {number} is decided twice")
        if number > self._rules.most:
            self._say(f"trial {number} exceeds the budget of {self._rules.most}")
        if self._rules.in_turn and (missing := set(range(1, number)) - set(self.trials)):
            self._say(f"trial {number} is decided before {sorted(missing)}")
        if "entry" in fields:
            self._take(number, (fields["batch"], fields["entry"]), fields["config"])
        decided = tuple(sorted(fields["config"].items()))
        if decided in self._decided:
            self._say(f"trial {number} is a configuration that was decided before: {decided}")
        self._decided.append(decided)
        if (previous := fields.get("previous")) is not None:
            if previous in self._continued:
                self._say(f"{previous} is continued twice")
            self._continued.add(previous)
        self.trials[number] = [Attempt(fields["worker"])]

    def _enqueue(self, batch: int, fields: dict[str, Any]) -> None:
        if batch != 1 + max((known for known, _ in self._enqueued), default=0):
            self._say(f"list {batch} is enqueued twice, or before an earlier one")
        for place, config in enumerate(fields["configs"], start=1):
            self._enqueued[batch, place] = config
            self._waiting.append((batch, place))

    def _take(self, number: int, entry: tuple[int, int], config: dict[str, Any]) -> None:
        if entry not in self._waiting or entry != self._waiting[0]:
            self._say(f"trial {number} takes entry {entry}, and {self._waiting} wait")
        else:
            self._waiting.remove(entry)
        if not self._enqueued.get(entry, {"x": None}).items() <= config.items():
            self._say(f"trial {number} takes entry {entry} as {config}")

    def _open(self, number: int, attempt: int, fields: dict[str, Any]) -> None:
        attempts = self.trials[number]
        if attempt != len(attempts) + 1:
            self._say(f"attempt {attempt} of trial {number} is opened after {len(attempts)} attempts")
        before = attempts[-1].end
        if before is None or before["end"] not in ("left", "died"):
            self._say(f"attempt {attempt} of trial {number} is opened after one that ended as {before}")
        attempts.append(Attempt(fields["worker"]))

    def _end(self, number: int, attempt: int, inode: Inode, fields: dict[str, Any]) -> None:
        held = self.trials[number][attempt - 1]
        if attempt != len(self.trials[number]) or held.end is not None:
            self._say(f"attempt {attempt} of trial {number} has ended before, and ends as {fields}")
        held.end, held.inode = fields, inode.number
        if fields["attempt"] != attempt:
            self._say(f"the end of attempt {attempt} of trial {number} is of attempt {fields['attempt']}")
        match fields["end"]:
            case "result":
                self._end_with_result(number, attempt, held, fields)
            case "died":
                if held.marked or not self._may_be_dead(held.owner, number, attempt):
                    self._say(f"attempt {attempt} of trial {number} of {held.owner}, who lives, ends as died: {fields}")
            case "left":
                if fields["by"] != held.owner:
                    self._say(f"attempt {attempt} of trial {number} of {held.owner} is left by {fields['by']}")
            case other:
                self._say(f"attempt {attempt} of trial {number} ends as {other}: {fields}")

    def _end_with_result(self, number: int, attempt: int, held: Attempt, fields: dict[str, Any]) -> None:
        if "given up" in str(fields.get("error")):
            deaths = sum(1 for each in self.trials[number] if each.end is not None and each.end["end"] == "died")
            if deaths < self._rules.max_attempts:
                self._say(f"trial {number} is given up after {deaths} deaths")
        elif fields["loss"] not in held.losses:
            self._say(f"attempt {attempt} of trial {number} ends with loss {fields['loss']}, not of {held.losses}")

    def _result(self, number: int, inode: Inode, fields: dict[str, Any]) -> None:
        last = self.trials[number][-1]
        if number in self.results:
            self._say(f"trial {number} has a second result")
        if inode.number != last.inode or last.end is None or last.end["end"] != "result":
            self._say(f"the result of trial {number} is not the end of its last attempt: {fields}")
        self.results[number] = inode.number

    def _say(self, what: str) -> None:
        self.wrong.append(what)
