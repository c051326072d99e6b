"""History: what is known of a run, to be read. Folders are the ledger's business, how it looks is `neps._listing`.

Samplers read it, `neps.run` and `neps.load` return it. Building one costs nothing, however many trials there are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from neps import _ranking as ranking
from neps._fidelity import Brackets, FidelitySpent, fidelity_spent
from neps._listing import best_rows, config_names, counted, elsewhere_words, in_short
from neps._outcome import MEASURES
from neps._tables import aligned, as_html, narrowed, printable
from neps._trial import Status, Trial, Value
from neps.errors import ArgumentError, shown

if TYPE_CHECKING:
    import pandas as pd

    from neps.space import SearchSpace

__all__ = ["History"]

_FEW = 5
_WIDTH, _INDENT = 80, 2


def _read_only(trials: Mapping[int, Trial]) -> Mapping[int, Trial]:
    return trials if isinstance(trials, MappingProxyType) else MappingProxyType(trials)


@attrs.frozen(eq=False, repr=False, slots=False)
class History:
    """The trials of a run, as far as they are known: `len`, iteration, and `print`, which shows the best few.

    Nobody can change a run through it. What `neps.run` and `neps.load` return stays as it is. What a sampler gets shows
    what its worker knows, not a copy of it, and is true while `decide` runs: it may keep trials, but not the history.

    Args:
        space: the run's search space.
        by_number: the trials by their number. This shows them, too, and takes no copy: whoever may change them later
            passes one.
        seed: the run's seed, from which all randomness is drawn.
        index: `brackets`, where whoever decides often keeps them up; else they are made when they are asked for.
        ended_by: how results have ended the run, by `target_loss` or `patience`, in words; None if they haven't. It is
            what was so at that moment: trials that ran have ended since, and a later call may have gone on.
        imported: results from elsewhere that users have imported, as trials without a number (it is 0): searchers learn
            from them. They are not among `trials`, never the best, and cost nothing.
        earlier: results of earlier runs from which this one starts (`start_from`), likewise, as they were mapped into
            the space. A sampler finds those that it may trust among `imported`, and none here.

    Example:
        >>> from neps import Float
        >>> from neps.space import SearchSpace
        >>> history = History(SearchSpace({"x": Float(0, 1)}), {})
        >>> history.trials, history.best, history.total_cost
        ((), None, 0.0)
        >>> len(history), list(history), history
        (0, [], <History: no trials>)
    """

    space: SearchSpace
    by_number: Mapping[int, Trial] = attrs.field(converter=_read_only)
    seed: int = 0
    index: Brackets | None = None
    ended_by: str | None = attrs.field(default=None, kw_only=True)
    imported: tuple[Trial, ...] = attrs.field(default=(), kw_only=True)
    earlier: tuple[Trial, ...] = attrs.field(default=(), kw_only=True)

    def __len__(self) -> int:
        return len(self.by_number)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __repr__(self) -> str:
        """One short line; `print` shows a table of the best."""
        return f"<History: {in_short(self.trials, self.space)}>"

    def __str__(self) -> str:
        """How many trials there are, and the best few as a table that a terminal of 80 columns holds."""
        rows = best_rows(self.trials, self.space, _FEW)
        ended = [f"ended: {printable(self.ended_by)}"] if self.ended_by is not None else []
        known = elsewhere_words(self.trials, self.imported, self.earlier)
        table = aligned(narrowed(rows, _WIDTH - _INDENT)) if len(rows) > 1 else []  # more than its head
        return "\n".join([in_short(self.trials, self.space), *known, *ended, *table])

    def _repr_html_(self) -> str:
        """What a notebook shows: the same, with all parameters."""
        ended = [f"ended: {printable(self.ended_by)}"] if self.ended_by is not None else []
        known = elsewhere_words(self.trials, self.imported, self.earlier)
        words = "; ".join([in_short(self.trials, self.space), *known, *ended])
        return as_html(best_rows(self.trials, self.space, _FEW), words)

    def __reduce__(self) -> tuple[Callable[..., History], tuple[Any, ...]]:
        """To be pickled and copied, as a snapshot."""
        new = functools.partial(History, ended_by=self.ended_by, imported=self.imported, earlier=self.earlier)
        return new, (self.space, dict(self.by_number), self.seed)

    @functools.cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial, by number."""
        return tuple(self.by_number[number] for number in sorted(self.by_number))

    @functools.cached_property
    def brackets(self) -> Brackets:
        """The trials that have a place in a multi-fidelity search, by bracket and rung. Don't change them."""
        return self.index if self.index is not None else Brackets(self.trials)

    @property
    def succeeded(self) -> tuple[Trial, ...]:
        """The trials whose evaluation returned a loss, by number."""
        return tuple(trial for trial in self.trials if trial.succeeded)

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that failed, damaged ones included, by number; `neps.retry` reopens them."""
        return tuple(trial for trial in self.trials if trial.status is Status.FAILED)

    @property
    def pending(self) -> tuple[Trial, ...]:
        """The trials that have no result yet, by number."""
        return tuple(trial for trial in self.trials if not trial.ended)

    @property
    def best(self) -> Trial | None:
        """The incumbent: the lowest loss at the highest fidelity at which any is finite; None while none is finite."""
        return ranking.best(self.trials)

    @property
    def best_config(self) -> dict[str, Value] | None:
        """The configuration of the incumbent, with names where `run_pipeline` got objects; None without one.

        `SearchSpace(pipeline_space).handed(config)` puts the objects in the place of their names.
        """
        return dict(self.best.config) if self.best is not None else None

    def learning_curve(self, number: int) -> tuple[tuple[float, float], ...]:
        """The (step, loss) pairs of a trial and of those that it continues, by step.

        The part of each is what its evaluation reported or returned (`Trial.learning_curve`), or else its loss at its
        fidelity. Where a trial repeats a step, its own loss counts. Losses may be NaN and infinite.

        Args:
            number: of the trial.

        Raises:
            neps.errors.ArgumentError: if there is no such trial.
        """
        trial = self.by_number.get(number)
        if trial is None:
            raise ArgumentError(f"There is no trial {shown(number)} in this history of {counted(len(self), 'trial')}.")
        points: dict[float, float] = {}
        while trial is not None:
            points = dict(_own_points(trial)) | points
            previous = trial.previous
            trial = self.by_number.get(previous) if previous is not None and previous < trial.number else None
        return tuple(sorted(points.items()))

    @property
    def total_cost(self) -> float:
        """The sum of all returned costs, over all workers and attempts."""
        try:
            return math.fsum(trial.spent for trial in self.trials)
        except OverflowError:
            return math.inf

    @property
    def fidelity_spent(self) -> FidelitySpent | None:
        """How much fidelity all trials run, in full evaluations too: `print` says it in words.

        None where the space hasn't exactly one fidelity, one that is above 0, or there is no trial yet.
        """
        highest = self.space.highest_fidelity
        return fidelity_spent(self.trials, highest) if self.trials and highest is not None and highest > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """The run as plain Python, with times in ISO 8601.

        `{"trials": [{"number": 1, "config": {…}, "loss": …}, …], "best": N, …}`; a `learning_curve` is a list of
        `[step, loss]`, the trial's own, or None.
        """
        best = self.best
        return {
            "seed": self.seed,
            "total_cost": self.total_cost,
            "best": best.number if best else None,
            **({"ended_by": self.ended_by} if self.ended_by is not None else {}),
            "trials": [_row(trial) for trial in self.trials],
            **{name: [_imported_row(trial) for trial in known] for name, known in self._from_elsewhere if known},
        }

    @property
    def _from_elsewhere(self) -> tuple[tuple[str, tuple[Trial, ...]], ...]:
        return ("imported", self.imported), ("earlier", self.earlier)

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict a trial, as `to_dict` has it, with `config.NAME` and `info.NAME` for what is in the two.

        Results from elsewhere are no trials, and not in it.

        Where a parameter is inactive, `config.NAME` is None.
        """
        rows, names = [], config_names(self.trials, self.space)
        for row in self.to_dict()["trials"]:
            config, info = row.pop("config"), row.pop("info_dict")
            row |= {f"config.{name}": config.get(name) for name in names}
            row |= {f"info.{name}": value for name, value in info.items()}
            rows.append(row)
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """One row a trial, indexed by number; configuration values as columns `config.NAME`. Needs pandas.

        Results from elsewhere are no trials, and not in it: see `imported` and `earlier`.

        Where a parameter is inactive, its column has NaN or None; one of whole numbers has <NA> (`Int64`).

        Raises:
            ImportError: if pandas is not installed: pip install 'neps[pandas]'.
        """
        try:
            import pandas as pd
        except ImportError as error:
            message = "to_pandas() needs pandas, which is not installed: pip install 'neps[pandas]'"
            raise ImportError(message) from error
        rows = self.to_rows()
        frame = pd.DataFrame(rows)
        for name in ("claimed", "started", "finished") if rows else ():
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        for name in frame.columns:
            if name.startswith("config.") and _is_whole([row[name] for row in rows]):
                frame[name] = frame[name].astype("Int64")
        return frame.set_index("number") if rows else frame


