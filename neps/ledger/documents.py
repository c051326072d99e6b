"""Documents as bytes and back: YAML, read with a safe loader, ended by a marker. No file is opened here but to read.

What a document means is the business of `records`; what may be trusted is decided here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from neps.ledger.emitting import emit
from neps.ledger.exclusive import END_MARKER, is_complete, read

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML that was built without libyaml: the same documents, ten times slower
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

__all__ = ["FORMAT_VERSION", "UnreadableDocumentError", "decode", "encode", "load", "moment", "now", "whole_number"]

FORMAT_VERSION = 1


class UnreadableDocumentError(Exception):
    """A document that is there and can't be trusted.

    `lasting` says that another look can't help: a newer format version, or something that isn't a file. All
    else may be a document that is only seen in part as yet.
    """

    def __init__(self, path: str, why: str, *, lasting: bool = False) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why, self.lasting = path, why, lasting

    @property
    def without_path(self) -> str:
        """What to publish about it: a root that is moved must not name a place of the past."""
        return f"{os.path.basename(self.path)}: {self.why}"  # noqa: PTH119


def encode(fields: Mapping[str, Any], *, versioned: bool = True) -> bytes:
    """A document. Fields that are None are left out, unless it is not `versioned`: then it is the user's values."""
    content = dict(fields)
    if versioned:
        content = {"format_version": FORMAT_VERSION} | {k: v for k, v in content.items() if v is not None}
    return emit(content).encode() + END_MARKER[1:]


def decode(path: str, content: bytes) -> dict[str, Any]:
    """The fields of a document that was read from `path`.

    Raises:
        UnreadableDocumentError: if it is not whole, not YAML, not a mapping, or of a newer version.
    """
    if not is_complete(content):
        raise UnreadableDocumentError(path, "it has no end marker: torn, empty, or not written by neps")
    try:
        fields = yaml.load(content, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableDocumentError(path, f"it is not YAML: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableDocumentError(path, "it is not a mapping")
    version = fields.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        why = f"it has format version {version}, and this neps knows versions up to {FORMAT_VERSION}"
        raise UnreadableDocumentError(path, why, lasting=True)
    if version != FORMAT_VERSION:
        raise UnreadableDocumentError(path, f"its format_version is {version!r}, not {FORMAT_VERSION}")
    return fields


def load(path: str) -> dict[str, Any] | None:
    """The fields of the document at `path`, or None where there is no such file.

    Raises:
        UnreadableDocumentError: as `decode`, and if a folder stands there.
        OSError: if the filesystem fails.
    """
    try:
        content = read(path)
    except IsADirectoryError as error:
        raise UnreadableDocumentError(path, "a folder stands in its place", lasting=True) from error
    except PermissionError as error:
        raise UnreadableDocumentError(path, "no permission to read it") from error
    return None if content is None else decode(path, content)


def now() -> str:
    """The wall clock, for display only: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


def moment(value: object) -> datetime | None:
    """A time that `now` wrote, or None. PyYAML turns unquoted ones into datetimes by itself."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def whole_number(value: object) -> int:
    """An int that isn't a bool.

    Raises:
        TypeError: if it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"{value!r} is not a whole number"
        raise TypeError(message)
    return value
