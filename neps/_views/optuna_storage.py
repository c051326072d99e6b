"""Runs as studies in an Optuna storage that can only be read. Needs optuna; `neps.to_optuna` opens one.

Why a storage, and not Optuna's journal over our files: a journal is a list of Optuna's private operations, which we
would make up and replay, and in it a trial that has ended stays so, while ours may be retried. A storage answers
questions about now. It needs no private name of Optuna: `BaseStorage`, `InMemoryStorage`, `FrozenTrial`, `TrialState`
and the distributions are public. What it stands on is which methods `BaseStorage` leaves to be written, and how a
`FrozenTrial` is made; both are the same from Optuna 4.0 to 5.0, and a test tells when they change.

Nothing is copied: trials are ours until somebody asks, and each is translated once, while it runs each time.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import os
import threading
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from neps._ledger.following import Follower
from neps._ledger.known_trials import Imported, KnownTrials, Results
from neps._ledger.layout import Layout
from neps._ranking import best
from neps._trial import Decision, Trial
from neps._views.optuna_trials import (
    Curve,
    Place,
    as_attribute,
    curve_of,
    distributions,
    frozen,
    state_of,
    top_fidelity,
)
from neps.errors import NepsError
from neps.space import SearchSpace

__all__ = ["RunStorage", "study_names"]

_logger = logging.getLogger("neps.views")


def study_names(roots: Sequence[str]) -> list[str]:
    """The roots' folder names, with as many of the folders above as it takes to tell them apart.

    Example:
        >>> study_names(["/results/digits", "/old/digits", "/results/letters"])
        ['results/digits', 'old/digits', 'letters']
    """
    parts = [root.strip("/").split("/") for root in roots]
    names = list(roots)
    for depth in range(max(map(len, parts), default=0), 0, -1):
        shorter = ["/".join(each[-depth:]) for each in parts]
        names = [new if new and shorter.count(new) == 1 else old for new, old in zip(shorter, names, strict=True)]
    return names


@contextlib.contextmanager
def _without_info() -> Iterator[None]:
    """Optuna would say that a study was created, where somebody only looks."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


class _Study:
    """One run, as the frozen trials of a study; numbers count from 0, and what is not there yet waits."""

    def __init__(self, root: str, first: int, stride: int) -> None:
        """Trial ids are `first`, `first + stride` and so on: unique in the storage, and the same at each start."""
        self._follower = Follower(root)
        self._missing = False
        self.told: tuple[object, ...] = ()
        self._first, self._stride = first, stride
        self._begin()

    def _begin(self) -> None:
        self.run = self._follower.definition.run
        definition = self._follower.definition
        self._space = SearchSpace.from_definition(definition.space, definition.forbid)
        self._searched = distributions(self._space)
        self._top: float | None = None
        self._seen: dict[int, Trial] = {}
        self._frozen: dict[int, FrozenTrial] = {}
        self._curves: dict[int, Curve] = {}
        layout = Layout(self._follower.root, self.run)
        self._known, self._results = (
            KnownTrials(layout, 0.0),
            Results(functools.partial(Decision.check, space=self._space)),
        )

    @property
    def shared(self) -> dict[int, Any]:
        """What copies of trials share, as a memo of `copy.deepcopy`."""
        return {id(distribution): distribution for distribution in self._searched.values()}

    def attributes(self) -> dict[str, Any]:
        """What is to be said of the run itself."""
        definition, space = self._follower.definition, self._space
        priors = {
            name: f"{default!r}, {getattr(parameter, 'default_confidence', '')}"
            for name, parameter in space.parameters.items()
            if name in space.searched and (default := getattr(parameter, "default", None)) is not None
        }
        self.told = self.elsewhere()
        imported, loss, earlier = self.told
        found = {
            "root": self._follower.root,
            "numbers": "trial 0 is config_1, as Optuna counts from 0",
            "searcher": definition.searcher["name"],
            "fidelity": space.fidelity,
            "prior": priors,
            "settings": definition.searcher.get("settings"),
            "seed": str(definition.seed),  # it may have more digits than a page's numbers hold
            "run": definition.run,
            "imported": imported,
            "best imported loss": loss,
            "of earlier runs": earlier,
        }
        return {name: as_attribute(value) for name, value in found.items() if value not in (None, {})}

    def elsewhere(self) -> tuple[int | None, float | None, int | None]:
        """How many results were imported, now, and the best loss of these; how many are of earlier runs."""
        with contextlib.suppress(OSError):
            for document in self._known.look():
                if isinstance(document, Imported):
                    self._results.add(document)
        imported, earlier = self._results.imported, self._results.earlier
        found = best(imported)
        return len(imported) or None, found.loss if found is not None else None, len(earlier) or None

    def current(self) -> list[FrozenTrial]:
        """All trials, as they stand now."""
        trials = self._trials()
        if self._follower.definition.run != self.run:  # another run has taken its place
            self._begin()
        last = max(trials, default=0)
        gaps = [number for number in range(1, last + 1) if number not in trials] if len(trials) < last else []
        for number in sorted([*self._changed(trials), *gaps]):  # what a trial continues comes before it
            self._frozen[number] = self._freeze(number, trials.get(number))
        self._seen = trials
        return [self._frozen[number] for number in range(1, last + 1)]

    def _trials(self) -> dict[int, Trial]:
        """Ours, by number: the same object where nothing has changed. While it can't be read, as they stood last."""
        try:
            self._follower.update_all()
            self._missing = False
        except (OSError, NepsError) as error:
            if not self._missing:
                _logger.warning("%s can't be read now, and is shown as it was: %s", self._follower.root, error)
            self._missing = True
        return self._follower.view.everything()

    def _changed(self, trials: Mapping[int, Trial]) -> Collection[int]:
        """The numbers of trials that stand differently since the last look, or are called otherwise by Optuna."""
        changed = [number for number, trial in trials.items() if self._seen.get(number) is not trial]
        top = top_fidelity((trials[number] for number in changed), self._top)
        if top == self._top:
            return changed
        self._top = top  # what was complete until now has stopped below it
        return trials

    def known(self, number: int) -> FrozenTrial | None:
        """The trial that the study has as `number`, as it stood when that was looked at last."""
        return self._frozen.get(number + 1)

    def _freeze(self, number: int, trial: Trial | None) -> FrozenTrial:
        state = state_of(trial, self._top) if trial is not None else TrialState.WAITING
        before = self._frozen.get(number - 1)
        about = before.datetime_start if before is not None and before.datetime_start else datetime.now()  # noqa: DTZ005
        place = Place(number - 1, self._first + (number - 1) * self._stride, state, about)
        curve: Curve = {}
        if trial is not None:
            continued = self._curves.get(trial.previous, {}) if trial.previous is not None else {}
            curve = curve_of(trial, continued, self._reported(number))
        self._curves[number] = curve
        return frozen(trial, place, self._searched, curve)

    def _reported(self, number: int) -> dict[float, float]:
        """The losses by step that a trial without a result has reported so far, in all its attempts."""
        pending = self._follower.view.pending.get(number)
        return pending.folder.reported(pending.state.start.attempt) if pending is not None else {}