def _is_whole(values: Sequence[object]) -> bool:
    """Whether a column has whole numbers, but not in each row: pandas would make floats of them."""
    kinds = {type(value) for value in values}
    return kinds == {int, type(None)}


def _own_points(trial: Trial) -> tuple[tuple[float, float], ...]:
    if trial.learning_curve or trial.fidelity is None or trial.loss is None or not trial.succeeded:
        return trial.learning_curve
    return ((trial.fidelity, trial.loss),)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None


def _imported_row(trial: Trial) -> dict[str, Any]:
    names = ("config", "fidelity", "status", *MEASURES, "info_dict")
    return {name: value for name, value in _row(trial).items() if name in names}


def _row(trial: Trial) -> dict[str, Any]:
    place = trial.place
    return {
        "number": trial.number,
        "config": dict(trial.config),
        "fidelity": trial.fidelity,
        "bracket": place.bracket if place else None,
        "rung": place.rung if place else None,
        "status": str(trial.status),
        **trial.measures,
        "previous": trial.previous,
        "worker": trial.worker,
        "attempts": trial.attempts,
        "claimed": _iso(trial.claimed),
        "started": _iso(trial.started),
        "finished": _iso(trial.finished),
        "duration": trial.duration,
        "error": trial.error,
        "learning_curve": [list(point) for point in trial.learning_curve] or None,
        "info_dict": dict(trial.info_dict),
        **({"awaits_tell": True} if trial.awaits_tell else {}),
        **({"enqueued": True} if trial.enqueued else {}),
    }
