"""`python -m benchmarks.coordination [--quick] [--large] [--only PART …] [--directory DIR] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.coordination.machine import facts
from benchmarks.coordination.plan import Plan
from benchmarks.coordination.report import Section, missed
from benchmarks.coordination.starting import joining, starting
from benchmarks.coordination.steady_cost import EARLY, steady_cost
from benchmarks.coordination.system_calls import system_calls
from benchmarks.coordination.throughput import throughput
from benchmarks.coordination.worker import start

_PARTS = ("throughput", "cost", "joining", "starting", "calls")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench coordination", description="What coordination costs.")
    parser.add_argument("--quick", action="store_true", help="2 minutes instead of 10, and noisier")
    parser.add_argument("--large", action="store_true", help="a long run of 100,000 finished trials, instead of 10,000")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, metavar="PART", help=", ".join(_PARTS))
    parser.add_argument(
        "--directory", type=Path, default=Path("results"), help="where to write, on the disk to measure"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    return parser.parse_args()


def _sections(plan: Plan, only: list[str]) -> Iterator[Section]:
    """Measure the parts that were asked for, one after the other."""
    alone: dict[str, Callable[[Plan], Section]] = {
        "throughput": throughput,
        "starting": starting,
        "calls": system_calls if shutil.which("strace") else _no_strace,
    }
    yield from (measure(plan) for part, measure in alone.items() if part in only)
    if {"cost", "joining"} & set(only):
        early, late = _finished(plan, EARLY), _finished(plan, plan.finished)
        if "cost" in only:
            yield steady_cost(plan, early, late)
        if "joining" in only:
            yield joining(plan, late)


def _no_strace(_: Plan) -> Section:
    return Section("System calls of a trial", "Not counted: strace is not installed.")


def _finished(plan: Plan, trials: int) -> Path:
    """A run with so many finished trials, made by neps without waiting for the disk."""
    run = plan.scratch / f"finished_{trials}"
    start(run, trials, "--not-durable").report()
    os.sync()  # else the next fsyncs would pay for it
    return run


def main() -> None:
    """Measure, print, clean up."""
    options = _options()
    began = time.monotonic()
    options.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coordination-", dir=options.directory.resolve()) as folder:
        finished = 100_000 if options.large else 10_000
        scratch = Path(folder)
        plan = Plan.quick(scratch, finished=finished) if options.quick else Plan(scratch=scratch, finished=finished)
        machine = facts(scratch)
        print(f"# Coordination\n\n{machine}\n", flush=True)
        sections = []
        for section in _sections(plan, options.only):
            sections.append(section)
            print(section, flush=True)
    print(f"Targets missed: {', '.join(missed(sections)) or 'none'}. It took {time.monotonic() - began:.0f} s.")
    if options.json:
        fields = {
            "machine": [list(row) for row in machine.rows],
            "sections": [section.fields() for section in sections],
        }
        options.json.write_text(json.dumps(fields, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
