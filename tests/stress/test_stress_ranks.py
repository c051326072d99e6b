"""Ranks that torchrun has started are one worker, whatever happens to one of them. `python -m ranks_storm` has more."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

import neps
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from ranks_storm.__main__ import Tally, storm
from ranks_storm.launching import evidence_of, order, torchrun, training
from ranks_storm.verdict import ends_of, wrong_with
from rigs.waiting import wait_until

SECONDS = 300
CONTRACT = Path(__file__).with_name("ranks_contract.py")
UNLIKE = """
import os, neps
neps.run(lambda x: x, "root", {"x": neps.Float(0, 1)}, max_evaluations_total=5 + int(os.environ["RANK"]))
"""

ALONE = """
import os, neps
from neps._distributed import joining

joining._SAY_AFTER = 0.5
if os.environ["RANK"] == "0":
    neps.run(lambda x: x, "root", {"x": neps.Float(0, 1)}, max_evaluations_total=5)
"""

TOLD = """
import os, pathlib, time, neps, torch
import torch.distributed as dist

def run_pipeline(x):
    dist.init_process_group("gloo")
    trial, epochs = neps.current_trial(), 0
    while True:
        dist.all_reduce(torch.ones(1))
        epochs += 1
        time.sleep(0.02 * int(os.environ["RANK"]))
        if trial.should_stop():
            break
    pathlib.Path(f"trial_{trial.number}_{os.environ['RANK']}").write_text(str(epochs))
    dist.destroy_process_group()
    return x

