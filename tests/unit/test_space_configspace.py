"""A ConfigurationSpace of ConfigSpace as a search space: what is translated, what is left out, what is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import ConfigSpace as CS  # noqa: N817 - as its own documentation does
import numpy as np
import pytest

import neps
from neps.errors import SpaceError
from neps.space import Categorical, Constant, Float, Integer, SearchSpace


def spaces() -> CS.ConfigurationSpace:
    space = CS.ConfigurationSpace(
        {
            "optimizer": ["adam", "sgd", "lion"],
            "layers": (1, 5),
            "lr": CS.Float("lr", (1e-5, 1e-1), log=True),
            "size": CS.Categorical("size", [8, 16, 32], ordered=True),
            "data": CS.Constant("data", "digits"),
            "momentum": (0.0, 0.99),
            "width": (8, 64),
            "drop": (0.0, 0.5),
            "warm": (1, 9),
            "slow": (1, 9),
            "beta": (0.8, 0.9),
        }
    )
    hp = {name: space[name] for name in space}
    space.add(
        CS.EqualsCondition(hp["momentum"], hp["optimizer"], "sgd"),
        CS.AndConjunction(
            CS.GreaterThanCondition(hp["width"], hp["layers"], 1), CS.LessThanCondition(hp["width"], hp["layers"], 5)
        ),
        CS.AndConjunction(
            CS.InCondition(hp["drop"], hp["optimizer"], ["adam", "lion"]),
            CS.GreaterThanCondition(hp["drop"], hp["size"], 8),
        ),
        CS.OrConjunction(
            CS.EqualsCondition(hp["warm"], hp["optimizer"], "adam"),
            CS.InCondition(hp["warm"], hp["optimizer"], ["sgd"]),
        ),
        CS.NotEqualsCondition(hp["beta"], hp["optimizer"], "lion"),
        CS.GreaterThanCondition(hp["slow"], hp["momentum"], 0.5),
        CS.ForbiddenAndConjunction(
            CS.ForbiddenEqualsClause(hp["optimizer"], "lion"), CS.ForbiddenInClause(hp["layers"], [4, 5])
        ),
        CS.ForbiddenEqualsClause(hp["size"], 16),
        CS.ForbiddenGreaterThanRelation(hp["warm"], hp["slow"]),
    )
    return space


def test_conditions_and_forbidden_clauses_are_translated() -> None:
    space = neps.space_from(spaces())
    assert {name: each.plain() for name, each in space.conditional.items()} == {
        "momentum": {"optimizer": ["sgd"]},
        "width": {"layers": {"more_than": 1, "less_than": 5}},
        "drop": {"optimizer": ["adam", "lion"], "size": {"more_than": 8}},
        "warm": {"optimizer": ["adam", "sgd"]},
        "slow": {"momentum": {"more_than": 0.5}},
        "beta": {"optimizer": ["adam", "sgd"]},
    }
    assert space.forbidden_definition() == [
        {"layers": [4, 5], "optimizer": ["lion"]},
        {"size": [16]},
        "ForbiddenGreaterThanRelation(warm, slow)",
    ]
    assert not space.has_prior
    assert neps.space_from(spaces()).differences(space) == []
    assert space["lr"] == Float(1e-5, 1e-1, log=True)
    assert space["size"] == Categorical([8, 16, 32], ordered=True)
    assert space["data"] == Constant("digits")


def test_both_allow_the_same_configurations() -> None:
    theirs, ours = spaces(), neps.space_from(spaces())
    theirs.seed(0)
    for each in theirs.sample_configuration(200):
        config: dict[str, Any] = dict(each)
        assert ours.validate(config).keys() == config.keys()
    generator = np.random.default_rng(0)
    for _ in range(200):
        CS.Configuration(theirs, values=ours.sample(generator)).check_valid_configuration()


def test_a_default_that_somebody_chose_is_a_prior() -> None:
    space = CS.ConfigurationSpace()
    space.add(
        CS.Float("automatic", (0, 1)),
        CS.Float("middle", (1e-4, 1.0), log=True),
        CS.Float("chosen", (0, 1), default=0.25),
        CS.Integer("whole", (1, 9), default=2),
        CS.Categorical("first", ["a", "b"]),
        CS.Categorical("second", ["a", "b"], default="b"),
        CS.Categorical("ordered", [1, 2, 3], default=2, ordered=True),
    )
    assert {name: parameter.default for name, parameter in neps.space_from(space).items()} == {
        "automatic": None,
        "middle": None,
        "chosen": 0.25,
        "whole": 2,
        "first": None,
        "second": "b",
        "ordered": 2,
    }
    assert neps.space_from(space)["chosen"].default_confidence == "low"


def test_a_normal_distribution_is_a_prior() -> None:
    space = CS.ConfigurationSpace()
    space.add(
        CS.Float("x", (0.0, 10.0), distribution=CS.Normal(2.5, 1.0)),
        CS.Integer("n", (0, 100), distribution=CS.Normal(40, 60)),
    )
    assert dict(neps.space_from(space)) == {
        "x": Float(0.0, 10.0, default=2.5, default_confidence="high"),
        "n": Integer(0, 100, default=40, default_confidence="low"),
    }


def beta(alpha: float, beta: float, *, whole: bool = False, log: bool = False) -> Any:
    space = CS.ConfigurationSpace()
    kind = CS.Integer if whole else CS.Float
    space.add(kind("x", (1, 1000), distribution=CS.Beta(alpha, beta), log=log))
    return neps.space_from(space)["x"]


def test_a_beta_distribution_is_a_prior_around_its_mode() -> None:
    assert beta(1, 1) == Float(1, 1000)
    assert beta(2, 2) == Float(1, 1000, default=500.5, default_confidence="medium")
    assert beta(1.1, 1.1) == Float(1, 1000, default=500.5, default_confidence="low")
    assert beta(20, 20) == Float(1, 1000, default=500.5, default_confidence="high")
    assert beta(1, 3) == Float(1, 1000, default=1.0, default_confidence="medium")
    assert beta(9, 1) == Float(1, 1000, default=1000.0, default_confidence="high")
    assert beta(2, 2, whole=True).default in {500, 501}
    on_a_log_scale = beta(3, 5, log=True)
    assert on_a_log_scale.log
    assert on_a_log_scale.to_unit(on_a_log_scale.default) == pytest.approx(1 / 3)


def test_the_prior_of_a_beta_distribution_spreads_nearly_as_far() -> None:
    for alpha, other in ((1.5, 1.5), (2, 5), (3, 5), (4, 2), (6, 12)):
        drawn = np.random.default_rng(0).beta(alpha, other, size=20_000)
        mode = (alpha - 1) / (alpha + other - 2)
        found, generator = beta(alpha, other), np.random.default_rng(1)
        space = SearchSpace({"x": found})
        units = np.array([space.encode(space.sample_prior(generator))[0] for _ in range(4000)])
        ours, theirs = (np.sqrt(np.mean((each - mode) ** 2)) for each in (units, drawn))
        assert 0.6 < ours / theirs < 1.6, (alpha, other, found.default_confidence)


def test_weights_are_left_out_and_said_but_what_is_never_drawn_goes(caplog: pytest.LogCaptureFixture) -> None:
    space = CS.ConfigurationSpace()
    space.add(
        CS.Categorical("even", ["a", "b"], weights=[2, 2]), CS.Categorical("uneven", ["a", "b", "c"], weights=[1, 0, 3])
    )
    with caplog.at_level(logging.WARNING):
        assert dict(neps.space_from(space)) == {"even": Categorical(["a", "b"]), "uneven": Categorical(["a", "c"])}
    assert ["weights of 'uneven'" in record.getMessage() for record in caplog.records] == [True]


def two(*conditions: str) -> CS.ConfigurationSpace:
    space = CS.ConfigurationSpace({"a": ["p", "q"], "b": ["p", "q"], "n": (1, 9), "x": (0.0, 1.0)})
    a, b, n, x = (space[name] for name in "abnx")
    made: dict[str, Any] = {
        "a": lambda: CS.EqualsCondition(x, a, "p"),
        "b": lambda: CS.EqualsCondition(x, b, "p"),
        "n": lambda: CS.GreaterThanCondition(x, n, 3),
        "not n": lambda: CS.NotEqualsCondition(x, n, 3),
        "is n": lambda: CS.InCondition(x, n, [4, 5]),
    }
    kind, *names = conditions
    parts = [made[name]() for name in names]
    space.add({"or": CS.OrConjunction, "and": CS.AndConjunction}[kind](*parts) if kind != "one" else parts[0])
    return space


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (("or", "a", "b"), r"'x' .* OrConjunction, .*alternatives among the values of one parent. Make two parameters"),
        (("or", "a", "n"), "'x' .* OrConjunction"),
        (("one", "not n"), "excludes a number, .* GreaterThanCondition or LessThanCondition"),
        (("and", "n", "is n"), "'x' .* two conditions on 'n', values and a comparison.* list the values"),
    ],
)
def test_conditions_that_neps_does_not_have_are_refused(conditions: tuple[str, ...], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        neps.space_from(two(*conditions))


def test_distributions_that_neps_does_not_have_are_refused() -> None:
    class Odd(CS.UniformFloatHyperparameter):
        """Somebody's own."""

    space = CS.ConfigurationSpace()
    space.add(Odd("x", 0.0, 1.0))
    with pytest.raises(SpaceError, match="'x' of the ConfigurationSpace is a Odd, which neps"):
        neps.space_from(space)
    space = CS.ConfigurationSpace()
    space.add(CS.Float("x", (0.1, 1.0), distribution=CS.Normal(0.5, 0.1), log=True))
    with pytest.raises(SpaceError, match="'x' of the ConfigurationSpace: a normal distribution on a log scale"):
        neps.space_from(space)


