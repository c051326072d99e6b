"""The four snippets from which the project began, run as they stand.

Only what they leave out is added: imports, `pipeline_space`, the `...` of the second, and a call of `neps.run`
where there is none.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import neps

PREAMBLE = """
import neps
import torch

pipeline_space = {
    "element_1": neps.Float(0, 1),
    "element_2": neps.Float(1e-3, 1e3, log=True),
    "element_3": neps.Integer(1, 5),
}
"""

CALL = """
if __name__ == "__main__":
    neps.run(run_pipeline, "results/snippet", pipeline_space, max_evaluations_total=4, {arguments})
"""

SINGLE_VALUE = """
def run_pipeline(
    **config,   # The hyperparameters to be used in the pipeline
):
    element_1 = config["element_1"]
    element_2 = config["element_2"]
    element_3 = config["element_3"]

    loss = element_1 - element_2 + element_3

    return loss
"""

DICTIONARY = """
def run_pipeline(
    **config,   # The hyperparameters to be used in the pipeline
):

    element_1 = config["element_1"]
    element_2 = config["element_2"]
    element_3 = config["element_3"]

    loss = element_1 - element_2 + element_3
    reverse_loss = -loss

    return {
        "loss": loss,
        "info_dict": {
            "reverse_loss": reverse_loss
            ...
        }
    }
"""

COST = """
import neps
import logging


def run_pipeline(
    **config,   # The hyperparameters to be used in the pipeline
):

    element_1 = config["element_1"]
    element_2 = config["element_2"]
    element_3 = config["element_3"]

    loss = element_1 - element_2 + element_3
    cost = 2

    return {
        "loss": loss,
        "cost": cost,
    }

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    neps.run(
        run_pipeline=run_pipeline,
        pipeline_space=pipeline_space, # Assuming the pipeline space is defined
        root_directory="results/bo",
        max_cost_total=10,
        searcher="bayesian_optimization",
    )
"""

CHECKPOINTS = """
def run_pipeline(
    pipeline_directory,           # The directory where the config is saved
    previous_pipeline_directory,  # The directory of the immediate lower fidelity config
    **config,                     # The hyperparameters to be used in the pipeline
):
    # Assume element3 is our fidelity element
    element_1 = config["element_1"]
    element_2 = config["element_2"]
    element_3 = config["element_3"]

    # Load any saved checkpoints
    checkpoint_name = "checkpoint.pth"
    start_element_3 = 0

    if previous_pipeline_directory is not None:
        # Read in state of the model after the previous fidelity rung
        checkpoint = torch.load(previous_pipeline_directory / checkpoint_name)
        prev_element_3 = checkpoint["element_3"]
    else:
        prev_element_3 = 0

    start_element_3 += prev_element_3

    loss = 0
    for i in range(start_element_3, element_3):
        loss += element_1 - element_2

    torch.save(
        {
            "element_3": element_3,
        },
        pipeline_directory / checkpoint_name,
    )

    return loss
