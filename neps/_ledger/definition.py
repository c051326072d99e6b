"""neps.yaml: the definition of a run, published once and never edited. A joiner's definition must be equal.

What a space or a sampler is, this module doesn't know: it publishes and compares plain data. What a space may require
of readers, `neps.space` says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
import uuid
from collections.abc import Mapping
from typing import Any

import yaml

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import publish
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.layout import DEFINITION, Layout
from neps._ledger.links import without_links
from neps._ledger.records import parsed
from neps._ledger.storage import denial
from neps.errors import ArgumentError, DirectoryError, FormatVersionError, shown
from neps.space._definition import REQUIREMENTS

__all__ = [
    "DEFAULT_LEASE_SECONDS",
    "FIRST_CONFIGS",
    "LARGEST_SEED",
    "LONGEST_LEASE_SECONDS",
    "Definition",
    "check_definition",
    "find_definition",
    "publish_definition",
]

DEFAULT_LEASE_SECONDS = 120.0
FIRST_CONFIGS = "first_configs"
"""What a reader has to know of a run that has some: else it would decide its first numbers otherwise."""
LARGEST_SEED = 2**128
LONGEST_LEASE_SECONDS = 1e9
"""Thirty years. A thread can't wait for ten times as long, or not at all."""
_LARGEST_DEFINITION = 1 << 22
_PATIENCE = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What defines a run. `launch` is the token of the launch that published it; `run` identifies the run.

    `forbid` is what the space forbids: mappings, and names of functions. `requires` names what a reader has to know
    that the first readers of this format didn't. `first_configs` are what its first numbers evaluate, each in whole or
    in part. `start_from` names the earlier runs from which it starts, and `known` says how many documents hold what
    they have found.
    """

    space: Mapping[str, Any]
    searcher: Mapping[str, Any]
    seed: int
    lease_seconds: float = DEFAULT_LEASE_SECONDS
    forbid: tuple[Any, ...] = ()
    requires: tuple[str, ...] = ()
    first_configs: tuple[Mapping[str, Any], ...] = ()
    start_from: tuple[str, ...] = ()
    known: int = 0
    launch: str | None = None
    run: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex[:16])

    def to_fields(self) -> dict[str, Any]:
        """As the fields of neps.yaml."""
        names = ("forbid", "requires", "first_configs", "start_from")
        lists = {name: list(getattr(self, name)) or None for name in names}
        return {**dataclasses.asdict(self), **lists, "known": self.known or None, "created": documents.now()}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Definition:
        """From the fields of neps.yaml."""
        searcher = typed.need(fields, "searcher", typed.mapping)
        settings = typed.get(searcher, "settings", typed.named) or {}
        return cls(
            space=typed.need(fields, "space", typed.mapping),
            searcher={"name": typed.need(searcher, "name", typed.text), "settings": settings},
            seed=typed.need(fields, "seed", functools.partial(typed.whole, most=LARGEST_SEED)),
            lease_seconds=typed.need(fields, "lease_seconds", _lease),
            forbid=typed.get(fields, "forbid", typed.forbidden, ()),
            requires=typed.get(fields, "requires", typed.texts, ()),
            first_configs=typed.get(fields, "first_configs", typed.configs, ()),
            start_from=typed.get(fields, "start_from", typed.texts, ()),
            known=typed.get(fields, "known", typed.whole, 0),
            launch=typed.get(fields, "launch", typed.text),
            run=typed.need(fields, "run", typed.run_name),
        )


def _lease(value: object) -> float:
    if (seconds := float(typed.number(value))) <= 0:
        raise typed.WrongError(seconds, "not above 0")
    return min(seconds, LONGEST_LEASE_SECONDS)  # earlier versions took any


def find_definition(root: str) -> Definition | None:
    """The definition of the run in `root`, or None where there is no run.

    Waits a while for one that is seen only in part.

    Raises:
        FormatVersionError: if it is of a newer format, or requires what this version doesn't know.
        DirectoryError: if it stays unreadable, or trials lie there without one.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return _read(root)
        except UnreadableDocumentError as error:
            failure = error
        if failure.lasting or time.monotonic() > deadline:
            raise _unusable(root, failure) from failure
        time.sleep(0.05)


class _MissingError(UnreadableDocumentError):
    """There is no definition, but there are trials: it isn't seen yet, or somebody has removed it."""


def _read(root: str) -> Definition | None:
    path = Layout(root).definition
    try:
        fields = documents.load(path)
    except OSError as error:
        raise UnreadableDocumentError(path, f"it can't be read: {error}") from error
    if fields is not None:
        return _understood(path, parsed(path, functools.partial(Definition.from_fields, fields)))
    if _has_trials(root):
        raise _MissingError(path, "")
    return None


