"""`start_from`: what earlier runs have found, mapped into the space of a new one, and published before that begins.

A snapshot: the new run needs the earlier roots no more. `Proposal` asks for it where there is no run yet, and
`neps.AskAndTell` in memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neps._api.import_found import Found
from neps._api.importing import left_out_words, trial_of
from neps._history import History
from neps._ledger.definition import FIRST_CONFIGS, Definition
from neps._ledger.identity import Identity
from neps._ledger.known_trials import distinct, publish_results
from neps._ledger.layout import Layout
from neps._ledger.links import without_links
from neps._ledger.reading import read_definition, read_history, root_of
from neps._listing import counted
from neps._ranking import best
from neps._trial import Trial
from neps.errors import ArgumentError, DirectoryError, NepsError, SpaceError, shown
from neps.space import Parameter, SearchSpace

__all__ = ["Start", "roots_of"]

_logger = logging.getLogger("neps")


def roots_of(given: object) -> tuple[str, ...]:
    """The earlier root directories, from what a user passes as `start_from`.

    Raises:
        ArgumentError: if it is neither a path nor a list of some.
    """
    if given is None:
        return ()
    listed = [given] if isinstance(given, str | os.PathLike) else given
    if not isinstance(listed, Iterable) or isinstance(listed, Mapping):
        raise ArgumentError(
            f"start_from is {shown(given)}; it must be the root_directory of an earlier run, or several."
        )
    try:
        return tuple(root_of(each) for each in listed)
    except ArgumentError as error:
        raise ArgumentError(f"start_from is {shown(given)}: {error}") from error


@dataclasses.dataclass(slots=True)
class Start:
    """From which earlier runs a new one starts.

    Args:
        roots: their root directories.
        space: the new run's.
    """

    roots: tuple[str, ...]
    space: SearchSpace
    _proposed: tuple[Layout, Definition] | None = None

    def published(self, root: str, definition: Definition) -> Definition:
        """The definition of a new run that starts from them; what they have found is published under its name.

        Raises:
            neps.errors.DirectoryError: if one of them holds no run, or the new root can't be written to.
            neps.errors.ArgumentError: if nothing that they have found can be mapped into the space.
        """
        if self._proposed is not None:  # an outage came between: it may have become the run's all the same
            return self._proposed[1]
        runs = tuple(read_definition(each).run for each in self.roots)
        found = self._found()
        layout = Layout(root, definition.run)
        number = self._publish(layout, found)
        first = (*definition.first_configs, _best(itertools.chain.from_iterable(found.values()), self.space))
        requires = tuple(sorted({*definition.requires, FIRST_CONFIGS}))
        whole = dataclasses.replace(definition, first_configs=first, requires=requires, start_from=runs, known=number)
        self._proposed = layout, whole
        return whole

    def results(self) -> tuple[tuple[Trial, ...], tuple[dict[str, Any], ...]]:
        """What they have found, for a new run in memory, and the configuration that it evaluates after its first ones.

        Raises:
            neps.errors.DirectoryError: if one of them holds no run.
            neps.errors.ArgumentError: if nothing that they have found can be mapped into the space.
        """
        found = distinct(itertools.chain.from_iterable(self._found().values()))
        return found, (_best(found, self.space),)

    def _found(self) -> dict[str, list[Trial]]:
        return {each: self._mapped(each) for each in self.roots}

    def _publish(self, layout: Layout, found: Mapping[str, Sequence[Trial]]) -> int:
        """Publish what was found; how many documents that are."""
        number = 0
        try:
            for root, trials in found.items():
                number = publish_results(layout, trials, Path(root).name, Identity.mine(), earlier=True)
        except OSError as error:
            _remove(layout)
            message = f"{layout.known} can't be written to: {error}. Nothing was started."
            raise without_links(layout.root, error) or DirectoryError(message) from error
        return number

    def withdraw(self, winner: str) -> None:
        """Another run has begun, or this one: remove what was published for one that has not. Nobody knows its name."""
        if self._proposed is not None and self._proposed[0].run != winner:
            _remove(self._proposed[0])
        self._proposed = None

    def differs(self, found: Definition) -> str | None:
        """How a run that is there starts from something else; None if it doesn't, or nobody can tell any more."""
        try:
            runs = tuple(read_definition(each).run for each in self.roots)
        except (NepsError, OSError):
            _logger.info("start_from is ignored: the run has begun, and an earlier root is gone.")
            return None
        if set(runs) == set(found.start_from):
            return None
        return (
            f"start_from is {', '.join(found.start_from) or 'nothing'} in the run and {', '.join(runs)} in this call: "
            "leave it out, and import results by neps.import_trials"
        )

    def _mapped(self, root: str) -> list[Trial]:
        history = read_history(root)
        mapped, left_out = [], []
        for what, config, trial in _results(history):
            try:
                mine = mapped_config(self.space, config, history.space)
                mapped.append(trial_of(self.space, Found(mine, trial.loss, trial.cost)))
            except SpaceError as error:
                left_out.append(f"{what}: {error}")
        if not mapped:
            why = left_out_words(left_out, 0) if left_out else "It has no results."
            raise ArgumentError(f"start_from: nothing that {root} has found can be used. {why}")
        _logger.info("start_from: %s of %s used", counted(len(mapped), "result"), root)
        if left_out:
            _logger.warning("start_from, %s: %s", root, left_out_words(left_out, len(mapped)))
        return mapped


