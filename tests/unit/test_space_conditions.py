"""Conditional spaces: what is active, in every method of a space, and what is refused."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import neps
from neps.errors import SpaceError
from neps.space import Categorical, Constant, Float, Integer, Parameter, SearchSpace
from neps.space._activity import parents_first

OPTIMIZER = Categorical(["adam", "sgd", "lion"])


def training(**more: Parameter) -> SearchSpace:
    """Written in an order in which children come before their parents."""
    return SearchSpace(
        {
            "nesterov": Categorical([False, True], active_if={"momentum": neps.more_than(0.5)}),
            "momentum": Float(0, 1, active_if={"optimizer": "sgd"}),
            "optimizer": OPTIMIZER,
            "layers": Integer(1, 4),
            "width": Integer(8, 64, active_if={"layers": neps.at_least(2), "optimizer": ["sgd", "adam"]}),
            "data": Constant("digits"),
            "beta": Constant(0.9, active_if={"optimizer": "adam"}),
        }
        | more
    )


SGD: dict[str, Any] = {
    "nesterov": True,
    "momentum": 0.75,
    "optimizer": "sgd",
    "layers": 2,
    "width": 8,
    "data": "digits",
}
SLOW: dict[str, Any] = {"momentum": 0.5, "optimizer": "sgd", "layers": 1, "data": "digits"}
ADAM: dict[str, Any] = {"optimizer": "adam", "layers": 4, "width": 64, "data": "digits", "beta": 0.9}
LION: dict[str, Any] = {"optimizer": "lion", "layers": 4, "data": "digits"}


@pytest.mark.parametrize("config", [SGD, SLOW, ADAM, LION], ids=["sgd", "slow", "adam", "lion"])
def test_a_configuration_holds_exactly_what_is_active(config: dict[str, Any]) -> None:
    space = training()
    assert space.is_conditional
    assert list(space.validate(dict(reversed(config.items()))).items()) == list(config.items())
    point = space.encode(config)
    assert [name for name, active in zip(space.searched, space.axes_active(point), strict=True) if active] == [
        name for name in space.searched if name in config
    ]
    assert list(space.decode(point).items()) == list(config.items())
    assert space.decode(np.where(np.isnan(point), 0.3, point)) == config


def test_the_axes_are_in_the_order_of_writing() -> None:
    assert training().searched == ("nesterov", "momentum", "optimizer", "layers", "width")
    assert repr(training().encode(SLOW).tolist()) == "[nan, 0.5, 0.5, 0.125, nan]"


def test_only_what_is_inactive_may_be_nan() -> None:
    space = training()
    with pytest.raises(SpaceError, match="The point has nan for 'momentum', but that is active"):
        space.decode([math.nan, math.nan, 0.5, 0.5, 0.5])
    with pytest.raises(SpaceError, match="must hold 5 numbers"):
        space.decode([0.5])
    with pytest.raises(SpaceError, match="must hold 1 numbers"):
        SearchSpace({"x": Float(0, 1)}).decode([math.nan])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SGD | {"beta": 0.9}, "has 'beta', but it is active only if optimizer is 'adam', and optimizer is 'sgd': rem"),
        (
            SLOW | {"nesterov": True},
            "'nesterov', but it is active only if momentum is more than 0.5, and momentum is 0",
        ),
        (
            LION | {"nesterov": True},
            "'nesterov', but it is active only if momentum is more than 0.5, and momentum is i",
        ),
        (
            LION | {"optimizer": "sgd"},
            "lacks the parameter 'momentum', which is active since optimizer is 'sgd': add i",
        ),
        (SGD | {"momentom": 1}, "has 'momentom', but the space has"),
        (SGD | {"momentum": 2}, "Parameter 'momentum': the value is 2.0, but it must lie between"),
    ],
)
def test_other_configurations_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        training().validate(config)


def test_defaults_decide_what_is_active() -> None:
    space = SearchSpace(
        {
            "momentum": Float(0, 1, default=0.9, active_if={"optimizer": "sgd"}),
            "beta": Float(0, 1, active_if={"optimizer": "adam"}),
            "optimizer": Categorical(["adam", "sgd"], default="sgd"),
            "epochs": Integer(1, 9, is_fidelity=True),
        }
    )
    assert space.default_config() == {"momentum": 0.9, "optimizer": "sgd", "epochs": 9}
    assert space.at_fidelity({"momentum": 0.9, "optimizer": "sgd", "epochs": 9}, 3.0)["epochs"] == 3


def test_what_becomes_active_is_drawn_and_what_becomes_inactive_left_out() -> None:
    space, generator = training(), np.random.default_rng(1)
    assert space.completed(SGD | {"optimizer": "lion"}, generator) == LION | {"layers": 2}
    found = [space.completed(LION | {"optimizer": "sgd"}, generator) for _ in range(40)]
    assert all(space.validate(config) == config for config in found)
    assert len({config["momentum"] for config in found}) == len(found)
    assert {"nesterov" in config for config in found} == {False, True}
    assert space.completed(ADAM, generator) == ADAM


def test_objects_are_handed_over_for_what_is_active() -> None:
    space = SearchSpace(
        {
            "net": Categorical({"small": dict, "large": list}),
            "act": Categorical({"relu": int}, active_if={"net": "large"}),
        }
    )
    assert space.handed({"net": "small"}) == {"net": dict}
    assert space.handed({"net": "large", "act": "relu"}) == {"net": list, "act": int}


def test_parents_come_first_whatever_the_order_of_writing() -> None:
    parents = {"e": ["d", "a"], "b": ["a"], "d": ["c"], "x": [], "c": ["a", "x"], "a": []}
    assert parents_first(parents) == ("x", "a", "b", "c", "d", "e")
    with pytest.raises(SpaceError, match=r"circle: d depends on c, which depends on b, which depends on d\. Remove"):
        parents_first({"a": [], "e": ["d"], "b": ["a", "d"], "c": ["b"], "d": ["a", "c"], "f": ["e"]})
    with pytest.raises(
        SpaceError, match=r"circle: 0 depends on 1, .* depends on 9, which depends on …, which depends on 0\. Remove"
    ):
        parents_first({str(index): [str((index + 1) % 20_000)] for index in range(20_000)})


REFUSED: list[tuple[dict[str, Parameter], str]] = [
    (
        {"a": Float(0, 1, active_if={"b": neps.more_than(0)}), "b": Float(0, 1, active_if={"a": neps.more_than(0)})},
        "in a circle: a depends on b, which depends on a. Remove one",
    ),
    ({"a": Float(0, 1, active_if={"a": neps.more_than(0)})}, "'a': active_if names the parameter itself"),
    (
        {"optimizer": OPTIMIZER, "a": Float(0, 1, active_if={"optimiser": "sgd"})},
        r"'a': active_if names 'optimiser', but the space has .*Did you mean 'optimizer'",
    ),
    (
        {"optimizer": OPTIMIZER, "a": Float(0, 1, active_if={"optimizer": ["sgd", "adm"]})},
        r"'a': active_if: 'optimizer': the value is 'adm', but it must be one of .*Did you mean 'adam'",
    ),
    ({"n": Integer(1, 4), "a": Float(0, 1, active_if={"n": 5})}, "the value is 5, but it must lie between 1 and 4"),
    ({"n": Integer(1, 4), "a": Float(0, 1, active_if={"n": 2.0})}, "'n': the value is 2.0, but it must be an int"),
    ({"n": Integer(1, 4), "a": Float(0, 1, active_if={"n": neps.at_least(9)})}, "must lie between 1 and 4"),
    ({"optimizer": OPTIMIZER, "a": Constant(1, active_if={"optimizer": neps.at_least("sgd")})}, "have no order"),
    ({"c": Constant(1), "a": Constant(1, active_if={"c": neps.at_least(1)})}, "that is a constant: list its value"),
    ({"c": Constant(1), "a": Constant(1, active_if={"c": 2})}, "this is a constant: use 1"),
    (
        {"n": Integer(1, 4), "a": Constant(1, active_if={"n": neps.more_than(4)})},
        r"'a' is never active.*that n is more than 4, but it never is\. Change",
    ),
    (
        {"n": Integer(1, 4), "a": Constant(1, active_if={"n": ">=2"})},
        r"the value is '>=2', but it must be an int: .*To compare it, write neps\.at_least\(2\), or in a file",
    ),
    (
        {"o": neps.Choice({"sgd": {"m": Float(0, 1)}}), "a": Constant(1, active_if={"m": 0.5})},
        r"active_if names 'm', but .*Did you mean 'o\.sgd\.m'",
    ),
    ({"x": Float(0, 1), "a": Constant(1, active_if={"x": 0.5})}, "hardly ever drawn exactly. Compare it, or give x a"),
    ({"x": Float(0, 1), "a": Constant(1, active_if={"x": neps.at_most(0)})}, "'a' is never active: its conditions"),
    (
        {
            "optimizer": OPTIMIZER,
            "b": Integer(1, 4, active_if={"optimizer": "sgd"}),
            "a": Constant(1, active_if={"b": 2, "optimizer": "adam"}),
        },
        "'a' is never active: .* that optimizer is '.*' and is '.*', but optimizer can't be all of that",
    ),
    ({"e": Integer(1, 4, is_fidelity=True), "a": Constant(1, active_if={"e": 2})}, "names 'e', which is a fidelity"),
]


@pytest.mark.parametrize(("parameters", "message"), REFUSED)
def test_conditions_that_make_no_sense_are_refused(parameters: dict[str, Parameter], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SearchSpace(parameters)


@pytest.mark.parametrize(
    ("active_if", "message"),
    [
        ("optimizer", "active_if is 'optimizer', but it must map the names"),
        ({"optimizer": []}, r"active_if\['optimizer'\] is empty"),
        ({"optimizer": lambda value: value}, "but it must be a value, a list of values or a comparison"),
        ({"layers": {"atleast": 2}}, "a comparison is 'atleast'.*Did you mean 'at_least'"),
        ({"layers": {"at_least": 2, "more_than": 1}}, "has the bounds at_least, more_than, but it must have one"),
        ({"layers": {}}, "has the bounds none, but it must have one"),
        ({"x": math.nan}, "is nan, which isn't equal to itself"),
        ({3: 1}, "active_if names 3, but it must name a parameter"),
        ([("a", 1)], "but it must map"),
    ],
)
def test_what_is_no_condition_is_refused(active_if: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Float(0, 1, active_if=active_if)


def test_a_fidelity_has_no_conditions() -> None:
    with pytest.raises(SpaceError, match="every configuration has its fidelity: leave out active_if"):
        Integer(1, 9, is_fidelity=True, active_if={"optimizer": "sgd"})


def copied(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


def test_conditions_are_values() -> None:
    one = Float(0, 1, active_if={"n": neps.at_least(2) & neps.at_most(4), "optimizer": ["sgd"]})
    other = Float(0, 1, active_if={"optimizer": "sgd", "n": neps.at_most(4) & neps.at_least(2)})
    assert one == other
    assert len({one, other, Float(0, 1)}) == 2
    assert one != Float(0, 1, active_if={"optimizer": "sgd"})
    assert Constant(1, active_if={"flag": True}) != Constant(1, active_if={"flag": 1})
    assert repr(one) == "Float(0.0, 1.0, active_if={'n': at_least(2) & at_most(4), 'optimizer': 'sgd'})"
    assert one.active_if is not None
    with pytest.raises(TypeError):
        one.active_if["n"] = 3  # type: ignore[index] # that is the point
    with pytest.raises(AttributeError):
        one.active_if = None  # type: ignore[misc] # the same
    for again in (copy.copy(one), copy.deepcopy(one), copied(one), one.with_prior(default=0.5)):
        assert again.active_if == one.active_if
    assert Float(0, 1, active_if={}) == Float(0, 1)


def test_a_space_holds_conditions_in_its_own_values() -> None:
    """In the parents' order and types, so that spaces that mean the same are equal."""
    written = {"x": Float(0, 4), "o": OPTIMIZER, "a": Constant(1, active_if={"o": ["lion", "adam", "lion"]})}
    space = SearchSpace(written | {"b": Constant(1, active_if={"x": neps.at_least(2)})})
    assert repr(space["a"]) == "Constant(1, active_if={'o': ['adam', 'lion']})"
    assert repr(space["b"]) == "Constant(1, active_if={'x': at_least(2.0)})"
    again = SearchSpace(dict(space))
    assert (again, hash(again), again.differences(space)) == (space, hash(space), [])
    assert copied(space) == space


