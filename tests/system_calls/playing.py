"""Plays a scenario: calmly, to learn which calls there are, and then with a fault at one of them."""

from __future__ import annotations

import dataclasses
import random
import re
import shutil
from collections import Counter
from pathlib import Path

from rigs.tracing import Action, Fail, Kill, traced
from system_calls.checking import Allowed, Expected, seen, wrong
from system_calls.faults import Injection, Point, faults_at, points, shown
from system_calls.place import Place, import_what_was, in_log, played
from system_calls.scenarios import SCENARIOS

__all__ = ["Outcome", "Stage", "Task", "prepared"]

_DEADLINE = 180.0
_TRIES = 3
_NO_FAULT = "went on without the fault"
_TAUGHT = ("neps.errors.", "SystemExit: 1")
"""What a process may end with: an error of neps, which says what to do; a command's status after it has said so."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A fault at a point of a scenario (by its index)."""

    scenario: int
    point: Point
    action: Action

    def __str__(self) -> str:
        """For people."""
        where = f"{self.point.call} ({self.point.role}, call {self.point.index})"
        return f"{SCENARIOS[self.scenario].name}: {shown(self.action)} at {where}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a task: how the process under the fault ended, by which error, and what is wrong."""

    task: Task
    ended: str
    error: str
    wrong: tuple[str, ...]

    @property
    def counts(self) -> bool:
        """Whether there was a fault at all."""
        return self.ended != _NO_FAULT or bool(self.wrong)


@dataclasses.dataclass(frozen=True)
class Stage:
    """A scenario that is ready to be played with faults."""

    scenario: int
    folder: Path
    expected: Expected
    points: tuple[Point, ...]

    def tasks(self) -> list[Task]:
        """All faults at all points."""
        return [
            Task(self.scenario, point, action)
            for point in self.points
            for action in faults_at(point, last=point == self.points[-1])
        ]

    def play(self, task: Task, own: Path) -> Outcome:
        """Play it with a fault, in a folder that is the caller's own."""
        place = self._place(own)
        for _ in range(_TRIES):  # what depends on time may miss its fault
            ended, met = _act(place, task)
            if met is not None:
                break
        else:
            by_chance = task.point.role != "main"  # as a helper process touches only what a thread does too late
            return Outcome(task, _NO_FAULT, "", () if by_chance else ("the fault was never given",))
        error = _last_words(place.log) if ended == "ended with an error" else ""
        try:
            code = played(in_log(SCENARIOS[self.scenario].finish, place), _DEADLINE)
            found = [] if code == 0 else [f"the clean process ended with {code}"]
        except TimeoutError:
            found = ["the clean process did not end"]
        found += wrong(place, self.expected, _allowed(task, ended))
        if ended == "did not end":
            found.append("the process under the fault did not end")
        if error and not error.startswith(_TAUGHT) and not SCENARIOS[self.scenario].raises:
            found.append(f"the process under the fault raised {error}")
        if found:
            found.append(f"its log ended with: {_tail(place.log)}")
        return Outcome(task, ended, error, tuple(found))

    def _place(self, own: Path) -> Place:
        place = Place(own / str(self.scenario))
        if not place.folder.exists():
            place.folder.mkdir(parents=True)
            shutil.copytree(self.folder / "template", place.folder / "template", symlinks=True)
        return place


def _allowed(task: Task, ended: str) -> Allowed:
    """A kill costs an evaluation, and is a death; so costs an error, where it may end a process that holds a trial."""
    killed, failed = isinstance(task.action, Kill), ended == "ended with an error"
    left = killed or (task.point.call.startswith("unlink") and isinstance(task.action, Fail))
    costs = killed or (failed and SCENARIOS[task.scenario].raises)
    return Allowed(evaluations=int(costs), deaths=int(killed), staged=int(left), fewer=killed or failed)


def prepared(scenario: int, folder: Path) -> Stage:
    """Prepare a scenario, and play it calmly.

    Raises:
        AssertionError: if that does not end well.
    """
    place, plan = Place(folder), SCENARIOS[scenario]
    folder.mkdir(parents=True)
    if plan.prepare is not None:
        played(in_log(plan.prepare, place), _DEADLINE)
    place.store()
    place.restore()
    injection = Injection()
    code = traced(in_log(plan.act, place), place.root, injection, deadline=_DEADLINE)
    assert code == 0, f"{plan.name}, calm: {place.log.read_text()}"
    code = played(in_log(plan.finish, place), _DEADLINE)
    assert code == 0, f"{plan.name}, calm: {place.log.read_text()}"
    import_what_was(place)
    expected = seen(place, plan.trials)
    found = list(wrong(place, expected, Allowed()))
    assert not found, f"{plan.name}, calm: {found}"
    return Stage(scenario, folder, expected, tuple(points(injection.seen)))


def _act(place: Place, task: Task) -> tuple[str, Point | None]:
    place.restore()
    injection = Injection(task.point, task.action)
    try:
        code = traced(in_log(SCENARIOS[task.scenario].act, place), place.root, injection, deadline=_DEADLINE)
    except TimeoutError:
        return "did not end", injection.met
    return {0: "went on", -9: "was killed"}.get(code, "ended with an error"), injection.met


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace").strip().splitlines()[-1]


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " | ".join(lines[-6:])


def shuffled(tasks: list[Task], seed: int, most: int) -> list[Task]:
    """All tasks in an order by the seed, or the first of them; 0 is all. The same of another trial comes later."""
    random.Random(seed).shuffle(tasks)
    seen = Counter[tuple[int, str, Action]]()
    turns = dict[Task, int]()
    for task in tasks:
        kind = (task.scenario, re.sub(r"\d+", "N", task.point.call), task.action)
        turns[task] = seen[kind]
        seen[kind] += 1
    ordered = sorted(tasks, key=turns.__getitem__)
    return ordered[:most] if most else ordered
