"""The command line that both storms have, and the JSON that they write for the table of docs/reliability.md."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

__all__ = ["Account", "run_program"]

_TRIALS = "trials: decided once, one result each"
_SUMMARY = (
    "{workers} workers began {evaluations begun} evaluations; {left} attempts were handed back, {died} counted as "
    "dead; {epochs begun again} of {epochs} epochs were begun again"
)


@dataclasses.dataclass
class Account:
    """What was tried, and what came of it.

    Args:
        faults: how often each scenario was made.
        details: a line of each scenario.
        counts: of everything else that is worth to be known.
        wrong: what is wrong, each with the scenario that it belongs to, if it is one's.
    """

    faults: Counter[str] = dataclasses.field(default_factory=Counter)
    details: dict[str, str] = dataclasses.field(default_factory=dict)
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    wrong: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def rows(self) -> list[dict[str, object]]:
        """As the table wants them: each scenario, and all trials."""
        lost = Counter(scenario if scenario in self.faults else "" for scenario, _ in self.wrong)
        trials = self.counts["trials"]
        rows = [(scenario, count, self.details.get(scenario, "")) for scenario, count in self.faults.items()]
        rows += [(_TRIALS, trials, _SUMMARY.format_map(self.counts))] if trials else []
        return [
            {
                "scenario": scenario,
                "faults": count,
                "survived": max(0, count - lost[scenario] - lost[""]),
                "detail": detail,
            }
            for scenario, count, detail in rows
        ]


def run_program(
    name: str, title: str, what: str, storm: Callable[[argparse.Namespace, Account], None], reason: str | None
) -> int:
    """Entry: 1 if anything is wrong. `reason`: why this machine can't have that storm, or None."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=what)
    parser.add_argument("--seed", type=int, default=1, help="of what strikes whom, and of the searches (default: 1)")
    parser.add_argument("--minutes", type=float, default=5.0, help="no round begins later (default: 5)")
    parser.add_argument("--json", type=Path, help="a file for the account")
    parser.add_argument("--folder", type=Path, help="for evidence, logs and roots (default: a new one below /tmp)")
    options = parser.parse_args()
    if reason:
        sys.exit(f"error: {reason}")
    account, start = Account(), time.monotonic()
    storm(options, account)
    for row in account.rows():
        print(f"{row['scenario']}: {row['survived']} of {row['faults']} survived. {row['detail']}")
    print(", ".join(f"{name}: {count}" for name, count in sorted(account.counts.items())))
    for _, finding in account.wrong:
        print(f"  - {finding}")
    if options.json:
        fields = {"proof": title, "what": what, "rows": account.rows()}
        wrong = [finding for _, finding in account.wrong]
        rest = {"wrong": wrong, "seed": options.seed, "seconds": round(time.monotonic() - start, 1)}
        options.json.write_text(json.dumps({**fields, **rest}, indent=2) + "\n")
    return 1 if account.wrong else 0
