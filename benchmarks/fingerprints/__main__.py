"""`scripts/bench fingerprints`: does each searcher still decide as recorded? `--write` records what has changed.

A changed decision changes the version of the searcher, so that benchmark runs of the old one no longer count as its.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.driving.command_line import names
from benchmarks.fingerprints.recorded import FOLDER, check, history_changes, read, write, write_histories
from benchmarks.fingerprints.searchers import SEARCHERS


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench fingerprints", description=__doc__)
    parser.add_argument("--searchers", type=names, default=list(SEARCHERS), metavar="A,B", help=", ".join(SEARCHERS))
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help="where they are recorded")
    parser.add_argument("--write", action="store_true", help="record what has changed")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and record if asked; 1 where decisions differ and aren't recorded."""
    options = _options(arguments)
    changed = 0
    if options.write:
        write_histories(options.folder)
    for line in history_changes(options.folder):
        changed += 1
        print(line)
    for searcher in options.searchers:
        for conditional in (False, True):
            changed += _compared(searcher, options, conditional)
    return int(changed > 0)


def _compared(searcher: str, options: argparse.Namespace, conditional: bool) -> bool:  # noqa: FBT001 - as it is called
    """Whether it decides otherwise than recorded, and that isn't recorded."""
    began, found = time.process_time(), check(searcher, options.folder, conditional=conditional)
    count = sum(len(variant.decisions) for variant in read(searcher, options.folder, conditional=conditional))
    where = " with conditions" if conditional else ""
    print(f"{searcher}{where}: {found or f'{count} decisions are as recorded'} ({time.process_time() - began:.1f} s)")
    if options.write:
        made = write(searcher, options.folder, conditional=conditional)
        print(f"  written: version {made[0].version}, {sum(len(each.decisions) for each in made)} decisions")
    return bool(found) and not options.write


if __name__ == "__main__":
    sys.exit(main())
