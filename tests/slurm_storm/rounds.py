"""One round: an array searches, strikes of given kinds come one after the other, and the verdict is given."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rigs.slurm import Slurm
from rigs.waiting import wait_until
from slurm_storm.strikes import Search, Strikes
from storms.plan import Plan
from storms.program import Account
from storms.verdict import judge
from stress.evidence import document, results

__all__ = ["KINDS", "run_round"]

KINDS = {
    "limit": "time limit, with USR1 before it",
    "deaf": "scancel, twice, of a worker that doesn't react",
    "requeue": "scontrol requeue",
    "cancel": "scancel",
    "handler": "scancel of a worker with a handler of its own",
    "usr1": "scancel --batch --signal=USR1",
    "preempt": "preemption of a node by a job of the partition `high`",
    "crash": "a node crashes",
    "freeze": "a node freezes until others have taken over",
    "join": "a second array joins",
    "nest": "a task submits an array, which starts a search of its own",
}
"""The methods of `Strikes`, and what they are called in an account."""
_TRIALS_PER_STRIKE = 3
_TRIALS_PER_FREEZE = {True: 12, False: 40}  # who is to take over has to be free now and then
_AHEAD = 12
_TASKS = 8
_STUCK_SECONDS = 300.0


def run_round(
    cluster: Slurm, folder: Path, kinds: Sequence[str], chance: random.Random, account: Account, *, quick: bool = False
) -> None:
    """Adds to the account what was done, and what is wrong. `quick`: whatever takes SLURM half a minute is left out."""
    first = int(chance.random() * 1_000_000)
    plan = Plan(folder, _trials(kinds, quick=quick), first, overwrite=True)
    plan.write()
    search = Search(cluster, plan)
    search.reach.advance(_AHEAD)
    search.submit(f"--array=0-{len(kinds) + _TASKS}%6", "--time=30")
    strikes, unfinished = Strikes(search, chance, quick=quick), list[tuple[str, Callable[[], str]]]()
    for kind in kinds:
        start = time.monotonic()
        finish = getattr(strikes, kind)()
        account.faults[KINDS[kind]] += 1
        unfinished.append((kind, finish))
        search.reach.advance(_TRIALS_PER_STRIKE)
        print(f"    {kind}: {time.monotonic() - start:.1f} s", flush=True)
    for kind, finish in unfinished:
        if detail := finish():
            account.details[KINDS[kind]] = detail
    plan.let(plan.trials)
    wait_until(lambda: sum(results(plan.root).values()) >= plan.trials, _STUCK_SECONDS, f"results in {plan.root}", 0.2)
    account.wrong += [(KINDS.get(kind, ""), finding) for kind, finding in search.end()]
    counts, wrong = judge(plan, search.outputs)
    account.counts += counts
    account.wrong += [("", finding) for finding in wrong]
    if list(plan.root.glob("overwritten/*")):
        account.wrong.append(
            (KINDS["join"], f"a search with live workers was moved aside: {plan.root / 'overwritten'}")
        )
    for nested in strikes.nested:
        counts, wrong = judge(nested, [])
        account.wrong += [(KINDS["nest"], finding) for finding in wrong]
        aside = sorted(nested.root.glob("overwritten/*/neps.yaml"))
        if len(aside) != 1 or document(aside[0])["seed"] == nested.seed:
            account.wrong.append((KINDS["nest"], f"the old search was moved aside {len(aside)} times: {nested.root}"))


def _trials(kinds: Sequence[str], *, quick: bool) -> int:
    """So many that there are some left for each strike, and for each worker."""
    workers = _AHEAD + 2 * kinds.count("join")
    strikes = sum(_TRIALS_PER_FREEZE[quick] if kind == "freeze" else _TRIALS_PER_STRIKE for kind in kinds)
    return _AHEAD + strikes + workers