"""


def run(folder: Path, script: str, workers: int = 1) -> str:
    """Runs a script as its user would, in so many processes; what they wrote to standard error."""
    (folder / "script.py").write_text(PREAMBLE + script)
    processes = [
        subprocess.Popen([sys.executable, "script.py"], cwd=folder, stderr=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    errors = "".join(process.communicate(timeout=120)[1] for process in processes)
    assert [process.returncode for process in processes] == [0] * workers, errors
    return errors


def loss_of(trial: neps.Trial) -> float:
    config = trial.config
    return float(config["element_1"]) - float(config["element_2"]) + float(config["element_3"])  # type: ignore[arg-type]


def test_a_single_value(tmp_path: Path) -> None:
    run(tmp_path, SINGLE_VALUE + CALL.format(arguments=""))
    history = neps.load(tmp_path / "results/snippet")
    assert [trial.loss for trial in history.succeeded] == [loss_of(trial) for trial in history.trials]
    assert len(history.succeeded) == 4
    assert history.best is not None
    assert history.best.loss == min(map(loss_of, history.trials))


def test_a_dictionary(tmp_path: Path) -> None:
    run(tmp_path, DICTIONARY.replace("...", "") + CALL.format(arguments=""))
    history = neps.load(tmp_path / "results/snippet")
    assert len(history.succeeded) == 4
    for trial in history.trials:
        assert trial.loss == loss_of(trial)
        assert trial.info_dict == {"reverse_loss": -loss_of(trial)}


def test_a_cost_budget_is_5_evaluations(tmp_path: Path) -> None:
    log = run(tmp_path, COST)
    history = neps.load(tmp_path / "results/bo")
    assert len(history.trials) == len(history.succeeded) == 5
    assert history.total_cost == 10
    assert log.count("claimed") == log.count("finished") == 5
    run(tmp_path, COST)
    assert len(neps.load(tmp_path / "results/bo").trials) == 5


def test_a_cost_budget_is_5_evaluations_with_4_workers(tmp_path: Path) -> None:
    log = run(tmp_path, COST, workers=4)
    history = neps.load(tmp_path / "results/bo")
    assert len(history.trials) == len(history.succeeded) == 5
    assert history.total_cost == 10
    assert log.count("claimed") == log.count("finished") == 5


@pytest.mark.parametrize("workers", [1, 4])
def test_checkpoints_are_continued(tmp_path: Path, workers: int) -> None:
    """A bracket of Hyperband, with 9, 3 and 1 trials: each promotion finds the checkpoint of its own configuration."""
    fidelity = 'pipeline_space["element_3"] = neps.Integer(1, 9, is_fidelity=True)\n'
    call = CALL.format(arguments='searcher="hyperband"').replace("max_evaluations_total=4", "max_evaluations_total=13")
    run(tmp_path, fidelity + CHECKPOINTS + call, workers)
    assert len(neps.load(tmp_path / "results/snippet").succeeded) == 13
    if workers > 1:  # who of them is slow decides whether a rung was full in time; 13 more trials find one that is
        run(tmp_path, fidelity + CHECKPOINTS + call.replace("=13", "=26"))
    history = neps.load(tmp_path / "results/snippet")
    assert len(history.succeeded) == len(history.trials) == (13 if workers == 1 else 26)
    promotions = [trial for trial in history.trials if trial.previous is not None]
    if workers == 1:
        assert [trial.fidelity for trial in history.trials] == [1] * 9 + [3] * 3 + [9]
    assert len(promotions) == len({trial.previous for trial in promotions}) >= 1
    for trial in history.trials:
        before = history.by_number[trial.previous] if trial.previous is not None else None
        begun, config = (before.fidelity if before else 0) or 0, trial.config
        steps = (trial.fidelity or 0) - begun
        assert trial.loss == pytest.approx(steps * (config["element_1"] - config["element_2"]))  # type: ignore[operator]
        if before is not None:
            assert {**before.config, "element_3": 0} == {**config, "element_3": 0}
            assert trial.fidelity == 3 * begun


def test_checkpoints_are_found_after_the_root_was_moved(tmp_path: Path) -> None:
    """After each rung of a bracket, by `mv`: whatever is promoted next continues what lies at the new place."""
    fidelity = 'pipeline_space["element_3"] = neps.Integer(1, 9, is_fidelity=True)\n'
    roots, totals = ["results/snippet", "elsewhere", "results/deeper/down"], [9, 12, 13]
    script = fidelity + CHECKPOINTS + CALL.format(arguments='searcher="hyperband"')
    for step, (root, total) in enumerate(zip(roots, totals, strict=True)):
        if step:
            (tmp_path / root).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mv", roots[step - 1], root], cwd=tmp_path, check=True)
        here = script.replace("results/snippet", root).replace(
            "max_evaluations_total=4", f"max_evaluations_total={total}"
        )
        run(tmp_path, here, workers=1 + step)
        history = neps.load(tmp_path / root)
        assert len(history.succeeded) == len(history.trials) == total
        assert not step or not (tmp_path / roots[step - 1]).exists()
    assert [trial.fidelity for trial in history.trials] == [1] * 9 + [3] * 3 + [9]
    for trial in history.trials:
        before = history.by_number[trial.previous] if trial.previous is not None else None
        steps, config = (trial.fidelity or 0) - ((before.fidelity if before else 0) or 0), trial.config
        assert trial.loss == pytest.approx(steps * (config["element_1"] - config["element_2"]))  # type: ignore[operator]
        assert (before is None) == (trial.fidelity == 1)


def test_checkpoints(tmp_path: Path) -> None:
    """Without a multi-fidelity searcher the fidelity is at its upper bound, and nothing is continued."""
    fidelity = 'pipeline_space["element_3"] = neps.Integer(1, 5, is_fidelity=True)\n'
    run(tmp_path, fidelity + CHECKPOINTS + CALL.format(arguments='searcher="random_search"'))
    history = neps.load(tmp_path / "results/snippet")
    assert len(history.succeeded) == 4
    for trial in history.trials:
        assert trial.fidelity == 5
        assert trial.previous is None
        config = trial.config
        assert trial.loss == pytest.approx(5 * (config["element_1"] - config["element_2"]))  # type: ignore[operator]
        assert (tmp_path / f"results/snippet/config_{trial.number}/checkpoint.pth").exists()
