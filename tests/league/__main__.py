"""`python -m league`: the league, on all libraries or some, with PYTHONPATH=tests and from the repository's root.

The libraries' environments are made on demand in .peers (minutes, once). `--json FILE` writes what was found. `--write`
records it and writes docs/reliability.md; `--page` does so from what is recorded, and runs nothing. It exits with 1 if
neps lost, doubled, overspent or left anything, or one of its workers crashed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from league.contest import LIBRARIES, Outcome
from league.record import PAGE, RECORDED, versions, write, written, wrong
from league.scenarios import SCENARIOS, perform


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios, and say what came of each."""
    parser = argparse.ArgumentParser(prog="league")
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="Taken as all proofs take it; nothing is drawn here.")
    parser.add_argument("--write", action="store_true", help="Record it, and write the page's section.")
    parser.add_argument("--page", action="store_true", help="Only write the page's section, of what is recorded.")
    told = parser.parse_args(arguments)
    if told.page:
        PAGE.write_text(written(PAGE.read_text(), json.loads(RECORDED.read_text())))
        return 0
    began, found = time.monotonic(), []
    for name in told.scenarios:
        for library in told.libraries:
            outcome = _performed(name, library)
            found.append({"scenario": name, "library": library, **dataclasses.asdict(outcome)})
            print(f"{name:18}{library:9}{_shown(outcome)}", flush=True)
    record = _record(found, told.libraries, told.seed, time.monotonic() - began)
    if told.json:
        told.json.write_text(json.dumps(record, indent=1) + "\n")
    if told.write:
        write(record)
    return 1 if record["wrong"] else 0


def _performed(name: str, library: str) -> Outcome:
    try:
        return perform(name, library)
    except TimeoutError as error:
        return Outcome(results=0, evaluations=0, hung=1, detail=str(error))


def _shown(outcome: Outcome) -> str:
    return ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(outcome).items() if value)


def _record(found: list[dict[str, Any]], libraries: Sequence[str], seed: int, seconds: float) -> dict[str, Any]:
    ours = [each for each in found if each["library"] == "neps"]
    bad = [f"{each['scenario']}: {why}" for each in ours if (why := wrong(each))]
    rows = [
        {
            "scenario": each["scenario"],
            "faults": 1,
            "survived": int(not wrong(each)),
            "detail": f"{each['results']} results, {each['evaluations']} evaluations",
        }
        for each in ours
    ]
    return {
        "proof": "league",
        "what": "The same faults for neps and for other libraries, used as their documentation says.",
        "rows": rows,
        "wrong": bad,
        "seed": seed,
        "seconds": round(seconds, 1),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[2], 1),
        "scenarios": list(SCENARIOS),
        "versions": versions(libraries),
        "outcomes": found,
    }


if __name__ == "__main__":
    sys.exit(main())
