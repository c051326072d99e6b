"""How the ranks find each other at the beginning of `neps.run`, and make sure that they were called alike.

What torchrun says of a restart isn't the same on all hosts (a host whose ranks were well counts none), and its store
keeps what the ranks before have left there. So rank 0 names each new start of the ranks, and tells who asks for it.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from neps._distributed.carrier import Carrier
from neps._distributed.launched import Group
from neps._distributed.siblings import ended_siblings
from neps._ledger.definition import Definition, find_definition
from neps._ledger.identity import Identity
from neps.errors import ArgumentError, LaunchError, NepsError, shown

__all__ = ["await_ready", "join", "see_run"]

_logger = logging.getLogger("neps.distributed")
_SAY_AFTER, _SECONDS_TO_COME, _SECONDS_TO_SEE = 10.0, 600.0, 60.0
_ROOT = "root_directory"
_VARIABLE = "NEPS_RANK"
_LONGEST = 150
"""Characters of an argument in a message."""

Wait = Callable[[float], object]


@dataclasses.dataclass(slots=True)
class _Start:
    """This process as a rank: the name of this start of all ranks, and how often it has called `neps.run`."""

    name: str = ""
    calls: int = 0


_starts: dict[Group, _Start] = collections.defaultdict(_Start)


def join(group: Group, arguments: Mapping[str, str], wait: Wait) -> tuple[Carrier, dict[int, Identity]]:
    """Wait until all ranks have called `neps.run`, and compare how.

    Returns:
        What carries the messages of this call, and the processes of all ranks.

    Raises:
        ArgumentError: on each rank, if two were called differently.
        LaunchError: if another process is this rank already, or some rank doesn't come.
    """
    _be_rank(group)
    mine = {"identity": Identity.mine().to_document(), "arguments": dict(arguments)}
    patience, start, lobby = _Patience(group, wait), _starts[group], Carrier(group, "lobby")
    answer: Callable[[], object] = lambda: None  # noqa: E731 - most calls have nothing to answer
    if not start.name and group.rank == 0:
        start.name = secrets.token_hex(8)
        answer = _Answer(lobby, group, start.name)
    elif not start.name:
        start.name = _asked_for_name(lobby, group, patience)
    carrier = Carrier(group, f"{start.name}/{start.calls}")
    start.calls += 1
    if not carrier.put_first(f"joined/{group.rank}", mine):
        raise _taken(group)
    joined = _await_all(carrier, group, patience, answer)
    for rank, theirs in sorted(joined.items()):
        _compare(rank, joined[0], theirs)
    return carrier, {rank: Identity.from_document(theirs["identity"]) for rank, theirs in joined.items()}


def _be_rank(group: Group) -> None:
    """Mark this process as the rank, for those that inherit its variables.

    Raises:
        LaunchError: if it has inherited them itself.
    """
    rank = f"{group.run}:{group.rank}:"
    mine, inherited = f"{rank}{os.getpid()}", os.environ.get(_VARIABLE, "")
    if inherited.startswith(rank) and inherited != mine:
        raise _taken(group)
    os.environ[_VARIABLE] = mine


def _taken(group: Group) -> LaunchError:
    return LaunchError(
        f"another process is rank {group.rank} of this torchrun already, and this one has inherited its variables. "
        "Where a rank starts a process that calls neps.run by itself, remove RANK, WORLD_SIZE and "
        "TORCHELASTIC_RUN_ID from its environment."
    )


def _asked_for_name(lobby: Carrier, group: Group, patience: _Patience) -> str:
    """What rank 0 calls this start of the ranks: said to this process, not to one that was this rank before."""
    ticket = secrets.token_hex(8)
    lobby.put(f"asks/{group.rank}", ticket)
    return str(lobby.await_(f"named/{ticket}", lambda pause: patience([0], pause)))


class _Answer:
    """Rank 0's answer to each rank that asks for the name of this start."""

    def __init__(self, lobby: Carrier, group: Group, name: str) -> None:
        self._lobby, self._name = lobby, name
        self._ranks, self._answered = range(1, group.size), set[str]()

    def __call__(self) -> None:
        for rank in self._ranks:
            ticket = self._lobby.find(f"asks/{rank}")
            if ticket is not None and ticket not in self._answered:
                self._lobby.put(f"named/{ticket}", self._name)
                self._answered.add(ticket)


