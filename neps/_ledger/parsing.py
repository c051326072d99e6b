"""The counterpart of `emitting`: one document's YAML text into plain data, at a cost that its length bounds.

PyYAML's scanner and parser do the work, event by event; what is built from it here is bounded in depth and in count,
and without anchors, aliases, tags and merge keys, of which neps writes none. A third faster than its loader, too.
"""

from __future__ import annotations

import functools
from typing import Any

import yaml
from yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML that was built without libyaml: the same data, ten times slower
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

__all__ = ["LARGEST_KEY", "MOST_DEEP", "MOST_VALUES", "UnboundedError", "parse"]

MOST_VALUES = 500_000
"""Keys and values of a document at most."""

MOST_DEEP = 64
"""Mappings and lists inside each other at most."""

LARGEST_KEY = 2**64
"""Whole numbers as keys lie within ± this: else one could choose a million of the same hash."""

_LONGEST_PLAIN = 1000  # longer ones are texts; nobody writes such numbers, and converting them is quadratic
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_STARTS, _ENDS = (MappingStartEvent, SequenceStartEvent), (MappingEndEvent, SequenceEndEvent)
_resolver, _constructor = yaml.resolver.Resolver(), yaml.constructor.SafeConstructor()


class UnboundedError(ValueError):
    """It is YAML, but nothing that neps ever writes: looking again can't help."""


def parse(content: bytes) -> Any:
    r"""The one document in `content`, as None, bool, int, float, str, date, list and dict.

    Raises:
        UnboundedError: if it is deeper or has more values than any that neps writes, or an anchor, alias or tag.
        yaml.YAMLError, ValueError, OverflowError: if it isn't YAML.

    Example:
        >>> parse(b"loss: 0.5\nconfig: {lr: 1.0e-05, act: 'no'}\n")
        {'loss': 0.5, 'config': {'lr': 1e-05, 'act': 'no'}}
    """
    loader = _Loader(content)
    try:
        loader.get_event()
        loader.get_event()  # the starts of the stream and of its document
        value = _Building(loader).value()
        loader.get_event()
        if type(loader.get_event()) is not StreamEndEvent:
            raise UnboundedError("it has more than one document")
        return value
    finally:
        loader.dispose()


class _Building:
    """Builds one document, and counts its values."""

    def __init__(self, loader: Any) -> None:
        self._next = loader.get_event
        self._left = MOST_VALUES

    def value(self) -> Any:
        """The next value. A stack of its own: what is nested must not use up the interpreter's."""
        stack: list[_Open] = []
        while True:
            event = self._next()
            kind = type(event)
            if kind is ScalarEvent:
                value = self._scalar(event)
            elif kind in _STARTS:
                self._count(event)
                stack.append(_Open({} if kind is MappingStartEvent else []))
                if len(stack) > MOST_DEEP:
                    raise UnboundedError(f"it is nested more than {MOST_DEEP} deep")
                continue
            elif kind in _ENDS:
                value = stack.pop().content
            else:
                raise UnboundedError("it has an alias, or no content")
            if not stack:
                return value
            stack[-1].add(value)

    def _count(self, event: Any) -> None:
        self._left -= 1
        if self._left < 0:
            raise UnboundedError(f"it has more than {MOST_VALUES} values")
        if event.anchor is not None:
            raise UnboundedError("it has an anchor")
        if event.tag is not None:
            raise UnboundedError("it has a tag")

    def _scalar(self, event: Any) -> Any:
        self._count(event)
        text: str = event.value
        return _plain(text) if event.implicit[0] and len(text) <= _LONGEST_PLAIN else text


class _Open:
    """A mapping or list that is being filled."""

    __slots__ = ("_has_key", "_key", "content")

    def __init__(self, content: Any) -> None:
        self.content = content
        self._has_key, self._key = False, None

    def add(self, value: Any) -> None:
        if type(self.content) is list:
            self.content.append(value)
        elif self._has_key:
            self.content[self._key] = value
            self._has_key = False
        else:
            if isinstance(value, dict | list):
                raise UnboundedError("it has a key that is no scalar")
            if isinstance(value, int) and abs(value) > LARGEST_KEY:
                raise UnboundedError("it has a number for a key that is too large")
            self._has_key, self._key = True, value


@functools.lru_cache(maxsize=4096)
def _plain(text: str) -> Any:
    """What an unquoted text stands for, as PyYAML's safe loader says."""
    tag = _resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag == _TEXT:
        return text
    if tag == _MERGE:
        raise UnboundedError("it has a merge key")
    construct = yaml.constructor.SafeConstructor.yaml_constructors.get(tag)
    if construct is None:
        raise UnboundedError("it has a value of no known kind")
    return construct(_constructor, yaml.ScalarNode(tag, text))