def _understood(path: str, definition: Definition) -> Definition:
    """The definition, if this version can do all that it requires."""
    if unknown := sorted({*definition.requires} - REQUIREMENTS - {FIRST_CONFIGS}):
        message = (
            f"{path}: the run requires {shown(', '.join(unknown))}, which this version of neps doesn't know: a newer "
            "one wrote it. Install that to go on with this run, or choose another root_directory. Nothing was changed."
        )
        raise FormatVersionError(message)
    return definition


def _unusable(root: str, failure: UnreadableDocumentError) -> DirectoryError:
    if isinstance(failure, _MissingError):
        message = (
            f"{root} holds trials (config_N) but no {DEFINITION}, which defines the run. Restore {DEFINITION}, "
            "or choose another root_directory. Nothing was changed."
        )
        return DirectoryError(message)
    if "format version" in failure.why:
        message = f"{failure}. Install a newer neps to go on with this run, or choose another root_directory."
        return FormatVersionError(message)
    message = (
        f"{failure}. It defines the run, and neps never edits it. Restore a copy of it, or choose another "
        "root_directory. Nothing was changed."
    )
    return DirectoryError(message)


def _has_trials(root: str) -> bool:
    try:
        return next(Layout(root).numbers(), None) is not None
    except FileNotFoundError:
        return False
    except OSError as error:
        message = f"root_directory {root} can't be read: {error}. It must be a folder that this user may read."
        raise DirectoryError(message) from error


def _readable(definition: Definition) -> bytes:
    """The document, which anybody will read: what nobody would read, or read as something else, is refused before."""
    why: str | None
    try:
        content = documents.encode(definition.to_fields())
        why = f"{len(content)} bytes are more than {_LARGEST_DEFINITION}"
        if len(content) <= _LARGEST_DEFINITION:
            fields = documents.decode(DEFINITION, content)
            why = _changed(definition, parsed(DEFINITION, functools.partial(Definition.from_fields, fields)))
            if why is None:
                return content
    except UnreadableDocumentError as error:
        why = error.why
    except (ValueError, TypeError, yaml.YAMLError) as error:  # an int too long for Python to print; no plain value
        why = shown(str(error), 200)
    message = (
        f"The search space or the searcher's settings can't be written to {DEFINITION}: {why}. Make them smaller, and "
        "use only numbers, texts, lists and mappings."
    )
    raise ArgumentError(message)


def _changed(written: Definition, read: Definition) -> str | None:
    """What would be read as something else than was written, so that nobody could join; None where nothing would."""
    for here, there in zip(_parts(written), _parts(read), strict=True):
        for name, value in here.items():
            if value != (theirs := there.get(name)) and repr(value) != repr(theirs):  # as text, NaN equals NaN
                return f"{name} is {shown(value)}, which would be read as {shown(theirs)}"
    return None


def _parts(definition: Definition) -> list[Mapping[str, Any]]:
    names = ("forbid", "seed", "lease_seconds", "requires", "first_configs", "launch", "run")
    settings = definition.searcher.get("settings") or {}
    return [definition.space, settings, {name: getattr(definition, name) for name in names}]


def check_definition(definition: Definition) -> None:
    """Make sure that a definition can be published.

    Raises:
        ArgumentError: if no other worker could read what would be written.
    """
    _readable(definition)


def publish_definition(root: str, definition: Definition, token: str, heartbeat: Heartbeat | None = None) -> Definition:
    """Publish the definition, or learn whose was first.

    Args:
        root: the run's root directory.
        definition: this worker's.
        token: of this worker.
        heartbeat: its heartbeat in that run, begun once the root is there, and withdrawn unless the run is published.

    Raises:
        DirectoryError: if the root can't be made or written.
        ArgumentError: if no other worker could read what would be written.
    """
    content = _readable(definition)
    missing = _missing(Layout(root).hidden)
    with contextlib.ExitStack() as unless_published:
        try:
            os.makedirs(root, exist_ok=True)  # noqa: PTH103
            if heartbeat is not None:
                unless_published.callback(heartbeat.withdraw)
                heartbeat.begin()
            won = publish(root, DEFINITION, content, token)
        except OSError as error:
            unless_published.close()
            refusal = without_links(root, error)
            for folder in missing if refusal is not None else ():
                with contextlib.suppress(OSError):
                    os.rmdir(folder)  # noqa: PTH106
            message = f"root_directory {root} can't be used: {error}. It must be a folder that this user may write to."
            raise refusal or denial(root, error) or DirectoryError(message) from error
        if won:
            unless_published.pop_all()
            return definition
    theirs = find_definition(root)
    while theirs is None:  # it exists, as the failed link has shown, but this client doesn't see it yet
        time.sleep(0.01)
        theirs = find_definition(root)
    return theirs


def _missing(folder: str) -> list[str]:
    """The folders that have to be made for this one, which is the first of them: the lowest first."""
    missing: list[str] = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)  # noqa: PTH120
    return missing
