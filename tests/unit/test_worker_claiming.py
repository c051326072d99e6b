"""What a worker makes of samplers and costs that are not as they should be."""

from __future__ import annotations

import dataclasses
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neps
from neps._budget import Budget, Spending
from neps._history import History
from neps._trial import Place, Status, Trial
from neps.errors import ArgumentError, NepsError, SpaceError
from neps.samplers import Sampler, Suggestion
from rigs.processes import Fleet

SPACE = {"x": neps.Float(0, 1)}

AT_ONCE = """
import sys
from pathlib import Path

import neps
from neps.samplers import Sampler, Suggestion
from rigs.barrier import await_start
from rigs.waiting import wait_until


def run_pipeline(x):
    wait_until((Path(sys.argv[1]) / "config_2").exists, 60, "the other worker's trial")
    return x


class AtOnce(Sampler):
    tolerates_stale_history = True
    waits = True

    def settings(self):
        return {}

    def decide(self, history, number, budget, generator):
        if self.waits:
            self.waits = False
            await_start()
            return Suggestion(config={"x": float(sys.argv[2])}, metadata={"by": sys.argv[2]})
        return Suggestion(config={"x": 0.9}, metadata={"by": "anew"})


neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher=AtOnce(), max_evaluations_total=2)
"""


@dataclasses.dataclass(frozen=True)
class Odd(Sampler):
    """Suggests 0.5, with what a test wants of the rest."""

    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    raises: Exception | None = None

    def settings(self) -> dict[str, Any]:
        return {}

    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Suggestion:
        del history, number, budget, generator
        if self.raises:
            raise self.raises
        return Suggestion(config={"x": 0.5}, **self.extra)


def run(root: Path, sampler: Sampler, **arguments: Any) -> neps.History:
    return neps.run(
        lambda x: {"loss": x, "cost": 1.0}, root, SPACE, searcher=sampler, max_evaluations_total=1, **arguments
    )


def test_numpy_scalars_of_a_sampler_are_stored_as_plain_values(tmp_path: Path) -> None:
    extra = {"metadata": {"value": np.float64(0.25), "of": [np.int64(3)]}, "place": Place(0, np.int64(2))}  # type: ignore[arg-type]
    decision = run(tmp_path / "root", Odd(extra)).trials[0].decision
    assert decision is not None
    assert (decision.metadata, decision.place) == ({"value": 0.25, "of": [3]}, Place(0, 2))
    assert decision.place is not None
    assert type(decision.place.bracket) is int


@pytest.mark.parametrize("previous", [1, 7])
def test_a_trial_can_only_continue_one_that_is_there(tmp_path: Path, previous: int) -> None:
    with pytest.raises(NepsError, match=f"Odd.decide has trial 1 continue trial {previous}"):
        run(tmp_path / "root", Odd({"previous": previous}))
    assert not (tmp_path / "root/config_1").exists()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("bracket", Place(0, 10**30)),
        ("rung", Place(-1)),
        ("slot", Place(0, 0, 10**6 + 1)),
        ("slot", Place(0, 0, 1.0)),  # type: ignore[arg-type]
    ],
)
def test_a_place_that_no_reader_believes_is_refused(tmp_path: Path, name: str, place: Place) -> None:
    with pytest.raises(
        NepsError, match=f"Odd.decide gives trial 1 the {name} .*; it must be a whole number from 0 to 1000000"
    ):
        run(tmp_path / "root", Odd({"place": place}))


@pytest.mark.parametrize("place", [2, (2, 0, 0), Place(None, bracket=1)])  # type: ignore[arg-type]
def test_a_place_is_a_place_with_a_rung(tmp_path: Path, place: object) -> None:
    with pytest.raises(
        NepsError, match=r"Odd.decide gives trial 1 the place .*; it must be a neps.samplers.Place with a"
    ):
        run(tmp_path / "root", Odd({"place": place}))
    assert not (tmp_path / "root/config_1").exists()


class Unreadable(dict[str, int]):
    def items(self) -> Any:
        raise ValueError("no")


@pytest.mark.parametrize("metadata", [None, [1], "text", Unreadable(a=1)])
def test_metadata_that_is_no_mapping_are_refused(tmp_path: Path, metadata: object) -> None:
    with pytest.raises(NepsError, match=r"Odd\.decide gives trial 1 the metadata .* it must be a mapping"):
        run(tmp_path / "root", Odd({"metadata": metadata}))
    assert not (tmp_path / "root/config_1").exists()


@pytest.mark.parametrize("answer", [None, "x", 10**400, math.nan, -1])
def test_an_expected_cost_that_is_no_cost_is_refused(tmp_path: Path, answer: object) -> None:
    with pytest.raises(ArgumentError, match=r"expected_cost returned .* it must be a finite number of at least 0"):
        run(tmp_path / "root", Odd(), expected_cost=lambda _: answer)
    assert not (tmp_path / "root/config_1").exists()


def test_an_error_of_the_users_own_files_is_no_outage(tmp_path: Path) -> None:
    def cost(config: object) -> float:
        return float(Path(tmp_path / "absent").read_text())

    with pytest.raises(NepsError, match=r"Odd\.decide failed for trial 1"):
        run(tmp_path / "one", Odd(raises=FileNotFoundError("of the sampler")))
    with pytest.raises(NepsError, match="expected_cost failed"):
        run(tmp_path / "two", Odd(), expected_cost=cost)


