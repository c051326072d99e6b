"""Moving an old run aside, once for a launch, never under live workers, and finished by whoever sees it half done.

    launches/move_RUN/
      intent_K.yaml    somebody wants run RUN moved aside
      verdict_K.yaml   whether it is moved: decided once, against a worker that joins RUN at the same moment
      TOKEN/           where the run is collected: config_N, …, neps.yaml last; then it is emptied, and removed
      TOKEN.whole/     what was in it; then renamed to overwritten/RUN
      moved.yaml       that is done

RUN is the old run's identifier, so that all movers agree on the place. What users may delete (overwritten/) decides
nothing. Once TOKEN/ is removed, no mover that has slept can move anything any more: its renames find no folder to go
to. Called when a run is opened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import logging
import os
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.definition import Definition
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import move_away, publish, put, relocate
from neps._ledger.foreign import read
from neps._ledger.identity import Identity
from neps._ledger.launches import has_had_run, remember
from neps._ledger.layout import DEFINITION, Layout
from neps._ledger.liveness import live_worker
from neps._ledger.records import parsed
from neps._ledger.storage import denial
from neps.errors import DirectoryError

__all__ = ["finish_moves", "is_moved", "keep_running", "move_aside", "unfinished_moves"]

_logger = logging.getLogger("neps.ledger")
_MOVE = "move_"
_MOVED = "moved.yaml"
_TAKEN = f".{DEFINITION}."
_TOKEN = re.compile("[0-9a-f]{32}")
_WHOLE = ".whole"
_PATIENCE = 10.0
_TRIES = 3


def move_aside(root: str, old: Definition, me: Identity, launch: str | None = None) -> bool:
    """Move the run `old` to overwritten/: True once it isn't in the root any more.

    False if it stays, since it has a live worker, or one of `launch` has come and gone.

    Raises:
        DirectoryError: if the folders for it can't be used.
    """
    folder = _prepared(root, old.run)
    attempt = _open_attempt(folder)
    if _verdict(folder, attempt) is None:
        publish(
            folder, f"intent_{attempt}.yaml", documents.encode({"by": me.worker, "time": documents.now()}), me.token
        )
        alive = live_worker(Layout(root, old.run), me, old.lease_seconds) is not None
        # Who came after the intent contests the verdict; who was there before is seen alive, or has left a record.
        stays = alive or (launch is not None and has_had_run(root, launch))
        verdict = _decide(folder, attempt, me) if stays else _decide_to_move(root, old, attempt, me)
        if verdict.token is None:
            return False
    _finish(root, old.run, me)
    return True


def _decide_to_move(root: str, old: Definition, attempt: int, me: Identity) -> _Verdict:
    """Before the verdict, which anybody may act upon, all is there that follows from it."""
    folder, token = _folder(root, old.run), uuid.uuid4().hex
    if old.launch is not None:
        remember(root, str(old.launch), old.run, me)
    there = f"{folder}/{token}"
    for path in (there, there + _WHOLE):
        os.mkdir(path)  # noqa: PTH102
    verdict = _decide(folder, attempt, me, token)
    if verdict.token != token:
        for path in (there, there + _WHOLE):
            os.rmdir(path)  # noqa: PTH106
    return verdict


def keep_running(root: str, run: str, me: Identity) -> bool:
    """A worker has joined `run` and shown its presence: False if the run is nevertheless being moved aside."""
    folder = _folder(root, run)
    if not os.path.isdir(folder):  # noqa: PTH112
        return True
    attempt = _open_attempt(folder)
    if os.path.lexists(f"{folder}/intent_{attempt}.yaml"):
        return _decide(folder, attempt, me).token is None
    return _verdict(folder, attempt) is None


def is_moved(root: str, run: str) -> bool:
    """Whether `run` was moved aside, or is about to be, while a worker of it was silent."""
    folder = _folder(root, run)
    if _verdict(folder, _open_attempt(folder)) is not None:
        return True
    with contextlib.suppress(UnreadableDocumentError):
        return _run_of(Layout(root).definition) not in {None, run}
    return False


def finish_moves(root: str, me: Identity) -> None:
    """Finish what a mover that died or is slow has begun, before anything else."""
    for run in _unmoved(root):
        _finish(root, run, me)


def unfinished_moves(root: str) -> list[str]:
    """The folders of the moves that somebody has asked for, and that are neither done nor refused."""
    folders = [_folder(root, run) for run in _unmoved(root)]
    return [folder for folder in folders if os.path.lexists(f"{folder}/intent_{_open_attempt(folder)}.yaml")]


def _unmoved(root: str) -> list[str]:
    """The runs that somebody has wanted to move, and that aren't moved."""
    try:
        names = sorted(os.listdir(Layout(root).launches))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    runs = [name.removeprefix(_MOVE) for name in names if name.startswith(_MOVE)]
    return [run for run in runs if not os.path.lexists(f"{_folder(root, run)}/{_MOVED}")]


