"""What came of `neps.confirm`: the mean loss of each configuration over other seeds, and how sure their order is.

Values, and how they look. The search itself is only looked at for what was to be confirmed.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neps._history import History
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition, read_history, root_of
from neps._listing import counted
from neps._tables import aligned, as_html, cell, narrowed
from neps._trial import Trial, Value
from neps.errors import DirectoryError
from neps.samplers._confirming import CONFIRMS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Confirmation", "Finalist", "confirmation_of", "probability_better", "read_confirmation"]

_WIDTH, _INDENT = 80, 2
_FEWEST = 2
_LARGEST_EXPONENT = 1000
_SAME = (
    "  The seed changes no loss. Use it for what is random: it is neps.current_trial().seed, and the argument `seed` "
    "of run_pipeline unless that is a parameter."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """One configuration, with what came of it with other seeds.

    `number` is the trial of the search that was confirmed, `loss` what it had come to there: chosen as the lowest of
    many, it is probably too low, and is in no mean. `losses` are by seed, with None for a failure, or a loss that isn't
    finite. `better_than_next` is the probability that it is truly better than the next in the order.
    """

    number: int
    config: Mapping[str, Value]
    loss: float | None
    losses: Mapping[int, float | None]
    better_than_next: float | None = None

    @property
    def finite(self) -> dict[int, float]:
        """The losses of its evaluations that went well, by seed."""
        return {seed: loss for seed, loss in self.losses.items() if loss is not None}

    @property
    def failed(self) -> int:
        """How many of its evaluations have failed, or came to no finite loss."""
        return len(self.losses) - len(self.finite)

    @property
    def mean(self) -> float | None:
        """The mean loss; None without one."""
        return statistics.mean(self.finite.values()) if self.finite else None  # whose sums don't overflow

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the losses, with n - 1; None of fewer than two."""
        if len(self.finite) < _FEWEST:
            return None
        try:
            return statistics.stdev(self.finite.values())
        except OverflowError:
            return math.inf

    @property
    def rank_key(self) -> tuple[bool, bool, float, int]:
        """Smallest for the best: without failures, of the lowest mean."""
        mean = self.mean
        return mean is None, self.failed > 0, math.inf if mean is None else mean, self.number


