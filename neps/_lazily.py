"""Public names of a package that are imported when they are first used, so that importing the package costs little."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["importing"]


def importing(
    package: str, homes: Mapping[str, str], hints: Callable[[str], str] = lambda _: ""
) -> Callable[[str], Any]:
    """A `__getattr__` for a package.

    Args:
        package: its name.
        homes: the module of each name, within the package; the name of a module itself has "".
        hints: what to add to the error of a name that isn't there.

    Example:
        >>> importing("json", {"JSONDecoder": "decoder"})("JSONDecoder").__name__
        'JSONDecoder'
    """

    def find(name: str) -> Any:
        if name not in homes:
            message = f"module {package!r} has no attribute {name!r}{hints(name)}"
            raise AttributeError(message)
        module = importlib.import_module(f"{package}.{homes[name] or name}")
        value = getattr(module, name) if homes[name] else module
        vars(sys.modules[package])[name] = value
        return value

    return find
