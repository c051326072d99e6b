"""What is wrong after a storm: the evidence of all that took part is compared with the directory that neps left."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chaos.evidence import Entry, read
from storms.plan import Plan
from stress.evidence import document, leftovers, numbers

__all__ = ["LETHAL", "STORM", "Seen", "judge"]

STORM = "storm"
"""Who strikes, in the evidence: the entry `struck` tells by which kind, from when to when, whom (`workers`, or all on
`host`)."""
LETHAL = {"crash", "freeze", "kill", "deaf", "paused client"}
"""After which strikes others may take a worker for dead. All others are polite: the worker hands its trial back."""
_BAD = re.compile(r"Traceback|Fatal Python error|Exception ignored|Segmentation fault|terminate called")


class Seen:
    """The evidence of a search, sorted by what the checks ask for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.entries = read(plan.evidence)
        self.started = {entry.worker: entry for entry in reversed(self.entries) if entry.event == "worker"}
        self.strikes = [entry for entry in self.entries if entry.event == "struck"]
        self.of_number: dict[int, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if "number" in entry.facts:
                self.of_number[entry["number"]].append(entry)
        self.results = self.documents("result.yaml")
        self.name_of = {(e["host"], e["boot"], e["pid"]): name for name, e in self.started.items()}

    def documents(self, name: str) -> dict[int, dict[str, Any]]:
        """The document of this name of each trial that has one."""
        paths = {number: self.plan.root / f"config_{number}" / name for number in numbers(self.plan.root)}
        return {number: document(path) for number, path in paths.items() if path.exists()}

    def struck(self, worker: str) -> set[str]:
        """By which kinds a worker was struck."""
        start = self.started.get(worker)
        ends = [e.moment for e in self.entries if e.worker == worker and e.event == "returned"]
        return {
            strike["by"]
            for strike in self.strikes
            if worker in strike["workers"]
            or (start and start["host"] == strike["host"] and _overlap(start.moment, ends, strike))
        }

    def unfinished(self) -> list[Entry]:
        """The evaluations that were begun and didn't come to their end."""
        ended = {entry["evaluation"] for entry in self.entries if entry.event == "end"}
        return [e for e in self.entries if e.event == "begin" and e["evaluation"] not in ended]

    def ends(self) -> Iterator[tuple[int, int, str, str]]:
        """Of each attempt: trial, attempt, how it ended, and whose it was."""
        for number in numbers(self.plan.root):
            folder = self.plan.root / f"config_{number}"
            for path in sorted(folder.glob("attempt_*.end.yaml")):
                attempt = int(path.name.split("_")[1].split(".")[0])
                start = document(folder / ("trial.yaml" if attempt == 1 else f"attempt_{attempt}.yaml"))
                identity = (start.get("host"), start.get("boot"), start.get("pid"))
                owner = self.name_of.get(identity, str(start.get("worker")))
                yield number, attempt, str(document(path).get("end", "result")), owner

    def repeated(self) -> int:
        """How many epochs were begun again."""
        begun = Counter((e["number"], e["epoch"]) for e in self.entries if e.event == "epoch")
        return sum(begun.values()) - len(begun)


def judge(plan: Plan, logs: list[Path]) -> tuple[Counter[str], list[str]]:
    """Counts, and what is wrong; `logs` are what workers printed."""
    seen = Seen(plan)
    checks: list[Callable[[Seen], Iterator[str]]] = [_numbers, _results, _configurations, _checkpoints, _deaths, _waste]
    wrong = [finding for check in checks for finding in check(seen)]
    for path in logs:
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        bad = [index for index, line in enumerate(lines) if _BAD.search(line)]
        if bad:
            wrong.append(f"{len(bad)} times trouble in {path}: " + "\n    ".join(lines[bad[0] : bad[0] + 30]))
    counts = Counter(how for _, _, how, _ in seen.ends())
    counts.update(f"struck: {kind}" for worker in seen.started for kind in seen.struck(worker))
    counts["trials"], counts["workers"] = len(seen.results), len(seen.started)
    counts["evaluations begun"] = sum(1 for entry in seen.entries if entry.event == "begin")
    counts["epochs begun again"] = seen.repeated()
    counts["epochs"] = sum(1 for entry in seen.entries if entry.event == "epoch")
    return counts, wrong


def _numbers(seen: Seen) -> Iterator[str]:
    found, wanted = numbers(seen.plan.root), list(range(1, seen.plan.trials + 1))
    if found != wanted:
        yield f"numbers: too many {sorted(set(found) - set(wanted))}, missing {sorted(set(wanted) - set(found))}"
    if lacking := set(found) - set(seen.results):
        yield f"no result: {sorted(lacking)}"
    strange = [path for path in leftovers(seen.plan.root) if Path(path).name not in ("summary", ".checkpoint.pt.neps")]
    died = any(how == "died" for _, _, how, _ in seen.ends())
    if strange and not died:  # who is killed while writing leaves what was written
        yield f"leftovers: {strange}"


def _results(seen: Seen) -> Iterator[str]:
    """Each is a success, of one evaluation that came to its end."""
    for number, result in seen.results.items():
        if result["status"] != "success":
            yield f"config_{number} failed: {str(result['error']).strip().splitlines()[-1][:300]}"
            continue
        ends = [e for e in seen.of_number[number] if e.event == "end"]
        mine = [e for e in ends if e["evaluation"] == result["info_dict"]["evaluation"]]
        if len(mine) != 1 or mine[0]["loss"] != result["loss"]:
            yield f"config_{number}: its result {result['loss']} is of none of {[e.facts for e in ends]}"


def _configurations(seen: Seen) -> Iterator[str]:
    for number, decision in seen.documents("trial.yaml").items():
        wanted = (decision["config"]["x"], decision["config"]["epochs"], decision.get("previous"))
        for entry in seen.of_number[number]:
            if entry.event == "begin" and (entry["x"], entry["epochs"], entry["previous"]) != wanted:
                yield f"config_{number} is {wanted}, and was evaluated as {entry.facts}"


def _checkpoints(seen: Seen) -> Iterator[str]:
    """An evaluation goes on from what was saved before it began, or later."""
    for number, entries in seen.of_number.items():
        begun = {e["evaluation"]: e.moment for e in entries if e.event == "begin"}
        for entry in entries:
            if entry.event == "loaded":
                before = [e["epoch"] for e in entries if e.event == "saved" and e.moment < begun[entry["evaluation"]]]
                if entry["epoch"] < max(before, default=0):
                    yield f"config_{number}: {max(before)} epochs were saved, and {entry.facts} went on from fewer"


def _deaths(seen: Seen) -> Iterator[str]:
    """Only a worker that was struck lethally counts as dead."""
    for number, attempt, how, owner in seen.ends():
        kinds = seen.struck(owner)
        if how == "died" and not kinds & LETHAL:
            yield f"config_{number}, attempt {attempt}: {owner} counts as dead, and was struck by {kinds or 'nothing'}"
        if how == "left" and not kinds:
            yield f"config_{number}, attempt {attempt}: {owner} left, and nothing struck it"


def _waste(seen: Seen) -> Iterator[str]:
    """No evaluation ends without a reason, and each that does wastes at most the epoch that it was in."""
    for entry in seen.unfinished():
        if not seen.struck(entry.worker):
            yield f"config_{entry['number']}: {entry.worker} never ended it, and nothing struck that worker"
    successes = sum(1 for result in seen.results.values() if result["status"] == "success")
    begun = sum(1 for entry in seen.entries if entry.event == "begin")
    if seen.repeated() > begun - successes:
        yield f"{seen.repeated()} epochs were begun again, by {begun - successes} evaluations more than results"


def _overlap(start: float, ends: list[float], strike: Entry) -> bool:
    return bool(start <= strike["until"]) and (not ends or ends[-1] >= strike["since"])
