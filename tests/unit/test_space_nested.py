"""Choices and repeats: flat parameters of a space, nested data for run_pipeline, and what is refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._cli import main
from neps._deciding import checked_configs
from neps.errors import ArgumentError, NepsError, SpaceError
from neps.space import Categorical, Choice, Constant, Float, Integer, Parameter, Repeat, SearchSpace, Value


def parameters() -> dict[str, Parameter]:
    return {
        "optimizer": Choice(
            {
                "adam": {"beta1": Float(0.8, 0.99)},
                "sgd": {
                    "nesterov": Categorical([False, True], active_if={"momentum": neps.more_than(0.5)}),
                    "momentum": Float(0, 0.99),
                    "schedule": Choice({"step": {"every": Integer(1, 9)}, "cosine": {}}),
                },
            },
            default="sgd",
        ),
        "layer": Repeat({"width": Integer(16, 512, log=True), "activation": Categorical(["relu", "tanh"])}, 1, 3),
        "sizes": Repeat(Integer(1, 5), 0, 2, default=1),
    }


FLAT: dict[str, Value] = {
    "optimizer": "sgd",
    "optimizer.sgd.nesterov": True,
    "optimizer.sgd.momentum": 0.75,
    "optimizer.sgd.schedule": "step",
    "optimizer.sgd.schedule.step.every": 4,
    "layer": 2,
    "layer.1.width": 64,
    "layer.1.activation": "relu",
    "layer.2.width": 32,
    "layer.2.activation": "tanh",
    "sizes": 1,
    "sizes.1": 3,
}
NESTED: dict[str, Any] = {
    "optimizer": {"sgd": {"nesterov": True, "momentum": 0.75, "schedule": {"step": {"every": 4}}}},
    "layer": [{"width": 64, "activation": "relu"}, {"width": 32, "activation": "tanh"}],
    "sizes": [3],
}


def test_they_become_flat_parameters_with_conditions() -> None:
    space = SearchSpace(parameters())
    assert {name: parameter.active_if and parameter.active_if.plain() for name, parameter in space.items()} == {
        "optimizer": None,
        "optimizer.adam.beta1": {"optimizer": ["adam"]},
        "optimizer.sgd.nesterov": {"optimizer": ["sgd"], "optimizer.sgd.momentum": {"more_than": 0.5}},
        "optimizer.sgd.momentum": {"optimizer": ["sgd"]},
        "optimizer.sgd.schedule": {"optimizer": ["sgd"]},
        "optimizer.sgd.schedule.step.every": {"optimizer.sgd.schedule": ["step"]},
        "layer": None,
        "layer.1.width": {"layer": {"at_least": 1}},
        "layer.1.activation": {"layer": {"at_least": 1}},
        "layer.2.width": {"layer": {"at_least": 2}},
        "layer.2.activation": {"layer": {"at_least": 2}},
        "layer.3.width": {"layer": {"at_least": 3}},
        "layer.3.activation": {"layer": {"at_least": 3}},
        "sizes": None,
        "sizes.1": {"sizes": {"at_least": 1}},
        "sizes.2": {"sizes": {"at_least": 2}},
    }
    assert space.arguments == ("optimizer", "layer", "sizes")
    assert (space["optimizer"].default, space["sizes"].default) == ("sgd", 1)
    assert space.requires == ("active_if", "choice", "repeat")


def test_values_are_handed_over_as_the_space_is_nested() -> None:
    space = SearchSpace(parameters())
    assert space.validate(FLAT) == FLAT
    assert repr(space.handed(FLAT)) == repr(NESTED)


def test_configurations_may_be_nested_flat_or_both() -> None:
    space = SearchSpace(parameters())
    assert repr(space.validate(NESTED)) == repr(FLAT)
    mixed = {name: value for name, value in FLAT.items() if not name.startswith("layer")} | {"layer": NESTED["layer"]}
    assert space.validate(mixed) == FLAT
    part = {"optimizer": {"sgd": {"momentum": 0.75}}, "layer": [{"width": 64}, {}], "sizes": []}
    assert space.flattened(part) == {
        "optimizer": "sgd",
        "optimizer.sgd.momentum": 0.75,
        "layer": 2,
        "layer.1.width": 64,
        "sizes": 0,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": {"sgdm": {}}}, r"'optimizer': .*'sgdm'.* must have one key.*'adam', 'sgd'.*mean 'sgd'"),
        ({"optimizer": {"sgd": {}, "adam": {}}}, r"'optimizer': the value is .* must have one key"),
        ({"optimizer": {"adam": {"beta": 0.9}}}, r"'beta' in 'optimizer.adam', which has \['beta1'\].*mean 'beta1'"),
        ({"optimizer": {"adam": 0.9}}, r"0.9 in 'optimizer.adam', but it must be a dict of \['beta1'\]"),
        ({"layer": [{"depth": 1}]}, r"'depth' in 'layer.1', which has \['width', 'activation'\]"),
        ({"layer": [{}], "layer.1.width": 3, "sizes": [1], "sizes.1": 2}, r"'sizes.1' twice"),
        ({"layer": [{}, {}, {}, {}]}, r"'layer': the value is 4, but it must lie between 1 and 3"),
        ({"sizes": [1, 9]}, r"'sizes.2': the value is 9"),
        ({"optimizer": {"adam": {}}, "optimizer.sgd.momentum": 0.5}, r"'optimizer.sgd.momentum'.* optimizer is 'adam'"),
    ],
)
def test_what_does_not_belong_there_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        checked_configs(SearchSpace(parameters()), [given], "configs")


def test_a_definition_keeps_the_structure(tmp_path: Path) -> None:
    space = SearchSpace(parameters(), forbid=[{"layer": 3, "optimizer.sgd.schedule": "cosine"}])
    written = yaml.safe_load(yaml.safe_dump(space.definition(), sort_keys=False))
    again = SearchSpace.from_definition(written, space.forbidden_definition())
    assert again == space == SearchSpace(space) == copy.deepcopy(space) == pickle.loads(pickle.dumps(space))  # noqa: S301
    assert again.handed(FLAT) == NESTED
    assert written["layer"] == {"type": "repeat", "block": ["width", "activation"], "lower": 1, "upper": 3}
    assert written["optimizer.sgd.schedule"]["type"] == "choice"
    other = SearchSpace(parameters() | {"layer": Repeat({"width": Integer(16, 512, log=True)}, 1, 3)})
    assert "layer.3.activation: only in the run" in other.differences(space)


def test_repeats_and_choices_nest_in_each_other() -> None:
    cell = Choice({"conv": {"kernel": Repeat(Integer(1, 7), 2, 2)}, "skip": {}})
    space = SearchSpace({"stage": Repeat(Repeat(cell, 0, 2), 1, 2)})
    config: dict[str, Value] = {"stage": 1, "stage.1": 2, "stage.1.1": "skip", "stage.1.2": "conv"}
    config |= {"stage.1.2.conv.kernel": 2, "stage.1.2.conv.kernel.1": 3, "stage.1.2.conv.kernel.2": 5}
    nested = {"stage": [[{"skip": {}}, {"conv": {"kernel": [3, 5]}}]]}
    assert space.handed(config) == nested
    assert space.validate(nested) == config
    assert space.handed({"stage": 1, "stage.1": 0}) == {"stage": [[]]}


def test_a_name_means_what_is_nearest() -> None:
    inner = {"x": Float(0, 1), "y": Float(0, 1, active_if={"x": neps.at_least(0.5)})}
    space = SearchSpace(
        {
            "x": Categorical(["a", "b"]),
            "z": Integer(1, 2),
            "top": Choice({"on": inner, "other": {"w": Constant(1, active_if={"x": "a", "z": 2})}}),
        }
    )
    assert "top.on.x" in (space["top.on.y"].active_if or {})
    assert set(space["top.other.w"].active_if or {}) == {"top", "x", "z"}


def test_conditions_elsewhere_name_flat_parameters() -> None:
    space = SearchSpace(
        {**parameters(), "warm": Integer(1, 5, active_if={"optimizer": "sgd", "layer.2.width": neps.at_least(64)})},
        forbid=[{"layer.1.width": neps.at_least(128), "optimizer.sgd.momentum": neps.at_least(0.9)}],
    )
    assert not space.is_allowed(FLAT | {"layer.1.width": 128, "optimizer.sgd.momentum": 0.95})
    assert space.is_allowed(FLAT)
    with pytest.raises(SpaceError, match="forbidden"):
        space.validate(
            {
                **NESTED,
                "layer": [{"width": 200, "activation": "relu"}],
                "optimizer": {"sgd": {"nesterov": True, "momentum": 0.95, "schedule": {"cosine": {}}}},
            }
        )


def test_names_with_dots_that_are_in_nothing_stay_as_they_are() -> None:
    space = SearchSpace({"layer.1": Float(0, 1), "a.b": Choice({"c": {"d": Integer(1, 2)}}), "a.c.d": Integer(1, 2)})
    config: dict[str, Value] = {"layer.1": 0.5, "a.b": "c", "a.b.c.d": 1, "a.c.d": 2}
    assert space.arguments == ("layer.1", "a.b", "a.c.d")
    assert space.handed(config) == {"layer.1": 0.5, "a.b": {"c": {"d": 1}}, "a.c.d": 2}
    assert space.validate(space.handed(config)) == config


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Choice({}), "Choice: choices is {}, but it must map at least one option"),
    (lambda: Choice("adam"), "Choice: choices is 'adam'"),
    (lambda: Choice({"a.b": {}}), "the name of an option is 'a.b'.* has no dot"),
    (lambda: Choice([16, 32]), r"options have names, but \[16, 32\] aren't: write neps.Categorical"),  # type: ignore[list-item]
    (lambda: Choice({1: {}}), r"options have names, but \[1\] aren't"),  # type: ignore[dict-item]
    (lambda: Choice({"a": Float(0, 1)}), r"Choice: option 'a' is Float.* must map names to parameters.* \{\} for no"),  # type: ignore[dict-item]
    (lambda: Choice({"a": {"x": 3}}), r"option 'a'\['x'\] is 3, but it must be a parameter"),  # type: ignore[dict-item]
    (lambda: Choice({"a": {"x.y": Float(0, 1)}}), r"option 'a': a parameter's name is 'x.y'"),
    (lambda: Choice({"a": {"e": Integer(1, 9, is_fidelity=True)}}), r"option 'a'\['e'\] is a fidelity.* at the top"),
    (
        lambda: Choice({"a": SearchSpace({"x": Float(0, 1), "y": Float(0, 1)}, [{"x": neps.at_least(0.5)}])}),
        "option 'a' has forbidden",
    ),
    (lambda: Choice({"a": {}}, default="b"), "Choice: default: the value is 'b'"),
    (lambda: Choice({"a": {}}, active_if=3), "Choice: active_if is 3"),  # type: ignore[arg-type]
    (lambda: Choice({"a": {}}, defalt="a"), "neps.Choice has no argument 'defalt'.*'default'"),  # type: ignore[call-arg]
    (lambda: Repeat({}, 1, 2), "Repeat: block is {}, but it must be a parameter, or a dict of at least one"),
    (lambda: Repeat(3, 1, 2), "Repeat: block is 3"),  # type: ignore[arg-type]
    (lambda: Repeat(Integer(1, 9, is_fidelity=True), 1, 2), "Repeat: block is a fidelity"),
    (lambda: Repeat(Float(0, 1), -1, 2), "Repeat: lower is -1.* 0 or more"),
    (lambda: Repeat(1, 2, Float(0, 1)), r"Repeat: the block comes first.* write neps\.Repeat\(block, lower, upper\)"),  # type: ignore[arg-type]
    (lambda: Repeat(Float(0, 1), 0, 0), "Repeat: upper is 0, but it must be from 1 to 1000"),
    (lambda: Repeat(Float(0, 1), 1, 1001), "Repeat: upper is 1001"),
    (lambda: Repeat(Float(0, 1), 3, 2), "Repeat: lower is 3 and upper is 2"),
    (lambda: Repeat(Float(0, 1), 1, 2, default=3), "Repeat: default: the value is 3"),
    (
        lambda: SearchSpace({"a": Choice({"b": {"x": Float(0, 1)}}), "a.b.x": Float(0, 1)}),
        "two parameters named 'a.b.x'",
    ),
    (
        lambda: SearchSpace({"a": Choice({"b": {}}), "a.c.x": Float(0, 1)}),
        "'a.c.x' is named as if .* Choice 'a', which has no",
    ),
    (
        lambda: SearchSpace({"a": Choice({"b": {}}), "a.b": Float(0, 1)}),
        "'a.b' is named as if .* which has no such place",
    ),
    (
        lambda: SearchSpace({"a": Choice({"b": {}, "c": {}}), "a.b.x": Float(0, 1)}),
        "active_if doesn't say that a is 'b'",
    ),
    (lambda: SearchSpace({"n": Repeat(Float(0, 1), 1, 2), "n.3": Float(0, 1)}), "'n.3' is named as if .* Repeat 'n'"),
    (lambda: SearchSpace({"n": Repeat(Float(0, 1), 1, 2), "n.1.x": Float(0, 1)}), "'n.1.x' is named as if"),
    (
        lambda: SearchSpace({"n": Repeat({"x": Float(0, 1, active_if={"n": neps.at_least(2)})}, 1, 3)}),
        "'n.1.x': active_if names 'n', in which the parameter is",
    ),
    (lambda: SearchSpace({"a": Choice({"b": {"x": Float(0, 1, active_if={"q": 1})}})}), "'a.b.x': active_if names 'q'"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(NepsError, match=message):
        make()


def test_parameters_compare_with_what_is_inside() -> None:
    one, other = Choice({"a": {"x": Float(0, 1)}}), Choice({"a": {"x": Float(0, 2)}})
    assert one == Choice({"a": {"x": Float(0, 1)}}) != other
    assert Choice({"a": {}}) == Choice(["a"]) != one
    assert Choice(["a"]) != Categorical(["a"])
    assert Repeat(Float(0, 1), 1, 2) == Repeat(Float(0, 1), 1, 2) != Repeat(Float(0, 2), 1, 2)
    assert repr(Repeat({"x": Float(0, 1)}, 1, 2, default=2)) == "Repeat({'x': Float(0.0, 1.0)}, 1, 2, default=2)"
    assert len({one, Choice({"a": {"x": Float(0, 1)}}), Repeat(one, 1, 2), Repeat(one, 1, 2)}) == 2
    assert one.with_prior(default="a") == Choice({"a": {"x": Float(0, 1)}}, "a")


CALLS: list[dict[str, Any]] = []


def train(optimizer: dict[str, Any], layer: list[dict[str, Any]], sizes: list[int]) -> float:
    CALLS.append({"optimizer": optimizer, "layer": layer, "sizes": sizes})
    momentum: float = optimizer.get("sgd", {}).get("momentum", 0.3)
    return momentum + len(layer) + sum(sizes)


def test_a_run_calls_with_nested_data_and_writes_flat_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    CALLS.clear()
    first = [{"optimizer": {"sgd": {"momentum": 0.75}}, "layer": [{"width": 64}, {}]}]
    space = SearchSpace(parameters())
    search: dict[str, Any] = {"searcher": "random_search", "seed": 1, "progress": False}
    neps.run(train, tmp_path, parameters(), first_configs=first, max_evaluations_total=5, **search)
    assert neps.enqueue(tmp_path, {"sizes": [2, 3], "optimizer": {"adam": {}}}) == 1
    history = neps.run(train, tmp_path, parameters(), max_evaluations_total=6, **search)
    assert neps.import_trials(tmp_path, [{"config": NESTED, "loss": 1.0}]) == 1
    assert [space.handed(trial.config) for trial in history.trials] == CALLS
    assert CALLS[0]["optimizer"]["sgd"]["momentum"] == 0.75
    assert [len(CALLS[0]["layer"]), CALLS[0]["layer"][0]["width"], len(CALLS[0]["sizes"])] == [2, 64, 1]
    assert (CALLS[5]["sizes"], list(CALLS[5]["optimizer"])) == ([2, 3], ["adam"])
    for trial in history.trials:
        assert yaml.safe_load((tmp_path / f"config_{trial.number}" / "config.yaml").read_text()) == dict(trial.config)
    assert neps.load(tmp_path).space == space
    definition = yaml.safe_load((tmp_path / "neps.yaml").read_text())
    assert definition["requires"] == ["active_if", "choice", "first_configs", "repeat"]
    assert "config.layer.3.width" in (tmp_path / "summary" / "trials.csv").read_text().splitlines()[0]
    capfd.readouterr()
    assert main(["best", str(tmp_path), "--format", "json"]) == 0
    assert yaml.safe_load(capfd.readouterr().out) == dict(history.best_config or {})


def test_ask_hands_out_nested_data_and_tell_takes_it() -> None:
    search = neps.AskAndTell(parameters(), searcher="random_search", seed=0, first_configs=[NESTED])
    trial = search.ask()
    assert trial is not None
    assert trial.config == NESTED
    assert search.tell(trial, 0.5).config == FLAT


def test_a_signature_needs_the_names_at_the_top() -> None:
    def partly(optimizer: object, layer: object) -> float:
        return 0.0

    with pytest.raises(ArgumentError, match="doesn't accept the parameter 'sizes'"):
        neps.run(partly, "/nowhere", parameters(), max_evaluations_total=1)


def test_what_is_given_in_part_is_completed_however_rare_it_is() -> None:
    """Of all configurations one in 4096 has these options."""
    space = SearchSpace({f"c{i}": Choice({f"o{j}": {"x": Float(0, 1)} for j in range(8)}) for i in range(4)})
    (config,) = checked_configs(space, [{f"c{i}": {"o7": {"x": 0.5}} for i in range(4)}], "configs")
    assert config == {f"c{i}": "o7" for i in range(4)} | {f"c{i}.o7.x": 0.5 for i in range(4)}


def summed(layer: list[int]) -> float:
    return sum(layer)


def test_what_is_forbidden_is_refused_wherever_users_give_configurations(tmp_path: Path) -> None:
    space = SearchSpace({"layer": Repeat(Integer(1, 9), 1, 3)}, forbid=[{"layer": 3}])
    search: dict[str, Any] = {"searcher": "random_search", "seed": 1, "progress": False}
    history = neps.run(summed, tmp_path, space, max_evaluations_total=4, **search)
    assert all(trial.config["layer"] != 3 for trial in history.trials)
    with pytest.raises(ArgumentError, match="is forbidden: layer is 3"):
        neps.enqueue(tmp_path, {"layer": [1, 2, 3]})
    with pytest.raises(ArgumentError, match="is forbidden: layer is 3"):
        neps.import_trials(tmp_path, [{"config": {"layer": [1, 2, 3]}, "loss": 1.0}], strict=True)
    confirmed = neps.confirm(summed, tmp_path, top=1, seeds=1, pipeline_space=space)
    assert confirmed.best is not None
