"""Configurations that users give, in whole or in part: checked, and completed. Values only; no files.

`neps.enqueue` and `first_configs` check theirs here before anything is written; a decision completes the one it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from neps._deciding.seeding import entry_generator
from neps._trial import Entry
from neps.errors import ArgumentError, SpaceError, shown
from neps.space import SearchSpace, Value

if TYPE_CHECKING:
    import numpy as np

__all__ = ["checked_configs", "completed"]

_DRAWN = 1000


def completed(space: SearchSpace, given: Mapping[str, object], generator: np.random.Generator) -> dict[str, Value]:
    """The configuration that a user has given, with what is missing: its default, or else a value drawn uniformly.

    A fidelity that is missing is at its upper bound, as in `SearchSpace.sample`.

    Raises:
        SpaceError: if no configuration of the space has these values.
    """
    values = space.flattened(given)
    failure: SpaceError | None = None
    for each in (generator, _checking()):  # what has passed the check is completed, however rarely a draw is allowed
        for _ in range(_DRAWN):
            filled = values
            try:
                filled = space.filled(values, each)
                return space.validate(filled)
            except SpaceError as error:
                failure = failure or error
            if not space.forbid or filled.keys() == values.keys():  # another draw would change nothing
                break
    assert failure is not None  # noqa: S101 - at least one was drawn
    raise failure


def _checking() -> np.random.Generator:
    """What a configuration is completed by before anybody takes it, to see whether it can be."""
    return entry_generator(0, Entry(0, 1))


def checked_configs(space: SearchSpace, given: object, name: str) -> tuple[dict[str, Value], ...]:
    """A list of configurations, each of some or all parameters, as plain values in the order of the space.

    Args:
        space: the run's.
        given: what the user has passed.
        name: what it is called in messages.

    Raises:
        ArgumentError: if it is no list of configurations, or one doesn't belong to the space; the message says which.
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise ArgumentError(
            f'{name} is {shown(given)}; it must be a list of configurations, such as [{{"x": 0.5}}]. A configuration '
            "may leave parameters out."
        )
    return tuple(_checked(space, config, f"{name}[{index}]") for index, config in enumerate(given))


def _checked(space: SearchSpace, given: object, name: str) -> dict[str, Value]:
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"{name} is {shown(given)}; it must be a mapping of parameters' names to values. Nothing was written."
        )
    try:
        values = space.flattened(given)
        config = completed(space, values, _checking())
    except SpaceError as error:
        raise ArgumentError(f"{name} doesn't belong to the search space: {error} Nothing was written.") from error
    return {parameter: value for parameter, value in config.items() if parameter in values}
