"""`neps.import_trials`: results from elsewhere, which searchers learn from. What is a source says `import_sources`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neps._api.arguments import root_path
from neps._api.import_found import Found
from neps._api.import_sources import found_in
from neps._calling import public
from neps._checking import ARGUMENTS
from neps._history import History
from neps._ledger.identity import Identity
from neps._ledger.known_trials import identity_of, observed, publish_results, read_results
from neps._ledger.layout import Layout
from neps._ledger.reading import check_not_moved, read_definition
from neps._ledger.storage import denial
from neps._listing import counted
from neps._trial import Trial, Value
from neps.errors import ArgumentError, DirectoryError, SpaceError
from neps.space import SearchSpace

__all__ = ["import_trials", "left_out_words", "trial_of"]

_logger = logging.getLogger("neps.api")
_MOST_NAMED = 3


@public("neps.import_trials")
def import_trials(
    root_directory: str | Path,
    source: str | Path | History | Iterable[Any] | Any,
    *,
    study_name: str | None = None,
    strict: bool = False,
) -> int:
    """Let a run learn from results that were found elsewhere, with the same objective.

    They become `History.imported`: searchers learn from them as from the run's own results, from the next decision on,
    also while workers run. They have no number, count for no budget, and are never the best. What is there already is
    not imported again.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).
        source: the root directory of another run of neps, or of NePS 0.12 to 0.17; a `History`; a list of mappings,
            each with a `config`, a `loss` (None: it failed) and perhaps a `cost`; a YAML or JSON file with such a list,
            or with what `neps export` writes; a CSV or Parquet file, or a DataFrame of pandas, with columns of the
            parameters' names (or `config.NAME`), `loss`, and perhaps `cost`; an Optuna study, or the URL of its
            storage. A fidelity is a parameter in `config`; without it, it is at its upper bound.
        study_name: of the study in an Optuna storage.
        strict: refuse all if one doesn't belong to the search space, instead of leaving it out with a warning.

    Returns:
        How many were imported.

    Raises:
        neps.errors.ArgumentError: if the source can't be read; or with `strict`.
        neps.errors.DirectoryError: if there is no run, or it can't be written to.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> _ = neps.run(lambda x: x, root, space, searcher="sobol", max_evaluations_total=1)
        >>> neps.import_trials(root, [{"config": {"x": 0.5}, "loss": 0.5}, {"config": {"x": 0.25}, "loss": 0.25}])
        2
        >>> neps.load(root).imported
        (<Imported trial: success, loss 0.5>, <Imported trial: success, loss 0.25>)
    """
    root, strict = root_path(root_directory), ARGUMENTS.flag("strict", strict)
    definition = read_definition(root)
    space, layout = SearchSpace.from_definition(definition.space, definition.forbid), Layout(root, definition.run)
    _check_elsewhere(root, source)
    name, found = found_in(source, study_name, space)
    trials, left_out = [], []
    for what, each in found:
        try:
            trials.append(trial_of(space, each))
        except SpaceError as error:
            left_out.append(f"{what}: {error}")
    if left_out and strict:
        raise ArgumentError(f"{left_out_words(left_out, len(trials))} Nothing was imported, since strict=True.")
    if left_out:
        _logger.warning("%s", left_out_words(left_out, len(trials)))
    new = _new(trials, layout)
    _publish(layout, new, name)
    check_not_moved(root, definition.run, "What was imported")
    _logger.info("%s imported into %s from %s", counted(len(new), "result"), root, name)
    return len(new)


def _check_elsewhere(root: str, source: object) -> None:
    if isinstance(source, str | os.PathLike) and os.path.isdir(source) and os.path.samefile(root, source):  # noqa: PTH112, PTH121
        raise ArgumentError(
            f"source is {root}, the run itself, which knows its own results. Pass another root directory."
        )


def _publish(layout: Layout, trials: Sequence[Trial], source: str) -> None:
    try:
        publish_results(layout, trials, source, Identity.mine())
    except OSError as error:
        if (denied := denial(layout.root, error)) is not None:
            raise denied from error
        message = f"{layout.known} can't be written to: {error}. Try again: what is there is not imported twice."
        raise DirectoryError(message) from error


def _new(trials: Sequence[Trial], layout: Layout) -> list[Trial]:
    """Those that were not imported before, each once."""
    there = {identity_of(trial) for trial in read_results(layout, lambda _: None).imported}
    found = {identity_of(trial): trial for trial in trials}
    return [trial for identity, trial in found.items() if identity not in there]


def trial_of(space: SearchSpace, found: Found) -> Trial:
    """What was found, as a result in a space: constants that are missing are filled in, and fidelities.

    Raises:
        SpaceError: if it doesn't belong to the space.
    """
    given = space.flattened(found.config)
    filled = space.filled(given, np.random.default_rng(0))
    fixed = {name: value for name, value in filled.items() if name in space and not space[name].searched}
    config = space.validate(fixed | dict(given))
    fidelity = config[space.fidelity] if space.fidelity is not None else None
    return observed(config, _number(fidelity), found.loss, found.cost)


def _number(value: Value) -> float | None:
    return value if isinstance(value, int | float) else None


def left_out_words(left_out: Sequence[str], others: int) -> str:
    """How many were left out of how many, and why, with the first few."""
    lines = "".join(f"\n  {line}" for line in _first(left_out))
    return f"{len(left_out)} of {len(left_out) + others} results don't belong to the search space:{lines}\n"


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_MOST_NAMED]
    if len(lines) > _MOST_NAMED:
        yield f"and {len(lines) - _MOST_NAMED} more"
