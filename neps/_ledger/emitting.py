"""YAML text of a mapping, as PyYAML's safe dumper writes it, in a fifth of the time; texts of several lines as a block.

Three documents a trial made half of a worker's processor time. Numbers, times and short texts, alone or one level
deep, and lists of floats are written here; PyYAML writes whatever else there is, and says once how a text is to be
quoted. Used by `documents`.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

try:
    from yaml import CSafeDumper as _Dumper
except ImportError:  # a PyYAML that was built without libyaml: the same text, ten times slower
    from yaml import SafeDumper as _Dumper  # type: ignore[assignment]

__all__ = ["emit"]

_WIDTH = 1 << 30  # a folded line is harder to read for people and tools than a long one
_LONGEST_TEXT = 100
_BLOCK = re.compile(r"[!-~]([ -~]*[!-~])?(\n+ *[!-~]([ -~]*[!-~])?)+\n?")
"""Several lines of printable ASCII, the first not indented, none with spaces at its end."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")


class _Readable(_Dumper):
    """Writes a traceback as a person reads it, where YAML's literal blocks hold it without tricks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """What is there twice is written twice: readers refuse aliases, which can stand for more than memory holds."""
        return True


def _represent_text(dumper: Any, text: str) -> yaml.ScalarNode:
    style = "|" if _BLOCK.fullmatch(text) else None
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


_Readable.add_representer(str, _represent_text)
_Readable.add_implicit_resolver(  # which YAML 1.2 takes for numbers, and 1.1 for texts: as texts they get quotes
    "tag:yaml.org,2002:float",
    re.compile(r"(?:[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+)$"),
    list("-+.0123456789"),
)


def emit(fields: Mapping[str, Any]) -> str:
    """The text of a block mapping, without an end marker.

    Example:
        >>> print(emit({"loss": 0.5, "config": {"lr": 1e-05, "act": "no"}}), end="")
        loss: 0.5
        config:
          lr: 1.0e-05
          act: 'no'
    """
    return "".join(_field(name, value) for name, value in fields.items()) or "{}\n"


def _field(name: Any, value: Any) -> str:
    key, nested = _key(name), _NESTED.get(type(value))
    text = _scalar(value) if nested is None else nested(value)
    if key is None or text is None:
        return _by_yaml({name: value})
    return f"{key}: {text}\n" if nested is None else f"{key}:\n{text}"


def _entries(values: dict[Any, Any]) -> str | None:
    """The lines of a mapping below its key, or None where PyYAML has to write the field."""
    lines = []
    for name, value in values.items():
        key, scalar = _key(name), _scalar(value)
        if key is None or scalar is None:
            return None
        lines.append(f"  {key}: {scalar}\n")
    return "".join(lines) or None


def _floats(values: list[Any]) -> str | None:
    """The same of a list."""
    if any(type(value) is not float for value in values):
        return None
    return "".join(f"- {_float(value)}\n" for value in values) or None


_NESTED: dict[type, Callable[[Any], str | None]] = {dict: _entries, list: _floats}


def _key(name: Any) -> str | None:
    """A key's text, or None where PyYAML has to write the field."""
    if type(name) is not str or len(name) > _LONGEST_TEXT or not (name.isascii() and name.isidentifier()):
        return None
    return _quoted_key(name)


def _scalar(value: Any) -> str | None:
    """A value's text, or None where PyYAML has to write the field."""
    kind = type(value)
    if kind is float:
        return _float(value)
    if kind is int:
        return str(value)
    if kind is str:
        return _text(value)
    if kind is bool:
        return "true" if value else "false"
    return "null" if value is None else None


def _float(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)  # YAML 1.1 takes 1e-05 for a text, and 1.0e-05 for a number
    return text.replace("e", ".0e", 1) if "e" in text and "." not in text else text


def _text(value: str) -> str | None:
    if len(value) > _LONGEST_TEXT or not (value.isascii() and value.isprintable()):
        return None
    return f"'{value}'" if _TIME.fullmatch(value) else _quoted(value)


@functools.lru_cache(maxsize=1024)
def _quoted(value: str) -> str:
    return _by_yaml({"k": value})[3:-1]


@functools.lru_cache(maxsize=1024)
def _quoted_key(name: str) -> str:
    return _by_yaml({name: 0})[: -len(": 0\n")]


def _by_yaml(fields: Mapping[str, Any]) -> str:
    text: str = yaml.dump(dict(fields), Dumper=_Readable, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text
