"""What is wrong after a round: the evidence of all that took part is compared with the directory that neps left."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from chaos.evidence import Entry, read
from chaos.plan import Plan
from stress.evidence import document, numbers

__all__ = ["Verdict", "judge"]

_SHOWN_LINES = 12
_BAD = re.compile(r"Traceback|Fatal Python error|Exception ignored|Segmentation fault|terminate called")
_ALLOWANCE = 2.0  # seconds in which a worker that was thawed notices what it has missed, in leases

_SEEN_WITHIN = 5.0  # seconds after its publication a result is seen


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was counted, and what is wrong, each with where to read more."""

    counts: Counter[str]
    findings: list[str]


class _Round:
    """The evidence, sorted by what the checks ask for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.entries = read(plan.evidence)
        self.of_worker: dict[str, list[Entry]] = defaultdict(list)
        self.of_number: dict[int, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            self.of_worker[entry.worker].append(entry)
            if "number" in entry.facts:
                self.of_number[entry["number"]].append(entry)
        self.results = self.documents("result.yaml")
        self.name_of = {
            (entry["host"], entry["boot"], entry["pid"]): entry.worker
            for entry in self.entries
            if entry.event == "worker"
        }

    def documents(self, name: str) -> dict[int, dict[str, Any]]:
        """The document of this name of each trial that has one."""
        paths = {number: self.plan.root / f"config_{number}" / name for number in numbers(self.plan.root)}
        return {number: document(path) for number, path in paths.items() if path.exists()}

    def all_of(self, event: str) -> list[Entry]:
        """All entries of an event."""
        return [entry for entry in self.entries if entry.event == event]

    def was(self, worker: str, *events: str) -> bool:
        """Whether this happened to a worker."""
        return any(entry.event in events for entry in self.of_worker[worker])

    def deaths(self, number: int) -> dict[int, str]:
        """The attempts of a trial that ended as died, and whose they were."""
        folder = self.plan.root / f"config_{number}"
        found = {}
        for path in sorted(folder.glob("attempt_*.end.yaml")):
            attempt = int(path.name.split("_")[1].split(".")[0])
            if document(path)["end"] == "died":
                start = document(folder / ("trial.yaml" if attempt == 1 else f"attempt_{attempt}.yaml"))
                found[attempt] = self.name_of.get((start["host"], start["boot"], start["pid"]), str(start["worker"]))
        return found

    def caused(self, worker: str) -> bool:
        """Whether the chaos can be why somebody took this worker for dead, or why it crashed."""
        return self.was(worker, "kill", "freeze")


def judge(plan: Plan) -> Verdict:
    """Looks at all that a round has left."""
    seen = _Round(plan)
    checks: list[Callable[[_Round], Iterator[str]]] = [
        _numbers,
        _failures,
        _results,
        _configurations,
        _checkpoints,
        _late_evaluations,
        _exits,
        _logs,
        _left_behind,
    ]
    findings = [finding for check in checks for finding in check(seen)]
    return Verdict(_counts(seen), findings)


def _counts(seen: _Round) -> Counter[str]:
    counts = Counter({f"{entry.event}s": 0 for entry in seen.entries if entry.facts.get("by")})
    counts.update(f"{entry.event}s" for entry in seen.entries if entry.facts.get("by"))
    counts.update(f"exits with {entry['code']}" for entry in seen.all_of("exit"))
    for number in numbers(seen.plan.root):
        for worker in seen.deaths(number).values():
            counts["takeovers" if seen.caused(worker) else "takeovers of a worker that nobody struck"] += 1
    texts = [path.read_text(errors="replace") for path in (seen.plan.folder / "logs").glob("*.log")]
    counts["evaluations interrupted since they were taken over"] = sum(text.count("was interrupted") for text in texts)
    counts["results dropped since they came too late"] = sum(text.count("is dropped") for text in texts)
    counts["processes that started anew"] = len(seen.all_of("worker")) - len({e.worker for e in seen.all_of("worker")})
    counts.update(f"trials: {result['status']}" for result in seen.results.values())
    return counts


def _numbers(seen: _Round) -> Iterator[str]:
    found, wanted = numbers(seen.plan.root), list(range(1, seen.plan.trials + 1))
    if found != wanted:
        yield f"numbers: too many {sorted(set(found) - set(wanted))}, missing {sorted(set(wanted) - set(found))}"
    if lacking := set(found) - set(seen.results):
        yield f"no result: {sorted(lacking)}"


def _failures(seen: _Round) -> Iterator[str]:
    for number, result in seen.results.items():
        if result["status"] == "success":
            continue
        deaths = seen.deaths(number)
        if re.search(r"given up after .* of its worker", str(result["error"])) and all(
            map(seen.caused, deaths.values())
        ):
            continue  # it was killed as often as it may be
        last = str(result["error"]).strip().splitlines()[-1]
        yield f"config_{number} failed, in attempt {result.get('attempt')} (deaths: {deaths}): {last[:300]}"


def _results(seen: _Round) -> Iterator[str]:
    """Each is of one evaluation that came to its end, and all that were seen meanwhile are there still."""
    for number, result in seen.results.items():
        if result["status"] == "success":
            ends = [e for e in seen.of_number[number] if e.event == "end"]
            mine = [e for e in ends if e["evaluation"] == result["info_dict"]["evaluation"]]
            if len(mine) != 1 or mine[0]["loss"] != result["loss"]:
                yield f"config_{number}: its result {result['loss']} is of none of {[e.facts for e in ends]}"
    for entry in seen.all_of("changed"):
        yield f"a result that was seen: {entry['what']}"


def _configurations(seen: _Round) -> Iterator[str]:
    for number, decision in seen.documents("trial.yaml").items():
        wanted = (decision["config"]["x"], decision["config"]["epochs"], decision.get("previous"))
        for entry in seen.of_number[number]:
            if entry.event == "begin" and (entry["x"], entry["epochs"], entry["previous"]) != wanted:
                yield f"config_{number} is {wanted}, and was evaluated as {entry.facts}"


def _checkpoints(seen: _Round) -> Iterator[str]:
    """An evaluation goes on from what the last owner had saved, or later."""
    for number, entries in seen.of_number.items():
        begun: dict[Any, float] = {}
        for entry in entries:
            if entry.event == "begin":
                begun[entry["evaluation"]] = entry.moment
            if entry.event == "loaded":
                before = [e["epoch"] for e in entries if e.event == "saved" and e.moment < begun[entry["evaluation"]]]
                if entry["epoch"] < max(before, default=0):
                    yield f"config_{number}: {max(before)} epochs were saved, and {entry.facts} went on from fewer"


def _late_evaluations(seen: _Round) -> Iterator[str]:
    """Nobody begins what has a result already, but who was frozen and has not noticed yet."""
    known = {entry["number"]: entry.moment for entry in seen.all_of("seen")}
    for entry in seen.all_of("begin"):
        late = entry.moment - known.get(entry["number"], float("inf"))
        thaws = [e.moment for e in seen.of_worker[entry.worker] if e.event == "thaw" and e.moment <= entry.moment]
        is_excused = thaws and entry.moment - thaws[-1] < _ALLOWANCE * seen.plan.lease
        if late > 0 and not is_excused:
            yield f"config_{entry['number']}: {entry.worker} began it {late:.1f} s after its result was seen"


def _exits(seen: _Round) -> Iterator[str]:
    complete = max((entry.moment for entry in seen.all_of("seen")), default=float("inf")) - _SEEN_WITHIN
    for entry in seen.all_of("exit"):
        code, worker = entry["code"], entry.worker
        if code == -9 and seen.was(worker, "kill"):
            continue
        if code == 0 and (entry.moment > complete or seen.was(worker, "freeze")):
            continue
        yield f"{worker} ended with {code} (frozen: {seen.was(worker, 'freeze')}): {seen.plan.log(worker)}"
    started = {entry.worker for entry in seen.all_of("start")}
    ended = {entry.worker for entry in seen.all_of("exit")} | {e.worker for e in seen.all_of("kill")}
    for worker in sorted(started - ended):
        yield f"{worker} never ended: {seen.plan.log(worker)}"


def _logs(seen: _Round) -> Iterator[str]:
    for path in sorted((seen.plan.folder / "logs").glob("*.log")):
        lines = path.read_text(errors="replace").splitlines()
        bad = [index for index, line in enumerate(lines) if _BAD.search(line)]
        if bad:
            excerpt = "\n      ".join(lines[bad[0] : bad[0] + _SHOWN_LINES])
            yield f"{len(bad)} times trouble in {path}, first\n      {excerpt}"


def _left_behind(seen: _Round) -> Iterator[str]:
    for entry in seen.all_of("left behind"):
        yield f"{entry.worker}: process {entry['pid']} was left behind: {entry['command']}"
