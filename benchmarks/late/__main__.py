"""`scripts/bench late regret --against PYTHON`: what 60 decisions find after 900 trials. `cost`: of one decision.

Two checkouts are compared, run by run. Both get the same trials before: `benchmarks/peers/late_driver.py` says which.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.comparing.pooling import pooled
from benchmarks.comparing.study import Array
from benchmarks.coordination.report import Table
from benchmarks.driving.campaign import requests
from benchmarks.driving.command_line import add_running, campaign, ended, names
from benchmarks.late.cost import table
from benchmarks.problems import Problem, problem
from benchmarks.regret.record import results_in
from benchmarks.regret.running import perform
from benchmarks.regret.study import RegretStudy, study_of

_PROBLEMS = ("ellipsoid8", "noisy-pits6", "mixed-tuned", "dixon-price10", "rosenbrock4", "rastrigin10")
_SEARCHERS = ("bayesian_optimization", "pibo", "cost_cooling", "freeze_thaw", "mobster", "priorband_bo")
_FOLDER = Path(__file__).parents[2] / ".peers" / "late"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench late", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    regret = commands.add_parser("regret", help="of two versions")
    regret.add_argument("--against", type=Path, required=True, metavar="PYTHON", help="OTHER/.venv/bin/python")
    regret.add_argument("--first", type=int, default=900, metavar="N", help="trials before (900)")
    regret.add_argument("--decisions", type=int, default=60, metavar="N", help="of each version after them (60)")
    regret.add_argument("--problems", type=names, default=_PROBLEMS, metavar="X,Y", help=",".join(_PROBLEMS))
    regret.add_argument("--results", type=Path, default=_FOLDER, metavar="DIR", help="where runs are recorded")
    add_running(regret)
    cost = commands.add_parser("cost", help="processor seconds and memory of decisions")
    cost.add_argument("--searchers", type=names, default=_SEARCHERS, metavar="X,Y", help=",".join(_SEARCHERS))
    cost.add_argument("--sizes", type=_sizes, default=[2000], metavar="N,M", help="trials in a run (2000)")
    return parser.parse_args(arguments)


def _methods(options: argparse.Namespace) -> list[Method]:
    """This version and the other."""
    first, evaluations = options.first, options.first + options.decisions
    places = {"here": "own", "other": str(options.against.absolute())}
    return [
        Method(
            name=f"{name}-{first}",
            driver="late_driver.py",
            environment=place,
            told=str(first),
            seeds=5,
            evaluations=evaluations,
        )
        for name, place in places.items()
    ]


def _tables(study: RegretStudy, first: int) -> Iterator[str]:
    """What each has found, and what it cost."""
    here, other = study.methods
    last = here.evaluations
    shared = {each.name: study.shared_seeds(each, study.methods, last) for each in study.problems}
    done = [each for each in study.problems if shared[each.name]]
    if not done:
        yield "No run yet."
        return
    found = {each.name: _logs(study, each, shared[each.name], last) for each in done}
    rows = []
    for name, figures in found.items():
        means = (figures[0, :, first - 1], figures[0, :, -1], figures[1, :, -1])
        row = [f"{each.mean():.2f}" for each in means]
        rows.append([name, str(len(shared[name])), *row, pooled({name: means[1] - means[2]}).text("+.2f")])
    title = ("problem", "seeds", f"log10 regret after {first}", f"after {last} (here)", "(other)", "here - other")
    yield f"{study.version(here)} beside {study.version(other)}."
    yield str(Table(title, rows))
    for step in (first + (last - first) // 2, last):
        differences = {name: figures[0, :, step - 1] - figures[1, :, step - 1] for name, figures in found.items()}
        yield f"Mean difference after {step}: {pooled(differences).text('+.3f')}."
    for method in study.methods:
        cpu = np.concatenate([run.cpu[first:] for run in study.of_method(method) if run.key.problem in found])
        yield f"CPU seconds of a decision, {method.name}: median {np.median(cpu):.2f}, highest {cpu.max():.2f}."


def _logs(study: RegretStudy, place: Problem, seeds: Sequence[int], last: int) -> Array:
    """Log10 regret, (2 methods, seeds, evaluations)."""
    return np.log10([study.regrets(place, method, seeds, last) for method in study.methods])


def _sizes(text: str) -> list[int]:
    return [int(size) for size in names(text)]


def _regret(options: argparse.Namespace) -> int:
    """Make the runs that are missing, and print the tables; the exit status."""
    methods, problems = _methods(options), [problem(name) for name in options.problems]
    results = results_in(options.results)
    made = campaign(options, results, perform)
    made.run(requests(methods, problems, options.seeds, None))
    records = results.latest([method.name for method in methods], {})
    print(*_tables(study_of(records, problems, methods), options.first), sep="\n\n")
    return ended(made)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _options(arguments)
    if options.command == "regret":
        return _regret(options)
    print(table(options.searchers, options.sizes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
