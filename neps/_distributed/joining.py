"""How the ranks find each other at the beginning of `neps.run`, and make sure that they were called alike."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from neps._distributed.carrier import Carrier
from neps._distributed.launched import Group
from neps._ledger.definition import Definition, find_definition
from neps._ledger.identity import Identity
from neps.errors import ArgumentError, LaunchError, NepsError, shown

__all__ = ["await_ready", "call_of", "join", "see_run"]

_logger = logging.getLogger("neps.distributed")
_SAY_AFTER, _SECONDS_TO_COME, _SECONDS_TO_SEE = 60.0, 600.0, 60.0
_ROOT = "root_directory"
_calls = itertools.count()

Wait = Callable[[float], object]


def call_of(group: Group) -> Carrier:
    """What carries the messages of this call of `neps.run`, of all ranks alike."""
    return Carrier(group, next(_calls))


def join(carrier: Carrier, group: Group, arguments: Mapping[str, str], wait: Wait) -> dict[int, Identity]:
    """Wait until all ranks have called `neps.run`, and compare how; their processes, by rank.

    Raises:
        ArgumentError: on each rank, if two were called differently.
        LaunchError: if another process is this rank already, or some rank doesn't come.
    """
    mine = {"identity": Identity.mine().to_document(), "arguments": dict(arguments)}
    if not carrier.put_first(f"joined/{group.rank}", mine):
        raise LaunchError(
            f"another process is rank {group.rank} of this torchrun already, and this one has inherited its variables. "
            "Where a rank starts a process that calls neps.run by itself, remove RANK, WORLD_SIZE and "
            "TORCHELASTIC_RUN_ID from its environment."
        )
    joined = {}
    for rank in range(group.size):
        joined[rank] = carrier.await_(f"joined/{rank}", _Patience(rank, wait))
    for rank, theirs in joined.items():
        _compare(rank, joined[0], theirs)
    return {rank: Identity.from_document(theirs["identity"]) for rank, theirs in joined.items()}


class _Patience:
    """Waits for a rank that has not called `neps.run` yet; not for ever."""

    def __init__(self, rank: int, wait: Wait) -> None:
        self._rank, self._wait = rank, wait
        self._since, self._said = time.monotonic(), False

    def __call__(self, pause: float) -> None:
        waited = time.monotonic() - self._since
        if waited > _SECONDS_TO_COME:
            raise LaunchError(
                f"rank {self._rank} has not called neps.run within {_SECONDS_TO_COME:.0f} s of another one. Under "
                "torchrun all ranks have to call it, with the same arguments: rank 0 searches, and all train each "
                "trial. Call it outside of any `if rank == 0:`."
            )
        if waited > _SAY_AFTER and not self._said:
            self._said = True
            _logger.warning(
                "Waiting for rank %d to call neps.run, as all ranks under torchrun have to; for %.0f s so far",
                self._rank,
                waited,
            )
        self._wait(pause)


def _compare(rank: int, first: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    elsewhere = first["identity"]["host"] != theirs["identity"]["host"]
    for name, value in first["arguments"].items():
        if name == _ROOT and elsewhere:  # may be mounted at another place there: see `see_run`
            continue
        if (other := theirs["arguments"].get(name)) != value:
            raise ArgumentError(
                f"rank 0 was called with {name}={shown(value)[1:-1]}, and rank {rank} with {shown(other)[1:-1]}. Under "
                "torchrun all ranks train each trial together, so they have to be called with the same arguments. For "
                "separate searches, start the script by itself, without torchrun."
            )


def see_run(carrier: Carrier, group: Group, root: str, run: str, wait: Wait) -> Definition:
    """Make sure, on another rank than the first, that its root is the same directory, and tell.

    Raises:
        LaunchError: if it isn't.
    """
    deadline = time.monotonic() + _SECONDS_TO_SEE
    definition = None
    while True:
        try:
            definition = find_definition(root)
        except NepsError as error:
            why = str(error)
        else:
            why = "no run" if definition is None else f"the run {definition.run}"
        if definition is not None and definition.run == run:
            carrier.put(f"ready/{group.rank}", {"error": None})
            return definition
        if time.monotonic() > deadline:
            error_text = (
                f"rank {group.rank} sees {why} in {root}, and rank 0 works on the run {run}: root_directory must be "
                "one directory that all ranks see."
            )
            carrier.put(f"ready/{group.rank}", {"error": error_text})
            raise LaunchError(error_text)
        wait(0.05)


def await_ready(carrier: Carrier, group: Group, wait: Wait) -> None:
    """Wait, on rank 0, until all others have seen the run.

    Raises:
        LaunchError: if one doesn't see it.
    """
    for rank in range(1, group.size):
        ready: dict[str, Any] = carrier.await_(f"ready/{rank}", wait)
        if ready["error"] is not None:
            raise LaunchError(ready["error"])
