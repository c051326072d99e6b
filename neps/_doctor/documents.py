"""The documents of one trial that can't be trusted though the trial stands: why, and that the optimizer needs them not.

Called by the examination of trials; what makes a trial unreadable is judged there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import stat

from neps._doctor.finding import Kind
from neps._ledger import documents
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.foreign import NotAFileError, is_complete, misplaced, read
from neps._ledger.layout import CONFIG, RESULT, TRIAL, attempt_of, is_ledger_name
from neps._ledger.mending import why_unreadable
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState

__all__ = ["Torn", "torn_documents"]

_CURVE = re.compile(r"attempt_\d+\.curve\.jsonl")
_VOID = re.compile(r"result_\d+\.yaml")
_PENDING = re.compile(r"attempt_\d+\.pending\.yaml")
_SIGN = re.compile(r"\.([^.].*)\.neps")


@dataclasses.dataclass(frozen=True, slots=True)
class Torn:
    """A file of a trial that isn't as neps writes it."""

    path: str
    why: str
    optimizer: str
    advice: str = "Nothing has to be done."
    kind: Kind = Kind.TORN
    wrong: bool = False


def torn_documents(folder: TrialFolder, names: list[str], state: TrialState | None) -> list[Torn]:
    """What lies in a trial's folder under the ledger's names and can't be trusted, and checkpoints that can't."""
    same = _same_file(folder, names)
    return [torn for name in names if name != same and (torn := _look(folder, name, state)) is not None]


def _same_file(folder: TrialFolder, names: list[str]) -> str | None:
    """An end that is the same file as result.yaml: one look tells of both."""
    ends = [name for name in names if name.endswith(".end.yaml")]
    if not ends or RESULT not in names:
        return None
    last = max(ends, key=lambda name: attempt_of(name) or 0)
    with contextlib.suppress(OSError):
        one, other = (os.lstat(f"{folder.path}/{name}") for name in (last, RESULT))
        if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):
            return last
    return None


def _look(folder: TrialFolder, name: str, state: TrialState | None) -> Torn | None:
    path = f"{folder.path}/{name}"
    if sign := _SIGN.fullmatch(name):
        return _checkpoint(f"{folder.path}/{sign[1]}")
    if not is_ledger_name(name) or name == TRIAL or ".damaged-" in name:
        return None
    if name == CONFIG:
        return _config(path, state)
    if not name.endswith(".yaml"):
        return _odd(path)
    why = _why_unreadable(folder, name, state)
    return None if why is None else Torn(path, why, _instead(name, state))


def _why_unreadable(folder: TrialFolder, name: str, state: TrialState | None) -> str | None:
    if _PENDING.fullmatch(name) or _VOID.fullmatch(name):
        try:
            documents.load(f"{folder.path}/{name}")
        except UnreadableDocumentError as error:
            return error.why
        except OSError as error:
            return f"it can't be read: {error}"
        return None
    try:
        return why_unreadable(folder, name, state.decision if state else None)
    except OSError as error:
        return f"it can't be read: {error}"


def _instead(name: str, state: TrialState | None) -> str:
    """What the optimizer goes by instead of a document, of a trial that stands."""
    if _VOID.fullmatch(name):
        return "It never reads it: a retry has made this result void."
    if state is None:
        return "It reads it no more: the trial is judged without it."
    if _PENDING.fullmatch(name):
        return "It doesn't need it: the attempt has ended."
    if name == RESULT:
        return f"It goes by attempt_{state.start.attempt}.end.yaml: the trial's status is {state.status}."
    if (attempt := attempt_of(name)) is not None and attempt < state.start.attempt and name.endswith(".end.yaml"):
        return f"The trial's status stays {state.status}; what this attempt has cost is unknown, and counts as 0."
    return f"It goes by {RESULT}: the trial's status is {state.status}."


def _config(path: str, state: TrialState | None) -> Torn | None:
    optimizer = f"It never reads it: {TRIAL} tells the configuration."
    advice = "Delete it: a worker that evaluates the trial again writes it anew."
    try:
        content = read(path)
    except NotAFileError as error:
        return Torn(path, error.why, optimizer, kind=Kind.FOREIGN)
    except OSError as error:
        return Torn(path, f"it can't be read: {error}", optimizer, kind=Kind.PERMISSION)
    if content is None or state is None:
        return None
    if not is_complete(content):
        return Torn(path, "it has no end marker: torn, empty, or not written by neps", optimizer, advice)
    if content != documents.encode(state.decision.config, versioned=False):
        return Torn(path, f"it isn't what {TRIAL} has decided: somebody has edited it", optimizer, advice)
    return None


def _odd(path: str) -> Torn | None:
    """A lock, a curve, a sign: any file will do, and nothing else."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return None
    if not stat.S_ISREG(mode):
        what = misplaced(path) or "a folder stands in its place"
        heartbeat = "its worker can't touch it, and may be taken for dead. No result is lost"
        optimizer = heartbeat if path.endswith(".lock") else "it reads nothing there"
        return Torn(path, what, f"{optimizer[:1].upper()}{optimizer[1:]}.", "Remove it.", Kind.FOREIGN, wrong=True)
    return None


def _checkpoint(path: str) -> Torn | None:
    """A file that neps has written whole. torch's format is a ZIP archive: its directory comes last."""
    import zipfile

    optimizer = "neps.checkpoint.load raises a CheckpointError, so the trial fails where run_pipeline lets it."
    advice = f"Delete it, so that the trial starts anew or from the checkpoint that it continues: {path}"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a link to a file is fine
            return Torn(path, "no file stands in its place", optimizer, advice, Kind.FOREIGN, wrong=True)
        with open(path, "rb") as file:  # noqa: PTH123
            torn = file.read(2) == b"PK" and not zipfile.is_zipfile(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Torn(path, f"the checkpoint can't be read: {error}", optimizer, advice, Kind.PERMISSION, wrong=True)
    return Torn(path, "the checkpoint is torn: its archive has no end", optimizer, advice, wrong=True) if torn else None