def test_a_part_of_one_in_a_dict_is_refused_with_what_to_do() -> None:
    hyperparameters: dict[str, Any] = {**spaces()}
    with pytest.raises(SpaceError, match=r"pass the whole ConfigurationSpace as pipeline_space, or to neps.space_from"):
        SearchSpace(hyperparameters)


def test_forbidden_alternatives_and_relations_beside_values() -> None:
    space = CS.ConfigurationSpace({"a": (1, 5), "b": (1, 5), "c": ["p", "q"]})
    a, b, c = space["a"], space["b"], space["c"]
    space.add(
        CS.ForbiddenOrConjunction(CS.ForbiddenEqualsClause(a, 1), CS.ForbiddenEqualsClause(b, 5)),
        CS.ForbiddenAndConjunction(CS.ForbiddenEqualsClause(c, "p"), CS.ForbiddenLessThanRelation(a, b)),
    )
    ours = neps.space_from(space)
    name = "ForbiddenAndConjunction(ForbiddenEqualsClause(c, 'p'), ForbiddenLessThanRelation(a, b))"
    assert ours.forbidden_definition() == [{"a": [1]}, {"b": [5]}, name]
    assert not ours.is_allowed({"a": 2, "b": 3, "c": "p"})
    assert ours.is_allowed({"a": 2, "b": 3, "c": "q"})


def test_a_run_searches_it_beside_a_fidelity(tmp_path: Path) -> None:
    translated = neps.space_from(spaces())
    space = SearchSpace({**translated, "epochs": Integer(1, 9, is_fidelity=True)}, forbid=translated.forbid)

    def run_pipeline(lr: float, layers: int, **config: Any) -> float:
        return lr + layers

    history = neps.run(
        run_pipeline, tmp_path, space, searcher="hyperband", max_evaluations_total=6, seed=1, progress=False
    )
    assert [space.validate(trial.config) for trial in history.trials] == [trial.config for trial in history.trials]
    flat = neps.run(
        run_pipeline, tmp_path / "flat", spaces(), searcher="random_search", max_evaluations_total=4, progress=False
    )
    assert flat.space == neps.load(tmp_path / "flat").space
