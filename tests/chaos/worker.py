"""A worker, a program: `sys.argv[1]` is the plan. Started by `chaos.keeper`, again and again."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path

import neps
from chaos.evidence import WORKER, record
from chaos.plan import Plan
from chaos.slow_imports import SlowDisk
from chaos.training import Training, space

_SECONDS_PER_MODULE = 0.004


def main() -> None:
    """Entry: one call of `neps.run`."""
    plan, name = Plan.from_json(sys.argv[1]), os.environ[WORKER]
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(name)s %(message)s")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    record(plan.evidence, name, "worker", host=socket.gethostname(), boot=boot, pid=os.getpid())
    neps.run  # noqa: B018 - what `import neps` has put off is imported at its normal speed
    sys.meta_path.insert(0, SlowDisk(_SECONDS_PER_MODULE))
    budget = {
        "max_cost_total": plan.trials * plan.kind.cost,
        "expected_cost": plan.kind.cost,
        "cost_value_on_error": plan.kind.cost,
    }
    history = neps.run(
        Training(plan),
        plan.root,
        space(plan.kind.searcher),
        searcher=plan.kind.searcher,
        **(budget if plan.kind.cost else {"max_evaluations_total": plan.trials}),
        continue_until_max_evaluation_completed=True,
        ignore_errors=True,
        lease_seconds=plan.lease,
        seed=plan.seed,
        overwrite_working_directory=plan.kind.launches,
        keep_checkpoints=plan.kind.keep,
    )
    ended = sum(trial.ended for trial in history.trials)
    record(plan.evidence, name, "returned", trials=len(history.trials), ended=ended)


if __name__ == "__main__":
    main()
