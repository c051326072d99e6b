"""What users give as a search space: named parameters whose conditions fit each other, or a message.

`SearchSpace` calls it; what conditions mean is in `neps.space._activity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neps.errors import SpaceError, shown
from neps.space._activity import Activity, Test, resolved
from neps.space._conditions import OneOf
from neps.space._counting import parts
from neps.space._definition import KINDS
from neps.space._nesting import unfolded
from neps.space._parameter import Parameter
from neps.space._values import scalar

__all__ = ["check_conditions", "checked_parameters"]

_RESERVED = ("pipeline_directory", "previous_pipeline_directory")


def checked_parameters(given: object) -> dict[str, Parameter]:
    """Named parameters, each with its conditions as they are in this space.

    Raises:
        SpaceError: if they are no parameters, or the conditions name what the space doesn't have.
    """
    parameters = unfolded(_parameters(given))
    return {name: _with_conditions(name, parameter, parameters) for name, parameter in parameters.items()}


def _with_conditions(name: str, parameter: Parameter, parameters: Mapping[str, Parameter]) -> Parameter:
    if parameter.active_if is None:
        return parameter
    if name in parameter.active_if:
        msg = f"Parameter {name!r}: active_if names the parameter itself: name another one, or leave it out."
        raise SpaceError(msg)
    conditions = resolved(f"Parameter {name!r}: active_if", parameter.active_if, parameters)
    return parameter if conditions == parameter.active_if else parameter.with_prior(active_if=conditions)


def check_conditions(parameters: Mapping[str, Parameter], activity: Activity) -> None:
    """Make sure that each parameter can be active: that its conditions, and theirs, hold for some values.

    Raises:
        SpaceError: if not.
    """
    known: set[tuple[Test, ...]] = set()
    for name in activity.order:
        for parent, tests in _needed(name, activity).items():
            if tests not in known and not _hold_somewhere(parameters[parent], tests):
                raise SpaceError(_never(name, parent, parameters[parent], tests))
            known.add(tests)


def _needed(name: str, activity: Activity) -> dict[str, tuple[Test, ...]]:
    """What must hold of each other parameter where this one is active, but for what was looked at with its parent.

    With one parent only the condition on that is new.
    """
    needed: dict[str, dict[Test, None]] = {}
    above, reached = [name], {name}
    while above:
        for test in activity.tests[above.pop()]:
            needed.setdefault(test.parent, {})[test] = None
            if test.parent not in reached and len(activity.tests[name]) > 1:
                reached.add(test.parent)
                above.append(test.parent)
    return {parent: tuple(tests) for parent, tests in needed.items()}


def _hold_somewhere(parameter: Parameter, tests: Sequence[Test]) -> bool:
    return any(all(test.holds(value) for test in tests) for value, _ in parts(parameter, tests))


def _never(name: str, parent: str, parameter: Parameter, tests: Sequence[Test]) -> str:
    together = " and ".join(str(test.condition) for test in tests)
    rule = "it never is" if len(tests) == 1 else f"{parent} can't be all of that"
    message = f"Parameter {name!r} is never active: its conditions say that {parent} {together}, but {rule}"
    if parameter.count is None and any(isinstance(test.condition, OneOf) for test in tests):
        return f"{message}: a real number is hardly ever drawn exactly. Compare it, or give {parent} a step."
    return f"{message}. Change active_if."


def _parameters(given: object) -> dict[str, Parameter]:
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
    if type(value).__module__.partition(".")[0] == "ConfigSpace":
        return "pass the whole ConfigurationSpace as pipeline_space, or to neps.space_from."
    if isinstance(value, type):
        return "give it arguments, such as neps.Float(0, 1)."
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(bound, int | float) for bound in value):  # noqa: PLR2004 - a pair
        return f"write neps.Float({value[0]!r}, {value[1]!r}) for a range."
    if isinstance(value, list | tuple):
        return f"write neps.Categorical({shown(list(value))}) for choices."
    return _parameters_or_constant(value)


def _parameters_or_constant(value: object) -> str:
    if isinstance(value, Mapping):
        return "write its parameters beside the others, or options with parameters of their own as neps.Choice."
    try:
        return f"write neps.Constant({shown(scalar('the value', value))}) for a fixed value."
    except SpaceError:
        return "write one of these."
