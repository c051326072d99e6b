"""History: what a worker knows of a run, as a value. Folders are the ledger's business.

Samplers read it, `neps.run` and `neps.load` return it. Building one costs nothing: it wraps a mapping.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from neps.fidelity import Brackets, FidelitySpent, fidelity_spent
from neps.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from neps.space import SearchSpace

__all__ = ["History"]


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """The trials of a run, as far as they are known.

    Args:
        space: the run's search space.
        by_number: the trials by their number; read-only.
        seed: the run's seed, from which all randomness is drawn.
        index: `brackets`, where whoever decides often keeps them up; else they are made when they are asked for.

    Example:
        >>> from neps import Float
        >>> from neps.space import SearchSpace
        >>> history = History(SearchSpace({"x": Float(0, 1)}), {})
        >>> history.trials, history.best, history.total_cost
        ((), None, 0.0)
    """

    space: SearchSpace
    by_number: Mapping[int, Trial]
    seed: int = 0
    index: Brackets | None = dataclasses.field(default=None, repr=False)

    @functools.cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial, by number."""
        return tuple(self.by_number[number] for number in sorted(self.by_number))

    @functools.cached_property
    def brackets(self) -> Brackets:
        """The trials that have a place in a multi-fidelity search, by bracket and rung."""
        return self.index if self.index is not None else Brackets(self.trials)

    @property
    def succeeded(self) -> tuple[Trial, ...]:
        """The trials whose evaluation returned a loss, by number."""
        return tuple(trial for trial in self.trials if trial.succeeded)

    @property
    def pending(self) -> tuple[Trial, ...]:
        """The trials that have no result yet, by number."""
        return tuple(trial for trial in self.trials if not trial.ended)

    @property
    def best(self) -> Trial | None:
        """The incumbent: the lowest loss among the highest fidelity at which any is finite; None without a success."""
        return min(self.succeeded, key=lambda trial: trial.incumbent_key, default=None)

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
        `[step, loss]`, or None.
        """
        best = self.best
        return {
            "seed": self.seed,
            "total_cost": self.total_cost,
            "best": best.number if best else None,
            "trials": [_row(trial) for trial in self.trials],
        }

    def to_pandas(self) -> pd.DataFrame:
        """One row a trial, indexed by number; configuration values as columns `config.NAME`. Needs pandas.

        Raises:
            ImportError: if pandas is not installed (`pip install pandas`).
        """
        try:
            import pandas as pd
        except ImportError as error:
            message = "to_pandas() needs pandas, which is not installed: pip install pandas"
            raise ImportError(message) from error
        rows = []
        for row in self.to_dict()["trials"]:
            config, info = row.pop("config"), row.pop("info_dict")
            row |= {f"config.{name}": value for name, value in config.items()}
            row |= {f"info.{name}": value for name, value in info.items()}
            rows.append(row)
        frame = pd.DataFrame(rows)
        for name in ("claimed", "started", "finished") if rows else ():
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame.set_index("number") if rows else frame


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None


def _row(trial: Trial) -> dict[str, Any]:
    decision = trial.decision
    return {
        "number": trial.number,
        "config": dict(trial.config),
        "fidelity": trial.fidelity,
        "bracket": decision.bracket if decision else None,
        "rung": decision.rung if decision else None,
        "status": str(trial.status),
        "loss": trial.loss,
        "cost": trial.cost,
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
    }
