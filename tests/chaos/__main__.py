"""The program: rounds of chaos until the time is over, and a verdict on each. See `python -m chaos --help`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from chaos.cluster import Cluster
from chaos.evidence import record
from chaos.passer_by import PASSER_BY
from chaos.plan import Plan
from chaos.rounds import ROUNDS, Round
from chaos.slow_imports import MODULES
from chaos.storage import Storage
from chaos.strikes import CHAOS, Strikes
from chaos.verdict import STRIKES, Verdict, judge
from chaos.watching import Results
from rigs.faketime import faketime_available, libfaketime
from rigs.faultfs import faultfs_available
from rigs.hosts import hosts_available
from rigs.waiting import wait_until

_STUCK_SECONDS = 180.0
_END_SECONDS = 120.0
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_WHAT = (
    "16 workers on 4 hosts search while they are killed and frozen, their hosts lose power and get wrong clocks, their "
    "storage fails, several launches start at once, and others look, tell and retry."
)


@dataclasses.dataclass
class _Total:
    """What all rounds come to; a strike was survived if nothing was wrong in its round."""

    rounds: int = 0
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    survived: Counter[str] = dataclasses.field(default_factory=Counter)
    findings: list[str] = dataclasses.field(default_factory=list)

    def add(self, name: str, verdict: Verdict) -> None:
        """One more round."""
        self.rounds += 1
        self.counts += verdict.counts
        self.survived += verdict.counts if not verdict.findings else Counter()
        self.findings += [f"{name}: {finding}" for finding in verdict.findings]


def main() -> int:
    """Chaos: 1 if anything went wrong that it did not ask for."""
    options, began = _parse(), time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so the hosts end
    if reason := hosts_available() or faultfs_available():
        sys.exit(f"error: {reason}")
    folder = Path(options.folder or tempfile.mkdtemp(prefix="neps-chaos-")).resolve()
    _say(f"{_version(options.python)}; evidence and logs in {folder}; {faketime_available() or 'clocks jump'}")
    total = _run_rounds(folder, options, until=began + 60 * options.minutes)
    more = [f"{len(total.findings)}, as above; more in {folder}"] if total.findings else []
    _report(f"all {total.rounds} rounds", total.counts, more)
    if options.json:
        _write(Path(options.json), options.seed, time.monotonic() - began, total)
    return 1 if total.findings else 0


def _run_rounds(folder: Path, options: argparse.Namespace, until: float) -> _Total:
    total, modules = _Total(), _installed(options.python)
    rounds = [kind for kind in ROUNDS if not options.searcher or kind.searcher in options.searcher]
    while not total.rounds or time.monotonic() < until:
        number, kind = total.rounds + 1, rounds[total.rounds % len(rounds)]
        plan = _plan(folder / f"{number}_{kind.searcher}", kind, 1_000 * options.seed + number, options)
        plan = dataclasses.replace(plan, modules=modules, faketime=libfaketime())
        run_round(plan, calm=options.calm)
        verdict = judge(plan)
        _report(f"round {number}, {kind.name}, seed {plan.seed}", verdict.counts, verdict.findings)
        total.add(f"round {number}, {kind.name}", verdict)
    return total


def _plan(folder: Path, kind: Round, seed: int, options: argparse.Namespace) -> Plan:
    return Plan(
        folder=folder,
        kind=kind,
        trials=max(1, round(kind.share * options.trials)),
        lease=options.lease,
        seed=seed,
        python=options.python,
    )


def run_round(plan: Plan, *, calm: bool) -> None:
    """One search under strikes (none if it is calm) until it has all its results; then everybody may end."""
    plan.log("any").parent.mkdir(parents=True)
    plan.root.mkdir()
    hosts = [f"host{index}" for index in range(plan.hosts)]
    with Storage(plan, hosts) as storage, _passer_by(plan) as passer_by:
        cluster = Cluster(plan, storage.binds)
        strikes, results = Strikes(plan, cluster, storage), Results(plan)
        strikes.skew()
        with cluster:
            last = time.monotonic()
            while time.monotonic() - last < _STUCK_SECONDS:
                if not calm:
                    strikes.strike()
                if results.has_more():
                    last = time.monotonic()
                if results.are_complete() and _is_quiet(plan, passer_by, results):
                    break
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
        record(plan.evidence, CHAOS, "faults", count=storage.faults())
    results.has_more(now=True)


@contextlib.contextmanager
def _passer_by(plan: Plan) -> Iterator[subprocess.Popen[bytes]]:
    """Its program, from beginning to end."""
    with plan.log(PASSER_BY).open("wb") as log:
        process = subprocess.Popen(
            [plan.python, str(Path(__file__).with_name("passer_by.py")), plan.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "MPLBACKEND": "agg"},
        )
    try:
        yield process
        plan.quiet.touch()
        if process.wait(_END_SECONDS) != 0:
            record(plan.evidence, PASSER_BY, "trouble", what=f"it ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()


def _is_quiet(plan: Plan, passer_by: subprocess.Popen[bytes], results: Results) -> bool:
    """Once nobody retries any more: whether all is complete still."""
    plan.quiet.touch()
    return passer_by.poll() is not None and results.are_complete()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=_WHAT)
    parser.add_argument("--minutes", type=float, default=30.0, help="no round begins later (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="what strikes, and when (default: 1)")
    parser.add_argument("--json", metavar="FILE", help="where to write what was counted, and what was wrong")
    names = [kind.searcher for kind in ROUNDS]
    parser.add_argument("--searcher", action="append", choices=names, help="only its rounds; may be repeated")
    parser.add_argument("--trials", type=int, default=200, help="of each round (default: 200)")
    parser.add_argument("--lease", type=float, default=6.0, help="lease_seconds (default: 6)")
    parser.add_argument("--calm", action="store_true", help="nothing strikes: to see that nothing is found then")
    parser.add_argument("--python", default=sys.executable, help="of the workers: another checkout's, to try that")
    parser.add_argument("--folder", help="for evidence, logs and roots (default: a new one below /tmp)")
    return parser.parse_args()


def _ask(python: str, program: str) -> str:
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True, cwd="/").stdout.strip()


def _version(python: str) -> str:
    return _ask(python, "import neps, sys; print(f'neps of {neps.__file__}, Python {sys.version.split()[0]}')")


def _installed(python: str) -> tuple[tuple[str, str], ...]:
    tops = sorted({name.partition(".")[0] for name, _ in MODULES})
    program = f"import importlib.util as u, json; print(json.dumps([n for n in {tops} if u.find_spec(n)]))"
    there = json.loads(_ask(python, program))
    return tuple(module for module in MODULES if module[0].partition(".")[0] in there)


def _report(title: str, counts: Counter[str], findings: list[str]) -> None:
    _say(f"{title}: {'this is wrong' if findings else 'nothing is wrong'}")
    print("    " + ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    for finding in findings:
        print(f"  - {finding}")
    sys.stdout.flush()


def _write(path: Path, seed: int, seconds: float, total: _Total) -> None:
    """The record, as all proofs write it."""
    kinds = [*STRIKES.values(), "launches"]
    names = [name for name in sorted(total.counts) if name in kinds or name.startswith(("outages", "looks"))]
    detail = f"{total.rounds} rounds"
    rows = [
        {"scenario": name, "faults": total.counts[name], "survived": total.survived[name], "detail": detail}
        for name in names
    ]
    fields = {"proof": "chaos", "what": _WHAT, "rows": rows, "wrong": total.findings, "seed": seed, "seconds": seconds}
    path.write_text(json.dumps(fields, indent=1) + "\n")


def _say(words: str) -> None:
    print(f"\n==> {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
