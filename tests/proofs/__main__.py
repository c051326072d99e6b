"""`scripts/stress`: lists the proofs, runs them, records what came of them, and makes the tables of the page."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import subprocess
import sys
import tempfile
from pathlib import Path

from proofs.catalogue import PROOFS, Proof
from proofs.record import Record
from proofs.table import PAGE, RECORDED, records, tables, written

_ALL = "all"


def main() -> int:
    """Entry: 1 if a proof has found something wrong, or did not come to its end."""
    options, further = _parse()
    if not options.names and not options.table:
        print(_listing())
        return 0
    names = list(PROOFS) if _ALL in options.names else list(dict.fromkeys(options.names))
    failed = [name for name in names if not _run(PROOFS[name], options, further)]
    if options.table or options.write:
        _write_page()
    if failed:
        print(f"\nWrong: {', '.join(failed)}. See above.", flush=True)
    return 1 if failed else 0


def _parse() -> tuple[argparse.Namespace, list[str]]:
    own, further = sys.argv[1:], list[str]()
    if "--" in own:
        place = own.index("--")
        own, further = own[:place], own[place + 1 :]
    parser = argparse.ArgumentParser(
        prog="scripts/stress", description="Runs proofs of what neps promises under faults; without names, lists them."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a proof's, or `all`")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--minutes", type=float, help="for how long, each (default: all of it)")
    parser.add_argument("--write", action="store_true", help=f"record what came of it, and make the tables of {PAGE}")
    parser.add_argument("--table", action="store_true", help="make the tables from what was recorded")
    options = parser.parse_args(own)
    for name in set(options.names) - {*PROOFS, _ALL}:
        parser.error(f"there is no proof {name!r}. There are: {', '.join(PROOFS)}.")
    return options, further


def _listing() -> str:
    width = max(map(len, PROOFS))
    lines = [f"  {proof.name:{width}}  {proof.minutes:3} min  {proof.what}" for proof in PROOFS.values()]
    return "\n".join(["usage: scripts/stress NAME… [--help for its options], where NAME is `all` or one of:", *lines])


def _run(proof: Proof, options: argparse.Namespace, further: list[str]) -> bool:
    """Run one, and record what came of it if that is asked for: whether nothing is wrong."""
    with tempfile.TemporaryDirectory(prefix="neps-stress-") as folder:
        path = Path(folder, "record.json")
        command = ["-m", proof.module, "--seed", str(options.seed), "--json", str(path)]
        command += [*proof.sized(options.minutes), *further]
        print(f"\n==> {proof.name}: python {' '.join(command)}", flush=True)
        ended = subprocess.run([sys.executable, *command], check=False)
        if not path.exists():
            print(f"{proof.name} ended with status {ended.returncode}, and has recorded nothing.", flush=True)
            return False
        record = Record.read(path)
    print(f"\n{tables({proof.name: record})}", flush=True)
    if options.write:
        today = dt.datetime.now(dt.UTC).date().isoformat()
        dataclasses.replace(record, date=today, command=_shown(proof, options, further)).write(
            RECORDED / f"{proof.name}.json"
        )
    return ended.returncode == 0 and not record.wrong


def _shown(proof: Proof, options: argparse.Namespace, further: list[str]) -> str:
    minutes = [] if options.minutes is None else ["--minutes", f"{options.minutes:g}"]
    own = ["--", *further] if further else []
    return " ".join(["scripts/stress", proof.name, "--seed", str(options.seed), *minutes, *own])


def _write_page() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), tables(records())), encoding="utf-8")
    print(f"Wrote the tables of {PAGE}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
