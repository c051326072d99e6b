"""Moving an old run aside, once for a launch, never under live workers, and finished by whoever sees it half done.

    overwritten/RUN/
      intent_K.yaml    somebody wants run RUN moved aside
      verdict_K.yaml   whether it is moved: decided once, against a worker that joins RUN at the same moment
      config_N, …      what was moved; neps.yaml comes last
      moved.yaml       all of it is here

RUN is the old run's identifier, so that all movers agree on the place. Called when a run is opened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import time

from neps.errors import DirectoryError
from neps.ledger import documents
from neps.ledger.definition import Definition
from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.exclusive import move_away, publish, put, relocate
from neps.ledger.identity import Identity
from neps.ledger.layout import DEFINITION, Layout
from neps.ledger.liveness import live_worker
from neps.ledger.records import parsed

__all__ = ["finish_moves", "is_moved", "keep_running", "move_aside", "moved_launches"]

_logger = logging.getLogger("neps.ledger")
_MOVED = "moved.yaml"
_TAKEN = f".{DEFINITION}."
_PATIENCE = 10.0


def move_aside(root: str, old: Definition, me: Identity) -> bool:
    """Move the run `old` to overwritten/: True once it is there, False if it has a live worker and stays."""
    folder = _folder(root, old.run)
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    attempt = _open_attempt(folder)
    publish(folder, f"intent_{attempt}.yaml", documents.encode({"by": me.worker, "time": documents.now()}), me.token)
    move = live_worker(Layout(root, old.run), me, old.lease_seconds) is None
    numbers = _decide(folder, attempt, me, sorted(Layout(root).numbers()) if move else None)
    if numbers is None:
        return False
    _move(root, old.run, numbers, me)
    return True


def keep_running(root: str, run: str, me: Identity) -> bool:
    """A worker has joined `run` and shown its presence: False if the run is nevertheless being moved aside."""
    folder = _folder(root, run)
    if not os.path.isdir(folder):  # noqa: PTH112
        return True
    attempt = _open_attempt(folder)
    if os.path.lexists(f"{folder}/intent_{attempt}.yaml"):
        return _decide(folder, attempt, me, None) is None
    return not os.path.lexists(f"{folder}/{_MOVED}")


def is_moved(root: str, run: str) -> bool:
    """Whether `run` was moved aside, or is about to be, while a worker of it was silent."""
    found = _run_of(Layout(root).definition)
    if found is not None:
        return found != run
    folder = _folder(root, run)
    verdict = _verdict(folder, _open_attempt(folder))
    return verdict is not None and verdict.numbers is not None


def finish_moves(root: str, me: Identity) -> None:
    """Finish what a mover that died or is slow has begun, before anything else."""
    try:
        runs = sorted(os.listdir(Layout(root).overwritten))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return
    for run in runs:
        folder = _folder(root, run)
        if os.path.lexists(f"{folder}/{_MOVED}"):
            continue
        verdict = _verdict(folder, _open_attempt(folder))
        if verdict is not None and verdict.numbers is not None:
            _move(root, run, verdict.numbers, me)


def moved_launches(root: str) -> set[str]:
    """The launches whose runs were moved aside: a task of one that SLURM starts again must not move its successor."""
    launches: set[str] = set()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for run in os.listdir(Layout(root).overwritten):  # noqa: PTH208
            with contextlib.suppress(UnreadableDocumentError):
                fields = documents.load(f"{_folder(root, run)}/{DEFINITION}")
                if fields is not None and fields.get("launch") is not None:
                    launches.add(str(fields["launch"]))
    return launches


def _folder(root: str, run: str) -> str:
    return f"{Layout(root).overwritten}/{run}"


def _open_attempt(folder: str) -> int:
    """The lowest K whose verdict is not to stay."""
    attempt = 1
    while (verdict := _verdict(folder, attempt)) is not None and verdict.numbers is None:
        attempt += 1
    return attempt


@dataclasses.dataclass(frozen=True, slots=True)
class _Verdict:
    """Which trials are moved; None: the run stays. The numbers are fixed, lest a late mover take the next run's."""

    numbers: list[int] | None


def _verdict(folder: str, attempt: int) -> _Verdict | None:
    path = f"{folder}/verdict_{attempt}.yaml"
    with contextlib.suppress(UnreadableDocumentError):
        fields = documents.load(path)
        return None if fields is None else parsed(path, lambda: _Verdict(fields.get("numbers")))
    return None


def _decide(folder: str, attempt: int, me: Identity, numbers: list[int] | None) -> list[int] | None:
    """Which trials are moved: what this worker says, unless somebody was first."""
    verdict = "stay" if numbers is None else "move"
    fields = {"verdict": verdict, "numbers": numbers, "by": me.worker, "time": documents.now()}
    if publish(folder, f"verdict_{attempt}.yaml", documents.encode(fields), me.token):
        return numbers
    deadline = time.monotonic() + _PATIENCE
    while (theirs := _verdict(folder, attempt)) is None:  # it exists, and is not seen here yet
        if time.monotonic() > deadline:
            message = f"{folder}/verdict_{attempt}.yaml can't be read: whether that run is moved aside can't be told."
            raise DirectoryError(message)
        time.sleep(0.01)
    return theirs.numbers


def _move(root: str, run: str, numbers: list[int], me: Identity) -> None:
    layout, folder = Layout(root), _folder(root, run)
    for number in numbers:
        source, target = layout.trial(number), f"{folder}/config_{number}"
        if not os.path.lexists(target):  # else it is moved, and the one in the root belongs to the next run
            _fill(source, me)
            move_away(source, target)
    if _run_of(layout.definition) == run:
        move_away(layout.summary, f"{folder}/summary")
        relocate(layout.definition, f"{folder}/{_TAKEN}{me.token}", lambda taken: _home_of(taken, run, layout))
    for name in os.listdir(folder):  # noqa: PTH208 - of a mover that died between taking neps.yaml and putting it here
        if name.startswith(_TAKEN):
            put(f"{folder}/{name}", _home_of(f"{folder}/{name}", run, layout))
    publish(folder, _MOVED, documents.encode({"by": me.worker, "time": documents.now()}), me.token)
    _logger.info("The earlier run was moved to %s", folder)


def _home_of(taken: str, run: str, layout: Layout) -> str:
    """Where a neps.yaml that was taken away belongs: back, if it is the next run's."""
    return f"{_folder(layout.root, run)}/{DEFINITION}" if _run_of(taken) == run else layout.definition


def _fill(source: str, me: Identity) -> None:
    """A folder that is renamed onto an empty one replaces it; onto a full one it fails. So none may be empty."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not os.listdir(source):  # noqa: PTH208
            os.close(os.open(f"{source}/.moved-by-{me.token}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))


def _run_of(path: str) -> str | None:
    with contextlib.suppress(UnreadableDocumentError):
        fields = documents.load(path)
        return None if fields is None else str(fields.get("run"))
    return None
