"""Opening a run: finish a move that is under way, move an old run aside if asked, publish or join the definition.

Called once by each worker, before its first trial. What a joiner may differ in is the caller's business.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable

from neps.errors import DirectoryError
from neps.ledger.definition import Definition, find_definition, publish_definition
from neps.ledger.heartbeat import Heartbeat
from neps.ledger.identity import Identity
from neps.ledger.layout import Layout
from neps.ledger.overwriting import finish_moves, keep_running, move_aside, moved_launches
from neps.ledger.storage import denial

__all__ = ["OpenedRun", "launch_token", "open_run"]

_logger = logging.getLogger("neps.ledger")


def launch_token() -> str | None:
    """What all workers of one launch have in common: NEPS_RUN_TOKEN, else SLURM's array job or job id, else None."""
    for variable in ("NEPS_RUN_TOKEN", "SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID"):
        if value := os.environ.get(variable):
            return f"{variable}={value}"
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run that a worker has joined: its definition as published, its paths, and the worker's heartbeat."""

    layout: Layout
    me: Identity
    definition: Definition
    heartbeat: Heartbeat


def open_run(
    root: str, me: Identity, define: Callable[[Definition | None], Definition], *, overwrite: bool
) -> OpenedRun:
    """Join the run in `root`, or start it. The heartbeat has begun; the caller stops it.

    Args:
        root: the run's root directory.
        me: this worker.
        define: called with the published definition (None: there is none yet), returns the one to use; raises if
            they can't be reconciled.
        overwrite: whether to move a run of another launch aside first.
    """
    try:
        return _open(root, me, define, overwrite=overwrite)
    except DirectoryError:
        raise
    except OSError as error:
        if (denied := denial(root, error)) is not None:
            raise denied from error
        raise


def _open(root: str, me: Identity, define: Callable[[Definition | None], Definition], *, overwrite: bool) -> OpenedRun:
    while True:
        finish_moves(root, me)
        if overwrite:
            _overwrite(root, me)
        found = find_definition(root)
        definition = define(found)
        if found is None:
            definition = define(publish_definition(root, definition, me.token))
        layout = Layout(root, definition.run)
        heartbeat = Heartbeat(layout, me, definition.lease_seconds)
        heartbeat.begin()
        if keep_running(root, definition.run, me):
            return OpenedRun(layout, me, definition, heartbeat)
        heartbeat.stop()


def _overwrite(root: str, me: Identity) -> None:
    old, token = find_definition(root), launch_token()
    if old is None or (token is not None and old.launch == token):
        return
    if token is not None and token in moved_launches(root):
        _logger.warning(
            "overwrite_working_directory: the run of this launch (%s) was moved aside by a later one. The run "
            "that is in %s now is joined, and nothing is moved.",
            token,
            root,
        )
        return
    if not move_aside(root, old, me):
        _logger.warning(
            "overwrite_working_directory: %s has a live worker, so its run is joined and nothing is moved. To start "
            "anew, stop all workers first; workers that start together share NEPS_RUN_TOKEN or a SLURM job array.",
            root,
        )