def _refused(name: str) -> Callable[..., NoReturn]:
    """A method of `BaseStorage` that would write."""

    def method(self: RunStorage, *_: object, **__: object) -> NoReturn:
        raise NepsError(
            f"{name} was refused, and nothing has changed: Optuna can only read {', '.join(self.roots)}. "
            "Trials are evaluated by neps.run. For a study of your own with the same trials: "
            "optuna.create_study().add_trials(neps.to_optuna(root_directory).trials)."
        )

    method.__name__, method.__doc__ = name, "Refused."
    return method


class RunStorage(BaseStorage):
    """An Optuna storage with one study a run, read anew whenever trials are asked for. May be shared by threads.

    Args:
        roots: absolute paths of the runs; one that is named twice is one study.

    Raises:
        neps.errors.DirectoryError: if one of them holds no run.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._lock = threading.Lock()
        named: dict[str, str] = {}
        for root in roots:
            named.setdefault(os.path.realpath(root), root)
        self.roots = tuple(named.values())
        self._studies = [_Study(root, place, len(self.roots)) for place, root in enumerate(self.roots)]
        self._about = self._described()

    def _described(self) -> InMemoryStorage:
        """Studies without trials, for all that is asked of studies alone. Ids are places in `roots`."""
        about = InMemoryStorage()
        for study, name in zip(self._studies, study_names(self.roots), strict=True):
            with _without_info():
                identity = about.create_new_study([StudyDirection.MINIMIZE], name)
            for key, value in study.attributes().items():
                about.set_study_user_attr(identity, key, value)
        return about

    def _trials_of(self, study_id: int) -> list[FrozenTrial]:
        """All trials of a study; the caller holds the lock.

        Raises:
            KeyError: if there is no such study.
        """
        if not 0 <= study_id < len(self._studies):
            raise KeyError(f"there is no study {study_id}")
        study = self._studies[study_id]
        run = study.run
        trials = study.current()
        if study.run != run or study.told != study.elsewhere():
            self._about = self._described()
        return trials

    # Studies

    def get_study_id_from_name(self, study_name: str) -> int:
        """As `BaseStorage`."""
        return self._about.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """As `BaseStorage`."""
        return self._about.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """As `BaseStorage`."""
        return self._about.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """As `BaseStorage`."""
        return self._about.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """As `BaseStorage`: there are none."""
        return self._about.get_study_system_attrs(study_id)

    def get_all_studies(self) -> list[Any]:
        """As `BaseStorage`, whose type has no public name."""
        return self._about.get_all_studies()

    # Trials

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,  # noqa: FBT001, FBT002 - Optuna's signature
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """As `BaseStorage`: as they stand now."""
        with self._lock:
            trials = self._trials_of(study_id)
            shared = self._studies[study_id].shared
        chosen = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(chosen, shared) if deepcopy else chosen

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """As `BaseStorage`: as it stands now, unless it has ended; `get_all_trials` sees that it was retried."""
        number, study_id = divmod(trial_id, len(self._studies))
        with self._lock:
            trial = self._studies[study_id].known(number)
            if trial is None or not trial.state.is_finished():
                trials = self._trials_of(study_id)
                trial = trials[number] if 0 <= number < len(trials) else None
        if trial is None:
            raise KeyError(f"there is no trial {trial_id}")
        return trial

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """As `BaseStorage`."""
        self.get_study_name_from_id(study_id)  # raises a KeyError where there is none, and so does the next
        identity = trial_number * len(self._studies) + study_id
        self.get_trial(identity)
        return identity

    # What is refused

    create_new_study = _refused("create_new_study")
    delete_study = _refused("delete_study")
    set_study_user_attr = _refused("set_study_user_attr")
    set_study_system_attr = _refused("set_study_system_attr")
    create_new_trial = _refused("create_new_trial")
    set_trial_param = _refused("set_trial_param")
    set_trial_state_values = _refused("set_trial_state_values")
    set_trial_intermediate_value = _refused("set_trial_intermediate_value")
    set_trial_user_attr = _refused("set_trial_user_attr")
    set_trial_system_attr = _refused("set_trial_system_attr")