neps.run(run_pipeline, "root", {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=4,
         max_seconds_per_trial=0.5)
"""


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """Where ranks write down what they do."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    return folder


def test_all_ranks_get_the_same_and_return_the_same(tmp_path: Path, evidence: Path) -> None:
    with torchrun(2, [str(CONTRACT), str(tmp_path / "root"), str(evidence)], tmp_path / "log") as agent:
        assert agent.wait(SECONDS) == 0, (tmp_path / "log").read_text()
    first, second = (json.loads((evidence / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["trials"] == second["trials"]
    assert first["second"] == second["second"]
    assert len(first["trials"]) == 4
    assert len(first["seen"]) == len(second["seen"]) == 4
    for at_first, at_second in zip(first["seen"], second["seen"], strict=True):
        assert at_first["mixed"][0] == at_first["mixed"][1]
        assert at_first["object"] == at_second["object"] == ["first", "second"].index(at_first["name"])
        assert at_first["loaded"] == at_second["loaded"]
        assert (at_first["shard"], at_second["shard"]) == (0, 1)
        assert at_first["answers"] == at_second["answers"]
    assert {seen["loaded"] for seen in first["seen"]} != {0}  # one was promoted
    for trial in neps.load(tmp_path / "root"):
        assert trial.learning_curve == ((1.0, trial.config["x"]), (2.0, 2.0))  # rank 0's, and what only rank 1 reported
        state = neps.checkpoint.load(tmp_path / "root" / f"config_{trial.number}")
        assert state == {"epoch": trial.fidelity, "rank": 0}


@pytest.mark.parametrize(("size", "strikes", "seed"), [(2, 2, 3), (4, 1, 5)])
def test_what_strikes_one_rank_ends_one_attempt_and_a_restart_carries_on(
    tmp_path: Path, size: int, strikes: int, seed: int
) -> None:
    tally = Tally()
    print(f"{size} ranks, seed {seed}")
    storm(tmp_path / "storm", size, strikes, random.Random(seed), tally, other=False)
    assert tally.wrong == []
    assert tally.strikes.total() == strikes


def test_an_exception_on_one_rank_is_the_failure_of_all(tmp_path: Path, evidence: Path) -> None:
    order(evidence, "raise", rank=1, trial=1, epoch=2)
    script = training(tmp_path / "root", evidence, "--strict")
    with torchrun(2, script, tmp_path / "log") as agent:
        assert agent.wait(SECONDS) != 0
    (trial,) = neps.load(tmp_path / "root")
    assert (trial.error or "").startswith("rank 1 of 2: ValueError: misbehaving as told")
    said = "EvaluationError: trial 1 failed: rank 1 of 2: ValueError: misbehaving as told"
    raised = [entry["error"] for entry in evidence_of(evidence) if entry["event"] == "raised"]
    assert raised
    assert all(error.startswith(said) for error in raised)  # rank 0 has no traceback of its own to raise by
    assert ends_of(tmp_path / "root") == {(1, 1): "failed"}


def test_a_takeover_ends_the_evaluation_on_all_ranks_and_they_go_on_together(tmp_path: Path, evidence: Path) -> None:
    root, leash = tmp_path / "root", evidence / "leash"
    leash.touch()
    script = training(root, evidence, "--trials=2", "--epochs=3", "--lease=3", f"--leash={leash}")
    other = Identity.mine()
    with torchrun(2, script, tmp_path / "log") as agent:

        def begun(trial: int) -> set[int]:
            return {e["rank"] for e in evidence_of(evidence) if e["event"] == "begins" and e["trial"] == trial}

        wait_until(lambda: begun(1) == {0, 1}, SECONDS, "both ranks to begin the first trial")
        folder = TrialFolder(Layout(str(root)), 1)
        assert folder.end_attempt(1, End.DIED, other, "it seemed dead")
        assert folder.open_attempt(2, other, "died")
        wait_until(lambda: begun(2) == {0, 1}, SECONDS, "both ranks to go on with the second trial")
        leash.unlink()
        wait_until(lambda: ends_of(root).get((2, 1)) == "success", SECONDS, "the second trial to end")
        assert agent.poll() is None  # it waits for the first one, which this process holds
    assert ends_of(root) == {(1, 1): "died", (2, 1): "success"}
    ended = {entry["trial"] for entry in evidence_of(evidence) if entry["event"] == "ends"}
    assert ended == {2}
    assert wrong_with(root, [], 2, 2) == ["trial 1 has no result", "attempt 1 of trial 1 ended as died, not as success"]


def test_ranks_that_are_called_differently_are_refused(tmp_path: Path) -> None:
    (tmp_path / "unlike.py").write_text(UNLIKE)
    with torchrun(2, [str(tmp_path / "unlike.py")], tmp_path / "log") as agent:
        assert agent.wait(SECONDS) != 0
    said = (tmp_path / "log").read_text()
    assert re.search(r"rank 0 was called with max_evaluations_total=5, and rank 1 with 6\. Under torchrun", said), said
    assert not (tmp_path / "root").exists()


def test_a_call_by_rank_0_alone_ends_with_an_error_once_the_others_have_ended(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(ALONE)
    with torchrun(2, [str(tmp_path / "alone.py")], tmp_path / "log") as agent:
        assert agent.wait(SECONDS) != 0
    said = (tmp_path / "log").read_text()
    assert "LaunchError: rank 1 ended without calling neps.run. Under torchrun all ranks have to call neps.run" in said
    assert not (tmp_path / "root").exists()


def test_a_stop_hands_the_trial_of_all_ranks_back(tmp_path: Path, evidence: Path) -> None:
    root, leash = tmp_path / "root", evidence / "leash"
    leash.touch()
    script = training(root, evidence, "--trials=2", "--lease=3", f"--leash={leash}")
    with torchrun(2, script, tmp_path / "log") as agent:

        def begun() -> set[int]:
            return {entry["rank"] for entry in evidence_of(evidence) if entry["event"] == "begins"}

        wait_until(lambda: begun() == {0, 1}, SECONDS, "both ranks to begin the first trial")
        assert len(neps.stop(root)) == 1
        assert agent.wait(SECONDS) == 0, (tmp_path / "log").read_text()
    assert ends_of(root) == {(1, 1): "left"}


def test_all_ranks_are_told_to_stop_at_the_same_call(tmp_path: Path) -> None:
    """Rank 0 returns as soon as it is told: the others, which ask a moment later, still get that answer."""
    (tmp_path / "told.py").write_text(TOLD)
    with torchrun(2, [str(tmp_path / "told.py")], tmp_path / "log") as agent:
        assert agent.wait(SECONDS) == 0, (tmp_path / "log").read_text()
    assert [trial.succeeded for trial in neps.load(tmp_path / "root")] == [True] * 4
    for number in range(1, 5):
        first, second = ((tmp_path / f"trial_{number}_{rank}").read_text() for rank in (0, 1))
        assert first == second
