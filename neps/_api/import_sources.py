"""Where results from elsewhere come from: each source as configurations with losses. `import_trials` calls it.

Nothing is checked against a space here, but that NePS writes the number of a choice where we write the choice.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from neps._api.import_found import LOSSES, Found, Named, choices_of, cost_of, number_of, text_of
from neps._api.import_tables import check_columns, csv_rows, of_rows
from neps._api.plain_data import READERS, plain_data
from neps._history import History
from neps._ledger.layout import DEFINITION
from neps._ledger.parsing import parse
from neps._ledger.reading import read_history
from neps._trial import Trial
from neps.errors import ArgumentError, SpaceError, shown
from neps.space import SearchSpace

__all__ = ["found_in"]

_SAMPLED = re.compile(r"SAMPLING__Resolvable\.(\w+)::(\w+?)__.*", re.DOTALL)
_ENVIRONMENT = "ENVIRONMENT__"


def found_in(source: Any, study_name: str | None, space: SearchSpace) -> tuple[str, Named]:
    """What a source is called, and its results.

    Raises:
        ArgumentError: if it is none, or can't be read.
    """
    if isinstance(source, str) and "://" in source:
        return f"the Optuna study {study_name}", _of_study(_loaded_study(source, study_name))
    if isinstance(source, str | os.PathLike):
        return _in_files(Path(source).expanduser(), space)
    if isinstance(source, History):
        return "a history", _of_history(source)
    if (tool := _of_a_tool(source, space)) is not None:
        return tool
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        return "a list", _of_list(source)
    raise ArgumentError(
        f"source is {shown(source)}; it must be a root directory, a History, a list of results, a CSV file, a "
        "DataFrame, an Optuna study, or the URL of one's storage."
    )


def _of_a_tool(source: Any, space: SearchSpace) -> tuple[str, Named] | None:
    """Of an Optuna study or a DataFrame of pandas, neither of which is imported for that."""
    if hasattr(source, "get_trials") and hasattr(source, "directions"):
        return f"the Optuna study {source.study_name}", _of_study(source)
    if hasattr(source, "to_dict") and hasattr(source, "columns"):
        return "a table", _of_frame("The table", source, space)
    return None


def _of_frame(name: str, frame: Any, space: SearchSpace) -> Named:
    check_columns(name, frame.columns, space)
    frame = frame.loc[:, ~frame.columns.duplicated()]
    cells = frame.astype(object)  # what is missing is NaN, NA or None, as the column's type has it
    return of_rows(cells.where(frame.notna(), None).to_dict("records"), space)


def _in_files(path: Path, space: SearchSpace) -> tuple[str, Named]:
    name = path.name or str(path)
    if (path / DEFINITION).exists():
        return name, _of_history(read_history(str(path.absolute())))
    for folder in ("configs", "results"):
        if (path / folder).is_dir():
            return name, _of_neps(path / folder, space)
    if path.suffix.lower() == ".parquet":
        return name, _of_frame(str(path), _parquet(path), space)
    if path.is_file():
        listed = path.suffix.lower() in READERS
        return name, _of_list(_listed(path)) if listed else of_rows(csv_rows(path, space), space)
    raise ArgumentError(
        f"source is {str(path)!r}, which is no root directory of neps ({DEFINITION}) or of NePS (configs or results), "
        "and no CSV, Parquet, YAML or JSON file."
    )


def _parquet(path: Path) -> Any:
    try:
        import pandas as pd

        return pd.read_parquet(path)
    except ImportError as error:
        message = "A Parquet file is read by pandas and pyarrow, and one is not installed: pip install 'neps[pandas]'"
        raise ArgumentError(message) from error
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{path} can't be read: {error}") from error


# neps


def _of_history(history: History) -> Named:
    for trial in history:
        if (found := _of_trial(trial)) is not None:
            yield f"trial {trial.number}", found
    for trial in history.imported:
        if (found := _of_trial(trial)) is not None:
            yield "an imported trial", found


def _of_trial(trial: Trial) -> Found | None:
    """A result; not of a damaged trial, nor of one that a user has given a loss though it failed."""
    if not trial.ended or trial.decision is None or trial.damaged:
        return None
    return Found(trial.config, trial.loss if trial.succeeded else None, trial.cost)


# Lists and tables


def _of_list(results: Iterable[Any]) -> Named:
    for index, result in enumerate(results):
        if not isinstance(result, Mapping) or not isinstance(result.get("config"), Mapping):
            raise ArgumentError(
                f'source[{index}] is {shown(result)}; it must be a mapping such as {{"config": {{"x": 0.5}}, '
                '"loss": 0.25}. Nothing was imported.'
            )
        loss = next((result[name] for name in LOSSES if name in result), None)
        name = f"source[{index}]"
        yield (
            name,
            Found(result["config"], number_of(f"{name}: loss", loss), cost_of(f"{name}: cost", result.get("cost"))),
        )


def _listed(path: Path) -> Iterable[Any]:
    """The results in a YAML or JSON file: a list, or what `neps export` has written."""
    try:
        content = plain_data(text_of(path), path.suffix)
    except (yaml.YAMLError, ValueError, RecursionError, SpaceError) as error:
        raise ArgumentError(f"{path} is neither YAML nor JSON: {error}") from error
    if isinstance(content, Mapping) and isinstance(content.get("trials"), list):
        return list(_exported(content))
    if isinstance(content, list):
        return content
    rule = 'it must be a list of results, such as [{"config": {"x": 0.5}, "loss": 0.25}], or what neps export writes'
    raise ArgumentError(f"{path} holds {shown(content)}; {rule}.")


def _exported(content: Mapping[Any, Any]) -> Iterator[Any]:
    """Of what `History.to_dict` says all that has ended; damaged trials have no configuration."""
    for row in (*content["trials"], *(content.get("imported") or ())):
        status = row.get("status") if isinstance(row, Mapping) else None
        if status not in {"success", "failed"}:
            if status is None:
                yield row
        elif row.get("config"):
            loss = _written(row.get("loss")) if status == "success" else None
            yield {"config": row["config"], "loss": loss, "cost": row.get("cost")}


def _written(value: object) -> object:
    """A number, which is a text in JSON where it is not finite."""
    return float(value) if value in ("nan", "inf", "-inf") else value


# Optuna


def _loaded_study(storage: str, name: str | None) -> Any:
    try:
        import optuna
    except ImportError as error:
        message = "An Optuna storage is read by optuna, which is not installed: pip install 'neps[optuna]'"
        raise ArgumentError(message) from error
    path = Path(storage.removeprefix("sqlite:///").partition("?")[0])
    if storage.startswith("sqlite:///") and not path.exists():  # it would be made
        raise ArgumentError(f"source is {storage}, but there is no file {path}: correct the URL.")
    try:
        names = optuna.get_all_study_names(storage=storage)
    except Exception as error:  # whatever SQLAlchemy and its drivers raise
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ArgumentError(f"The Optuna storage {storage} can't be read: {why}") from error
    if not names:
        raise ArgumentError(f"{storage} holds no study: correct the URL.")
    if name not in names and (name is not None or len(names) > 1):
        known = ", ".join(map(repr, names))
        raise ArgumentError(f"study_name is {name!r}; it must be one of those in {storage}: {known}.")
    return optuna.load_study(study_name=name, storage=storage)


def _of_study(study: Any) -> Named:
    """Completed and failed trials; of a study that maximises, the loss is minus the value."""
    if len(study.directions) != 1:
        raise ArgumentError(f"The study {study.study_name} has {len(study.directions)} objectives; it must have one.")
    sign = -1.0 if study.directions[0].name == "MAXIMIZE" else 1.0
    for trial in study.get_trials(deepcopy=False):
        config = {**trial.params, **_of_attributes(trial.user_attrs)}
        if trial.state.name == "COMPLETE":
            yield f"trial {trial.number}", Found(config, sign * float(trial.value))
        elif trial.state.name == "FAIL" and trial.params:
            yield f"trial {trial.number}", Found(config, None)


def _of_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The fidelities and constants of a study that neps has made: what Optuna doesn't search is an attribute there."""
    prefix = "config."
    return {name.removeprefix(prefix): value for name, value in attributes.items() if name.startswith(prefix)}


