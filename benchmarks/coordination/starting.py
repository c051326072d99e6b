"""Starting and joining: import time, modules, the first trial, memory, and how long a joiner needs in a long run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.coordination.plan import Plan
from benchmarks.coordination.report import Figure, Section, Table, Target, at_most
from benchmarks.coordination.worker import HEAVY, REPOSITORY, Report, start

__all__ = ["joining", "starting"]

_LEAST_SAMPLES = 11
_PROGRAMS = {
    "bare interpreter": "",
    "import neps": "import neps",
    "import neps, and use run and Float": "import neps; neps.run, neps.Float",
}
_TRIALS = 50
_STARTING = """\
Fresh processes, in turn; the bare interpreter's time is included in the others. The first trial is published when
the objective is called again, which also takes a claim. Memory after {trials} trials."""
_JOINING = """\
Fresh processes that join a run of {finished:,} finished trials: from before fork and exec to the first call of their
objective. With everything as the last worker left it, and without `.neps/`, where each folder must be opened. Files
are in the page cache."""


def starting(plan: Plan) -> Section:
    """Import time, first trial, memory."""
    times: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    for _ in range(max(_LEAST_SAMPLES, plan.samples)):
        for name, program in _PROGRAMS.items():
            times[name].append(_seconds(program))
    firsts, workers = [], []
    for index in range(plan.samples):
        worker = start(plan.scratch / f"first_{index}", _TRIALS)
        report = worker.report()
        firsts.append(report.walls[1] - worker.began)
        workers.append(report)
    figures = [Figure.median(name, seconds, "s", _import_target(name)) for name, seconds in times.items()]
    figures.append(Figure.median("first trial published after process start", firsts, "s", at_most(0.5)))
    return Section("Starting", _STARTING.format(trials=_TRIALS), [*figures, *_memory(workers)], [_modules(workers)])


def _import_target(name: str) -> Target | None:
    return at_most(0.25) if name.startswith("import") else None


def _memory(reports: list[Report]) -> list[Figure]:
    return [
        Figure.median("resident memory of a worker", [report.resident for report in reports], "MB", at_most(60)),
        Figure.median("its peak", [report.peak for report in reports], "MB", at_most(60)),
    ]


def _modules(reports: list[Report]) -> Table:
    """Which heavy modules were found, after an import and at the end of a worker."""
    program = f"import sys, neps; neps.run; print(*(name for name in {HEAVY} if name in sys.modules))"
    imported = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    rows = [
        ("after `import neps; neps.run`", imported.stdout.strip() or "none"),
        ("in a random-search worker", ", ".join(sorted({n for report in reports for n in report.heavy})) or "none"),
    ]
    return Table((f"loaded of {', '.join(HEAVY)}", "target: none"), rows)


def _seconds(program: str) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=REPOSITORY)
    return time.monotonic() - began


def joining(plan: Plan, long_run: Path) -> Section:
    """How long a worker needs to its first trial in a long run."""
    cases: dict[tuple[str, bool], list[float]] = {}
    reports = []
    for turn in range(plan.samples):
        for option, forget in (("", False), ("--ordered", False), ("", True), ("--ordered", True)):
            if forget and turn >= 3:  # for information, and slow
                continue
            if forget:
                shutil.rmtree(long_run / ".neps")
            worker = start(long_run, 2, *filter(None, [option]))
            report = worker.report()
            cases.setdefault((option, forget), []).append(report.walls[0] - worker.began)
            if not option and not forget:
                reports.append(report)
    figures = [
        Figure.median(_case(*case), seconds, "s", at_most(1) if case == ("", False) else None)
        for case, seconds in cases.items()
    ]
    figures.append(Figure.median("resident memory of a joiner", [report.resident for report in reports], "MB"))
    return Section("Joining a long run", _JOINING.format(finished=plan.finished), figures)


def _case(option: str, forget: bool) -> str:  # noqa: FBT001
    return f"first trial begins{', decided in turn' if option else ''}{', without .neps' if forget else ''}"