def _folder(root: str, run: str) -> str:
    return f"{Layout(root).launches}/{_MOVE}{run}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Verdict:
    """The name of the folder in which the run is collected; None: the run stays."""

    token: str | None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> _Verdict:
        """Read from verdict_K.yaml."""
        match fields["verdict"], fields.get("token"):
            case "stay", _:
                return cls(None)
            case "move", str(token) if _TOKEN.fullmatch(token):
                return cls(token)
        message = "neither stay, nor move with a token"
        raise ValueError(message)


def _open_attempt(folder: str) -> int:
    """The lowest K whose verdict is not to stay."""
    attempt = 1
    while (verdict := _verdict(folder, attempt)) is not None and verdict.token is None:
        attempt += 1
    return attempt


def _verdict(folder: str, attempt: int) -> _Verdict | None:
    path = f"{folder}/verdict_{attempt}.yaml"
    with contextlib.suppress(UnreadableDocumentError):
        fields = documents.load(path)
        return None if fields is None else parsed(path, lambda: _Verdict.from_fields(fields))
    return None


def _decide(folder: str, attempt: int, me: Identity, token: str | None = None) -> _Verdict:
    """Move there, or stay: what this worker says, unless somebody was first."""
    verdict = "stay" if token is None else "move"
    fields = {"verdict": verdict, "token": token, "by": me.worker, "time": documents.now()}
    if publish(folder, f"verdict_{attempt}.yaml", documents.encode(fields), me.token):
        return _Verdict(token)
    deadline = time.monotonic() + _PATIENCE
    while (theirs := _verdict(folder, attempt)) is None:  # it exists, and is not seen here yet
        if time.monotonic() > deadline:
            message = (
                f"{folder}/verdict_{attempt}.yaml can't be read, so nobody knows whether that run is to be moved "
                f"aside. Restore the file. If no folder in {folder} holds trials, you can delete it instead."
            )
            raise DirectoryError(message)
        time.sleep(0.01)
    return theirs


def _finish(root: str, run: str, me: Identity) -> None:
    """Do what is left of a move that was decided; nothing where none was."""
    folder, layout = _folder(root, run), Layout(root)
    verdict = _verdict(folder, _open_attempt(folder))
    if verdict is None or verdict.token is None:
        return
    there = f"{folder}/{verdict.token}"
    with contextlib.suppress(UnreadableDocumentError):  # of neps.yaml: whoever needs it says so
        _collect(layout, run, there, me)
        _put_what_was_taken(layout, run, there)
        # All of these are facts. That neps.yaml isn't seen would be none.
        places = (f"{there}/{DEFINITION}", f"{there}{_WHOLE}/{DEFINITION}")  # it goes from the first to the second
        if any(map(os.path.lexists, places)) or _run_of(layout.definition) not in {None, run}:
            _close(there)
            place = _hand_over(layout.overwritten, run, there + _WHOLE)
            publish(folder, _MOVED, documents.encode({"by": me.worker, "time": documents.now()}), me.token)
            if place is not None:
                _logger.info("The earlier run was moved to %s", place)


def _collect(layout: Layout, run: str, there: str, me: Identity) -> None:
    """Move everything that is in the root while its neps.yaml is the run's: each trial, then that itself."""
    before: list[int] | None = None
    deadline = 0.0
    while _run_of(layout.definition) == run:
        rest = [n for n in sorted(layout.numbers()) if not os.path.lexists(f"{there}/config_{n}")]
        if rest != before:
            before, deadline = rest, time.monotonic() + _PATIENCE
        elif time.monotonic() > deadline:
            message = (
                f"The run in {layout.root} is being moved aside, but can't be moved to {there}. Restore that "
                "folder, or make it, while no worker runs."
            )
            raise DirectoryError(message)
        else:
            time.sleep(0.01)
        _move_trials(layout, rest, there)
        if not rest:
            move_away(layout.summary, f"{there}/summary")
            _move_beside(Layout(layout.root, run), Layout(there, run))
            relocate(
                layout.definition, f"{there}/{_TAKEN}{me.token}", lambda taken: _home_of(taken, run, layout, there)
            )


def _move_trials(layout: Layout, numbers: list[int], there: str) -> None:
    """Whatever has a trial's name, half claims and damaged ones included, as long as neps.yaml is the same."""
    same = read(layout.definition)
    for number in numbers:
        if same is None or read(layout.definition) != same:
            return
        move_away(layout.trial(number), f"{there}/config_{number}")


def _move_beside(here: Layout, there: Layout) -> None:
    """What is known of its trials, and why it has ended: whoever reads the run there, or starts from it, finds them."""
    for source, target in ((here.known, there.known), (here.endings, there.endings)):
        for _ in range(_TRIES):
            if os.path.isdir(source):  # noqa: PTH112
                with contextlib.suppress(FileExistsError, FileNotFoundError):  # the latter: all is done already
                    os.mkdir(os.path.dirname(target))  # noqa: PTH102, PTH120
                move_away(source, target)