def test_definitions_come_back_and_have_conditions_only_where_they_are() -> None:
    space = training()
    definition = space.definition()
    assert SearchSpace.from_definition(definition) == space
    assert definition["width"]["active_if"] == {"layers": {"at_least": 2}, "optimizer": ["adam", "sgd"]}
    assert {name for name in definition if "active_if" in definition[name]} == {"nesterov", "momentum", "width", "beta"}
    assert space.requires == ("active_if",)


def test_differences_are_said() -> None:
    here = training()
    there = training(beta=Constant(0.9, active_if={"optimizer": "sgd"}))
    assert here.differences(there) == [
        "beta: active_if is {'optimizer': ['sgd']} in the run and {'optimizer': ['adam']} in this call"
    ]
    assert here.differences(training(beta=Constant(0.9))) == [
        "beta: active_if is not given in the run and {'optimizer': ['adam']} in this call"
    ]


def brute_force(space: SearchSpace) -> list[Mapping[str, Any]]:
    """Every configuration, by asking the space about every subset of every combination of values."""
    found: list[Mapping[str, Any]] = []
    values = {name: [*(space[name].every_value(100) or [space[name].expected])] for name in space}
    for chosen in itertools.product(*([None, *each] for each in values.values())):
        config = {name: value for name, value in zip(values, chosen, strict=True) if value is not None}
        try:
            found.append(space.validate(config))
        except SpaceError:
            continue
    return found


