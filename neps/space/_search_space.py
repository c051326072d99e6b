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

from neps._calling import public
from neps.errors import SpaceError, nearest, shown
from neps.space._activity import Activity, drawn
from neps.space._checking import check_conditions, checked_parameters
from neps.space._conditions import Conditions
from neps.space._counting import Extent
from neps.space._definition import FORBID, differing, parameters_from
from neps.space._elsewhere import SPACE_ELSEWHERE
from neps.space._forbidden import Forbidden, Forbidding, Rule
from neps.space._nesting import Nesting
from neps.space._number import Number
from neps.space._parameter import Parameter
from neps.space._values import Value

__all__ = ["SearchSpace"]


class SearchSpace(Mapping[str, Parameter]):
    """Named parameters, in an order that is part of the space: it defines the axes of the encoding. Immutable.

    It is a mapping of names to parameters, as the dict that it is made from. It raises SpaceError for a name that can't
    be used, for a configuration that lacks a parameter, and for a value that its parameter can't have.

    Args:
        parameters: at least one, by name (the keyword by which run_pipeline gets it), or another SearchSpace. Those
            with `active_if` are in a configuration only where their conditions hold. Those inside of a `Choice` or a
            `Repeat` become parameters of the space, named after where they are.
        forbid: combinations that no searcher suggests: mappings of names to a value, a list of values or a comparison
            (`neps.at_least(512)`), forbidden where all of them hold; or functions that take a configuration as a dict
            (without fidelities and inactive parameters, and with names in place of objects), and return True where it
            is forbidden. Of functions, neps.yaml has only the names.

    Example:
        >>> from neps.space import Categorical, Constant, Float, Integer
        >>> space = SearchSpace({"momentum": Float(0, 1), "width": Integer(1, 4), "data": Constant("digits")})
        >>> space.encode({"momentum": 0.5, "width": 2})
        array([0.5  , 0.375])
        >>> space.decode([0.5, 0.375])
        {'momentum': 0.5, 'width': 2, 'data': 'digits'}
        >>> list(space), space["data"], "depth" in space
        (['momentum', 'width', 'data'], Constant('digits'), False)
        >>> space = SearchSpace({
        ...     "optimizer": Categorical(["adam", "sgd"]),
        ...     "momentum": Float(0, 1, active_if={"optimizer": "sgd"}),
        ... })
        >>> space.decode([0.2, 0.5]), space.encode({"optimizer": "adam"})
        ({'optimizer': 'adam'}, array([0.25,  nan]))
    """

    @public("neps.SearchSpace", SPACE_ELSEWHERE, hidden=1)
    def __init__(
        self,
        parameters: Mapping[str, Parameter] | SearchSpace,
        forbid: Sequence[Forbidding] = (),
    ) -> None:
        """Copy what is given, so that nobody can change it, and check it."""
        if isinstance(parameters, SearchSpace):
            forbid = [*parameters.forbid, *forbid]
        self._parameters = MappingProxyType(checked_parameters(parameters))
        self._nesting = Nesting(self._parameters)
        self._forbidden = Forbidden(forbid, self._parameters)
        self._activity = Activity(self._parameters)
        self._extent = Extent(self._parameters, self._activity, self._forbidden)
        if self.is_conditional:
            check_conditions(self._parameters, self._activity)
        self._extent.check()

    def __repr__(self) -> str:
        forbidden = f", forbid={list(self.forbid)!r}" if self.forbid else ""
        return f"SearchSpace({dict(self.parameters)!r}{forbidden})"

    def __getitem__(self, name: str) -> Parameter:
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchSpace):
            return NotImplemented
        return tuple(self.parameters.items()) == tuple(other.parameters.items()) and self.forbid == other.forbid

    def __hash__(self) -> int:
        return hash((tuple(self.parameters.items()), self.forbid))

    def __reduce__(self) -> tuple[type[SearchSpace], tuple[object, ...]]:
        return SearchSpace, (dict(self.parameters), self.forbid)  # a read-only mapping has neither copies nor pickles

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters by name, in order; read-only."""
        return self._parameters

    @property
    def forbid(self) -> tuple[Conditions | Rule, ...]:
        """The forbidden combinations, to be passed on to another space; empty if there are none."""
        return self._forbidden.clauses

    @property
    def is_conditional(self) -> bool:
        """Whether any parameter has conditions, so that configurations differ in what they have."""
        return self._activity.is_conditional

    @property
    def conditional(self) -> dict[str, Conditions]:
        """The conditions of those parameters that have some, by name."""
        return {name: each.active_if for name, each in self.parameters.items() if each.active_if is not None}

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

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names by which run_pipeline gets a configuration: all but those inside of choices and repeats."""
        return self._nesting.arguments

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

    @property
    def size(self) -> int | None:
        """The number of different configurations, but for fidelities: of those that are allowed.

        None if a real number makes it infinite; or if only trying all would tell, and they are too many: with functions
        in `forbid` beyond 10,000 without them, or with conditions that all depend on each other.
        """
        return self._extent.size

    def every_config(self, most: int) -> list[dict[str, Value]] | None:
        """All configurations, at their highest fidelity; None if `size`, but for functions, is None or above `most`."""
        return self._extent.every_config(most)

    def encode(self, config: Mapping[str, Value]) -> npt.NDArray[np.float64]:
        """The point in the unit cube that stands for a configuration, of which only what is searched is looked at.

        Its shape is (dimensions,), in the order of `searched`, with NaN where a parameter is inactive. `decode` gives
        the same integers, choices and bounds back (`neps.space._scale` says how large integers may be), and floats to
        1e-12 of the unit interval.
        """
        active = self._active(config)
        positions = [axis.to_unit(active[name]) if name in active else math.nan for name, axis in self._axes.items()]
        return np.array(positions, dtype=np.float64)

    def decode(self, unit: npt.NDArray[np.float64] | Sequence[float]) -> dict[str, Value]:
        """The configuration that a point of the unit cube stands for: shape (dimensions,), clipped to [0, 1].

        It has every parameter that is active, in the order of the space: fidelities at their upper bounds, constants as
        they are. What the point says of inactive ones makes no difference; only there it may be NaN.
        """
        point = np.asarray(unit, dtype=np.float64)
        positions = dict(zip(self._axes, point.tolist(), strict=True)) if point.shape == (self.dimensions,) else None
        if positions is None or (not self.is_conditional and any(map(math.isnan, positions.values()))):
            names = shown(list(self.searched))
            msg = f"The point is {shown(unit)}, but it must hold {self.dimensions} numbers, one for each of {names}."
            raise SpaceError(msg)
        return self._activity.configuration(lambda name: self._decoded(name, positions))

    def axes_active(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which axes of encoded configurations are active: shape (dimensions,) or (count, dimensions), as given."""
        return ~np.isnan(points)

    def sample(self, generator: np.random.Generator) -> dict[str, Value]:
        """A configuration drawn uniformly, on each parameter's own scale, of those that are allowed; see `decode`."""
        return self._forbidden.drawn(lambda: self.decode(generator.random(self.dimensions)))

    def sample_prior(self, generator: np.random.Generator) -> dict[str, Value]:
        """A configuration drawn from the prior, uniformly for parameters without a default; see `sample`."""

        def draw() -> dict[str, Value]:
            probabilities = zip(self._axes.values(), generator.random(self.dimensions).tolist(), strict=True)
            return self.decode([parameter.quantile(probability) for parameter, probability in probabilities])

        return self._forbidden.drawn(draw)

    def completed(self, config: Mapping[str, Value], generator: np.random.Generator) -> dict[str, Value]:
        """A configuration with exactly what is active, after some of its values have been changed.

        What is missing is drawn, from its prior or else uniformly; fidelities are at their upper bounds. What is no
        longer active is left out. Whether it is allowed isn't looked at.
        """

        def value(name: str) -> Value:
            if name in config:
                return _parsed(name, self.parameters[name], config)
            if (axis := self._axes.get(name)) is None:
                return self._fixed[name]
            return axis.from_unit(axis.quantile(generator.random()))

        return self._activity.configuration(value)

    def filled(self, given: Mapping[str, object], generator: np.random.Generator) -> dict[str, object]:
        """What a user has given of a configuration, with what is missing of what is active then.

        That is its default, or else drawn uniformly, so that what is given is active if possible; fidelities are at
        their upper bounds. Whether it belongs to the space isn't looked at.
        """
        positions = dict(zip(self._axes, generator.random(self.dimensions).tolist(), strict=True))
        needed = self._activity.needed(name for name in given if name in self.parameters)

        def value(name: str) -> Value:
            if name in given:
                return _parsed(name, self.parameters[name], given)
            if (axis := self._axes.get(name)) is None:
                return self._fixed[name]
            if axis.default is not None:
                return axis.default
            return drawn(axis, needed.get(name, ()), positions[name], generator)

        return {**self._activity.configuration(value), **given}

    def log_prior(self, config: Mapping[str, Value]) -> float:
        """The logarithm of the prior's density relative to uniform: the sum over what is active and has a default.

        Both are distributions over the allowed configurations, except that functions in `forbid` are left out of this.
        """
        active = self._active(config)
        terms = [axis.log_density(active[name]) for name, axis in self._axes.items() if name in active]
        return math.fsum(terms) - self._extent.log_allowed

    def default_config(self) -> dict[str, Value] | None:
        """Where the user expects good values; None where no searched parameter has a default, or it is forbidden.

        Those without a default are at the centre of their range, on their own scale, or at the first choice.
        """
        if not self.has_prior:
            return None
        expected = self._fixed | {name: axis.expected for name, axis in self._axes.items()}
        config = self._activity.configuration(expected.__getitem__)
        return config if self.is_allowed(config) else None

    def is_allowed(self, config: Mapping[str, Value]) -> bool:
        """Whether no forbidden combination is in a configuration of the space."""
        return not self.forbid or self._forbidden.found(config) is None

    def is_surely_allowed(self, config: Mapping[str, Value]) -> bool:
        """The same, of functions in `forbid` that nobody has tried yet: a SpaceError if asked twice they disagree."""
        return self._forbidden.found_twice(config) is None

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

    def parsed(self, config: Mapping[str, object]) -> dict[str, Value]:
        """A complete configuration as plain Python, in the order of the space, be it forbidden or not.

        Args:
            config: a value for every parameter that is active, fidelities and constants included, and nothing else. An
                int is taken for a Float, NumPy scalars are taken for anything, and nested data as `flattened` does.
        """
        config = self.flattened(config)
        _check_names(config, self.parameters)
        active = self._activity.configuration(lambda name: _parsed(name, self.parameters[name], config))
        for name in config:
            if name not in active:
                msg = f"The configuration has {name!r}, but {self._activity.why_inactive(name, active)}: remove it."
                raise SpaceError(msg)
        return active

    def validate(self, config: Mapping[str, object]) -> dict[str, Value]:
        """What `parsed` says, if it is allowed."""
        parsed = self.parsed(config)
        if self.forbid and (found := self._forbidden.found(parsed)) is not None:
            msg = f"The configuration {shown(parsed)} is forbidden: {found}. Change it, or leave that out of forbid."
            raise SpaceError(msg)
        return parsed

    def handed(self, config: Mapping[str, Value]) -> dict[str, Any]:
        """What run_pipeline gets: the objects that the user has named in place of their names, else the values.

        Those of choices and repeats are in dicts and lists, as the parameters are in the space.
        """
        return self._nesting.nested({name: self.parameters[name].handed(value) for name, value in config.items()})

    def flattened(self, config: Mapping[str, object]) -> Mapping[str, object]:
        """A configuration, or a part of one, with dicts and lists for choices and repeats, by flat names."""
        return self._nesting.flattened(config)

    def definition(self) -> dict[str, dict[str, object]]:
        """What defines the space, as plain data to be written in this order."""
        return {name: parameter.definition() for name, parameter in self.parameters.items()}

    def forbidden_definition(self) -> list[object]:
        """What defines `forbid`, as plain data: mappings, and the names of functions."""
        return [clause.plain() for clause in self.forbid]

    @property
    def requires(self) -> tuple[str, ...]:
        """What of its definition the first readers of the format don't know: of `REQUIREMENTS`, sorted."""
        names = {name for parameter in self.values() for name in parameter.requires}
        return tuple(sorted(names | {FORBID} if self.forbid else names))

    @classmethod
    def from_definition(cls, definition: Mapping[str, Mapping[str, object]], forbid: Sequence[Any] = ()) -> SearchSpace:
        """The space that `definition` describes: the inverse of `definition()` and `forbidden_definition()`."""
        if isinstance(forbid, list | tuple):  # else it is refused
            forbid = [Rule(each) if isinstance(each, str) else each for each in forbid]
        return cls(parameters_from(definition), forbid)

    def differences(self, other: SearchSpace) -> list[str]:
        """What differs, a line each, for people: this space is this call's, the other one the run's."""
        lines = differing(here=self.parameters, there=other.parameters)
        here, there = self.forbidden_definition(), other.forbidden_definition()
        lines += [f"forbid: {each} only in the run" for each in there if each not in here]
        lines += [f"forbid: {each} only in this call" for each in here if each not in there]
        return lines

    @functools.cached_property
    def _axes(self) -> dict[str, Parameter]:
        return {name: parameter for name, parameter in self.parameters.items() if parameter.searched}

    @functools.cached_property
    def _fixed(self) -> dict[str, Value]:
        return {name: parameter.from_unit(1.0) for name, parameter in self.parameters.items() if not parameter.searched}

    def _active(self, config: Mapping[str, Value]) -> dict[str, Value]:
        """The searched values of a configuration, and constants that others depend on: it need not have the others."""
        if not self.is_conditional:
            return {name: _parsed(name, axis, config) for name, axis in self._axes.items()}
        axes, fixed = self._axes, self._fixed
        return self._activity.configuration(
            lambda name: _parsed(name, axes[name], config) if name in axes else fixed[name]
        )

    def _decoded(self, name: str, positions: Mapping[str, float]) -> Value:
        if name not in positions:
            return self._fixed[name]
        if math.isnan(unit := positions[name]):
            msg = f"The point has nan for {name!r}, but that is active: only inactive parameters may be nan."
            raise SpaceError(msg)
        return self._axes[name].from_unit(unit)


def _check_names(config: Mapping[str, object], parameters: Mapping[str, Parameter]) -> None:
    for name in config:
        if name not in parameters:
            hint, has = nearest(str(name), parameters), shown(list(parameters))
            msg = f"The configuration has {shown(name)}, but the space has {has}: remove it.{hint}"
            raise SpaceError(msg)


def _parsed(name: str, parameter: Parameter, config: Mapping[str, object]) -> Value:
    if name not in config:
        since = f", which is active since {parameter.active_if}" if parameter.active_if is not None else ""
        msg = f"The configuration {shown(dict(config))} lacks the parameter {name!r}{since}: add it."
        raise SpaceError(msg)
    try:
        return parameter.parse(config[name])
    except SpaceError as error:
        msg = f"Parameter {name!r}: {error}"
        raise SpaceError(msg) from error
