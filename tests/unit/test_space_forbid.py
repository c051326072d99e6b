"""Forbidden combinations: never drawn, refused, counted, stored, and compared."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neps
from neps.errors import SpaceError
from neps.space import Categorical, Constant, Float, Integer, Parameter, SearchSpace

PARAMETERS: dict[str, Parameter] = {
    "optimizer": Categorical(["adam", "sgd"]),
    "batch_size": Categorical([128, 256, 512, 1024], ordered=True),
    "momentum": Categorical([0.5, 0.9], active_if={"optimizer": "sgd"}),
    "epochs": Integer(1, 9, is_fidelity=True),
}
LARGE_SGD: dict[str, Any] = {"optimizer": "sgd", "batch_size": neps.at_least(512)}
GOOD: dict[str, Any] = {"optimizer": "sgd", "batch_size": 256, "momentum": 0.9, "epochs": 9}


def heavy(config: Mapping[str, Any]) -> bool:
    assert "epochs" not in config
    return config.get("momentum") == 0.9 and config["batch_size"] == 128


def test_what_is_forbidden_is_never_drawn_and_refused() -> None:
    space, generator = SearchSpace(PARAMETERS, forbid=[LARGE_SGD, heavy]), np.random.default_rng(0)
    drawn: list[Any] = [draw(generator) for draw in (space.sample, space.sample_prior) for _ in range(200)]
    assert not any(c["optimizer"] == "sgd" and c["batch_size"] >= 512 for c in drawn)
    assert not any(map(heavy, ({name: c[name] for name in c if name != "epochs"} for c in drawn)))
    assert space.validate(GOOD) == GOOD
    assert space.is_allowed(GOOD)
    large = GOOD | {"batch_size": 512}
    assert not space.is_allowed(large)
    with pytest.raises(SpaceError, match=r"forbidden: batch_size is at least 512 and optimizer is 'sgd'\. Change it"):
        space.validate(large)
    with pytest.raises(SpaceError, match=r"is forbidden: heavy says so\. Change it"):
        space.validate(GOOD | {"batch_size": 128})
    assert space.parsed(large) == large
    assert space.decode(space.encode(large)) == large


def test_an_inactive_parameter_forbids_nothing() -> None:
    space = SearchSpace(PARAMETERS, forbid=[{"momentum": 0.9}])
    assert space.is_allowed({"optimizer": "adam", "batch_size": 128, "epochs": 9})
    assert space.size == 4 + 4


@pytest.mark.parametrize(
    ("forbid", "size"),
    [
        ([], 4 + 4 * 2),
        ([LARGE_SGD], 4 + 2 * 2),
        ([LARGE_SGD, {"momentum": 0.5, "batch_size": [128, 512]}], 4 + 2 * 2 - 1),
        ([heavy], 4 + 4 * 2 - 1),
        ([LARGE_SGD, heavy], 4 + 2 * 2 - 1),
    ],
)
def test_the_size_counts_what_is_allowed(forbid: list[Any], size: int) -> None:
    space = SearchSpace(PARAMETERS, forbid=forbid)
    assert space.size == size
    assert [space.is_allowed(config) for config in space.every_config(size + 1) or ()] == [True] * size


def test_a_size_that_only_trying_all_would_tell_is_none() -> None:
    many: dict[str, Parameter] = {f"p{i}": Integer(1, 10) for i in range(5)}
    assert SearchSpace(many, forbid=[{"p0": 1, "p4": 1}]).size == 100_000 - 1000
    assert SearchSpace(many, forbid=[lambda config: config["p0"] == config["p1"]]).size is None


def test_a_size_that_takes_too_many_states_is_none() -> None:
    names = [f"p{i}" for i in range(8)]
    pairs: list[Any] = [{a: k, b: k} for a, b in itertools.combinations(names, 2) for k in range(7)]
    space = SearchSpace({name: Integer(0, 9) for name in names}, pairs)
    assert space.size is None
    assert space.is_allowed(space.sample(np.random.default_rng(0)))
    assert SearchSpace({name: Integer(0, 9) for name in names[:3]}, pairs[:7]).size == 1000 - 7 * 10


@pytest.mark.parametrize(
    ("forbid", "message"),
    [
        ({"optimizer": "sgd"}, "but it must be a list of combinations: write forbid="),
        ([{}], r"forbid\[0\] is {}, but it must map the names"),
        (
            [LARGE_SGD, {"optimiser": "sgd"}],
            r"forbid\[1\] names 'optimiser', but the space has .*Did you mean 'optimiz",
        ),
        ([{"optimizer": "sdg"}], r"forbid\[0\]: 'optimizer': the value is 'sdg', but it must be one of"),
        ([{"optimizer": neps.at_least("sgd")}], "compares 'optimizer', but its choices have no order"),
        ([{"epochs": 3}], r"forbid\[0\] names 'epochs', which is a fidelity"),
        (
            [{"optimizer": ["adam", "sgd"]}],
            "forbid leaves 0 % of the space, and 0 % of its prior, but at least 0.1 % must",
        ),
        ([3], r"forbid\[0\] is 3, but it must map"),
        (["optimizer == 'sgd'"], r"forbid\[0\] is \"optimizer == 'sgd'\", but it must map"),
    ],
)
def test_what_can_be_no_combination_is_refused(forbid: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SearchSpace(PARAMETERS, forbid=forbid)


def test_who_writes_a_text_for_a_number_is_told_how_to_compare() -> None:
    with pytest.raises(
        SpaceError, match=r"the value is '>2', but it must be a number: .* To compare it, write neps\.at_l"
    ):
        SearchSpace({"x": Float(0, 1)}, forbid=[{"x": ">2"}])
    with pytest.raises(SpaceError, match=r"the value is '2', but it must be a number: write an int or a float\.$"):
        SearchSpace({"x": Float(0, 1)}, forbid=[{"x": neps.at_least("2")}])


def test_a_space_in_which_nearly_all_is_forbidden_is_refused() -> None:
    narrow: list[Any] = [{"x": neps.more_than(0.0005)}]
    with pytest.raises(SpaceError, match=r"forbid leaves 0\.05 % of the space"):
        SearchSpace({"x": Float(0, 1)}, forbid=narrow)
    likely = Float(0, 1, default=1.0, default_confidence="high")
    with pytest.raises(SpaceError, match="of its prior"):
        SearchSpace({"x": likely}, forbid=[{"x": neps.more_than(0.01)}])


def test_a_function_that_forbids_everything_ends_in_an_error() -> None:
    space = SearchSpace({"x": Float(0, 1)}, forbid=[lambda config: config["x"] < 2])
    with pytest.raises(
        SpaceError, match=r"all of 20000 configurations that were drawn are forbidden.*<lambda> says so"
    ):
        space.sample(np.random.default_rng(0))


def test_a_function_that_fails_or_returns_something_else_is_named() -> None:
    def momentum(config: dict[str, Any]) -> Any:
        return config["momentum"]

    space = SearchSpace(PARAMETERS, forbid=[momentum])
    with pytest.raises(SpaceError, match=r"momentum raised KeyError: 'momentum' for .*use config\.get\(name\)"):
        space.is_allowed({"optimizer": "adam", "batch_size": 128, "epochs": 1})
    with pytest.raises(SpaceError, match=r"momentum returned 0\.9 for .*must return True"):
        space.is_allowed(GOOD)


def test_a_default_that_is_forbidden_is_none() -> None:
    parameters = {"a": Integer(1, 9, default=5), "b": Integer(1, 9, default=5)}
    assert SearchSpace(parameters).default_config() == {"a": 5, "b": 5}
    assert SearchSpace(parameters, forbid=[{"a": 5, "b": 5}]).default_config() is None


def test_spaces_with_forbidden_combinations_are_values() -> None:
    one = SearchSpace(PARAMETERS, forbid=[LARGE_SGD, heavy])
    read: list[Any] = [{"batch_size": {"at_least": 512}, "optimizer": ["sgd"]}, "heavy"]
    other = SearchSpace.from_definition(one.definition(), read)
    assert one != other, "which forbids less: it doesn't have the function"
    assert one.differences(other) == []
    same = SearchSpace(PARAMETERS, forbid=[LARGE_SGD, heavy])
    assert (one, hash(one)) == (same, hash(same))
    assert one != SearchSpace(PARAMETERS)
    assert one.forbid != ()
    assert repr(one).endswith(", forbid=[{'batch_size': at_least(512), 'optimizer': 'sgd'}, heavy])")
    assert SearchSpace(one) == SearchSpace(PARAMETERS, forbid=one.forbid) == copy.deepcopy(one) == one
    assert SearchSpace(SearchSpace(PARAMETERS, forbid=[LARGE_SGD]), forbid=[heavy]) == one
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own
    assert not again.is_allowed(GOOD | {"batch_size": 128})


@pytest.mark.parametrize("searcher", ["sobol", "bayesian_optimization", "grid_search", "regularized_evolution"])
def test_each_run_has_its_own_function_whatever_its_name(tmp_path: Path, searcher: str) -> None:
    """All lambdas have one name; what searchers remember of a space is for functions of its own."""
    for limit in (5, 9, 2):

        def forbidden(config: dict[str, Any], limit: int = limit) -> bool:
            return bool(config["n"] > limit)

        space = SearchSpace({"n": Integer(0, 10), "m": Integer(0, 10)}, forbid=[forbidden])
        root = tmp_path / str(limit)
        quiet: dict[str, Any] = {"progress": False, "post_run_summary": False}
        history = neps.run(
            lambda n, m: -n - m / 100, root, space, searcher=searcher, seed=1, max_evaluations_total=15, **quiet
        )
        assert limit - 3 < max(int(trial.config["n"] or 0) for trial in history) <= limit


def test_definitions_come_back_without_functions() -> None:
    space = SearchSpace(PARAMETERS, forbid=[LARGE_SGD, heavy])
    assert space.forbidden_definition() == [{"batch_size": {"at_least": 512}, "optimizer": ["sgd"]}, "heavy"]
    assert space.requires == ("active_if", "forbid", "ordered")
    read = SearchSpace.from_definition(space.definition(), space.forbidden_definition())
    assert read.differences(space) == []
    assert read.is_allowed(GOOD | {"batch_size": 128})
    assert not read.is_allowed(GOOD | {"batch_size": 512})


def test_differences_are_said() -> None:
    here, there = SearchSpace(PARAMETERS, forbid=[LARGE_SGD]), SearchSpace(PARAMETERS, forbid=[heavy])
    assert here.differences(there) == [
        "forbid: heavy only in the run",
        "forbid: {'batch_size': {'at_least': 512}, 'optimizer': ['sgd']} only in this call",
    ]


def test_constants_may_be_part_of_a_combination() -> None:
    space = SearchSpace({"data": Constant("cifar"), "width": Integer(1, 4)}, forbid=[{"data": "cifar", "width": 4}])
    assert space.size == 3


def raising(config: Mapping[str, Any]) -> bool:
    return bool(config["momentum"] > 0)  # which is inactive with adam


def wordy(config: Mapping[str, Any]) -> Any:
    return "no" if config["batch_size"] == 128 else False


def fickle(config: Mapping[str, Any], asked: list[int] = []) -> bool:  # noqa: B006 - that is what is wrong with it
    asked.append(len(config))
    return len(asked) % 7 == 0


BAD = [
    (raising, "raised KeyError: 'momentum'"),
    (wordy, "returned 'no'"),
    (fickle, "and when asked once more, it is"),
    (lambda config: len(config) > 0, "all of 20000 configurations"),
]


@pytest.mark.parametrize(("forbid", "message"), BAD, ids=["raising", "wordy", "fickle", "all"])
def test_functions_are_tried_before_anything_is_written(forbid: Any, message: str, tmp_path: Path) -> None:
    space, root = SearchSpace(PARAMETERS, forbid=[forbid]), tmp_path / "root"
    with pytest.raises(SpaceError, match=message):
        neps.run(lambda **_: 1.0, root, space, searcher="random_search", max_evaluations_total=1)
    with pytest.raises(SpaceError, match=message):
        neps.AskAndTell(space, root_directory=root, searcher="random_search")
    assert not root.exists()


def test_slow_functions_are_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    space = SearchSpace(PARAMETERS, forbid=[heavy])
    neps.AskAndTell(space)
    assert "forbid: to ask" not in caplog.text
    monkeypatch.setattr("neps._api.forbidding._SLOW", -1.0)
    neps.AskAndTell(space)
    assert "forbid: to ask its functions about one configuration takes" in caplog.text


@pytest.mark.parametrize("searcher", ["bayesian_optimization", "freeze_thaw"])
def test_a_model_asks_functions_about_few_configurations(searcher: str) -> None:
    asked: list[Mapping[str, Any]] = []

    def corner(config: Mapping[str, Any]) -> bool:
        asked.append(config)
        return bool(config["x"] > 0.8 and config["optimizer"] == "adam")

    parameters = {"x": Float(0, 1), "y": Float(0, 1), "optimizer": Categorical(["adam", "sgd"])}
    more = {"epochs": Integer(1, 9, is_fidelity=True)} if searcher == "freeze_thaw" else {}
    search = neps.AskAndTell(SearchSpace({**parameters, **more}, forbid=[corner]), searcher=searcher, seed=1)
    most = 0
    for number in range(14):
        del asked[:]
        trial = search.ask()
        assert trial is not None
        assert not corner(trial.config)
        most = max(most, len(asked) if number else 0)
        search.tell(trial, number % 5 + number / 16)
    assert 2 < most < 150, "of hundreds of candidates"