FINITE: dict[str, Parameter] = {
    "o": Categorical(["p", "q", "r"]),
    "n": Integer(1, 3, active_if={"o": ["p", "q"]}),
    "m": Categorical([16, 32], ordered=True, active_if={"n": neps.at_least(2)}),
    "k": Integer(0, 2, active_if={"m": neps.at_least(32), "o": "p"}),
    "c": Constant("c", active_if={"o": "q"}),
}


def test_the_size_is_the_number_of_configurations() -> None:
    space = SearchSpace(FINITE)
    every = brute_force(space)
    assert space.size == len(every) == len({repr(config) for config in every})
    assert sorted(map(repr, space.every_config(100) or ())) == sorted(map(repr, every))
    assert space.every_config(len(every) - 1) is None
    assert SearchSpace(FINITE | {"x": Float(0, 1, active_if={"o": "r"})}).size is None


def test_the_size_of_large_spaces_is_counted_without_listing() -> None:
    switches: dict[str, Parameter] = {f"use{i}": Categorical([False, True]) for i in range(60)}
    values: dict[str, Parameter] = {f"value{i}": Integer(1, 10**9, active_if={f"use{i}": True}) for i in range(60)}
    assert SearchSpace(switches | values).size == (1 + 10**9) ** 60
    chain: dict[str, Parameter] = {"x0": Integer(0, 1)}
    chain |= {f"x{i}": Integer(0, 1, active_if={f"x{i - 1}": 1}) for i in range(1, 200)}
    assert SearchSpace(chain).size == 201


def test_comparisons_of_ordered_choices_go_by_their_order() -> None:
    size = Categorical(["small", "medium", "large"], ordered=True)
    space = SearchSpace({"size": size, "wide": Categorical([1, 2], active_if={"size": neps.less_than("large")})})
    assert space.size == 2 + 2 + 1
    assert [len(space.decode([unit, 0.1])) for unit in (0.1, 0.5, 0.9)] == [2, 2, 1]
