"""Search spaces in YAML and JSON files: the form of neps.yaml, nested, and errors that say where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps.errors import NepsError, SpaceError
from neps.space import Categorical, Choice, Constant, Float, Integer, Repeat, SearchSpace

TEXT = """
space:
  learning_rate: {type: float, lower: 1e-5, upper: 1e-1, log: true, default: 0.01, default_confidence: high}
  optimizer:
    type: choice
    choices:
      adam:
      sgd:
        momentum: {type: float, lower: 0, upper: 0.99}
        nesterov: {type: categorical, choices: [false, true], active_if: {momentum: {more_than: 0.5}}}
    default: sgd
  layer:
    type: repeat
    block:
      width: {type: integer, lower: 16, upper: 512, step: 16}
      type: {type: categorical, choices: [dense, sparse]}
    lower: 1
    upper: 3
  sizes: {type: repeat, block: {type: integer, lower: 1, upper: 9}, lower: 0, upper: 2}
  data: {type: constant, value: digits}
  epochs: {type: integer, lower: 1, upper: 9, is_fidelity: true}
forbid:
- {optimizer: sgd, learning_rate: {at_least: 0.05}}
"""


def expected() -> SearchSpace:
    nesterov = Categorical([False, True], active_if={"momentum": neps.more_than(0.5)})
    return SearchSpace(
        {
            "learning_rate": Float(1e-5, 1e-1, log=True, default=0.01, default_confidence="high"),
            "optimizer": Choice({"adam": {}, "sgd": {"momentum": Float(0, 0.99), "nesterov": nesterov}}, default="sgd"),
            "layer": Repeat({"width": Integer(16, 512, step=16), "type": Categorical(["dense", "sparse"])}, 1, 3),
            "sizes": Repeat(Integer(1, 9), 0, 2),
            "data": Constant("digits"),
            "epochs": Integer(1, 9, is_fidelity=True),
        },
        forbid=[{"optimizer": "sgd", "learning_rate": neps.at_least(0.05)}],
    )


def written(folder: Path, text: str, name: str = "space.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["space.yaml", "space.yml"])
def test_a_yaml_file(tmp_path: Path, name: str) -> None:
    assert neps.space_from(written(tmp_path, TEXT, name)) == expected()
    assert neps.space_from(str(tmp_path / name)) == expected()


def test_yes_and_no_are_texts(tmp_path: Path) -> None:
    conditional = "{type: constant, value: off, active_if: {on: yes}}"
    text = f"space: {{on: {{type: categorical, choices: [yes, no, true]}}, x: {conditional}}}"
    space = neps.space_from(written(tmp_path, text))
    assert space == SearchSpace({"on": Categorical(["yes", "no", True]), "x": Constant("off", active_if={"on": "yes"})})


def test_a_json_file(tmp_path: Path) -> None:
    text = TEXT.replace("1e-5", "0.00001").replace("1e-1", "0.1")
    assert neps.space_from(written(tmp_path, json.dumps(yaml.safe_load(text)), "space.json")) == expected()


def test_what_neps_writes_can_be_read(tmp_path: Path) -> None:
    """The two keys of neps.yaml are the form of a file."""
    document = {"space": expected().definition(), "forbid": expected().forbidden_definition()}
    assert neps.space_from(written(tmp_path, yaml.safe_dump(document, sort_keys=False))) == expected()


def test_a_run_and_ask_take_a_path(tmp_path: Path) -> None:
    path = written(tmp_path, "space: {x: {type: float, lower: 0, upper: 1}}")
    neps.run(lambda x: x, tmp_path / "run", str(path), searcher="sobol", max_evaluations_total=2, progress=False)
    history = neps.run(lambda x: x, tmp_path / "run", {"x": neps.Float(0, 1)}, max_evaluations_total=3, progress=False)
    assert len(history.trials) == 3
    assert neps.AskAndTell(path).history.space == history.space
    assert neps.confirm(lambda x: x, tmp_path / "run", top=1, seeds=1, pipeline_space=path).best is not None


WRONG: list[tuple[str, str]] = [
    ("space: {x: {type: float, lower: 0}}", r"space.yaml: Parameter 'x': 'upper' is missing"),
    ("space: {x: {type: flaot, lower: 0, upper: 1}}", r"space.yaml: Parameter 'x': type is 'flaot'.*'float'"),
    ("space: {x: {lower: 0, upper: 1}}", r"Parameter 'x' has \['lower', 'upper'\], but no type: add one of float"),
    ("space: {x: {type:float, lower: 0}}", r"'x' has \['type:float', 'lower'\], but no type"),
    ("space: {x: {type: float, lower: 0, upper: 1, prior: 0.5}}", r"'prior' is unknown: .* Write default=…"),
    (
        "space:\nx: {type: float, lower: 0, upper: 1}",
        r"the key 'x' is unknown: .* Parameters stand below space, further",
    ),
    (
        "space: {x: {type: float, lower: 2, upper: 1}}",
        r"space.yaml: Parameter 'x': Float: lower is 2.0 and upper is 1.0",
    ),
    ("space: {x: {type: float, lower: 0, uper: 1}}", r"Parameter 'x': 'uper' is unknown: .*'upper'"),
    ("space: {x: 3}", r"space.yaml: Parameter 'x' is described by 3"),
    ("space: {o: {type: choice, choices: {a: {x: {type: float}}}}}", r"Parameter 'o.a.x': 'lower' is missing"),
    ("space: {o: {type: choice, choices: {a: 3}}}", r"Parameter 'o.a' is described by 3"),
    ("space: {n: {type: repeat, lower: 1, upper: 2}}", r"Parameter 'n': 'block' is missing"),
    (
        "space: {n: {type: repeat, block: {x: {type: int}}, lower: 1, upper: 2}}",
        r"Parameter 'n.1.x': type is 'int'.* 'integer'",
    ),
    (
        "space: {x: {type: float, lower: 0, upper: 1, active_if: {y: 1}}}",
        r"space.yaml: Parameter 'x': active_if names 'y'",
    ),
    ("space: [3]", r"space.yaml: space is \[3\], but it must map names to parameters: write .*, without dashes"),
    ("x: {type: float, lower: 0, upper: 1}", r"space.yaml: the file holds .* must have the key space"),
    ("", r"the file holds None"),
    ("space: {x: {type: constant, value: 1}}\nforbidden: []", r"the key 'forbidden' is unknown.*'forbid'"),
    ("space: {x: {type: constant, value: 1}}\nforbid: [too_large]", r"forbid\[0\] is 'too_large', but in a file"),
    ("space: {x: {type: constant, value: 1}}\nforbid: 3", r"forbid is 3"),
    ("space: {x: {type: constant, value: 1}}\nforbid: x = 3", r"forbid is 'x = 3'"),
    ("space: {x: {type: constant, value: 1}, x: {type: constant, value: 2}}", r"'x' is there twice"),
    ("space: {x: [", r"space.yaml can't be read as yaml: .*line 1.* Correct it there"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_errors_name_the_file_the_parameter_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as raised:
        neps.space_from(written(tmp_path, text))
    assert str(raised.value).startswith(str(tmp_path / "space.yaml"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("space", r"pipeline_space is 'space', but a file's name must end in .yaml, .yml or .json"),
        ("nowhere.yaml", r"pipeline_space is the file nowhere.yaml, which can't be read: No such file"),
        (3, r"pipeline_space is 3, but it must map names to parameters"),
    ],
)
def test_what_is_no_file(given: Any, message: str) -> None:
    with pytest.raises(NepsError, match=message):
        neps.space_from(given)


def test_json_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"can't be read as json: .*line 1"):
        neps.space_from(written(tmp_path, "{", "space.json"))
    with pytest.raises(SpaceError, match="'x' is there twice"):
        neps.space_from(written(tmp_path, '{"space": {"x": {}, "x": {}}}', "space.json"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("-.5", -0.5),
        ("+.5", 0.5),
        ("1e3", 1000.0),
        ("1:30", "1:30"),
        ("1_0", "1_0"),
        ("2024-01-01", "2024-01-01"),
        ("yes", "yes"),
        ("true", True),
    ],
)
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: Any) -> None:
    """Of version 1.1, 010 is eight and 1:30 is ninety."""
    path = written(tmp_path, f"space: {{c: {{type: categorical, choices: [{text}, other]}}}}")
    assert neps.space_from(path).parameters["c"] == Categorical([value, "other"])


def test_a_mapping_may_be_merged_into_another(tmp_path: Path) -> None:
    path = written(tmp_path, "space:\n  a: &a {type: integer, lower: 1, upper: 3}\n  b: {<<: *a, upper: 2}\n")
    assert neps.space_from(path) == SearchSpace({"a": Integer(1, 3), "b": Integer(1, 2)})


@pytest.mark.parametrize("name", ["space.yaml", "space.json"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path, name: str) -> None:
    text = json.dumps({"space": {"x": {"type": "float", "lower": 0, "upper": 1}}})
    assert neps.space_from(written(tmp_path, f"\ufeff{text}", name)) == SearchSpace({"x": Float(0, 1)})