@dataclasses.dataclass(frozen=True, repr=False)
class Confirmation:
    """The best configurations of a search, evaluated once more with other seeds. `print` shows a table.

    Args:
        finalists: one for each configuration, the best mean first.
        history: of the evaluations, which are trials of a run of their own.
        root: where that run lies.

    Example:
        >>> import neps, tempfile
        >>> root, space = tempfile.mkdtemp(), {"x": neps.Float(0, 1)}
        >>> def run_pipeline(x, seed=0):
        ...     return (x - 0.3) ** 2 + seed / 2**40
        >>> _ = neps.run(run_pipeline, root, space, searcher="sobol", seed=1, max_evaluations_total=8)
        >>> confirmed = neps.confirm(run_pipeline, root, top=2, seeds=3)
        >>> len(confirmed.finalists), len(confirmed.history)
        (2, 6)
        >>> confirmed.best.mean < confirmed.finalists[1].mean
        True
    """

    finalists: tuple[Finalist, ...]
    history: History
    root: str

    @property
    def best(self) -> Finalist | None:
        """The configuration of the lowest mean loss; None while none has one."""
        return next((each for each in self.finalists if each.mean is not None), None)

    @property
    def complete(self) -> bool:
        """Whether none of the evaluations that were begun still runs, or waits to be resumed."""
        return not self.history.pending

    def probability_better(self, one: int, other: int) -> float | None:
        """How probable it is that the finalist of trial `one` is truly better than that of trial `other`.

        Student's t for paired losses. With d the differences of their losses at equal seeds, n of them, it is
        F(mean(d) / (stdev(d) / sqrt(n))), where F is the distribution function of Student's t with n - 1 degrees of
        freedom: one minus the p-value of the one-sided paired t-test, and the posterior probability under a flat prior
        where the differences are normal. None with fewer than two such seeds.

        Raises:
            KeyError: if there is no such finalist.
        """
        losses = {each.number: each.finite for each in self.finalists}
        return probability_better(losses[one], losses[other])

    def __repr__(self) -> str:
        """One short line; `print` shows a table."""
        return f"<Confirmation: {self._in_short()}>"

    def __str__(self) -> str:
        """The finalists as a table that a terminal of 80 columns holds."""
        table = aligned(narrowed(self._table(), _WIDTH - _INDENT))
        return "\n".join([self._in_short(), *table, *([_SAME] if self._repeats else [])])

    def _repr_html_(self) -> str:
        """What a notebook shows: the same, with all parameters."""
        return as_html(self._table(), self._in_short())

    @property
    def _repeats(self) -> bool:
        """Whether no loss differs between seeds: then the order is as sure as before, whatever the numbers say."""
        return {each.deviation for each in self.finalists} - {None} == {0.0}

    def in_order(self, most: int) -> str:
        """The first trials in their order, with how many seeds that was found out, and how sure it is: for a line."""
        if not self.finalists:
            return self._in_short()
        numbers = ", ".join(str(each.number) for each in self.finalists[:most])
        more = f" and {len(self.finalists) - most} more" if len(self.finalists) > most else ""
        words = f"trial {numbers}" if len(self.finalists) == 1 else f"trials {numbers}{more}, the best first,"
        words += f" with {counted(len(self._seeds), 'seed')}"
        if (sure := self.finalists[0].better_than_next) is not None and not self._repeats:
            first, second, *_ = self.finalists
            words += f"; {first.number} is better than {second.number} with a probability of {100 * sure:.3g} %"
        return words + self._not_ended()

    @property
    def _seeds(self) -> set[int]:
        return {seed for each in self.finalists for seed in each.losses}

    def _not_ended(self) -> str:
        left = len(self.history.pending)
        return f"; {counted(left, 'evaluation')} not ended yet" if left else ""

    def _in_short(self) -> str:
        what = f"{counted(len(self.finalists), 'configuration')} confirmed with {counted(len(self._seeds), 'seed')}"
        return what + self._not_ended()

    def _table(self) -> list[list[str]]:
        names = list(dict.fromkeys(name for each in self.finalists for name in each.config))
        failing = ["failed"] if any(each.failed for each in self.finalists) else []
        head = ["trial", "mean", "deviation", "seeds", *failing, "better than next", "in the search", *names]
        return [head, *(self._row(each, names, failing=bool(failing)) for each in self.finalists)]

    def _row(self, each: Finalist, names: Sequence[str], *, failing: bool) -> list[str]:
        sure = "" if each.better_than_next is None else f"{100 * each.better_than_next:.3g} %"
        measured = [cell(each.number), cell(each.mean), cell(each.deviation), cell(len(each.finite))]
        measured += [cell(each.failed)] if failing else []
        return [*measured, sure, cell(each.loss), *(cell(each.config.get(name)) for name in names)]

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict a finalist, the best first: configuration values as `config.NAME`, losses as `loss.SEED`."""
        return [
            {
                "number": each.number,
                "mean": each.mean,
                "deviation": each.deviation,
                "seeds": len(each.finite),
                "failed": each.failed,
                "better_than_next": each.better_than_next,
                "loss_in_search": each.loss,
                **{f"config.{name}": value for name, value in each.config.items()},
                **{f"loss.{seed}": loss for seed, loss in each.losses.items()},
            }
            for each in self.finalists
        ]

    def to_pandas(self) -> pd.DataFrame:
        """The same as a table, indexed by number. Needs pandas.

        Raises:
            ImportError: if pandas is not installed: pip install 'neps[pandas]'.
        """
        try:
            import pandas as pd
        except ImportError as error:
            message = "to_pandas() needs pandas, which is not installed: pip install 'neps[pandas]'"
            raise ImportError(message) from error
        frame = pd.DataFrame(self.to_rows())
        return frame.set_index("number") if self.finalists else frame


def probability_better(one: Mapping[int, float], other: Mapping[int, float]) -> float | None:
    """As `Confirmation.probability_better`, of losses by seed.

    Example:
        >>> round(probability_better({1: 0.1, 2: 0.2, 3: 0.3}, {1: 0.3, 2: 0.3, 3: 0.6}), 4)
        0.9629
        >>> probability_better({1: 0.1}, {1: 0.3}) is None
        True
    """
    pairs = [(loss, other[seed]) for seed, loss in one.items() if seed in other]
    if len(pairs) < _FEWEST:
        return None
    largest = max(abs(loss) for pair in pairs for loss in pair)
    smaller = min(_LARGEST_EXPONENT - math.frexp(largest)[1], 0)  # else differences overflow
    differences = [math.ldexp(theirs, smaller) - math.ldexp(loss, smaller) for loss, theirs in pairs]
    mean, deviation = statistics.fmean(differences), statistics.stdev(differences)
    if deviation == 0:
        return 0.5 if mean == 0 else float(mean > 0)
    from scipy.special import stdtr

    return float(stdtr(len(differences) - 1, mean / (deviation / math.sqrt(len(differences)))))


def read_confirmation(root_directory: str | Path) -> Confirmation:
    """What there is of it for the run in this root directory.

    Raises:
        DirectoryError: if there is no run, or none of its trials was confirmed yet.
    """
    root = root_of(root_directory)
    definition = read_definition(root)
    place = Layout(root, definition.run).confirmation
    try:
        history = read_history(place)
    except DirectoryError as error:
        message = (
            f"No trial of {root} was confirmed yet. Run `neps confirm {root} SCRIPT.py`, with the script that calls "
            "neps.run, or call neps.confirm(run_pipeline, root_directory)."
        )
        raise DirectoryError(message) from error
    return confirmation_of(read_history(root, definition), history, place)


def confirmation_of(search: History, history: History, root: str) -> Confirmation:
    """What came of it.

    Args:
        search: the history of the search.
        history: that of the evaluations with other seeds.
        root: where they lie.
    """
    groups: dict[tuple[tuple[str, Value], ...], list[Trial]] = {}
    for trial in history:
        if trial.decision is not None:
            groups.setdefault(tuple(trial.config.items()), []).append(trial)
    ranked = sorted((_finalist(trials, search) for trials in groups.values()), key=lambda each: each.rank_key)
    finalists = tuple(itertools.starmap(_with_next, itertools.zip_longest(ranked, ranked[1:])))
    return Confirmation(finalists, history, root)


def _with_next(each: Finalist, after: Finalist | None) -> Finalist:
    sure = probability_better(each.finite, after.finite) if after is not None else None
    return dataclasses.replace(each, better_than_next=sure)


def _finalist(trials: Sequence[Trial], search: History) -> Finalist:
    """Of one configuration."""
    last = trials[-1]
    confirmed = last.decision.metadata.get(CONFIRMS) if last.decision is not None else None
    number = confirmed if isinstance(confirmed, int) else 0
    known = search.by_number.get(number)
    return Finalist(
        number=number,
        config=last.config,
        loss=known.loss if known is not None else None,
        losses={each.decision.seed: _loss(each) for each in trials if each.ended and each.decision is not None},
    )


def _loss(trial: Trial) -> float | None:
    return trial.rank_key if math.isfinite(trial.rank_key) else None
