"""`pre_load_hooks`: callables that replace the sampler of a run before it is used. `neps.run` calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from neps.errors import ArgumentError, shown
from neps.samplers import Sampler

__all__ = ["Hooks", "checked_hooks", "hooked"]

Hook = Callable[[Sampler], Sampler]
Hooks = Iterable[Hook]


def checked_hooks(hooks: object) -> list[Hook]:
    """What a user passes as `pre_load_hooks`.

    Raises:
        ArgumentError: if it isn't a list of callables.
    """
    if hooks is None:
        return []
    if not isinstance(hooks, Iterable):
        message = f"pre_load_hooks is {shown(hooks)}; it must be a list of callables that take and return a sampler."
        raise ArgumentError(message)
    checked = list(hooks)
    for hook in checked:
        if not callable(hook):
            message = f"pre_load_hooks has {shown(hook)}; each must be a callable that takes a sampler and returns one."
            raise ArgumentError(message)
    return checked


def hooked(sampler: Sampler, hooks: Iterable[Hook]) -> Sampler:
    """The sampler that the hooks make of another, one after the other.

    Raises:
        ArgumentError: if one returns something else.
    """
    for hook in hooks:
        sampler = hook(sampler)
        if not isinstance(sampler, Sampler):
            message = f"The hook {shown(hook)} of pre_load_hooks returned {shown(sampler)}; it must return a Sampler."
            raise ArgumentError(message)
    return sampler
