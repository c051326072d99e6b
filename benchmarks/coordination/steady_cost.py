"""What one trial costs, claim to published, late in a long run and early: it must not grow."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.coordination.plan import Plan
from benchmarks.coordination.report import Figure, Section, at_most
from benchmarks.coordination.system_calls import count, traced
from benchmarks.coordination.worker import start

__all__ = ["EARLY", "steady_cost"]

EARLY = 60
_WARM_UP, _MEASURED = 20, 40
_METHOD = """\
One worker joins a run of {early} finished trials, and one of {late:,}. After {warm_up} trials, the processor time
(all threads) and the system calls of each of {measured} trials, from one call of the objective to the next, so of one
publication and one claim. The two take turns."""


def steady_cost(plan: Plan, early: Path, late: Path) -> Section:
    """Measure both; `early` and `late` are runs with finished trials."""
    figures = []
    for label, options in (("", ()), (", decided in turn", ("--ordered",))):
        cpu: tuple[list[float], list[float]] = ([], [])
        wall: tuple[list[float], list[float]] = ([], [])
        for _ in range(plan.rounds):
            for index, run in enumerate((_copy(plan, early), late)):
                report = start(run, _WARM_UP + _MEASURED, *options).report()
                cpu[index].extend(report.cpu_milliseconds(_WARM_UP))
                wall[index].extend(report.wall_milliseconds(_WARM_UP))
        target = at_most(1.2) if not label else None
        figures += [
            Figure.median(f"processor time of a trial around {EARLY + 40}{label}", cpu[0], "ms"),
            Figure.median(f"processor time of a trial around {plan.finished:,}{label}", cpu[1], "ms"),
            Figure.ratio(f"late / early, processor time{label}", cpu[1], cpu[0], target),
            Figure.ratio(f"late / early, wall clock{label}", wall[1], wall[0]),
        ]
    figures += _system_calls(plan, early, late)
    method = _METHOD.format(early=EARLY, late=plan.finished, warm_up=_WARM_UP, measured=_MEASURED)
    return Section("Cost of a trial in a long run", method, figures)


def _system_calls(plan: Plan, early: Path, late: Path) -> list[Figure]:
    counts = []
    for run in (_copy(plan, early), late):
        [trace] = traced(run, plan.scratch / "trace", workers=1, trials=_WARM_UP + _MEASURED)
        counts.append(count(trace, str(run), skip=_WARM_UP).a_trial)
    return [
        Figure(f"system calls of a trial around {EARLY + 40}", counts[0]),
        Figure(f"system calls of a trial around {plan.finished:,}", counts[1]),
        Figure("late / early, system calls", counts[1] / counts[0], "×", at_most(1.2)),
    ]


def _copy(plan: Plan, run: Path) -> Path:
    """A run that may be written to, so that the next round finds as few trials again."""
    copy = plan.scratch / "early_copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    return copy
