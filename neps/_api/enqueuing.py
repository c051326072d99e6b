"""`neps.enqueue`: configurations that the next trials of a run evaluate. `neps enqueue` calls it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neps._api.arguments import root_path
from neps._calling import public
from neps._deciding import checked_configs
from neps._ledger.definition import find_definition
from neps._ledger.identity import Identity
from neps._ledger.known_trials import enqueue as publish
from neps._ledger.layout import Layout
from neps._ledger.reading import check_not_moved, no_run
from neps._ledger.storage import denial
from neps._listing import counted
from neps.errors import ArgumentError, DirectoryError
from neps.space import SearchSpace

__all__ = ["enqueue"]

_logger = logging.getLogger("neps.api")


@public("neps.enqueue")
def enqueue(root_directory: str | Path, configs: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> int:
    """Have the next trials of a run evaluate these configurations. So does `neps enqueue`.

    Each is evaluated once, in this order, by whichever workers are free, before the searcher decides further. They
    count towards all budgets, and searchers learn from them, as from any trial. Before a run begins, pass
    `first_configs` to `neps.run` instead.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).
        configs: one configuration, or a list of them: values of some or all parameters, by name. What is missing is its
            default, or else drawn. Without a fidelity, it begins where the searcher begins new configurations, and may
            be promoted or continued like these.

    Returns:
        How many were enqueued: all of them.

    Raises:
        neps.errors.ArgumentError: if one doesn't belong to the search space; then none is enqueued.
        neps.errors.DirectoryError: if there is no run, or it can't be written to.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1), "y": neps.Float(0, 1, default=0.25)}
        >>> _ = neps.run(lambda x, y: x + y, root, space, searcher="sobol", max_evaluations_total=1)
        >>> neps.enqueue(root, [{"x": 0.5}])
        1
        >>> neps.run(lambda x, y: x + y, root, space, max_evaluations_total=2).trials[1].config
        {'x': 0.5, 'y': 0.25}
    """
    root = root_path(root_directory)
    if (definition := find_definition(root)) is None:
        raise no_run(root, "holds no run yet. To evaluate configurations first of all, pass first_configs to neps.run")
    space = SearchSpace.from_definition(definition.space, definition.forbid)
    listed = [configs] if isinstance(configs, Mapping) else configs
    checked = checked_configs(space, listed, "configs")
    if not checked:
        return 0
    layout = Layout(root, definition.run)
    try:
        number = publish(layout, checked, Identity.mine())
    except ValueError as error:
        raise ArgumentError(
            f"configs are {len(checked)} configurations, more than a document holds: {error}. Enqueue them in parts."
        ) from error
    except OSError as error:
        if (denied := denial(root, error)) is not None:
            raise denied from error
        message = (
            f"{layout.known} can't be written to: {error}. `neps status {root}` says how many configurations wait. If "
            "these don't, enqueue them again."
        )
        raise DirectoryError(message) from error
    check_not_moved(root, definition.run, "What was enqueued")
    _logger.info("%s enqueued in %s (list %d)", counted(len(checked), "configuration"), root, number)
    return len(checked)
