"""The search space: named parameters, and what they make together.

Configurations are encoded, decoded, sampled, checked and described here, by what each `Parameter` does. Samplers, the
ledger and `neps.run` call it. No file, clock or global random state.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from neps.errors import SpaceError, nearest, shown
from neps.space._definition import KINDS, differing, parameters_from
from neps.space._number import Number
from neps.space._parameter import Parameter
from neps.space._values import Value, scalar

__all__ = ["SearchSpace"]

_RESERVED = ("pipeline_directory", "previous_pipeline_directory")


class SearchSpace(Mapping[str, Parameter]):
    """Named parameters, in an order that is part of the space: it defines the axes of the encoding. Immutable.

    It is a mapping of names to parameters, as the dict that it is made from. It raises SpaceError for a name that can't
    be used, for a configuration that lacks a parameter, and for a value that its parameter can't have.

    Args:
        parameters: at least one, by name (the keyword by which run_pipeline gets it), or another SearchSpace.

    Example:
        >>> from neps.space import Constant, Float, Integer
        >>> space = SearchSpace({"momentum": Float(0, 1), "width": Integer(1, 4), "data": Constant("digits")})
        >>> space.encode({"momentum": 0.5, "width": 2})
        array([0.5  , 0.375])
        >>> space.decode([0.5, 0.375])
        {'momentum': 0.5, 'width': 2, 'data': 'digits'}
        >>> list(space), space["data"], "depth" in space
        (['momentum', 'width', 'data'], Constant('digits'), False)
    """

    def __init__(self, parameters: Mapping[str, Parameter] | SearchSpace) -> None:
        """Copy the mapping, so that nobody can change it, and check it."""
        self._parameters = MappingProxyType(_checked(parameters))

    def __repr__(self) -> str:
        return f"SearchSpace({dict(self.parameters)!r})"

    def __getitem__(self, name: str) -> Parameter:
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchSpace):
            return NotImplemented
        return tuple(self.parameters.items()) == tuple(other.parameters.items())

    def __hash__(self) -> int:
        return hash(tuple(self.parameters.items()))

    def __reduce__(self) -> tuple[type[SearchSpace], tuple[dict[str, Parameter]]]:
        return SearchSpace, (dict(self.parameters),)  # a read-only mapping has neither copies nor pickles

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters by name, in order; read-only."""
        return self._parameters

    @functools.cached_property
    def fidelities(self) -> tuple[str, ...]:
        """The names of all fidelities; a multi-fidelity sampler needs exactly one."""
        return tuple(name for name, parameter in self.parameters.items() if parameter.is_fidelity)

    @property
    def fidelity(self) -> str | None:
        """The name of the fidelity where there is exactly one, else None."""
        return self.fidelities[0] if len(self.fidelities) == 1 else None

    @property
    def fidelity_range(self) -> Number | None:
        """Its parameter; None where there isn't exactly one fidelity."""
        parameter = self.parameters[self.fidelity] if self.fidelity is not None else None
        return parameter if isinstance(parameter, Number) else None

    @property
    def highest_fidelity(self) -> float | None:
        """Its upper bound, that of a full evaluation; None where there isn't exactly one fidelity."""
        return None if self.fidelity_range is None else float(self.fidelity_range.upper)

    @functools.cached_property
    def searched(self) -> tuple[str, ...]:
        """The names that are searched, in the order of the space: all but constants and fidelities."""
        return tuple(self._axes)

    @property
    def dimensions(self) -> int:
        """How many parameters are searched: the dimension of the unit cube."""
        return len(self._axes)

    @functools.cached_property
    def has_prior(self) -> bool:
        """Whether any searched parameter has a default."""
        return any(parameter.default is not None for parameter in self._axes.values())

    @property
    def is_finite(self) -> bool:
        """Whether there are finitely many configurations, but for fidelities."""
        return self.size is not None

    @functools.cached_property
    def size(self) -> int | None:
        """The number of different configurations, but for fidelities; None if a real number makes it infinite."""
        counts = [parameter.count for parameter in self._axes.values()]
        return None if None in counts else math.prod(count for count in counts if count is not None)

    def encode(self, config: Mapping[str, Value]) -> npt.NDArray[np.float64]:
        """The point in the unit cube that stands for a configuration, of which only what is searched is looked at.

        Its shape is (dimensions,), in the order of `searched`. `decode` gives the same integers, choices and bounds
        back (`neps.space._scale` says how large integers may be), and floats to 1e-12 of the unit interval.
        """
        positions = [axis.to_unit(_parsed(name, axis, config)) for name, axis in self._axes.items()]
        return np.array(positions, dtype=np.float64)

    def decode(self, unit: npt.NDArray[np.float64] | Sequence[float]) -> dict[str, Value]:
        """The configuration that a point of the unit cube stands for: shape (dimensions,), clipped to [0, 1].

        It has every parameter, in the order of the space: fidelities at their upper bounds, constants as they are.
        """
        point = np.asarray(unit, dtype=np.float64)
        if point.shape != (self.dimensions,) or np.isnan(point).any():
            names = shown(list(self.searched))
            msg = f"The point is {shown(unit)}, but it must hold {self.dimensions} numbers, one for each of {names}."
            raise SpaceError(msg)
        axes = zip(self._axes.items(), point.tolist(), strict=True)
        return self._completed({name: parameter.from_unit(position) for (name, parameter), position in axes})

    def sample(self, generator: np.random.Generator) -> dict[str, Value]:
        """A configuration drawn uniformly, on each parameter's own scale; `decode` says what it holds."""
        return self.decode(generator.random(self.dimensions))

    def sample_prior(self, generator: np.random.Generator) -> dict[str, Value]:
        """A configuration drawn from the prior, uniformly for parameters without a default; see `decode`."""
        probabilities = zip(self._axes.values(), generator.random(self.dimensions).tolist(), strict=True)
        return self.decode([parameter.quantile(probability) for parameter, probability in probabilities])

    def log_prior(self, config: Mapping[str, Value]) -> float:
        """The logarithm of the prior's density relative to uniform: the sum over what is searched and has a default."""
        return math.fsum(axis.log_density(_parsed(name, axis, config)) for name, axis in self._axes.items())

    def default_config(self) -> dict[str, Value] | None:
        """Where the user expects good values; None where no searched parameter has a default.

        Those without a default are at the centre of their range, on their own scale, or at the first choice.
        """
        return self._completed({name: axis.expected for name, axis in self._axes.items()}) if self.has_prior else None

    def at_fidelity(self, config: Mapping[str, Value], value: float) -> dict[str, Value]:
        """The same configuration at another fidelity.

        Args:
            config: a complete configuration, of a space with exactly one fidelity.
            value: of the fidelity, within its bounds; 3.0 is 3 where the fidelity is an Integer.
        """
        name, parameter = self.fidelity, self.fidelity_range
        if name is None or parameter is None:
            msg = (
                f"The space has the fidelities {list(self.fidelities)}, but it must have exactly one: set "
                "is_fidelity=True for one parameter only."
            )
            raise SpaceError(msg)
        return dict(config) | {name: _parsed(name, parameter, {name: parameter.exact(value)})}

    def validate(self, config: Mapping[str, object]) -> dict[str, Value]:
        """A complete configuration as plain Python, in the order of the space.

        Args:
            config: a value for every parameter, fidelities and constants included, and nothing else. An int is taken
                for a Float, NumPy scalars are taken for anything.
        """
        _check_names(config, self.parameters)
        return {name: _parsed(name, parameter, config) for name, parameter in self.parameters.items()}

    def handed(self, config: Mapping[str, Value]) -> dict[str, Any]:
        """What run_pipeline gets: the objects that the user has named in place of their names, else the values."""
        return {name: self.parameters[name].handed(value) for name, value in config.items()}

    def definition(self) -> dict[str, dict[str, object]]:
        """What defines the space, as plain data to be written in this order."""
        return {name: parameter.definition() for name, parameter in self.parameters.items()}

    @property
    def requires(self) -> tuple[str, ...]:
        """What of its definition the first readers of the format don't know: of `REQUIREMENTS`, sorted."""
        return tuple(sorted({name for parameter in self.values() for name in parameter.requires}))

    @classmethod
    def from_definition(cls, definition: Mapping[str, Mapping[str, object]]) -> SearchSpace:
        """The space that `definition` describes: the inverse of `definition()`."""
        return cls(parameters_from(definition))

    def differences(self, other: SearchSpace) -> list[str]:
        """What differs, a line each, for people: this space is this call's, the other one the run's."""
        return differing(here=self.parameters, there=other.parameters)

    @functools.cached_property
    def _axes(self) -> dict[str, Parameter]:
        return {name: parameter for name, parameter in self.parameters.items() if parameter.searched}

    @functools.cached_property
    def _fixed(self) -> dict[str, Value]:
        return {name: parameter.from_unit(1.0) for name, parameter in self.parameters.items() if not parameter.searched}

    def _completed(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """`values` and what is not searched, in the order of the space."""
        return {name: values[name] if name in values else self._fixed[name] for name in self.parameters}


def _checked(given: object) -> dict[str, Parameter]:
    if isinstance(given, SearchSpace):
        return dict(given.parameters)
    if not isinstance(given, Mapping):
        msg = (
            f"pipeline_space is {shown(given)}, but it must map names to parameters: write a dict, such as "
            '{"x": neps.Float(0, 1)}.'
        )
        raise SpaceError(msg)
    if not given:
        msg = 'pipeline_space is empty, but it needs at least one parameter: write {"x": neps.Float(0, 1)}, say.'
        raise SpaceError(msg)
    return {_checked_name(name): _checked_parameter(name, value) for name, value in given.items()}


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        msg = (
            f"pipeline_space has a parameter named {shown(name)}, but a name must be a text that is not empty: that of "
            "run_pipeline's argument."
        )
        raise SpaceError(msg)
    if name in _RESERVED:
        msg = (
            f"pipeline_space has a parameter named {name!r}, but run_pipeline gets a folder under that name: rename "
            "the parameter."
        )
        raise SpaceError(msg)
    return str.__str__(name)


def _checked_parameter(name: object, value: object) -> Parameter:
    if isinstance(value, Parameter) and getattr(value, "kind", None) in KINDS:
        return value
    *others, last = [f"neps.{kind.__name__}" for kind in KINDS.values()]
    kinds = f"{', '.join(others)} or {last}"
    msg = f"pipeline_space[{shown(name)}] is {shown(value)}, but it must be a {kinds}: {_what_to_write(value)}"
    raise SpaceError(msg)


def _what_to_write(value: object) -> str:
    if isinstance(value, type):
        return "give it arguments, such as neps.Float(0, 1)."
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(bound, int | float) for bound in value):  # noqa: PLR2004 - a pair
        return f"write neps.Float({value[0]!r}, {value[1]!r}) for a range."
    if isinstance(value, list | tuple):
        return f"write neps.Categorical({shown(list(value))}) for choices."
    try:
        return f"write neps.Constant({shown(scalar('the value', value))}) for a fixed value."
    except SpaceError:
        return "write one of these."


def _check_names(config: Mapping[str, object], parameters: Mapping[str, Parameter]) -> None:
    for name in config:
        if name not in parameters:
            hint, has = nearest(str(name), parameters), shown(list(parameters))
            msg = f"The configuration has {shown(name)}, but the space has {has}: remove it.{hint}"
            raise SpaceError(msg)


def _parsed(name: str, parameter: Parameter, config: Mapping[str, object]) -> Value:
    if name not in config:
        msg = f"The configuration {shown(dict(config))} lacks the parameter {name!r}: add it."
        raise SpaceError(msg)
    try:
        return parameter.parse(config[name])
    except SpaceError as error:
        msg = f"Parameter {name!r}: {error}"
        raise SpaceError(msg) from error