def _remove(layout: Layout) -> None:
    shutil.rmtree(layout.known, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(layout.known))  # noqa: PTH120, PTH106


def _results(history: History) -> Iterable[tuple[str, Mapping[str, Any], Trial]]:
    for trial in history:
        if trial.succeeded and not trial.damaged and trial.decision is not None:
            yield f"trial {trial.number}", trial.config, trial
    for trial in (*history.imported, *history.earlier):
        if trial.succeeded:
            yield "an imported trial", trial.config, trial


def mapped_config(space: SearchSpace, config: Mapping[str, Any], before: SearchSpace) -> dict[str, Any]:
    """A configuration of an earlier run's space in this one, without constants: these are as this space has them.

    What is new, or was inactive and no longer is, has its default. What is gone, or is inactive now, is left out. Of
    what was searched, and is constant or gone as a fidelity now, only the value that it has here is known.

    Args:
        space: the new run's.
        config: of the earlier run.
        before: the earlier run's space.

    Raises:
        SpaceError: if it can't be mapped.
    """
    given = _without_constants(config, space)
    unused = np.random.default_rng(0)  # what it draws is refused below
    filled: Mapping[str, Any] = space.filled(given, unused)
    mapped = space.completed(filled, unused)
    for name, value in mapped.items():
        if _is_constant(space[name]):
            _check_same(name, value, config, before)
        elif name not in given and space[name].searched and space[name].default is None:
            raise SpaceError(_needs_default(name, before))
    for name in set(before.fidelities).difference(space):
        _check_same(name, getattr(before[name], "upper", None), config, before)
    return {name: value for name, value in mapped.items() if name in given or space[name].searched}


def _without_constants(config: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name in space and not _is_constant(space[name])}


def _is_constant(parameter: Parameter) -> bool:
    return not parameter.searched and not parameter.is_fidelity


def _check_same(name: str, here: Any, config: Mapping[str, Any], before: SearchSpace) -> None:
    """Refuse what was searched, or ran at a fidelity, with a value that is not the one that all trials have here."""
    if name in config and name in before and not _is_constant(before[name]) and config[name] != here:
        raise SpaceError(f"The earlier run had {name}={shown(config[name])} there; here it is {shown(here)}.")


def _needs_default(name: str, before: SearchSpace) -> str:
    if name in before:
        return f"In the earlier run, {name!r} was inactive there: give it a default, which it is taken to have had."
    return f"The earlier run has no {name!r}: set its default to the value that the earlier run used."


def _best(trials: Iterable[Trial], space: SearchSpace) -> dict[str, Any]:
    """The best configuration that earlier runs have found, without its fidelity; any, where no loss is finite."""
    known = list(trials)
    found = best(known) or known[0]
    return {name: found.config[name] for name in space.searched if name in found.config}
