"""The program: prepares the scenarios, and plays each with all faults at all its calls, or a sample."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from proofs.record import Record, Row, arguments
from rigs.tracing import tracing_available
from system_calls.playing import Outcome, Stage, Task, prepared, shuffled
from system_calls.scenarios import SCENARIOS

_WHAT = (
    "A scenario is played again and again, and each time one system call that changes a file of the root meets a "
    "fault. In a full run each of these calls meets each fault: SIGKILL before or after it; ENOSPC, EIO, EDQUOT, "
    "ESTALE, EACCES or EINTR instead of it; and link, rename, mkdir and unlink are also done, but reported as failed. "
    "Then a process without faults finishes. A call that fails costs no evaluation, and a kill costs one."
)
_SAY_EVERY = 30.0
_stages: dict[int, Stage] = {}


def main() -> int:
    """Entry: 1 if anything is wrong."""
    parser = arguments("system_calls", _WHAT, "how many faults, drawn at random (default: 0, which is all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: all cores)")
    parser.add_argument("--errors", action="store_true", help="print by which errors processes have ended")
    parser.add_argument("--only", type=int, nargs="+", metavar="K", help="the scenarios of these indices, from 0")
    parser.add_argument("--folder", type=Path, help="for roots, evidence and logs (default: a new one in memory)")
    options = parser.parse_args()
    if reason := tracing_available():
        sys.exit(f"error: {reason}")
    began = time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - syncing is quick there
    with tempfile.TemporaryDirectory(prefix="neps-calls-", dir=memory) as folder:
        base = (options.folder or Path(folder)).resolve()
        for index in options.only or range(len(SCENARIOS)):
            _stages[index] = prepared(index, base / f"prepared_{index}")
        tasks = shuffled([task for stage in _stages.values() for task in stage.tasks()], options.seed, options.times)
        calls = sum(len(stage.points) for stage in _stages.values())
        print(f"{len(tasks)} faults at {calls} calls of {len(_stages)} scenarios; seed {options.seed}", flush=True)
        outcomes = list(_played(tasks, base, options.jobs))
    if options.errors:
        print("\n".join(sorted(f"{outcome.task}: {outcome.error}" for outcome in outcomes if outcome.error)))
    record = _record(outcomes, options.seed, time.monotonic() - began)
    print("\n".join(["nothing is wrong" if not record.wrong else "this is wrong:", *record.wrong]))
    if options.json:
        record.write(options.json)
    return 1 if record.wrong else 0


def _played(tasks: list[Task], base: Path, jobs: int) -> Iterator[Outcome]:
    said = time.monotonic()
    with multiprocessing.get_context("fork").Pool(jobs, _begin, (base,)) as pool:
        for count, outcome in enumerate(pool.imap_unordered(_play, tasks), 1):
            if outcome.wrong:
                print(f"{outcome.task}: the process {outcome.ended}. {'; '.join(outcome.wrong)}", flush=True)
            if time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                print(f"{count} of {len(tasks)}", flush=True)
            yield outcome


_own: list[Path] = []


def _begin(base: Path) -> None:
    _own.append(base / f"own_{os.getpid()}")


def _play(task: Task) -> Outcome:
    return _stages[task.scenario].play(task, _own[-1])


def _record(outcomes: list[Outcome], seed: int, seconds: float) -> Record:
    groups = defaultdict[int, list[Outcome]](list)
    for outcome in filter(lambda outcome: outcome.counts, outcomes):
        groups[outcome.task.scenario].append(outcome)
    rows = tuple(_row(index, groups[index]) for index in sorted(groups))
    bad = tuple(f"{outcome.task}: {'; '.join(outcome.wrong)}" for outcome in outcomes if outcome.wrong)
    return Record("every system call", _WHAT, rows, bad, seed, round(seconds, 1))


def _row(scenario: int, outcomes: list[Outcome]) -> Row:
    ended = Counter(outcome.ended for outcome in outcomes)
    met = len({outcome.task.point for outcome in outcomes})
    names = {"went on": "went on", "ended with an error": "ended with an error", "was killed": "killed"}
    kinds = ", ".join(f"{ended[how]:,} {name}" for how, name in names.items() if ended[how])
    detail = f"{met} of {len(_stages[scenario].points)} calls; the process: {kinds}"
    return Row(SCENARIOS[scenario].name, len(outcomes), sum(not outcome.wrong for outcome in outcomes), detail)


if __name__ == "__main__":
    sys.exit(main())
