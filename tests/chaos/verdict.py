"""What is wrong after a round: the evidence of all that took part is compared with the directory that neps left."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from chaos.evidence import Entry, read
from chaos.plan import Plan
from chaos.training import ASKED
from stress.evidence import document, numbers

__all__ = ["STRIKES", "Verdict", "judge"]

_SHOWN_LINES = 12
_BAD = re.compile(r"Traceback|Fatal Python error|Exception ignored|Segmentation fault|terminate called")
STRIKES = {
    "kill": "kills",
    "freeze": "freezes",
    "clock": "clock jumps",
    "power": "power failures",
    "outage": "outages",
    "retry": "retries",
    "tell": "tells",
    "look": "looks",
}
"""What strikes, and what others do meanwhile, as it is counted."""
_GIVEN_UP = re.compile(r"given up after .* of its worker")
_NO_STORAGE = re.compile(r"given up after .* whose storage failed")


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
        return self.was(worker, "kill", "freeze") or self.had_outage(worker)

    def had_outage(self, worker: str) -> bool:
        """Whether its host's storage failed while it ran."""
        mine = [e.moment for e in self.of_worker[worker] if e.event in ("start", "exit")]
        begin, end = (min(mine), max(mine)) if len(mine) > 1 else (min(mine, default=0.0), float("inf"))
        host = self.of_worker[worker.split(".", maxsplit=1)[0]]
        failed = [e.moment for e in host if e.event == "outage"]
        worked = [e.moment for e in host if e.event == "works again"]
        return any(
            moment <= end and begin <= next((w for w in worked if w >= moment), float("inf")) for moment in failed
        )


def judge(plan: Plan) -> Verdict:
    """Looks at all that a round has left."""
    seen = _Round(plan)
    checks: list[Callable[[_Round], Iterator[str]]] = [
        _numbers,
        _failures,
        _results,
        _configurations,
        _checkpoints,
        _previous_checkpoints,
        _late_evaluations,
        _moved_runs,
        _trouble,
        _exits,
        _logs,
        _left_behind,
    ]
    findings = [finding for check in checks for finding in check(seen)]
    return Verdict(_counts(seen), findings)


def _counts(seen: _Round) -> Counter[str]:
    counts = Counter(_plural(entry) for entry in seen.entries if entry.event in STRIKES and not entry.facts.get("also"))
    if seen.plan.kind.launches:
        counts["launches"] = len({seen.plan.token(*_home(entry.worker)) for entry in seen.all_of("start")})
    counts["operations of storage that failed, hung or were late"] = sum(e["count"] for e in seen.all_of("faults"))
    counts["processes that started anew"] = len(seen.all_of("worker")) - len({e.worker for e in seen.all_of("worker")})
    counts.update(f"exits with {entry['code']}" for entry in seen.all_of("exit"))
    counts.update(f"trials: {result['status']}" for result in seen.results.values())
    return counts + _consequences(seen)


def _consequences(seen: _Round) -> Counter[str]:
    """What neps made of the strikes."""
    counts = Counter[str]()
    for number in numbers(seen.plan.root):
        for worker in seen.deaths(number).values():
            counts["takeovers" if seen.caused(worker) else "takeovers of a worker that nobody struck"] += 1
    texts = [path.read_text(errors="replace") for path in (seen.plan.folder / "logs").glob("*.log")]
    counts["evaluations interrupted since they were taken over"] = sum(text.count("was interrupted") for text in texts)
    counts["results dropped since they came too late"] = sum(text.count("is dropped") for text in texts)
    return counts


def _home(worker: str) -> tuple[str, int]:
    """Its host, and how often that was booted before."""
    host, boot, _ = worker.split(".")
    return host, int(boot)


def _plural(entry: Entry) -> str:
    if entry.event == "outage":
        return f"outages of {'all hosts' if entry['everywhere'] else 'a host'}: {entry['how']}"
    return f"looks by {entry['how']}" if entry.event == "look" else STRIKES[entry.event]