def _put_what_was_taken(layout: Layout, run: str, there: str) -> None:
    """Of a mover that died between taking neps.yaml away and putting it where it belongs."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(there):  # noqa: PTH208
            if name.startswith(_TAKEN):
                put(f"{there}/{name}", _home_of(f"{there}/{name}", run, layout, there))


def _home_of(taken: str, run: str, layout: Layout, there: str) -> str:
    """Where a neps.yaml that was taken away belongs: back, if it is another run's."""
    with contextlib.suppress(UnreadableDocumentError):
        if _run_of(taken) == run:
            return f"{there}/{DEFINITION}"
    return layout.definition


def _close(there: str) -> None:
    """Remove the folder that movers rename to, once all that is in it lies in the other one.

    To rename it would not do. The kernel looks for the folder first, and then waits for its turn to rename; and clients
    of networked filesystems remember a folder by its number. Both would still find one that has another name by now,
    and take the next run's neps.yaml and trials there. In a folder that was removed nothing is made any more.

    Raises:
        DirectoryError: if it can't be emptied.
    """
    whole = there + _WHOLE
    if not os.path.lexists(whole) and os.path.lexists(there):  # decided by a version that made none
        with contextlib.suppress(FileExistsError):
            os.mkdir(whole)  # noqa: PTH102
    deadline = time.monotonic() + _PATIENCE
    while os.path.lexists(there):
        try:
            for name in sorted(os.listdir(there), key=lambda name: name == DEFINITION):  # noqa: PTH208
                _hand_on(f"{there}/{name}", f"{whole}/{name}")
            os.rmdir(there)  # noqa: PTH106
        except OSError as error:
            if time.monotonic() > deadline:
                message = (
                    f"{there} holds a run that is being moved aside, but can't be emptied into {whole}: {error}. "
                    "Restore that folder, or make it, while no worker runs."
                )
                raise DirectoryError(message) from error
            time.sleep(0.01)


def _hand_on(source: str, target: str) -> None:
    """Rename, unless somebody else has; a folder that a mover has made once more, and that is empty, goes."""
    try:
        os.rename(source, target)  # noqa: PTH104
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        os.rmdir(source)  # noqa: PTH106


def _hand_over(overwritten: str, run: str, there: str) -> str | None:
    """Let the collected run appear in overwritten/, whole: its path, or None where somebody else has done it."""
    if not os.path.lexists(f"{there}/{DEFINITION}"):
        return None
    names = itertools.chain([run], (f"{run}_{number}" for number in itertools.count(2)))
    target = f"{overwritten}/{next(names)}"
    while True:
        _make_folder(overwritten)
        try:
            os.rename(there, target)  # noqa: PTH104
        except FileNotFoundError:
            if os.path.isdir(overwritten):  # noqa: PTH112 - so it is the other one that is not there
                return None
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise
            target = f"{overwritten}/{next(names)}"
        else:
            return target


def _prepared(root: str, run: str) -> str:
    """The folder of a move; before anything is decided, it is sure that the run can be renamed to overwritten/."""
    folder, overwritten = _folder(root, run), Layout(root).overwritten
    _check_permissions(Layout(root, run))
    _make_folder(folder)
    _make_folder(overwritten)
    with contextlib.suppress(FileNotFoundError):  # somebody removes old runs
        if os.stat(overwritten).st_dev != os.stat(folder).st_dev:  # noqa: PTH116
            message = (
                f"{overwritten} lies on another filesystem than {folder}, so no run can be moved into it. "
                "Replace it with a folder on the same filesystem."
            )
            raise DirectoryError(message)
    return folder


def _check_permissions(layout: Layout) -> None:
    """A folder that changes its place must itself be writable: else a move would be decided that only others can do.

    Raises:
        DirectoryError: if this user may not write to one of those that are moved, or to where they go.
    """
    trials = map(layout.trial, layout.numbers())
    for folder in (layout.root, layout.overwritten, layout.known, layout.endings, *trials):
        if os.path.isdir(folder) and not os.access(folder, os.W_OK, effective_ids=True):  # noqa: PTH112
            error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
            if (denied := denial(layout.root, error, folder)) is not None:
                raise denied


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    except OSError as error:
        if not os.path.lexists(path) and os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120
            return  # removed at this moment; whoever needs it makes it once more
        message = (
            f"{path} can't be used: {error}. Earlier runs are moved there, so it must be a folder that this "
            "user may write to. If something else is in its place, move that away."
        )
        raise DirectoryError(message) from error


def _run_of(path: str) -> str | None:
    """Whose neps.yaml that is, or None where none is seen.

    Raises:
        UnreadableDocumentError: if it can't be told.
    """
    fields = documents.load(path)
    return None if fields is None else parsed(path, lambda: typed.need(fields, "run", typed.run_name))
