"""How a worker waits: its pauses grow, whatever it waits for in between."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import neps
from neps._evaluation import Signals
from unit.ledger_scene import Scene, somewhere

SPACE = {"x": neps.Float(0, 1)}
RUNNING = 6


def test_pauses_go_on_growing_while_one_trial_after_the_other_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, pauses = tmp_path / "root", list[float]()
    neps.run(lambda x: x, root, SPACE, searcher="random_search", max_seconds_per_run=1e-9, post_run_summary=False)
    scene = Scene(root, yaml.safe_load((root / "neps.yaml").read_text())["run"])
    left = [scene.claim(number, somewhere(f"worker{number}")).number for number in range(1, RUNNING + 1)]
    wait = Signals.wait

    def ending_one(self: Signals, seconds: float) -> None:
        pauses.append(seconds)
        if left:
            scene.end(left.pop())
        wait(self, seconds)

    monkeypatch.setattr(Signals, "wait", ending_one)
    history = neps.run(
        lambda x: pytest.fail(f"{x} is evaluated"),
        root,
        SPACE,
        searcher="random_search",
        max_evaluations_total=RUNNING,
        continue_until_max_evaluation_completed=True,
        post_run_summary=False,
    )
    assert len(history.succeeded) == RUNNING
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]
