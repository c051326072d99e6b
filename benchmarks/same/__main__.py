"""`scripts/bench same regret|multifidelity DIR`: are runs of today's code the recorded ones? Notes it with --write.

DIR is where `scripts/bench regret run --methods neps --seeds 0,3,7 --results DIR` has made some of them again. All that
is recorded of two runs is compared, but for their cost. Where all runs of a method are the same, `--write` notes in
versions.json, beside the records, that those of the old version are the new one's, and how many runs say so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.driving.command_line import names
from benchmarks.driving.results import VERSIONS
from benchmarks.multifidelity.accounts import FOLDER as MULTIFIDELITY
from benchmarks.regret.record import FOLDER as REGRET

__all__ = ["Compared", "compared", "note"]

_FOLDERS = {"regret": REGRET, "multifidelity": MULTIFIDELITY}
_OF_THE_RUN = {"version", "cpu"}
"""What two runs that are the same may differ in."""


class Compared(NamedTuple):
    """The runs of a method in two versions; `others` are those that differ."""

    method: str
    old: str
    new: str
    same: int
    others: Sequence[str]

    def __str__(self) -> str:
        verdict = f"{self.same} runs are the same"
        differing = f", but {len(self.others)} differ: {'; '.join(self.others)}" if self.others else ""
        return f"{self.method}, {self.old} and {self.new}: {verdict}{differing}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench same", description=__doc__)
    parser.add_argument("benchmark", choices=_FOLDERS)
    parser.add_argument("runs", type=Path, metavar="DIR", help="where runs of today's code are")
    parser.add_argument("--without", type=names, default=[], metavar="X,Y", help="problems that are not compared")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--beside", type=Path, metavar="DIR", help="compare with these; default: the recorded ones")
    what.add_argument("--write", action="store_true", help="note the versions that are the same")
    return parser.parse_args(arguments)


def _latest(path: Path, without: Sequence[str]) -> tuple[str, dict[tuple[str, int], dict[str, Any]]]:
    """The version that was recorded last, and its runs by problem and seed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    runs = [json.loads(line) for line in lines]
    version = runs[-1]["version"] if runs else ""
    kept = (run for run in runs if run["version"] == version and run["problem"] not in without)
    return version, {(run["problem"], run["seed"]): run for run in kept}


def compared(recorded: Path, again: Path, without: Sequence[str] = ()) -> list[Compared]:
    """Of each method, the runs that both folders have."""
    return list(_each(recorded, again, without))


def _each(recorded: Path, again: Path, without: Sequence[str]) -> Iterator[Compared]:
    for path in sorted(again.glob("*.jsonl")):
        (old, before), (new, now) = _latest(recorded / path.name, without), _latest(path, without)
        both = [key for key in now if key in before]
        others = [text for key in both if (text := _difference(before[key], now[key]))]
        yield Compared(path.stem, old, new, len(both) - len(others), others)


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Where two runs part, or nothing."""
    if all(before.get(name) == now.get(name) for name in (before.keys() | now.keys()) - _OF_THE_RUN):
        return ""
    pairs = enumerate(zip(before["losses"], now["losses"], strict=False), start=1)
    place = next((f"{a} and {b} at evaluation {n}" for n, (a, b) in pairs if a != b), "not in their losses")
    return f"{now['problem']}, seed {now['seed']}: {place}"


def note(folder: Path, found: Sequence[Compared], without: Sequence[str] = ()) -> None:
    """Add to versions.json what is the same in all runs."""
    path = folder / VERSIONS
    notes = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for each in found:
        if each.same and not each.others and each.old != each.new:
            evidence = {"same runs": each.same} | ({"not compared": list(without)} if without else {})
            notes[each.method] = {"from": each.old, "to": each.new, **evidence}
    path.write_text(json.dumps(notes, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"Written: {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 1 where runs differ."""
    options = _options(arguments)
    folder = _FOLDERS[options.benchmark]
    found = compared(options.beside or folder, options.runs, options.without)
    print(*found, sep="\n")
    if options.write:
        note(folder, found, options.without)
    return int(any(each.others for each in found))


if __name__ == "__main__":
    sys.exit(main())