def _numbers(seen: _Round) -> Iterator[str]:
    """Nothing is lost, doubled or overspent: neither trials nor costs."""
    found, wanted = numbers(seen.plan.root), list(range(1, seen.plan.trials + 1))
    spent, budget = (
        sum(result.get("cost", 0.0) for result in seen.results.values()),
        seen.plan.trials * seen.plan.kind.cost,
    )
    if seen.plan.kind.cost and spent != budget:
        yield f"{spent} is spent of a budget of {budget}"
    if found != wanted:
        yield f"numbers: too many {sorted(set(found) - set(wanted))}, missing {sorted(set(wanted) - set(found))}"
    if lacking := set(found) - set(seen.results):
        yield f"no result: {sorted(lacking)}"


def _failures(seen: _Round) -> Iterator[str]:
    for number, result in seen.results.items():
        if result["status"] == "success":
            continue
        deaths, error = seen.deaths(number), str(result["error"])
        killed = _GIVEN_UP.search(error) and all(map(seen.caused, deaths.values()))
        stalled = _NO_STORAGE.search(error) and seen.all_of("outage")
        if killed or stalled or (seen.plan.kind.failing and error.strip().endswith(ASKED)):
            continue
        last = error.strip().splitlines()[-1]
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


def _previous_checkpoints(seen: _Round) -> Iterator[str]:
    """Who continues a trial has found its checkpoint: `keep_checkpoints` has not freed it too early."""
    decisions = seen.documents("trial.yaml")
    for number, entries in seen.of_number.items():
        if (previous := decisions.get(number, {}).get("previous")) is None:
            continue
        reached = decisions[int(previous.removeprefix("config_"))]["config"]["epochs"]
        for entry in entries:
            if entry.event == "loaded" and entry["epoch"] < reached:
                yield f"config_{number} continues {previous}, of {reached} epochs, and found {entry['epoch']}"


def _late_evaluations(seen: _Round) -> Iterator[str]:
    """Nobody opens an attempt after the one that came to a result, but after a retry."""
    for number, result in seen.results.items():
        for entry in seen.of_number[number]:
            if entry.event == "begin" and entry["attempt"] > result["attempt"]:
                yield f"config_{number}: {entry.worker} began attempt {entry['attempt']} after its result"


def _moved_runs(seen: _Round) -> Iterator[str]:
    """No launch has moved the run of live workers aside."""
    if moved := [path.name for path in (seen.plan.root / "overwritten").glob("*")]:
        yield f"moved aside under live workers: {moved}"


def _trouble(seen: _Round) -> Iterator[str]:
    for entry in seen.all_of("trouble"):
        yield f"{entry.worker}: {entry['what']}"


def _exits(seen: _Round) -> Iterator[str]:
    for entry in seen.all_of("exit"):
        code, worker = entry["code"], entry.worker
        killed = code == -9 and seen.was(worker, "kill")
        if not killed and not (code == 0 and _has_seen_all(seen, worker)):
            yield f"{worker} ended with {code} (frozen: {seen.was(worker, 'freeze')}): {seen.plan.log(worker)}"
    started = {entry.worker for entry in seen.all_of("start")}
    ended = {entry.worker for entry in seen.all_of("exit")} | {e.worker for e in seen.all_of("kill")}
    for worker in sorted(started - ended):
        if not _lost_its_power(seen, worker):  # who had hardly started wasn't seen, and so not struck by name
            yield f"{worker} never ended: {seen.plan.log(worker)}"


def _lost_its_power(seen: _Round, worker: str) -> bool:
    """Whether the power of its host failed; its name tells host and boot, and a host is booted anew after that."""
    host, *boot = worker.split(".")
    return bool(boot) and int(boot[0]) < sum(entry.worker == host for entry in seen.all_of("power"))


def _has_seen_all(seen: _Round, worker: str) -> bool:
    """Whether it left since everything had ended; a retry may have reopened something just then."""
    returned = next((entry for entry in seen.of_worker[worker] if entry.event == "returned"), None)
    retried = len({entry["number"] for entry in seen.all_of("retry")})
    return returned is not None and returned["ended"] + retried >= len(seen.results)


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
