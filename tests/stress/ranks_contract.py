"""What torchrun's ranks get, may do, and return: each writes down what it saw, for test_stress_ranks to compare."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist

import neps

ROOT, OUT = Path(sys.argv[1]), Path(sys.argv[2])
RANK = int(os.environ["RANK"])
FIRST, SECOND = object(), object()
seen: list[dict[str, Any]] = []


def run_pipeline(
    pipeline_directory: Path, previous_pipeline_directory: Path | None, x: float, what: object, epochs: int
) -> float | None:
    """Report on all ranks, save on all, and stop when told."""
    current = neps.current_trial()
    dist.init_process_group("gloo")
    mixed: list[Any] = [None] * dist.get_world_size()
    own = [current.number, current.attempt, current.seed, x, str(pipeline_directory), str(previous_pipeline_directory)]
    dist.all_gather_object(mixed, own)
    neps.report(1, x + RANK)
    if RANK:
        neps.report(2, 2.0)
    state = neps.checkpoint.load(pipeline_directory, previous_pipeline_directory, default={"epoch": 0})
    dist.barrier()  # as in any training: no rank saves before all have loaded
    neps.checkpoint.save(pipeline_directory, {"epoch": epochs, "rank": RANK})
    neps.checkpoint.save(pipeline_directory, {"rank": RANK}, "shard-{rank}.pt")
    shard = neps.checkpoint.load(pipeline_directory, name="shard-{rank}.pt")
    answers = [current.should_stop() for _ in range(20)]
    dist.destroy_process_group()
    seen.append(
        {
            "mixed": mixed,
            "object": [FIRST, SECOND].index(what),
            "name": current.config["what"],
            "loaded": state["epoch"],
            "shard": shard["rank"],
            "answers": answers,
        }
    )
    return x if RANK == 0 else None


history = neps.run(
    run_pipeline,
    ROOT,
    {
        "x": neps.Float(0, 1),
        "what": neps.Categorical({"first": FIRST, "second": SECOND}),
        "epochs": neps.Integer(1, 2, is_fidelity=True),
    },
    searcher="successive_halving",
    eta=2,
    max_evaluations_total=4,
    seed=3,
    callbacks=[neps.Callback()] if RANK == 0 else None,
)
inner = neps.run(lambda x: x if RANK == 0 else None, ROOT / "second", {"x": neps.Float(0, 1)}, max_evaluations_total=1)
trials = [(t.number, t.loss, dict(t.config), t.learning_curve, str(t.status), str(t.finished)) for t in history]
result = {"seen": seen, "trials": trials, "second": [t.loss for t in inner], "port": os.environ["MASTER_PORT"]}
(OUT / f"{RANK}.json").write_text(json.dumps(result))