def _await_all(
    carrier: Carrier, group: Group, patience: _Patience, answer: Callable[[], object]
) -> dict[int, Mapping[str, Any]]:
    """What each rank says of itself, by rank."""
    joined: dict[int, Mapping[str, Any]] = {}
    pause = 0.001
    while missing := [rank for rank in range(group.size) if rank not in joined]:
        answer()
        for rank in missing:
            if (theirs := carrier.find(f"joined/{rank}")) is not None:
                joined[rank] = theirs
        if len(joined) < group.size:
            patience([rank for rank in missing if rank not in joined], pause)
            pause = min(2 * pause, 0.05)
    return joined


class _Patience:
    """Waits for ranks that have not called `neps.run` yet: not for ever, and not in silence."""

    def __init__(self, group: Group, wait: Wait) -> None:
        self._group, self._wait = group, wait
        self._since, self._say_at = time.monotonic(), _SAY_AFTER

    def __call__(self, missing: list[int], pause: float) -> None:
        waited = time.monotonic() - self._since
        if waited > self._say_at:
            self._say_at *= 2
            if gone := ended_siblings(self._group, missing):
                raise LaunchError(f"{_named(gone)} ended without calling neps.run. {_RULE}")
            if waited > _SECONDS_TO_COME:
                raise LaunchError(
                    f"{_named(missing)} did not call neps.run within {_SECONDS_TO_COME:.0f} s of another one. {_RULE}"
                )
            self._say(missing, waited)
        self._wait(pause)

    def _say(self, missing: list[int], waited: float) -> None:
        """Once for all that wait: rank 0 does, or, where it is missing, the first of the others."""
        if self._group.rank <= 1 and (self._group.rank == 0 or 0 in missing):
            _logger.warning(
                "Rank %d has waited for %.0f s for %s to call neps.run. It gives up after %.0f s. %s",
                self._group.rank,
                waited,
                _named(missing),
                _SECONDS_TO_COME,
                _RULE,
            )


_RULE = (
    "Under torchrun all ranks have to call neps.run, with the same arguments: rank 0 searches, and all train each "
    "trial. Call it outside of any `if rank == 0:`. To search in one process that starts torchrun for each trial, see "
    '"Let run_pipeline start the ranks" in docs/distributed.md.'
)


def _named(ranks: Iterable[int]) -> str:
    names = [str(rank) for rank in ranks]
    return f"rank {names[0]}" if len(names) == 1 else f"ranks {', '.join(names)}"


def _compare(rank: int, first: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    elsewhere = first["identity"]["host"] != theirs["identity"]["host"]
    for name, value in first["arguments"].items():
        if name == _ROOT and elsewhere:  # may be mounted at another place there: see `see_run`
            continue
        if (other := theirs["arguments"].get(name)) != value:
            mine, others = _differing(value, other or "")
            raise ArgumentError(
                f"rank 0 was called with {name}={mine}, and rank {rank} with {others}. Under torchrun all ranks train "
                "each trial together, so they have to be called with the same arguments. For separate searches, start "
                "the script by itself, without torchrun."
            )


def _differing(first: str, second: str) -> tuple[str, str]:
    """Both for a message; of long ones, what lies around the first difference and the last."""
    if max(len(first), len(second)) <= _LONGEST:
        return shown(first, _LONGEST + 2)[1:-1], shown(second, _LONGEST + 2)[1:-1]
    same = _alike(first, second)
    tail = _alike(first[same:][::-1], second[same:][::-1])
    begin = max(0, same - _LONGEST // 3)
    return _part(first, begin, len(first) - tail), _part(second, begin, len(second) - tail)


def _alike(first: str, second: str) -> int:
    """With how many equal characters both begin."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _part(text: str, begin: int, end: int) -> str:
    end = min(len(text), end + _LONGEST // 3)
    part = shown(text[begin:end], _LONGEST + 2)[1:-1]
    return f"{'…' if begin else ''}{part}{'…' if end < len(text) else ''}"


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
