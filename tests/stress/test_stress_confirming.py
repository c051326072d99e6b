"""neps.confirm with real processes: workers share the evaluations, one is killed, and each pair has one result."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import neps
from neps._views.confirmation import read_confirmation
from ranks_storm.launching import torchrun
from rigs.processes import Fleet
from rigs.waiting import wait_until

TOP, SEEDS, WORKERS = 4, 5, 4

WORKER = """
import random, sys, time
from pathlib import Path
import neps

HELD = Path(sys.argv[2])

def run_pipeline(x, pipeline_directory, seed=0):
    with (HELD.parent / "begun").open("a") as journal:
        journal.write(f"{x!r} {seed}\\n")
    if sys.argv[3] == "hang" and pipeline_directory.name == "config_2":
        HELD.touch()
        time.sleep(600)
    time.sleep(0.005)
    return (x - 0.3) ** 2 + random.Random(seed).gauss(0, 0.01)

print(len(neps.confirm(run_pipeline, sys.argv[1], top=4, seeds=5, progress=False).history))
"""


def test_a_killed_worker_s_evaluation_is_resumed_and_each_pair_has_one_result(fleet: Fleet, tmp_path: Path) -> None:
    root, held = tmp_path / "run", tmp_path / "held"
    space = {"x": neps.Float(0, 1)}
    neps.run(lambda x: (x - 0.3) ** 2, root, space, searcher="sobol", seed=1, max_evaluations_total=8, progress=False)
    victim = fleet.start(WORKER, root, held, "hang")
    wait_until(held.exists, 60, "the evaluation that hangs")
    victim.kill()
    workers = [fleet.start(WORKER, root, held, "share") for _ in range(WORKERS)]
    assert [worker.wait(120) for worker in workers] == [0] * WORKERS, [worker.stderr for worker in workers]
    last = fleet.start(WORKER, root, held, "alone")
    assert last.wait(120) == 0, last.stderr
    assert last.stdout.split() == [str(TOP * SEEDS)]
    confirmed = read_confirmation(root)
    assert confirmed.complete
    assert [len(each.finite) for each in confirmed.finalists] == [SEEDS] * TOP
    assert len(confirmed.history) == TOP * SEEDS
    assert [trial.number for trial in confirmed.history if trial.attempts == 2] == [2]
    begun = Counter((tmp_path / "begun").read_text().splitlines())
    assert sorted(begun.values()) == [1] * (TOP * SEEDS - 1) + [2]
    assert len(neps.load(root)) == 8


RANKS = """
import json, os, sys
from pathlib import Path
import neps

def run_pipeline(x, seed=0):
    assert neps.current_trial().seed == seed or seed == 0
    return (x - 0.3) ** 2

root = sys.argv[1]
history = neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, searcher="sobol", seed=1, patience=3)
confirmed = neps.confirm(run_pipeline, root, top=2, seeds=2)
told = [len(history), history.ended_by, confirmed.to_rows()]
Path(f"{root}.{os.environ['RANK']}").write_text(json.dumps(told))
"""


def test_ranks_of_one_training_end_and_confirm_as_one_worker(tmp_path: Path) -> None:
    script, root = tmp_path / "ranks.py", tmp_path / "root"
    script.write_text(RANKS)
    with torchrun(2, [str(script), str(root)], tmp_path / "log") as agent:
        assert agent.wait(120) == 0, (tmp_path / "log").read_text()
    first, second = (json.loads(root.with_name(f"root.{rank}").read_text()) for rank in (0, 1))
    assert first == second
    assert first[1].startswith("no improvement in the last 3 results, since trial ")
    assert len(read_confirmation(root).history) == 4
