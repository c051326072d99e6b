"""Nested spaces: choices and repeats become flat parameters with conditions, and flat values become nested data.

Everything but the call of run_pipeline, and what users write, is flat. `SearchSpace` calls it. The names say what
belongs where: `optimizer.sgd.momentum` to the option "sgd" of the `Choice` named `optimizer`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from neps.errors import SpaceError, nearest, shown
from neps.space._block import Block, Nest
from neps.space._conditions import Condition
from neps.space._parameter import Parameter

__all__ = ["Nesting", "unfolded"]


def unfolded(given: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """All parameters, each choice and repeat before those of its blocks, which are named after where they are.

    Raises:
        SpaceError: if two have the same name, or a condition says once more where its parameter is.

    Example:
        >>> from neps.space import Choice, Float, Repeat
        >>> list(unfolded({"net": Choice({"mlp": {"width": Repeat(Float(0, 1), 1, 2)}, "linear": {}})}))
        ['net', 'net.mlp.width', 'net.mlp.width.1', 'net.mlp.width.2']
    """
    flat: dict[str, Parameter] = {}
    for name, parameter in given.items():
        for path, each in _placed(name, parameter, {}, {}):
            if path in flat or (path != name and path in given):
                msg = f"pipeline_space has two parameters named {path!r}, one of them nested: rename one."
                raise SpaceError(msg)
            flat[path] = each
    return flat


def _placed(
    path: str, parameter: Parameter, where: Mapping[str, Condition], names: Mapping[str, str]
) -> Iterator[tuple[str, Parameter]]:
    """A parameter and all inside of it, with full names.

    Args:
        path: its own full name.
        parameter: as it was written.
        where: the condition of the block that it is in.
        names: the full names of those that its conditions may mean by short ones.
    """
    conditions = _conditions(path, parameter, where, names)
    if not isinstance(parameter, Nest):
        yield path, parameter.with_prior(active_if=conditions) if where else parameter
        return
    yield path, parameter.alone().with_prior(active_if=conditions)
    for part, block in parameter.blocks():
        condition = parameter.condition(part)
        yield from _inside(f"{path}.{part}", block, {} if condition is None else {path: condition}, names)


def _inside(
    path: str, block: Block, where: Mapping[str, Condition], names: Mapping[str, str]
) -> Iterator[tuple[str, Parameter]]:
    """A block, with its condition."""
    if isinstance(block, Parameter):
        yield from _placed(path, block, where, names)
        return
    within = {**names, **{name: f"{path}.{name}" for name in block}}
    for name, each in block.items():
        yield from _placed(within[name], each, where, within)


def _conditions(
    path: str, parameter: Parameter, where: Mapping[str, Condition], names: Mapping[str, str]
) -> dict[str, Condition] | None:
    """All conditions of a parameter, by full names; None if there are none."""
    own = {names.get(name, name): condition for name, condition in (parameter.active_if or {}).items()}
    if again := own.keys() & where:
        msg = (
            f"Parameter {path!r}: active_if names {again.pop()!r}, in which the parameter is: that condition is there "
            "already. Leave it out, or name another parameter."
        )
        raise SpaceError(msg)
    return {**where, **own} or None


class Nesting:
    """What of a space is inside of what.

    Args:
        parameters: all of the space, flat, with resolved conditions.

    Raises:
        SpaceError: if a name says that a parameter is inside of a choice or a repeat, and it can't be.
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self._parameters = parameters
        self._nests = {name: each for name, each in parameters.items() if isinstance(each, Nest)}
        self._inside = {name: inside for name in parameters if (inside := self._place(name))} if self._nests else {}

    @functools.cached_property
    def arguments(self) -> tuple[str, ...]:
        """The names that are in nothing else: those by which run_pipeline is called."""
        return tuple(name for name in self._parameters if name not in self._inside)

    def nested(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A flat configuration as nested data."""
        if not self._nests:
            return dict(config)
        return {name: self._content(name, config) for name in config if name not in self._inside}

    def flattened(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """A configuration, or a part of one, of which each choice and repeat may be nested data, flat.

        Raises:
            SpaceError: if something is in it twice, or inside of what has no such part.
        """
        if not self._nests:
            return config
        flat: dict[str, Any] = {}
        for name, value in config.items():
            for path, each in self._pieces(name, value):
                if path in flat:
                    msg = f"The configuration has {path!r} twice, nested and by its full name: leave one out."
                    raise SpaceError(msg)
                flat[path] = each
        return flat

    def _content(self, name: str, config: Mapping[str, Any]) -> Any:
        if (nest := self._nests.get(name)) is None:
            return config[name]
        return nest.nested(config[name], [self._part(f"{name}.{part}", config) for part in nest.parts(config[name])])

    def _part(self, path: str, config: Mapping[str, Any]) -> Any:
        """What is in a block: the value of a single parameter, or those of several by their short names."""
        if path in config:
            return self._content(path, config)
        there = [(name, short) for name, short in self._blocks.get(path, ()) if name in config]
        return {short: self._content(name, config) for name, short in there}

    @functools.cached_property
    def _blocks(self) -> dict[str, list[tuple[str, str]]]:
        """The parameters of each block, with their short names."""
        blocks: dict[str, list[tuple[str, str]]] = {}
        for name, (block, short) in self._inside.items():
            if short:
                blocks.setdefault(block, []).append((name, short))
        return blocks

    def _pieces(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        nest = self._nests.get(name)
        if nest is None or (found := _unnested(name, nest, value)) is None:
            yield name, value
            return
        there, contents = found
        yield name, there
        for part, content in contents.items():
            if nest.condition(part) is not None:  # else the value is refused where it is parsed
                yield from self._pieces_of_part(f"{name}.{part}", content)

    def _pieces_of_part(self, path: str, content: Any) -> Iterator[tuple[str, Any]]:
        if path in self._parameters:
            yield from self._pieces(path, content)
            return
        known = {short: name for name, short in self._blocks.get(path, ())}
        if not isinstance(content, Mapping):
            msg = f"The configuration has {shown(content)} in {path!r}, but it must be a dict of {shown(list(known))}."
            raise SpaceError(msg)
        for short, value in content.items():
            if short not in known:
                has, hint = shown(list(known)), nearest(str(short), known)
                msg = f"The configuration has {shown(short)} in {path!r}, which has {has}: remove it.{hint}"
                raise SpaceError(msg)
            yield from self._pieces(known[short], value)

    def _place(self, name: str) -> tuple[str, str] | None:
        """The block in which a parameter is, and its short name there; None if it is in none."""
        above = name
        while "." in above:
            above = above.rpartition(".")[0]
            if (nest := self._nests.get(above)) is not None:
                part, _, short = name.removeprefix(f"{above}.").partition(".")
                _check_place(name, self._parameters[name], (above, part, short), nest)
                return f"{above}.{part}", short
        return None


def _check_place(name: str, parameter: Parameter, place: tuple[str, str, str], nest: Nest) -> None:
    above, part, short = place
    kind = type(nest).__name__
    if (condition := nest.condition(part)) is None or not nest.has(short):
        msg = (
            f"Parameter {name!r} is named as if it were inside of the {kind} {above!r}, which has no such place: "
            f"rename it, or write it into that {kind}."
        )
        raise SpaceError(msg)
    if parameter.active_if is None or parameter.active_if.get(above) != condition:
        msg = (
            f"Parameter {name!r} is named as if it were inside of the {kind} {above!r}, but its active_if doesn't say "
            f"that {above} {condition}: rename it, or write it into that {kind}."
        )
        raise SpaceError(msg)


def _unnested(name: str, nest: Nest, value: object) -> tuple[Any, Mapping[str, object]] | None:
    try:
        return nest.unnested(value)
    except SpaceError as error:
        msg = f"Parameter {name!r}: {error}"
        raise SpaceError(msg) from error
