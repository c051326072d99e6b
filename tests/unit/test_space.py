"""SearchSpace: what it is made of, its configurations, and its definition. Priors and exactness are tested apart."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import neps.space
from neps.errors import SpaceError
from neps.space import Categorical, Constant, Float, Integer, SearchSpace, Value

SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1, log=True, default=1e-2),
        "epochs": Integer(1, 81, is_fidelity=True),
        "width": Integer(1, 8),
        "data": Constant("digits"),
        "act": Categorical(["relu", None, True, 2.5]),
    },
)
CONFIG: dict[str, Value] = {"lr": 1e-2, "epochs": 81, "width": 3, "data": "digits", "act": True}


def test_public_names() -> None:
    assert sorted(neps.space.__all__) == [
        "Categorical",
        "CategoricalParameter",
        "Choice",
        "Comparison",
        "Conditions",
        "Confidence",
        "Constant",
        "ConstantParameter",
        "Float",
        "FloatParameter",
        "Integer",
        "IntegerParameter",
        "Number",
        "Parameter",
        "Repeat",
        "SearchSpace",
        "Value",
        "at_least",
        "at_most",
        "less_than",
        "more_than",
    ]
    assert all(hasattr(neps.space, name) for name in neps.space.__all__)
    assert all(inspect.getdoc(member) for name, member in vars(SearchSpace).items() if not name.startswith("_"))


def test_importing_the_space_does_not_import_scipy() -> None:
    code = "import neps.space, sys; assert not {'scipy', 'torch', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_names_by_role() -> None:
    assert tuple(SPACE.parameters) == ("lr", "epochs", "width", "data", "act")
    assert SPACE.searched == ("lr", "width", "act")
    assert SPACE.dimensions == 3
    assert (SPACE.fidelity, SPACE.fidelities) == ("epochs", ("epochs",))


def test_there_is_no_fidelity_where_there_are_none_or_two() -> None:
    none = SearchSpace({"x": Float(0, 1)})
    two = SearchSpace({"b": Integer(1, 2, is_fidelity=True), "a": Float(1, 2, is_fidelity=True)})
    assert (none.fidelity, none.fidelities) == (None, ())
    assert (two.fidelity, two.fidelities) == (None, ("b", "a"))
    for space in (none, two):
        with pytest.raises(SpaceError, match="but it must have exactly one"):
            space.at_fidelity({"x": 0.5}, 1)


def test_a_space_of_a_space_is_equal_and_neither_sees_later_changes() -> None:
    parameters: dict[str, Any] = {"x": Float(0, 1)}
    space = SearchSpace(parameters)
    parameters["y"] = Float(0, 1)
    assert tuple(space.parameters) == ("x",)
    assert SearchSpace(space) == space
    with pytest.raises(TypeError):
        space.parameters["y"] = Float(0, 1)  # type: ignore[index]
    with pytest.raises(AttributeError):
        space.parameters = {}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "pipeline_space is empty, but it needs at least one parameter"),
        ([Float(0, 1)], r"\[Float\(0.0, 1.0\)\], but it must map names to parameters"),
        ({1: Float(0, 1)}, "named 1, but a name must be a text"),
        ({"": Float(0, 1)}, "named '', but a name must be a text"),
        ({"pipeline_directory": Float(0, 1)}, "run_pipeline gets a folder under that name"),
        ({"previous_pipeline_directory": Float(0, 1)}, "rename the parameter"),
        ({"x": (0, 1.5)}, r"pipeline_space\['x'\] is \(0, 1.5\), .* write neps.Float\(0, 1.5\) for a range"),
        ({"x": ["a", "b"]}, r"write neps.Categorical\(\['a', 'b'\]\) for choices"),
        ({"x": ("a", "b")}, r"write neps.Categorical\(\['a', 'b'\]\) for choices"),
        ({"x": 3}, r"write neps.Constant\(3\) for a fixed value"),
        ({"x": np.float64(0.5)}, r"write neps.Constant\(0.5\)"),
        ({"x": Float}, "give it arguments, such as"),
        (
            {"x": object()},
            "must be a neps.Float, .* neps.Constant, neps.Choice or neps.Repeat: write one of these",
        ),
    ],
)
def test_refused_spaces(given: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SearchSpace(given)


def test_decode_completes_a_configuration_in_the_order_of_the_space() -> None:
    config = SPACE.decode(np.array([0.5, 0.3, 0.6]))
    assert list(config) == list(SPACE.parameters)
    assert config == {"lr": pytest.approx(1e-2), "epochs": 81, "width": 3, "data": "digits", "act": True}
    assert [type(value) for value in config.values()] == [float, int, int, str, bool]


def test_decode_clips_and_reaches_the_bounds_exactly() -> None:
    assert SPACE.decode([-1, -0.1, -5]) == CONFIG | {"lr": 1e-4, "width": 1, "act": "relu"}
    assert SPACE.decode([2, 1, np.inf]) == CONFIG | {"lr": 1.0, "width": 8, "act": 2.5}


@pytest.mark.parametrize("point", [[0.5], [0.5] * 4, [[0.5, 0.5, 0.5]], [0.5, np.nan, 0.5]])
def test_decode_refuses_what_is_no_point(point: Any) -> None:
    with pytest.raises(SpaceError, match="must hold 3 numbers"):
        SPACE.decode(point)


def test_encode_places_values_at_the_centres_of_their_bins() -> None:
    unit = SPACE.encode(CONFIG)
    assert unit.shape == (3,)
    assert unit.dtype == np.float64
    np.testing.assert_allclose(unit, [0.5, 5 / 16, 5 / 8], rtol=1e-15)


def test_log_bins_reach_half_a_unit_beyond_the_bounds() -> None:
    space = SearchSpace({"k": Integer(1, 3, log=True)})
    middles = np.sqrt(np.array([0.5, 1.5, 2.5]) * np.array([1.5, 2.5, 3.5]))
    expected = np.log(middles / 0.5) / np.log(3.5 / 0.5)
    np.testing.assert_allclose([space.encode({"k": k})[0] for k in (1, 2, 3)], expected, rtol=1e-14)
    edge = np.log(3) / np.log(7)
    assert (space.decode([edge - 1e-12]), space.decode([edge + 1e-12])) == ({"k": 1}, {"k": 2})


def test_encode_needs_only_what_is_searched() -> None:
    np.testing.assert_array_equal(SPACE.encode({"act": True, "width": 3, "lr": 1e-2}), SPACE.encode(CONFIG))
    with pytest.raises(SpaceError, match="lacks the parameter 'act'"):
        SPACE.encode({"width": 3, "lr": 1e-2})
    with pytest.raises(SpaceError, match="'width': the value is 9, but it must lie between 1 and 8"):
        SPACE.encode(CONFIG | {"width": 9})


def test_a_space_of_constants_has_one_configuration() -> None:
    space = SearchSpace({"a": Constant(1), "n": Integer(2, 5, is_fidelity=True)})
    assert (space.dimensions, space.size, space.is_finite, space.has_prior) == (0, 1, True, False)
    assert space.decode([]) == space.sample(np.random.default_rng(0)) == {"a": 1, "n": 5}
    assert space.encode({}).shape == (0,)


def test_size_counts_configurations() -> None:
    assert SearchSpace({"n": Integer(-1, 3), "c": Categorical([1, 2, 3]), "f": Float(2, 2)}).size == 15
    assert (SPACE.size, SPACE.is_finite) == (None, False)


def test_samples_are_uniform_on_the_scale_and_depend_on_the_generator_alone() -> None:
    generator = np.random.default_rng(1)
    units = np.array([SPACE.encode(SPACE.sample(generator)) for _ in range(2000)])
    np.testing.assert_allclose(units.mean(axis=0), 0.5, atol=0.02)
    np.testing.assert_allclose(units[:, 0].std(), 12**-0.5, atol=0.01)
    assert SPACE.sample(np.random.default_rng(7)) == SPACE.decode(np.random.default_rng(7).random(3))


def test_at_fidelity_replaces_the_fidelity_alone() -> None:
    config = SPACE.at_fidelity(CONFIG, 27.0)
    assert config == CONFIG | {"epochs": 27}
    assert list(config) == list(CONFIG)
    assert type(config["epochs"]) is int
    assert CONFIG["epochs"] == 81
    real = SearchSpace({"t": Float(1, 9, is_fidelity=True)}).at_fidelity({"t": 9.0}, 3)["t"]
    assert (real, type(real)) == (3.0, float)
    for value in (0, 82, 2.5):
        with pytest.raises(SpaceError, match="'epochs': the value is"):
            SPACE.at_fidelity(CONFIG, value)


def test_validate_returns_plain_python_in_order() -> None:
    given = {"act": np.True_, "data": np.str_("digits"), "width": np.int32(3), "epochs": 81, "lr": 1}
    config = SPACE.validate(given)
    assert list(config.items()) == list((CONFIG | {"lr": 1.0}).items())
    assert [type(value) for value in config.values()] == [float, int, int, str, bool]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widht": 3}, "has 'widht', but .* Did you mean 'width'?"),
        ({"lr": 2.0}, "'lr': the value is 2.0, but it must lie between 0.0001 and 1.0"),
        ({"width": 3.0}, "'width': the value is 3.0, but it must be an int"),
        ({"epochs": 100}, "'epochs': the value is 100"),
        ({"data": "mnist"}, "'data': the value is 'mnist', but this is a constant: use 'digits'"),
        ({"act": 1}, "'act': the value is 1, but it must be one of"),
    ],
)
def test_validate_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SPACE.validate(CONFIG | change)


def test_validate_misses_nothing() -> None:
    for name in CONFIG:
        with pytest.raises(SpaceError, match=f"lacks the parameter '{name}'"):
            SPACE.validate({key: value for key, value in CONFIG.items() if key != name})


def test_definition_is_plain_tidy_and_complete() -> None:
    assert SPACE.definition() == {
        "lr": {
            "type": "float",
            "lower": 1e-4,
            "upper": 1.0,
            "log": True,
            "is_fidelity": False,
            "default": 1e-2,
            "default_confidence": "low",
        },
        "epochs": {"type": "integer", "lower": 1, "upper": 81, "log": False, "is_fidelity": True},
        "width": {"type": "integer", "lower": 1, "upper": 8, "log": False, "is_fidelity": False},
        "data": {"type": "constant", "value": "digits"},
        "act": {"type": "categorical", "choices": ["relu", None, True, 2.5]},
    }
    assert SearchSpace.from_definition(SPACE.definition()) == SPACE


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ([], "must map names to parameters"),
        ({"x": 3}, "'x' is described by 3"),
        ({"x": {"type": "flaot"}}, "type is 'flaot', .* Did you mean 'float'?"),
        ({"x": {"lower": 1}}, r"'x' has \['lower'\], but no type: add one of float, "),
        (
            {"x": {"type": "float", "lower": 0, "upper": 1, "lgo": True}},
            "'lgo' is unknown: a float has .* Did you mean 'log'?",
        ),
        ({"x": {"type": "float", "lower": 0}}, "'upper' is missing: add it"),
        ({"x": {"type": "categorical", "choices": [1], "_kinds": []}}, "'_kinds' is unknown"),
        ({"x": {"type": "integer", "lower": 2, "upper": 1}}, "'x': Integer: lower is 2"),
    ],
)
def test_refused_definitions(definition: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_definition(definition)


def test_equality_is_by_value_with_types_and_order() -> None:
    x, y = Float(0, 1), Integer(1, 2)
    space = SearchSpace({"x": x, "y": y})
    assert space == SearchSpace({"x": Float(0, 1), "y": Integer(1, 2)})
    assert hash(space) == hash(SearchSpace(space))
    assert space != SearchSpace({"y": y, "x": x})
    assert space != {"x": x, "y": y}
    assert SearchSpace({"x": Constant(1)}) != SearchSpace({"x": Constant(1.0)})


def test_differences_are_lines_for_people() -> None:
    here = SearchSpace({"lr": Float(0, 0.2), "c": Categorical([1, 2]), "k": Constant(1), "a": Float(0, 1)})
    there = SearchSpace({"lr": Float(0, 0.1), "c": Categorical([True, 2]), "k": Integer(1, 2), "b": Float(0, 1)})
    assert here.differences(there) == [
        "lr: upper is 0.1 in the run and 0.2 in this call",
        "c: choices is [True, 2] in the run and [1, 2] in this call",
        "k: type is integer in the run and constant in this call",
        "a: only in this call",
        "b: only in the run",
    ]


def test_differences_tell_a_prior_from_none() -> None:
    here, there = SearchSpace({"x": Float(0, 1, default=0.1)}), SearchSpace({"x": Float(0, 1)})
    (line,) = here.differences(there)
    assert line.startswith(
        "x: default is not given in the run and 0.1 in this call, default_confidence is not given in the run"
    )


def test_differences_tell_a_text_from_a_number() -> None:
    here, there = SearchSpace({"x": Constant(1)}), SearchSpace({"x": Constant("1")})
    assert here.differences(there) == ["x: value is '1' in the run and 1 in this call"]


def test_differences_are_empty_exactly_where_spaces_are_equal() -> None:
    x, y = Float(0, 1), Integer(1, 2)
    assert SPACE.differences(SearchSpace.from_definition(SPACE.definition())) == []
    assert SearchSpace({"x": x, "y": y}).differences(SearchSpace({"y": y, "x": x})) == [
        "the order of the parameters is y, x in the run and x, y in this call",
    ]


def test_repr_is_the_call_that_makes_it() -> None:
    names = {"SearchSpace": SearchSpace, "Float": Float, "Integer": Integer}
    assert eval(repr(SPACE), names | {"Constant": Constant, "Categorical": Categorical}) == SPACE  # noqa: S307 - the claim


def test_copies_and_pickles_are_equal() -> None:
    assert SPACE.searched == ("lr", "width", "act")  # what is cached must not stand in the way
    assert copy.deepcopy(SPACE) == SPACE
    assert pickle.loads(pickle.dumps(SPACE)) == SPACE  # noqa: S301 - our own bytes
