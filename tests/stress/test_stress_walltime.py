"""A real SLURM: how its jobs learn when they end, and leave before that, and what a polite signal of it does."""

from __future__ import annotations

import sys
from pathlib import Path

import neps
from rigs.slurm import Slurm

SEARCH = """
import logging, os, sys, time
from pathlib import Path
import neps

def run_pipeline(x, pipeline_directory):
    state = int(neps.checkpoint.load(pipeline_directory, name="state", default=b"0", read=lambda file: file.read()))
    trial = neps.current_trial()
    while state < 3 or not Path(sys.argv[2]).exists():
        time.sleep(0.05)
        state += 1
        neps.checkpoint.save(pipeline_directory, str(state), "state", write=lambda it, file: file.write(it.encode()))
        if trial.should_stop(margin=float(sys.argv[3])):
            print("told", trial.seconds_left, flush=True)
            break
    return 1 / state

logging.basicConfig(level=logging.INFO)
neps.run(run_pipeline, sys.argv[1], dict(x=neps.Float(0, 1)), searcher="random_search", max_evaluations_total=1,
         post_run_summary=False)
"""


def test_a_job_leaves_before_its_end_and_another_goes_on(cluster: Slurm, tmp_path: Path) -> None:
    script, root, let_go = tmp_path / "search.py", tmp_path / "root", tmp_path / "let_go"
    script.write_text(SEARCH)

    def submit(margin: float, before: str = "") -> str:
        command = f"{sys.executable} {script} {root} {let_go} {margin}"
        return cluster.sbatch(f"#!/bin/bash\n{before}\nexec {command} 2>&1\n", "--time=10")

    for before in ("", "unset SLURM_JOB_END_TIME"):  # as an older SLURM, whose controller is asked
        (short,) = cluster.wait(submit(margin=100_000, before=before))
        said = short.output.read_text()
        assert (short.state, short.exit_code) == ("COMPLETED", "0:0"), said
        assert "told" in said
        assert "leaves: the walltime of the job is nearly over" in said
    assert [(trial.status, trial.attempts) for trial in neps.load(root).trials] == [("waiting", 2)]

    running = submit(margin=0)
    cluster.wait(running, until=lambda jobs: "Trial 1 resumed" in _output(jobs[0].output))
    state = root / "config_1" / "state"
    begun = int(state.read_text())
    cluster.wait(running, until=lambda _: int(state.read_text()) > begun + 2)  # it has asked by now
    cluster.run("scancel", "--batch", "--signal=USR1", running)
    (signalled,) = cluster.wait(running)
    said = signalled.output.read_text()
    assert signalled.exit_code == "0:10", said
    assert "told" in said, "it saved and returned, rather than being struck"
    let_go.touch()
    (last,) = cluster.wait(submit(margin=0))
    assert last.state == "COMPLETED", last.output.read_text()
    (trial,) = neps.load(root).trials
    assert (trial.status, trial.attempts) == ("success", 4)


def _output(path: Path) -> str:
    return path.read_text() if path.exists() else ""
