"""Documents as bytes and back: YAML without tags or aliases, bounded, ended by a marker. Nothing is written here.

What a document means is the business of `records`; what may be trusted is decided here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from neps._ledger.emitting import emit
from neps._ledger.foreign import END_MARKER, NotAFileError, is_complete, read
from neps._ledger.parsing import UnboundedError, parse
from neps.errors import shown

__all__ = ["FORMAT_VERSION", "UnreadableDocumentError", "decode", "encode", "load", "now"]

FORMAT_VERSION = 1


class UnreadableDocumentError(Exception):
    """A document that is there and can't be trusted.

    `lasting` says that another look can't help: a newer format version, something that isn't a file, or more or other
    YAML than any document has. All else may be a document that is only seen in part as yet.
    """

    def __init__(self, path: str, why: str, *, lasting: bool = False) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why, self.lasting = path, why, lasting

    @property
    def document(self) -> str:
        """Its name in its folder."""
        return os.path.basename(self.path)  # noqa: PTH119

    @property
    def without_path(self) -> str:
        """What to publish about it: a root that is moved must not name a place of the past."""
        return f"{self.document}: {self.why}"


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
        fields = parse(content)
    except UnboundedError as error:
        raise UnreadableDocumentError(path, f"{error}, which is not allowed in a document", lasting=True) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise UnreadableDocumentError(path, f"it is not YAML: {_first_line(error)}") from error
    if not isinstance(fields, dict):
        raise UnreadableDocumentError(path, "it is not a mapping")
    _check_version(path, fields.get("format_version"))
    return fields


def _check_version(path: str, version: Any) -> None:
    if isinstance(version, int) and version > FORMAT_VERSION:
        why = f"it has format version {shown(version)}, and this neps knows versions up to {FORMAT_VERSION}"
        raise UnreadableDocumentError(path, why, lasting=True)
    if version != FORMAT_VERSION or isinstance(version, bool | float):
        raise UnreadableDocumentError(path, f"its format_version is {shown(version)}, not {FORMAT_VERSION}")


def _first_line(error: Exception) -> str:
    """The gist: the rest of it quotes the document."""
    return shown((str(error).splitlines() or [""])[0])[1:-1]


def load(path: str) -> dict[str, Any] | None:
    """The fields of the document at `path`, or None where there is no such file.

    Raises:
        UnreadableDocumentError: as `decode`, and if something that is no file stands there, or a very large one.
        OSError: if the filesystem fails.
    """
    try:
        content = read(path)
    except NotAFileError as error:
        raise UnreadableDocumentError(path, error.why, lasting=True) from error
    except PermissionError as error:
        raise UnreadableDocumentError(path, "no permission to read it") from error
    return None if content is None else decode(path, content)


def now() -> str:
    """The wall clock, for display only: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()
