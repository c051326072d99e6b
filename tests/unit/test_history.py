"""What a run looks like in the hand: one line, a table, HTML; and what a history answers."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._history import History
from neps._trial import Decision, Result, Status, Trial
from neps.errors import ArgumentError
from neps.space import SearchSpace

SPACE = SearchSpace({"rate": neps.Float(0, 1), "kind": neps.Categorical(["a", "b"])})
STAGED = SearchSpace({"rate": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)})


def ended(number: int, loss: float | None, config: Mapping[str, Any] | None = None, **more: Any) -> Trial:
    success = loss is not None
    decision = {name: more.pop(name) for name in ("fidelity", "previous") if name in more}
    return Trial(
        number=number,
        decision=Decision(number=number, config=config or {"rate": number / 64, "kind": "a"}, **decision),
        result=Result.of(success=success, loss=loss, **more),
        status=Status.SUCCESS if success else Status.FAILED,
    )


def history(*trials: Trial, space: SearchSpace = SPACE) -> History:
    return History(space, {trial.number: trial for trial in trials})


def staged(number: int, fidelity: int, loss: float, previous: int | None = None, **more: Any) -> Trial:
    config = {"rate": 0.5, "epochs": fidelity}
    return ended(number, loss, config, fidelity=float(fidelity), previous=previous, **more)


RUNNING = Trial(number=4, decision=None)


def test_one_line() -> None:
    run = history(ended(1, 0.5), ended(2, None, error="ValueError: no\x1b[2J good\n\nTraceback"), RUNNING)
    assert repr(run) == "<History: 3 trials: 1 succeeded, 1 failed, 1 running; best: trial 1, loss 0.5>"
    assert [repr(trial) for trial in run] == [
        "<Trial 1: success, loss 0.5>",
        "<Trial 2: failed, ValueError: no\\x1b[2J good>",
        "<Trial 4: running>",
    ]
    assert repr(ended(1, math.nan)) == "<Trial 1: success, loss nan>"
    assert repr(staged(1, 3, -math.inf)) == "<Trial 1: success, loss -inf, fidelity 3>"
    assert repr(ended(1, None, error="x" * 10**6, damaged=True)) == f"<Trial 1: failed (damaged), {'x' * 80}…>"


def test_a_line_is_short_however_many_trials_there_are() -> None:
    assert len(repr(history(*(ended(number, 1.0) for number in range(1, 1000))))) < 100


def test_a_table_of_the_best() -> None:
    trials = [ended(number, loss) for number, loss in enumerate([0.5, 1e-9, math.nan, 123456.0, 0.25, 7.0], start=1)]
    assert str(history(*trials)).splitlines() == [
        "6 trials: 6 succeeded; best: trial 2, loss 1e-09",
        "  trial  loss       rate     kind",
        "  2      1e-09      0.03125  a",
        "  5      0.25       0.07812  a",
        "  1      0.5        0.01562  a",
        "  6      7          0.09375  a",
        "  4      1.235e+05  0.0625   a",
    ]


def test_a_table_with_a_fidelity_and_costs() -> None:
    run = history(staged(1, 3, 0.5, cost=2.0), staged(2, 9, 0.75, cost=3.0), space=STAGED)
    assert str(run).splitlines() == [
        "2 trials: 2 succeeded; best: trial 2, loss 0.75 at epochs 9",
        "  trial  loss  epochs  cost  rate",
        "  2      0.75  9       3     0.5",
        "  1      0.5   3       2     0.5",
    ]


def test_a_table_fits_into_80_columns() -> None:
    names = [f"parameter_{place}" for place in range(30)]
    space = SearchSpace({name: neps.Float(0, 1) for name in names})
    lines = str(history(ended(1, 0.5, dict.fromkeys(names, 0.123456789)), space=space)).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["trial", "loss", *names[:4], "…"]
    assert lines[2].split() == ["1", "0.5", *["0.1235"] * 4, "…"]


def test_html_escapes_everything() -> None:
    script = "<script>alert(1)</script>"
    space = SearchSpace({script: neps.Categorical([script, "<b>"])})
    run = history(ended(1, 0.5, {script: script}), ended(2, None, {script: "<b>"}, error=script), space=space)
    for shown in (run._repr_html_(), *(trial._repr_html_() for trial in run)):
        assert "<script" not in shown
        assert "<b>" not in shown
    assert "<td>0.5</td>" in run._repr_html_()
    assert "&lt;script&gt;" in run._repr_html_()


def test_of_losses_that_are_not_finite_none_is_the_best() -> None:
    run = history(ended(1, math.nan), ended(2, math.inf), ended(3, None, error="E"))
    assert (run.best, run.best_config, run.to_dict()["best"]) == (None, None, None)
    assert repr(run).endswith("best: none yet: 2 losses are not finite>")
    assert "nan" in str(run)
    assert "inf" in str(run)
    assert "best: none yet>" in repr(history(RUNNING))
    assert str(history(RUNNING)).count("\n") == 0, "a table of nothing would be its head alone"


def test_a_history_is_a_collection_of_its_trials() -> None:
    trials = ended(1, 0.5), ended(2, None, error="E"), RUNNING
    run = history(*trials)
    assert (len(run), tuple(run), run.failed) == (3, trials, trials[1:2])
    assert trials[1] in run
    assert run.best_config == {"rate": 1 / 64, "kind": "a"}


def test_rows_are_flat() -> None:
    (row,) = history(ended(1, 0.5, info_dict={"lr": [1, 2]})).to_rows()
    assert (row["number"], row["config.kind"], row["info.lr"]) == (1, "a", [1, 2])
    assert "config" not in row


def test_the_curve_of_a_promoted_trial_joins_those_that_it_continues() -> None:
    first = staged(1, 3, 0.7, learning_curve=[0.9, math.nan, 0.7])
    second = staged(2, 6, 0.5, previous=1)  # reported nothing
    third = staged(3, 9, 0.3, previous=2, learning_curve=[0.6, 0.4, 0.3], learning_curve_steps=[6, 8, 9])
    run = history(first, second, third, staged(4, 9, 0.1), space=STAGED)
    joined = run.learning_curve(3)
    assert [step for step, _ in joined] == [1, 2, 3, 6, 8, 9]
    assert joined[3:] == ((6, 0.6), (8, 0.4), (9, 0.3)), "its own loss counts where a step is repeated"
    assert math.isnan(joined[1][1])
    assert run.learning_curve(2)[-1] == (6, 0.5), "its loss stands at its fidelity"
    assert run.learning_curve(4) == ((9, 0.1),)
    assert third.learning_curve == ((6, 0.6), (8, 0.4), (9, 0.3)), "what is stored stays its own part"
    assert run.to_dict()["trials"][2]["learning_curve"] == [[6, 0.6], [8, 0.4], [9, 0.3]]
    assert history(ended(1, 0.5)).learning_curve(1) == ()


def test_the_curve_of_no_trial() -> None:
    with pytest.raises(ArgumentError, match=r"There is no trial 9 in this history of 1 trial\."):
        history(ended(1, 0.5)).learning_curve(9)


def test_a_search_space_is_a_mapping() -> None:
    parameters = {"rate": neps.Float(0, 1), "kind": neps.Categorical(["a", "b"])}
    space = SearchSpace(parameters)
    assert isinstance(space, Mapping)
    assert (dict(space), list(space.items()), len(space)) == (parameters, list(parameters.items()), 2)
    assert (list(space.keys()), list(space.values())) == (list(parameters), list(parameters.values()))
    assert (space["rate"], "kind" in space, "depth" in space, space.get("depth")) == (
        parameters["rate"],
        True,
        False,
        None,
    )
    assert SearchSpace(space) == space
    assert SearchSpace({**space, "depth": neps.Integer(1, 3)})["depth"] == neps.Integer(1, 3)
    with pytest.raises(KeyError):
        space["depth"]


def test_a_history_is_only_read() -> None:
    run = history(ended(1, 0.5))
    with pytest.raises(TypeError, match="does not support item assignment"):
        run.by_number[2] = RUNNING  # type: ignore[index]
    with pytest.raises(AttributeError):
        run.seed = 3  # type: ignore[misc]


def test_what_is_loaded_stays_as_it_is(tmp_path: Path) -> None:
    def run(evaluations: int) -> History:
        return neps.run(lambda rate, **_: rate, tmp_path, SPACE, max_evaluations_total=evaluations)

    first = run(1)
    loaded = neps.load(tmp_path)
    assert len(run(3)) == 3
    assert list(first.by_number) == list(loaded.by_number) == [1]


def test_a_history_is_made_without_a_look_at_its_trials() -> None:
    class Unread(dict[int, Trial]):
        def __iter__(self) -> Iterator[int]:
            raise AssertionError

        keys = items = values = copy = __len__ = __iter__  # type: ignore[assignment]

    assert History(SPACE, Unread({1: RUNNING})).by_number[1] is RUNNING


def test_a_history_can_be_copied_and_sent_to_another_process(tmp_path: Path) -> None:
    neps.run(lambda rate, **_: rate, tmp_path, SPACE, max_evaluations_total=2, seed=4)
    run = neps.load(tmp_path)
    for other in (pickle.loads(pickle.dumps(run)), copy.deepcopy(run)):  # noqa: S301 - our own
        assert (other.to_dict(), other.space) == (run.to_dict(), run.space)
