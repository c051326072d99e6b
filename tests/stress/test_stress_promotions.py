"""Hyperband under SIGKILL: complete brackets, and every promotion once, from the checkpoint of its previous trial."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from neps._fidelity import hyperband_brackets, rungs
from rigs.processes import Fleet
from stress.climbing import CHECKPOINT, ETA
from stress.evidence import document, numbers, result, results
from stress.objective import journal
from stress.share import Share
from stress.storm import Storm
from stress.team import END, solo

RUNGS = rungs(1, 27, ETA, whole=True)
KINDS = hyperband_brackets(len(RUNGS), ETA)
ROUND = sum(sum(kind.sizes) for kind in KINDS)
"""So many trials has each kind of bracket once."""
STORM = Storm(trials=2 * ROUND, kills=60, workers=8, seconds=END)
CONDITIONAL = Storm(trials=ROUND, kills=30, workers=8, seconds=END)
FREEING = Storm(trials=ROUND + 30, kills=30, workers=8, seconds=END)

Decisions = dict[int, dict[str, Any]]
"""What each trial.yaml says, by number."""


def test_60_kills_of_8_workers_leave_complete_brackets_whose_promotions_have_their_checkpoints(
    fleet: Fleet, tmp_path: Path, rng: random.Random
) -> None:
    root, alone = tmp_path / "root", tmp_path / "alone"
    arguments = {
        "space": "epochs",
        "searcher": "hyperband",
        "seed": rng.randrange(2**32),
        "max_evaluations_total": STORM.trials,
        "max_attempts": 1_000,
        "lease_seconds": 3.0,
        "continue_until_max_evaluation_completed": True,
    }
    print(f"search seed: {arguments['seed']}")
    crowd, moments = STORM.rage(fleet, Share(root, arguments, {"seconds": 0.05}, climbs=True), rng)
    assert crowd.stdout.split().count("-9") == STORM.kills
    assert moments["evaluating"] >= 10
    assert numbers(root) == list(range(1, STORM.trials + 1))
    assert results(root) == Counter(success=STORM.trials)  # where a checkpoint is missing or another's, one fails
    decisions = decisions_of(root)
    assert_each_place_and_promotion_once(decisions)
    assert_checkpoints_were_continued(root, decisions)

    assert solo(fleet, Share(alone, arguments, climbs=True)).wait(2 * END) == 0
    expected, found = finished_brackets(alone), finished_brackets(root)
    assert found.keys() >= set(range(len(KINDS))), "one of each kind is complete"
    assert found == {bracket: expected[bracket] for bracket in found}
    print(f"complete brackets: {sorted(found)}; of a single worker: {sorted(expected)}")


def test_kills_of_8_workers_on_a_conditional_space(fleet: Fleet, tmp_path: Path, rng: random.Random) -> None:
    """A trial fails where it continues another configuration; each has exactly what its own values make active."""
    root = tmp_path / "root"
    arguments = {
        "space": "conditional",
        "searcher": "hyperband",
        "seed": rng.randrange(2**32),
        "max_evaluations_total": CONDITIONAL.trials,
        "max_attempts": 1_000,
        "lease_seconds": 3.0,
        "continue_until_max_evaluation_completed": True,
    }
    print(f"search seed: {arguments['seed']}")
    crowd, _ = CONDITIONAL.rage(fleet, Share(root, arguments, {"seconds": 0.03}, climbs=True), rng)
    assert crowd.stdout.split().count("-9") == CONDITIONAL.kills
    assert numbers(root) == list(range(1, CONDITIONAL.trials + 1))
    assert results(root) == Counter(success=CONDITIONAL.trials)
    decisions = decisions_of(root)
    assert_each_place_and_promotion_once(decisions)
    for number, decision in decisions.items():
        config = decision["config"]
        expected = {"x", "kind", "depth", "epochs"} | ({"momentum"} if config["kind"] == "sgd" else set())
        if config.get("momentum", 0) > 0.5 and config["depth"] >= 2:  # the conditions, in words of their own
            expected.add("decay")
        assert set(config) == expected
        assert (config["kind"], config["depth"]) != ("sgd", 4)
        assert document(root / f"config_{number}" / "config.yaml") == config
        if (previous := previous_of(decision)) is not None:
            assert config == decisions[previous]["config"] | {"epochs": config["epochs"]}
    assert len({frozenset(decision["config"]) for decision in decisions.values()}) == 3


def test_kills_while_checkpoints_are_freed(fleet: Fleet, tmp_path: Path, rng: random.Random) -> None:
    """Each worker frees by its own view; a trial fails where the checkpoint that it continues is missing."""
    root = tmp_path / "root"
    arguments = {
        "space": "epochs",
        "searcher": "hyperband",
        "max_evaluations_total": FREEING.trials,
        "max_attempts": 1_000,
        "lease_seconds": 3.0,
        "continue_until_max_evaluation_completed": True,
        "keep_checkpoints": "best",
    }
    FREEING.rage(fleet, Share(root, arguments, {"seconds": 0.02, "fenced": True}, climbs=True), rng)
    assert results(root) == Counter(success=FREEING.trials)
    decisions = decisions_of(root)
    assert_each_place_and_promotion_once(decisions)
    for number, decision in decisions.items():
        if (previous := previous_of(decision)) is not None:
            assert journal(root, number)[0].step == decisions[previous]["fidelity"]
    left = {number for number in numbers(root) if (root / f"config_{number}" / CHECKPOINT).exists()}
    best = min(numbers(root), key=lambda number: (-decisions[number]["fidelity"], result(root, number)["loss"]))
    assert best in left
    assert {number for number in left if decisions[number]["fidelity"] == RUNGS[-1]} == {best}
    assert not left & {previous_of(decision) for decision in decisions.values()}
    closed = finished_brackets(root)
    assert closed
    assert not {number for number in left - {best} if decisions[number]["bracket"] in closed}
    hidden = [path.name for path in root.glob(f"config_*/.{CHECKPOINT}*")]
    assert hidden == [f".{CHECKPOINT}.neps"] * len(left)  # and nothing of those that were killed while they saved


def decisions_of(root: Path) -> Decisions:
    return {number: document(root / f"config_{number}" / "trial.yaml") for number in numbers(root)}


def previous_of(decision: dict[str, Any]) -> int | None:
    previous = decision.get("previous")
    return int(previous.removeprefix("config_")) if previous is not None else None


def assert_each_place_and_promotion_once(decisions: Decisions) -> None:
    places = Counter((each["bracket"], each["rung"], each["slot"]) for each in decisions.values())
    promoted = Counter(previous for each in decisions.values() if (previous := previous_of(each)) is not None)
    assert promoted
    assert set(places.values()) == set(promoted.values()) == {1}
    for each in decisions.values():
        assert (previous_of(each) is None) == (each["rung"] == KINDS[each["bracket"] % len(KINDS)].lowest)


def assert_checkpoints_were_continued(root: Path, decisions: Decisions) -> None:
    """Each promotion is one rung up with the same x, began where that had ended, and left its checkpoint alone."""
    for number, decision in decisions.items():
        x, epochs = decision["config"]["x"], decision["fidelity"]
        assert json.loads((root / f"config_{number}" / CHECKPOINT).read_text()) == {
            "x": x,
            "epochs": epochs,
            "done": epochs,
        }
        entries = journal(root, number)
        previous = previous_of(decision)
        assert entries[0].step == (decisions[previous]["fidelity"] if previous is not None else 0)
        steps = [entry.step for entry in entries if entry.event == "step"]
        assert len(steps) == len(set(steps)), "an epoch was trained twice, although its checkpoint was there"
        if previous is not None:
            assert decisions[previous]["config"] == {"x": x, "epochs": epochs // ETA}
            assert RUNGS.index(epochs) == RUNGS.index(decisions[previous]["fidelity"]) + 1


def finished_brackets(root: Path) -> dict[int, dict[tuple[int, int], tuple[float, float]]]:
    """Of each bracket that is full up to its highest rung, x and the loss at each of its places."""
    brackets: dict[int, dict[tuple[int, int], tuple[float, float]]] = defaultdict(dict)
    for number, decision in decisions_of(root).items():
        place = decision["rung"], decision["slot"]
        brackets[decision["bracket"]][place] = decision["config"]["x"], result(root, number)["loss"]
    return {
        bracket: places for bracket, places in brackets.items() if len(places) == sum(KINDS[bracket % len(KINDS)].sizes)
    }
