"""Tables of results: a CSV file, or a DataFrame of pandas; what `neps export` writes is one. `import_sources` calls it.

Whoever reads a table knows less than who reads a root: texts stand for choices, and an empty cell for several things.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from neps._api.import_found import LARGEST, LOSSES, Found, Named, choices_of, cost_of, number_of, text_of
from neps._api.plain_data import plain_data
from neps._trial import Status, Value
from neps.errors import ArgumentError, SpaceError, shown
from neps.space import Constant, Parameter, SearchSpace

__all__ = ["check_columns", "csv_rows", "of_rows"]

_OF_EXPORTS = "config."


def csv_rows(path: Path, space: SearchSpace) -> list[dict[str, Any]]:
    """The rows of a CSV file."""
    text, usual = text_of(path), csv.field_size_limit()
    try:
        csv.field_size_limit(LARGEST)  # a learning curve is one cell
        reader = csv.DictReader(io.StringIO(text))
        check_columns(str(path), reader.fieldnames or (), space)
        return list(reader)
    except csv.Error as error:
        raise ArgumentError(f"{path} is no CSV file: {error}. Nothing was imported.") from error
    finally:
        csv.field_size_limit(usual)


def check_columns(name: str, columns: Iterable[object], space: SearchSpace) -> None:
    """Make sure that no two columns have one name; others than those that are read may.

    Raises:
        ArgumentError: if so.
    """
    read = {*LOSSES, "cost", "status", *space, *(_OF_EXPORTS + parameter for parameter in space)}
    twice = [column for column, count in Counter(map(str, columns)).items() if count > 1 and column in read]
    if twice:
        raise ArgumentError(
            f"{name} has several columns {shown(twice[0])}: leave out all but one. Nothing was imported."
        )


def of_rows(rows: Iterable[Mapping[Any, Any]], space: SearchSpace) -> Named:
    """The results that rows stand for."""
    for index, row in enumerate(rows, start=1):
        cells, name = {str(column): value for column, value in row.items()}, f"row {index}"
        prefix = _OF_EXPORTS if any(column.startswith(_OF_EXPORTS) for column in cells) else ""
        status = str(cells.get("status")) if prefix else None
        loss, config = _loss(name, cells, status), _config(cells, space, prefix)
        if status in {Status.RUNNING, Status.WAITING} or (status == Status.FAILED and not config):
            continue  # it has no result yet, or is damaged
        yield name, Found(config, loss, cost_of(f"{name}: cost", _cell(f"{name}: cost", cells.get("cost"))))


def _loss(name: str, cells: Mapping[str, Any], status: str | None) -> float | None:
    """A row's loss: None of a failure, whatever loss_value_on_error it counted as."""
    losses = [cells[column] for column in LOSSES if column in cells]
    if not losses:
        raise ArgumentError(
            f"The table has the columns {shown(list(cells))}, but it must have a column loss, and commas between "
            "columns: rename the one that holds it."
        )
    loss = _cell(f"{name}: loss", next((each for each in losses if not _is_empty(each)), None))
    if status == Status.FAILED:
        return None
    return math.nan if loss is None and status == Status.SUCCESS else loss


def _config(cells: Mapping[str, Any], space: SearchSpace, prefix: str) -> dict[str, Any]:
    """The parameters of a row that have a value; of an export, those that the space doesn't have as well."""
    given = {name: cells.get(prefix + name) for name in space}
    config = {name: _value(value, name, space) for name, value in given.items() if not _is_empty(value)}
    if prefix:
        exported = {name.removeprefix(prefix): value for name, value in cells.items() if name.startswith(prefix)}
        config |= {name: value for name, value in exported.items() if name not in space and not _is_empty(value)}
    written_so = {name: _empty_choices(space[name]) for name, value in given.items() if _is_empty(value)}
    meant = {name: choices for name, choices in written_so.items() if choices}
    with contextlib.suppress(SpaceError):  # what is wrong is said once it is all there
        while (name := _next_active(meant, config, space)) is not None:
            config[name] = _only("empty", name, meant.pop(name))
    return config


def _is_empty(value: object) -> bool:
    return value is None or value == ""


def _empty_choices(parameter: Parameter) -> list[Value]:
    """The choices that an empty cell may stand for: not being active is written so, too."""
    return [choice for choice in choices_of(parameter) if _is_empty(choice)]


def _next_active(names: Iterable[str], config: Mapping[str, Any], space: SearchSpace) -> str | None:
    """One of these parameters that is active in a configuration that has all that this depends on."""
    settled = [name for name in names if all(parent in config for parent in space.conditional.get(name, ()))]
    active = space.filled(config, np.random.default_rng(0)) if settled else {}
    return next((name for name in settled if name in active), None)


def _value(value: object, name: str, space: SearchSpace) -> object:
    """A cell's value: of a text what the parameter may be that is written so; a whole float where ints are."""
    parameter = space[name]
    if isinstance(value, str):
        value = _meant(value, name, [parameter.value] if isinstance(parameter, Constant) else choices_of(parameter))
    if isinstance(value, float) and value.is_integer() and not parameter.categories:
        with contextlib.suppress(ValueError):
            return parameter.parse(int(value))
    return value


def _meant(text: str, name: str, values: Sequence[Value]) -> object:
    """The value that is written so, or else what it is in YAML. None is written as an empty cell by neps itself."""
    written_so = [value for value in values if str(value) == text]
    found = [value for value in written_so if value is not None] or written_so
    if found:
        return _only(text, name, found)
    with contextlib.suppress(ValueError, yaml.YAMLError):
        return plain_data(text, ".yaml")
    return text


def _only(text: str, name: str, choices: Sequence[Value]) -> Value:
    """The choice that a cell stands for.

    Raises:
        ArgumentError: if it may be several.
    """
    if len(choices) > 1:
        raise ArgumentError(
            f"A cell of {name} is {text}, as which several choices are written ({shown(choices)}): import the root "
            "directory instead, or what `neps export --to json` writes. Nothing was imported."
        )
    return choices[0]


def _cell(name: str, value: object) -> float | None:
    """A number; an empty cell is none, and pandas writes that as NaN."""
    if isinstance(value, str):
        if not value.strip():
            return None
        with contextlib.suppress(ValueError):
            value = float(value)
    number = number_of(name, value)
    return None if number is None or math.isnan(number) else number