# NePS


def _of_neps(folder: Path, space: SearchSpace) -> Named:
    """Results of NePS 0.12 (results/config_N/result.yaml) and 0.13 to 0.17 (configs/config_N/report.yaml)."""
    for path in sorted(folder.glob("config_*")):
        config, report = _document(path, "config"), _document(path, "report") or _document(path, "result")
        if isinstance(config, Mapping) and isinstance(report, Mapping):  # else it has no result
            failed = report.get("reported_as", "success") != "success" or (path / "error.yaml").exists()
            loss = None if failed else number_of(f"{path.name}: loss", _neps_loss(path, report))
            yield (
                path.name,
                Found(_plain_config(config, space), loss, cost_of(f"{path.name}: cost", report.get("cost"))),
            )


def _neps_loss(path: Path, report: Mapping[Any, Any]) -> object:
    loss = next((report[name] for name in LOSSES if report.get(name) is not None), None)
    if isinstance(loss, list):
        raise ArgumentError(f"{path} has several objectives; it must have one. Nothing was imported.")
    return loss


def _document(folder: Path, name: str) -> Any:
    """YAML or JSON, without what only a Python object can be; None where there is none."""
    for suffix in ("yaml", "json"):
        path = folder / f"{name}.{suffix}"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            content = path.read_bytes()
            try:
                return json.loads(content) if suffix == "json" else parse(content)
            except (ValueError, yaml.YAMLError, OverflowError) as error:
                raise ArgumentError(f"{path} can't be read: {error}. Nothing was imported.") from error
    return None


def _plain_config(config: Mapping[Any, Any], space: SearchSpace) -> dict[str, Any]:
    """By names, where NePS 0.14 and later write where and how a value was drawn; of a choice its number."""
    plain = {}
    for key, value in config.items():
        name = str(key)
        if match := _SAMPLED.fullmatch(name):
            plain[match[1]] = _choice(space, match[1], value) if match[2] == "categorical" else value
        else:
            plain[name.removeprefix(_ENVIRONMENT)] = value
    return plain


def _choice(space: SearchSpace, name: str, place: Any) -> Any:
    choices = choices_of(space[name]) if name in space else ()
    return choices[place] if isinstance(place, int) and 0 <= place < len(choices) else place
