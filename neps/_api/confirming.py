"""`neps.confirm`: the best few trials of a run once more, with other seeds, as trials of a run of their own beside it.

It owns what is evaluated; `neps.run` does it, in `confirmations/RUN` of the root. `neps confirm ROOT SCRIPT.py` starts
a script whose `neps.run` then confirms: here is what the two tell one another.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neps._api.arguments import root_path
from neps._api.run import CONFIRMING, run
from neps._api.spaces import Space, space_from
from neps._calling import public
from neps._checking import ARGUMENTS
from neps._children import current_trial
from neps._deciding import confirming_seeds
from neps._distributed.launched import group_of
from neps._history import History
from neps._ledger.definition import Definition
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition, read_history
from neps._ranking import best_first, ranks
from neps._trial import Trial, Value
from neps._views.confirmation import Confirmation, confirmation_of
from neps.errors import ArgumentError, DefinitionMismatchError, DirectoryError, nearest, shown
from neps.samplers._confirming import Confirming, Pair, missing
from neps.space import SearchSpace

__all__ = ["PASSED_ON", "confirm", "confirmed_instead", "request"]

_logger = logging.getLogger("neps")

PASSED_ON = (
    *("max_evaluations_per_run", "max_seconds_per_run", "max_seconds_per_trial", "on_time_limit"),
    *("continue_until_max_evaluation_completed", "cost", "ignore_errors", "loss_value_on_error", "cost_value_on_error"),
    *("max_attempts", "lease_seconds", "progress", "post_run_summary", "keep_checkpoints", "callbacks"),
)
"""The arguments of `neps.run` that don't say what is searched."""


@public("neps.confirm")
def confirm(
    run_pipeline: Callable[..., Any],
    root_directory: str | Path,
    *,
    top: int = 5,
    seeds: int = 3,
    pipeline_space: Space | None = None,
    **arguments: Any,
) -> Confirmation:
    """Evaluate the best few configurations of a run once more, with other seeds, to see which is truly the best.

    The lowest of many noisy losses is lower than what its configuration is worth. Here each of the best `top` is
    evaluated anew with the same `seeds`, from scratch and at the highest fidelity. These evaluations are trials of a
    run of their own, in `confirmations/` of the root: nothing is added to the search. Start the same call as often as
    you like: workers share the evaluations, what was killed is resumed, and what is there isn't evaluated again. With a
    larger `top` or more `seeds` the rest is added.

    Args:
        run_pipeline: as of `neps.run`. If its signature names `seed`, which is no parameter of the space, it gets the
            seed under that name. Else it takes `neps.current_trial().seed`, or the seeds differ in nothing.
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).
        top: how many different configurations; those of the lowest losses at the highest fidelity that was reached.
        seeds: how many evaluations of each; all get the same seeds, which follow from the run's.
        pipeline_space: needed only where choices are objects with names, which the directory doesn't hold; as passed to
            `neps.run`.
        **arguments: other arguments of `neps.run` for these evaluations: `max_evaluations_per_run`,
            `max_seconds_per_run`, `max_seconds_per_trial`, `on_time_limit`, `continue_until_max_evaluation_completed`,
            `cost`, `ignore_errors`, `loss_value_on_error`, `cost_value_on_error`, `max_attempts`, `lease_seconds` (by
            default the run's), `progress`, `post_run_summary`, `keep_checkpoints`, `callbacks`.

    Returns:
        All that was confirmed of this run so far, by this call and others: means, deviations, and the probability that
        each is truly better than the next (see `Confirmation.probability_better`).

    Raises:
        neps.errors.ArgumentError: if an argument is wrong, or no trial has a finite loss, before anything is written.
        neps.errors.DirectoryError: if there is no run in `root_directory`.
        neps.errors.EvaluationError: and others: as `neps.run`.

    Example:
        >>> import neps, random, tempfile
        >>> def run_pipeline(x, seed=0):
        ...     return (x - 0.3) ** 2 + random.Random(seed).gauss(0, 0.001)
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> _ = neps.run(run_pipeline, root, space, searcher="sobol", seed=1, max_evaluations_total=16)
        >>> confirmed = neps.confirm(run_pipeline, root, top=3, seeds=5)
        >>> confirmed
        <Confirmation: 3 configurations confirmed with 5 seeds>
        >>> confirmed.best.deviation < 0.005
        True
    """
    _check_names(arguments)
    count, repeats = ARGUMENTS.whole("top", top), ARGUMENTS.whole("seeds", seeds)
    root = root_path(root_directory)
    definition = read_definition(root)
    space, search = _space(root, definition, pipeline_space), read_history(root, definition)
    pairs = _pairs(root, search, space, count, confirming_seeds(definition.seed, repeats))
    place = Layout(root, definition.run).confirmation
    there = _history(place)
    alone = group_of(os.environ) is None  # else all ranks must do the same, whatever each has seen
    if there is None or missing(pairs, there.by_number) or there.pending or not alone:
        lease = {"lease_seconds": definition.lease_seconds} if there is None else {}
        given = lease | {name: value for name, value in arguments.items() if value is not None}
        there = run(_seeded(run_pipeline, space), place, space, searcher=Confirming(pairs), **given)
    return confirmation_of(search, there, place)