@pytest.mark.parametrize("written", [".nan", ".inf", "-1", "true", "text"])
def test_a_cost_that_no_budget_can_count_makes_a_trial_damaged(tmp_path: Path, written: str) -> None:
    root = tmp_path / "root"
    run(root, Odd(), lease_seconds=0.1)
    for path in (root / "config_1").glob("*.yaml"):
        path.write_text(path.read_text().replace("cost: 1.0", f"cost: {written}"))
    neps.load(root)
    run(root, Odd(), max_cost_total=0.5, continue_until_max_evaluation_completed=True)
    assert neps.load(root).total_cost in (0.0, 1.0)  # as the results cache remembers it, or not at all


def test_costs_beyond_all_floats(tmp_path: Path) -> None:
    def run_pipeline(x: float) -> dict[str, float]:
        return {"loss": x, "cost": 1e308}

    history = neps.run(
        run_pipeline, tmp_path, SPACE, searcher="random_search", max_evaluations_total=3, max_cost_total=1.7e308
    )
    assert math.isinf(history.total_cost)
    assert len(history.trials) == 2


def test_an_expected_cost_beyond_all_floats_is_the_largest(tmp_path: Path) -> None:
    """A step of the lowest fidelity has cost so much that a wider one is expected to cost more than floats hold."""
    history = neps.run(
        lambda x, epochs: {"loss": x, "cost": 1e308, "info_dict": {"epochs": epochs}},
        tmp_path,
        SPACE | {"epochs": neps.Integer(1, 9, is_fidelity=True)},
        searcher="asha",
        max_evaluations_total=8,
        seed=1,
        continue_until_max_evaluation_completed=True,
        max_seconds_per_run=60,
    )
    reserved = [trial.decision.reserved_cost for trial in history.trials if trial.decision]
    assert max(cost for cost in reserved if cost is not None) == sys.float_info.max
    assert all(trial.succeeded for trial in neps.load(tmp_path).trials)


def test_attempts_that_have_cost_more_than_floats_hold() -> None:
    spending = Spending()
    spending.seen(Trial(number=1, decision=None, spent=math.inf, status=Status.WAITING))
    assert spending.total == sys.float_info.max


def test_a_text_that_no_file_can_hold() -> None:
    with pytest.raises(SpaceError, match="surrogate"):
        neps.Categorical(["\ud800", "a"])


def test_a_float_of_few_values_is_no_endless_search(tmp_path: Path) -> None:
    space = {"x": neps.Float(1, 1.0000000000000004)}
    history = neps.run(lambda x: x, tmp_path, space, searcher="bayesian_optimization", max_evaluations_total=6)
    assert len(history.succeeded) == 6


def test_a_suggestion_that_lost_its_number_keeps_its_reasons(tmp_path: Path, fleet: Fleet) -> None:
    """Of two workers that decide on the same number at the same moment, the second claims the next with what it has."""
    for x in ("0.25", "0.75"):
        fleet.start(AT_ONCE, tmp_path / "root", x)
    fleet.release()
    assert fleet.wait_all(60) == [0, 0]
    trials = neps.load(tmp_path / "root").trials
    found = {trial.config["x"]: trial.decision.metadata for trial in trials if trial.decision is not None}
    assert found == {0.25: {"by": "0.25"}, 0.75: {"by": "0.75"}}


def test_a_long_configuration_is_one_short_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "neps.worker")
    space: dict[str, neps.Parameter] = {"rate": neps.Constant(0.25), "kind": neps.Constant("a" * 500)}
    space |= {f"parameter_{number}": neps.Float(0, 1) for number in range(60)}
    neps.run(lambda **_: 0.0, tmp_path, space, searcher="random_search", seed=1, max_evaluations_total=1)
    (line,) = [message for message in caplog.messages if message.startswith("Trial 1 claimed")]
    assert line.startswith("Trial 1 claimed: rate=0.25, kind='aaaa")
    assert line.endswith(f" more in {tmp_path}/config_1")
    assert len(line) < 250 + len(str(tmp_path))


def test_a_number_whose_folder_is_gone_is_decided_again_as_it_was(tmp_path: Path) -> None:
    """So too where a client doesn't see for a while that a number was decided, and knows later ones already."""
    space = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 27, is_fidelity=True)}

    def evaluate(budget: int) -> neps.History:
        def run_pipeline(x: float, epochs: int, previous_pipeline_directory: Path | None) -> float:
            del previous_pipeline_directory
            return x / epochs

        return neps.run(run_pipeline, tmp_path, space, searcher="asha", seed=1, max_evaluations_total=budget)

    before = evaluate(20).trials[1].decision
    assert before is not None
    shutil.rmtree(tmp_path / "config_2")
    shutil.rmtree(tmp_path / ".neps")
    history = evaluate(21)
    after = history.trials[1].decision
    assert after is not None
    assert (after.config, after.place, after.previous) == (before.config, before.place, before.previous)
    assert len(history.trials) == 21
