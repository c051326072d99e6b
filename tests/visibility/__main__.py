"""The program: machines for minutes, or the mutations. See `python -m visibility --help`."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

from visibility.machine import COUNTS, run
from visibility.mutations import MUTATIONS

_WHAT = (
    "Three workers on a filesystem in memory that shows each of them names, contents, times and listings late, loses "
    "replies and fails, while they are killed and frozen at any call; held against a model of the protocol."
)
_AT_ONCE = 10
"""Machines between two looks at the clock: on a machine that is busy each takes up to a second."""
_MOST_FOR_A_MUTATION = 600


def main() -> int:
    """Delayed visibility: 1 if the model was contradicted."""
    parser = argparse.ArgumentParser(prog="python -m visibility", description=_WHAT)
    parser.add_argument("--minutes", type=float, default=5.0, help="for how long (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="which machines (default: 1)")
    parser.add_argument("--json", metavar="FILE", help="where to write what was done, and what was wrong")
    parser.add_argument("--mutations", action="store_true", help="break the protocol instead: how soon is it found?")
    options = parser.parse_args()
    if options.mutations:
        return _try_mutations(options.seed)
    began, wrong, number = time.monotonic(), list[str](), options.seed * 1_000_000
    while not wrong and time.monotonic() < began + 60 * options.minutes:
        if (found := run(number, _AT_ONCE)) is not None:
            wrong.append(f"seed {number}: {found}")
        number += 1
    print(f"{dict(COUNTS)} in {time.monotonic() - began:.0f} s")
    print("\n".join(wrong) or "nothing is wrong")
    if options.json:
        _write(Path(options.json), options.seed, time.monotonic() - began, wrong)
    return 1 if wrong else 0


def _write(path: Path, number: int, seconds: float, wrong: list[str]) -> None:
    """The record, as all proofs write it."""
    detail = f"{COUNTS['machines']} runs of three workers, {COUNTS['calls']} calls"
    rows = [
        {"scenario": kind, "faults": COUNTS[kind], "survived": 0 if wrong else COUNTS[kind], "detail": detail}
        for kind in ("kills", "freezes", "lost replies", "failed calls")
    ]
    fields = {"proof": "delayed visibility", "what": _WHAT, "rows": rows, "wrong": wrong, "seed": number}
    path.write_text(json.dumps({**fields, "seconds": seconds}, indent=1) + "\n")


def _try_mutations(number: int) -> int:
    missed = 0
    for name, broken in MUTATIONS.items():
        before, began = COUNTS["machines"], time.monotonic()
        with broken(), contextlib.redirect_stderr(None), contextlib.redirect_stdout(None):
            found = run(number, _MOST_FOR_A_MUTATION, shrink=False)
        after = f"{COUNTS['machines'] - before} machines, {time.monotonic() - began:.0f} s"
        what = "not found" if found is None else f"found, as {found.splitlines()[0]!r},"
        print(f"{name}: {what} after {after}", flush=True)
        missed += found is None
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
