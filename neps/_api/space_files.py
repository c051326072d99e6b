"""Search spaces in YAML and JSON files, in the form of neps.yaml, where choices and repeats may be nested.

Only reading lives here; what a definition says, `neps.space._definition` knows. `space_from` calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from neps._api.plain_data import READERS
from neps.errors import SpaceError, nearest, shown
from neps.space import SearchSpace

__all__ = ["read_space"]

_KEYS = ("space", "forbid")


def read_space(path: Path) -> SearchSpace:
    """The search space that a file describes.

    Raises:
        SpaceError: if it can't be read, or describes none; it names the file.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        msg = (
            f"pipeline_space is {shown(str(path))}, but a file's name must end in .yaml, .yml or .json. Pass such a "
            'path, or a dict, such as {"x": neps.Float(0, 1)}.'
        )
        raise SpaceError(msg)
    try:
        return _space(read(path.read_text(encoding="utf-8-sig")))
    except SpaceError as error:
        msg = f"{path}: {error}"
        raise SpaceError(msg) from error
    except OSError as error:
        msg = f"pipeline_space is the file {path}, which can't be read: {error.strerror}. Correct the path."
        raise SpaceError(msg) from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        msg = f"{path} can't be read as {path.suffix[1:]}: {' '.join(str(error).split())}. Correct it there."
        raise SpaceError(msg) from error


def _space(document: object) -> SearchSpace:
    if not isinstance(document, Mapping) or "space" not in document:
        msg = (
            f"the file holds {shown(document)}, but it must have the key space, with the parameters by name: write "
            "space: {lr: {type: float, lower: 0.1, upper: 1}}."
        )
        raise SpaceError(msg)
    for key in document:
        if key not in _KEYS:
            advice = nearest(str(key), _KEYS) or " Parameters stand below space, further to the right."
            msg = f"the key {shown(key)} is unknown: a file has {' and '.join(_KEYS)}.{advice}"
            raise SpaceError(msg)
    forbid = document.get("forbid", [])
    for index, each in enumerate(forbid if isinstance(forbid, list) else ()):
        if not isinstance(each, Mapping):
            rule = "in a file it must map names to values: pass functions to neps.SearchSpace."
            msg = f"forbid[{index}] is {shown(each)}, but {rule}"
            raise SpaceError(msg)
    return SearchSpace.from_definition(document["space"], forbid)
