"""The root directory that `neps.run` and its like are given, checked before anything is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neps._ledger.reading import root_of
from neps.errors import ArgumentError, shown

__all__ = ["root_path"]

_LONGEST_NAME = 255
_LONGEST_ID = 200


def root_path(root_directory: Any, task_id: Any = None, development_stage_id: Any = None) -> str:
    """The absolute path of a run: `root_directory`, and `task_ID`, `dev_ID` in it where those are given.

    Raises:
        ArgumentError: if it isn't a path, or an id can't be part of one.
    """
    if not isinstance(root_directory, str | os.PathLike) or not os.fspath(root_directory):
        order = " It comes second, and pipeline_space third." if isinstance(root_directory, Mapping) else ""
        message = f"root_directory is {shown(root_directory)}; it must be a path (str or pathlib.Path).{order}"
        raise ArgumentError(message)
    root = path = Path(_writable("root_directory", os.fspath(root_directory))).expanduser()
    for prefix, name, value in (("task", "task_id", task_id), ("dev", "development_stage_id", development_stage_id)):
        if value is not None:
            path /= f"{prefix}_{_id(name, value)}"
    path = Path(root_of(path))
    _check_inside(path, root)
    if _is_no_folder(path):
        message = (
            f"root_directory is {str(path)!r}, which is not a folder. Choose another root_directory, or move that file "
            "away."
        )
        raise ArgumentError(message)
    return str(path)


def _is_no_folder(path: Path) -> bool:
    """Whether something else stands there; where that can't be told now, whoever opens the run waits or says so."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _writable(name: str, path: Any) -> str:
    """A path that the filesystem can hold, so that nothing below stumbles over it."""
    text = os.fsdecode(path)
    try:
        too_long = any(len(part) > _LONGEST_NAME for part in os.fsencode(text).split(b"/"))
    except UnicodeEncodeError:
        too_long = True
    if too_long or "\0" in text:
        message = (
            f"{name} is {shown(text)}, which no filesystem can hold: each folder's name must have at most "
            f"{_LONGEST_NAME} bytes, no zero byte, and no incomplete characters."
        )
        raise ArgumentError(message)
    return text


def _check_inside(path: Path, root: Path) -> None:
    """Refuse a folder of a task that is a link out of the root."""
    outer, inner = os.path.realpath(root), os.path.realpath(path)
    if inner != outer and not inner.startswith(f"{outer.rstrip('/')}/"):
        message = (
            f"{path} is a link that leads to {inner}, outside of root_directory. Remove it, or pass {inner} as "
            "root_directory, without task_id and development_stage_id."
        )
        raise ArgumentError(message)


def _id(name: str, value: Any) -> str:
    """Part of a folder's name: it can't lead anywhere else, nor be a surprise in a shell or a log."""
    text = _text_of(value)
    if text is None or not _names_a_folder(text):
        message = (
            f"{name} is {shown(value)}; it must be a whole number, or a text that can be part of a folder's name: at "
            f"most {_LONGEST_ID} bytes, without slashes, backslashes or control characters."
        )
        raise ArgumentError(message)
    return text


def _text_of(value: Any) -> str | None:
    """A text, or a whole number as one; None for anything else, and for a number that is too long anyway."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number and value.bit_length() <= _LONGEST_ID else None


def _names_a_folder(text: str) -> bool:
    odd = text in {"", ".", ".."} or not text.isprintable() or bool(set(text) & set("/\\"))
    return not odd and len(os.fsencode(text)) <= _LONGEST_ID
