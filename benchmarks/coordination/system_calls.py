"""Which system calls a trial makes, and on what: counted in strace's output from one evaluation to the next.

Counting between marks, not over the whole process, leaves out starting, joining and leaving. strace slows
everything down, so nothing here is a time.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.coordination.plan import Plan
from benchmarks.coordination.report import Figure, Section, Table
from benchmarks.coordination.worker import MARK, start

__all__ = ["Calls", "count", "system_calls", "traced"]

_TRIALS, _WARM_UP = 60, 40
_CALL = re.compile(r"(\w+)\((.*)")
_ERROR = re.compile(r" = -1 (E[A-Z]+)")
_PATH = re.compile(r"[\"<](ROOT[^\">]*)")
_NAMES = (
    (re.compile(r"config_\d+"), "config_N"),
    (re.compile(r"[\w-]+-\d+-[0-9a-f]{8}"), "TOKEN"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "RUN"),
)
_METHOD = """\
strace of each thread that evaluates, from the end of an evaluation to the beginning of the next, so of one publication
and one claim; {trials} trials a worker after {warm_up} to warm up; 1 worker alone, then 8 at once, starting together.
ROOT is the run's directory, RUN its identifier, TOKEN the worker's own name. strace slows the workers down, so that the
8 meet each other less often, or more, than they would."""


@dataclasses.dataclass(frozen=True, slots=True)
class Calls:
    """System calls by what they do, and of how many trials."""

    counts: Mapping[str, int]
    trials: int

    @property
    def a_trial(self) -> float:
        """How many a trial makes."""
        return sum(self.counts.values()) / self.trials

    def a_trial_of(self, kind: str) -> float:
        """How many of one kind a trial makes."""
        return self.counts.get(kind, 0) / self.trials

    def named(self, name: str) -> float:
        """How many calls of that name a trial makes, on whatever."""
        return sum(number for kind, number in self.counts.items() if kind.split()[0] == name) / self.trials


def system_calls(plan: Plan) -> Section:
    """Trace 1 and 8 workers."""
    crowds = {workers: _crowd(plan, workers) for workers in (1, 8)}
    figures = []
    for workers, calls in crowds.items():
        label = f"{workers} worker{'s' if workers > 1 else ''}"
        figures.append(Figure(f"system calls of a trial, {label}", calls.a_trial))
        figures.append(Figure(f"of these fsync, {label}", calls.named("fsync")))
    kinds = list(dict.fromkeys(kind for calls in crowds.values() for kind in calls.counts))
    rows = [(f"`{kind}`", *(f"{calls.a_trial_of(kind):.2f}" for calls in crowds.values())) for kind in kinds]
    method = _METHOD.format(trials=_TRIALS, warm_up=_WARM_UP)
    return Section("System calls of a trial", method, figures, [Table(("call", "1 worker", "8 workers"), rows)])


def _crowd(plan: Plan, workers: int) -> Calls:
    run = plan.scratch / f"traced_{workers}"
    traces = traced(run, plan.scratch / "trace", workers=workers, trials=_TRIALS + _WARM_UP)
    shutil.rmtree(run)
    counted = [count(trace, str(run), skip=_WARM_UP) for trace in traces]
    total: collections.Counter[str] = collections.Counter()
    for calls in counted:
        total.update(calls.counts)
    return Calls(total, sum(calls.trials for calls in counted))


def traced(run: Path, folder: Path, *, workers: int, trials: int) -> list[str]:
    """The traces of the threads that evaluated, of workers that began together; `folder` is for them alone."""
    shutil.rmtree(folder, ignore_errors=True)
    meeting = folder / "meeting"
    meeting.mkdir(parents=True)
    together = ("--meeting", str(meeting), "--together", str(workers))
    started = []
    for index in range(workers):
        prefix = ("strace", "-ff", "-y", "-s0", "-o", str(folder / f"trace_{index}"))
        started.append(start(run, trials, *together, prefix=prefix))
    for worker in started:
        worker.report()
    traces = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("trace_*")))
    return [trace for trace in traces if MARK in trace]


def count(trace: str, root: str, *, skip: int = 0) -> Calls:
    r"""Count the system calls between evaluations, by kind.

    Args:
        trace: what strace wrote of one thread; each evaluation makes one mark at its beginning and one at its end.
        root: the run's root directory.
        skip: so many trials are a warm-up.

    Example:
        >>> mark = f'access("{MARK}") = -1'
        >>> count(f'{mark}\n{mark}\nmkdir("/run/config_7", 0777) = 0\n{mark}\n{mark}', "/run").counts
        {'mkdir ROOT/config_N': 1}
    """
    between = trace.split(MARK)[2:-1:2][skip:]
    counts: collections.Counter[str] = collections.Counter()
    for span in between:
        counts.update(_kinds(span.splitlines()[1:-1], root))  # the first and the last line are parts of marks
    return Calls(dict(counts), len(between))


def _kinds(lines: list[str], root: str) -> Iterator[str]:
    for line in lines:
        if match := _CALL.match(line):
            yield _kind(match[1], match[2], root)


def _kind(call: str, arguments: str, root: str) -> str:
    text = arguments.replace(root, "ROOT")
    for pattern, name in _NAMES:
        text = pattern.sub(name, text)
    path, error = _PATH.search(text), _ERROR.search(text)
    parts = [call, path[1] if path else "", "(creates)" if "O_CREAT" in text else "", error[1] if error else ""]
    return " ".join(part for part in parts if part)
