"""Opening a run: finish a move that is under way, move an old run aside if asked, publish or join the definition.

Called once by each worker, before its first trial. What a joiner may differ in is the caller's business.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable

from neps._ledger.definition import DEFAULT_LEASE_SECONDS, Definition, find_definition, publish_definition
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.identity import Identity
from neps._ledger.launches import has_had_run, launch_token, remember
from neps._ledger.layout import Layout
from neps._ledger.outage import LEASES, Outage
from neps._ledger.overwriting import finish_moves, keep_running, move_aside
from neps._ledger.storage import DENIED, advice, denial, storage_error
from neps.errors import DirectoryError

__all__ = ["OpenedRun", "open_run"]

_logger = logging.getLogger("neps.ledger")


@dataclasses.dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run that a worker has joined: its definition as published, its paths, and the worker's heartbeat.

    `new` says whether there was no run before, and `moved` where this worker has moved an earlier one.
    """

    layout: Layout
    me: Identity
    definition: Definition
    heartbeat: Heartbeat
    new: bool
    moved: str | None = None


def open_run(
    root: str,
    me: Identity,
    define: Callable[[Definition | None], Definition],
    *,
    overwrite: bool,
    most: int | None = None,
    lease: float | None = None,
) -> OpenedRun:
    """Join the run in `root`, or start it. The heartbeat has begun; the caller stops it.

    Where the filesystem fails, try again for ten leases: who starts anew in an outage has a trial to go on with.

    Args:
        root: the run's root directory.
        me: this worker.
        define: called with the published definition (None: there is none yet), returns the one to use; raises if
            they can't be reconciled.
        overwrite: whether to move a run of another launch aside first.
        most: how many trials there may be, as far as it is limited: only for what is said.
        lease: the lease_seconds that were asked for, if any were.
    """
    outage: Outage | None = None  # in the usual case there is none
    while True:
        try:
            return _open(root, me, define, overwrite=overwrite, most=most)
        except (DirectoryError, OSError) as error:
            if (failure := _outage_behind(error, root)) is None:
                if isinstance(error, DirectoryError):
                    raise
                message = f"{root} can't be used: {error}. {advice(error)} Nothing is lost. Start again later."
                raise denial(root, error) or DirectoryError(message) from error
            outage = outage or Outage(_logger, LEASES * (lease or DEFAULT_LEASE_SECONDS))
            if (pause := outage.failed(f"{root} can't be used", failure)) is None:
                raise outage.over(root, failure) from error
        time.sleep(pause)


def _outage_behind(error: DirectoryError | OSError, root: str) -> OSError | None:
    """What says that the filesystem fails, where that may pass; None where waiting doesn't help."""
    failure = storage_error(error, root, own=True)
    return None if failure is None or failure.errno in DENIED else failure


def _open(
    root: str, me: Identity, define: Callable[[Definition | None], Definition], *, overwrite: bool, most: int | None
) -> OpenedRun:
    moved: str | None = None
    while True:
        finish_moves(root, me)
        launch = launch_token() if overwrite else None
        if overwrite:
            moved = _overwrite(root, me, launch, most) or moved
        found = find_definition(root)
        definition = define(found)
        with contextlib.ExitStack() as unless_joined:
            heartbeat: Heartbeat | None = None
            if found is None:
                finish_moves(root, me)  # the neps.yaml that isn't there may have been taken away since the first look
                heartbeat = _heartbeat(root, definition, me)
                # Alive before it can be seen: else another launch takes the new run for one whose workers have ended.
                published = publish_definition(root, definition, me.token, heartbeat)
                if published.run == definition.run:
                    unless_joined.callback(heartbeat.stop)
                else:
                    heartbeat = None
                definition = define(published)
            if heartbeat is None:
                heartbeat = _heartbeat(root, definition, me)
                unless_joined.callback(heartbeat.stop)
                heartbeat.begin()
            if keep_running(root, definition.run, me):
                _remember(root, definition, launch, me)
                unless_joined.pop_all()
                layout = Layout(root, definition.run)
                return OpenedRun(layout, me, definition, heartbeat, new=found is None, moved=moved)


def _heartbeat(root: str, definition: Definition, me: Identity) -> Heartbeat:
    return Heartbeat(Layout(root, definition.run), me, definition.lease_seconds)


def _overwrite(root: str, me: Identity, launch: str | None, most: int | None) -> str | None:
    """Move the run that is there aside, where that is due; where to."""
    old = find_definition(root)
    if old is None:
        return None
    if launch is not None and old.launch == launch:
        _say_own(root, launch, most)
        return None
    if launch is not None and has_had_run(root, launch):
        _logger.warning(
            "overwrite_working_directory: this launch (%s) has already started or joined a run in %s. So it joins the "
            "run that is there now, and moves nothing aside.",
            launch,
            root,
        )
        return None
    if not move_aside(root, old, me, launch):
        _logger.warning(
            "overwrite_working_directory: %s has a live worker. So this launch joins its run and moves nothing aside, "
            "now and in its later tasks. To start a new run, stop all workers, and start a new launch. Workers that "
            "start together share NEPS_RUN_TOKEN or a SLURM job array.",
            root,
        )
        return None
    return f"{Layout(root).overwritten}/{old.run}"


def _say_own(root: str, launch: str, most: int | None) -> None:
    """All tasks of a launch but the first come here; and who starts anew in a job's shell or notebook, unawares."""
    over = most is not None and sum(1 for _ in Layout(root).numbers()) >= most
    _logger.log(
        logging.WARNING if over else logging.INFO,
        "overwrite_working_directory: the run in %s was started by this launch (%s). So this worker joins it and "
        "moves nothing aside.%s To start a new run, set the environment variable NEPS_RUN_TOKEN to a new name.",
        root,
        launch,
        f" All its {most} trials (max_evaluations_total) are started: nothing is left to start." if over else "",
    )


def _remember(root: str, definition: Definition, launch: str | None, me: Identity) -> None:
    """A launch that joins another's run never moves it aside. Of its own, neps.yaml says whose it is."""
    if launch is not None and definition.launch != launch and not has_had_run(root, launch):
        remember(root, launch, definition.run, me)