def _check_names(arguments: Mapping[str, Any]) -> None:
    for name in arguments:
        if name not in PASSED_ON:
            takes = ("top", "seeds", "pipeline_space", *PASSED_ON)
            hint = nearest(name, takes) or f" It takes {', '.join(takes)}."
            raise ArgumentError(f"neps.confirm has no argument {shown(name)}.{hint}")


def _space(root: str, definition: Definition, given: Space | None) -> SearchSpace:
    """The run's, or the given one, which must be the same. Nothing is forbidden: what was found is not searched for."""
    published = SearchSpace.from_definition(definition.space, definition.forbid)
    if given is None:
        return SearchSpace(published.parameters)
    space = space_from(given)
    if differences := space.differences(published):
        listed = "".join(f"\n  - {difference}" for difference in differences)
        message = (
            f"The run in {root} searches another space than this pipeline_space:{listed}\nPass the one that it was "
            "started with, or leave it out."
        )
        raise DefinitionMismatchError(message)
    return SearchSpace(space.parameters)


def _pairs(root: str, search: History, space: SearchSpace, top: int, seeds: list[int]) -> list[Pair]:
    """What is to be evaluated: all configurations with the first seed, then all with the second, and so on."""
    chosen = _best(search, space, top)
    if not chosen:
        message = (
            f"No trial of {root} has succeeded with a finite loss yet, so there is nothing to confirm. Search first, "
            "with neps.run."
        )
        raise ArgumentError(message)
    configs = [(trial.number, _at_highest(trial.config, space)) for trial in chosen]
    return [Pair(number, config, seed) for seed in seeds for number, config in configs]


def _best(search: History, space: SearchSpace, top: int) -> list[Trial]:
    """The best trial of each of the best configurations: continued ones count once."""
    chosen: dict[tuple[tuple[str, Value], ...], Trial] = {}
    for trial in best_first(trial for trial in search if ranks(trial)):
        key = tuple((name, value) for name, value in trial.config.items() if name != space.fidelity)
        chosen.setdefault(key, trial)
    return list(chosen.values())[:top]


def _at_highest(config: Mapping[str, Value], space: SearchSpace) -> Mapping[str, Value]:
    highest = space.highest_fidelity
    return config if highest is None else space.at_fidelity(config, highest)


def _history(place: str) -> History | None:
    try:
        return read_history(place)
    except DirectoryError:  # nobody has begun yet
        return None


def _seeded(run_pipeline: Callable[..., Any], space: SearchSpace) -> Callable[..., Any]:
    """The same function, called with the trial's seed if its signature names one that is no parameter."""
    try:
        signature = inspect.signature(run_pipeline)
    except (TypeError, ValueError):  # which also is what `neps.run` says of what can't be called
        return run_pipeline
    named = signature.parameters.get("seed")
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if named is None or named.kind not in by_name or "seed" in space:
        return run_pipeline

    @functools.wraps(run_pipeline)
    def seeded(**config: Any) -> Any:
        return run_pipeline(**config, seed=current_trial().seed)

    others = [each for name, each in signature.parameters.items() if name != "seed"]
    seeded.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
    return seeded


# A script that confirms instead of searching


def request(root: str, top: int, seeds: int) -> dict[str, str]:
    """What to set in the environment of a script, so that its search in this root confirms instead."""
    return {CONFIRMING: json.dumps({"root": os.path.realpath(root), "top": top, "seeds": seeds})}


def confirmed_instead(root: str, given: Mapping[str, Any]) -> History | None:
    """What a call of `neps.run` returns in a script that `neps confirm` has started; None: it goes on.

    Args:
        root: its root directory.
        given: its arguments, by name.
    """
    asked = json.loads(os.environ[CONFIRMING])
    inner = os.path.realpath(root)
    if inner.startswith(f"{asked['root']}/confirmations/"):
        return None
    if inner != asked["root"]:
        if current_trial():  # what is confirmed searches itself
            return None
        _logger.warning("%s is set, by `neps confirm`: nothing is searched in %s.", CONFIRMING, root)
        return read_history(root)
    passed = {name: given[name] for name in PASSED_ON}
    space = given["pipeline_space"]
    confirmed = confirm(
        given["run_pipeline"], root, top=asked["top"], seeds=asked["seeds"], pipeline_space=space, **passed
    )
    if (group := group_of(os.environ)) is None or not group.rank:
        sys.stdout.write(f"{confirmed}\n")
    return confirmed.history
