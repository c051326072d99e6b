"""The program: rounds of chaos until the time is over, and a verdict on each. See `scripts/chaos --help`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from chaos.cluster import Cluster
from chaos.evidence import record
from chaos.plan import Plan
from chaos.slow_imports import MODULES
from chaos.strikes import CHAOS, Strikes
from chaos.verdict import judge
from rigs.hosts import hosts_available
from rigs.waiting import wait_until
from stress.evidence import Watch

_STUCK_SECONDS = 180.0
_END_SECONDS = 120.0
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_FAKETIME = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib64/faketime/libfaketime.so.1")


def main() -> int:
    """Entry: 1 if anything went wrong that the chaos did not ask for."""
    options = _parse()
    if reason := hosts_available():
        sys.exit(f"error: {reason}")
    folder = Path(options.folder or tempfile.mkdtemp(prefix="neps-chaos-")).resolve()
    modules, faketime = _installed(options.python), _faketime()
    _say(f"{_version(options.python)}; evidence and logs in {folder}; clocks {'jump' if faketime else 'are right'}")
    end, counts, findings = time.monotonic() + 60 * options.minutes, Counter[str](), list[str]()
    number = 0
    while time.monotonic() < end:
        searcher = options.searcher[number % len(options.searcher)]
        number += 1
        plan = Plan(
            folder=folder / f"{number}_{searcher}",
            searcher=searcher,
            trials=options.trials,
            lease=options.lease,
            seed=1_000 * options.seed + number,
            python=options.python,
            modules=modules,
            faketime=faketime,
        )
        run_round(plan, calm=options.calm)
        verdict = judge(plan)
        _report(f"round {number}, {searcher}, seed {plan.seed}", verdict.counts, verdict.findings)
        counts += verdict.counts
        findings += verdict.findings
    _report(f"all {number} rounds", counts, [f"{len(findings)}, as above; more in {folder}"] if findings else [])
    return 1 if findings else 0


def run_round(plan: Plan, *, calm: bool) -> None:
    """One search under strikes (none if it is calm) until it has all its results; then everybody may end."""
    plan.log("any").parent.mkdir(parents=True)
    with Cluster(plan) as cluster:
        strikes, watch = Strikes(plan, cluster), _Results(plan)
        last = time.monotonic()
        while watch.count < plan.trials and time.monotonic() - last < _STUCK_SECONDS:
            if not calm:
                strikes.strike()
            if watch.has_more():
                last = time.monotonic()
            time.sleep(_POLL_SECONDS)
        record(plan.evidence, CHAOS, "over")
        plan.over.touch()
        strikes.end()
        try:
            wait_until(lambda: cluster.has_ended, _END_SECONDS, "the end of all workers", _POLL_SECONDS)
        except AssertionError as error:
            print(error)
            cluster.abort()
            time.sleep(_LOOK_SECONDS)
    watch.has_more(now=True)


@dataclasses.dataclass
class _Results:
    """Looks at the results now and then, and tells when each was first seen, and whether one changed."""

    plan: Plan
    count: int = 0

    def __post_init__(self) -> None:
        self._watch = Watch(self.plan.root)
        self._seen = set[str]()
        self._next = 0.0

    def has_more(self, *, now: bool = False) -> bool:
        """Looks if it is time to, and says whether there is something new."""
        if time.monotonic() < self._next and not now:
            return False
        self._next, before = time.monotonic() + _LOOK_SECONDS, self.count
        there = {path.parent.name for path in self.plan.root.glob("config_*/result.yaml")}
        for name in sorted(there - self._seen):
            record(self.plan.evidence, CHAOS, "seen", number=int(name.removeprefix("config_")))
        self._seen |= there
        try:
            self.count = self._watch.look()
        except AssertionError as error:
            record(self.plan.evidence, CHAOS, "changed", what=str(error))
        return self.count > before


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="no round begins later (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="what strikes, and when (default: 1)")
    parser.add_argument(
        "--searcher", action="append", help="may be repeated: in turn (default: hyperband, bayesian_optimization)"
    )
    parser.add_argument("--trials", type=int, default=200, help="of each round (default: 200)")
    parser.add_argument("--lease", type=float, default=6.0, help="lease_seconds (default: 6)")
    parser.add_argument("--calm", action="store_true", help="nothing strikes: to see that nothing is found then")
    parser.add_argument("--python", default=sys.executable, help="of the workers: another checkout's, to try that")
    parser.add_argument("--folder", help="for evidence, logs and roots (default: a new one below /tmp)")
    options = parser.parse_args()
    options.searcher = options.searcher or ["hyperband", "bayesian_optimization"]
    return options


def _ask(python: str, program: str) -> str:
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True, cwd="/").stdout.strip()


def _version(python: str) -> str:
    return _ask(python, "import neps, sys; print(f'neps of {neps.__file__}, Python {sys.version.split()[0]}')")


def _installed(python: str) -> tuple[tuple[str, str], ...]:
    tops = sorted({name.partition(".")[0] for name, _ in MODULES})
    program = f"import importlib.util as u, json; print(json.dumps([n for n in {tops} if u.find_spec(n)]))"
    there = json.loads(_ask(python, program))
    return tuple(module for module in MODULES if module[0].partition(".")[0] in there)


def _faketime() -> str:
    found = [path for pattern in _FAKETIME for path in sorted(Path("/").glob(pattern.lstrip("/")))]
    if not found:
        _say("no libfaketime (apt install libfaketime): all clocks stay right")
    return str(found[0]) if found else ""


def _report(title: str, counts: Counter[str], findings: list[str]) -> None:
    _say(f"{title}: {'this is wrong' if findings else 'nothing is wrong'}")
    print("    " + ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    for finding in findings:
        print(f"  - {finding}")
    sys.stdout.flush()


def _say(words: str) -> None:
    print(f"\n==> {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
