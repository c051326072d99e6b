"""What a table can tell apart, and how well the surrogate answers for configurations that it doesn't know.

Called by the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import Config, Param
from benchmarks.problems.curve_tables import Surrogate, Table
from benchmarks.problems.curve_tasks import CurveTask

__all__ = ["HEADER", "bounds", "errors_of", "row"]

Array = NDArray[Any]

_COLUMNS = (
    "task",
    "configurations",
    "diverged",
    "best, 10 %, 25 %, median",
    "rank at 1/9, 1/3",
    "best tenth's at 1/9, 1/3",
    "rank of seeds",
    "noise",
    "seconds",
    "surrogate's rank, error",
)
HEADER = (f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|")
_FOLDS = 5


def row(of: CurveTask, known: Table) -> str:
    """Of the table of figures. Ranks are Spearman's; the noise is that of a training's log loss among the best half."""
    last, seeds = _ordered(known.losses[:, :, -1].mean(axis=1)), _ordered(known.losses[:, :, -1])
    early = [_ordered(known.losses[:, :, round(of.epochs * share) - 1].mean(axis=1)) for share in (1 / 9, 1 / 3)]
    good = last <= np.quantile(last, 0.5)
    noise = np.abs(np.diff(np.log(seeds[good]), axis=1)).mean() / 2 * np.sqrt(np.pi)
    ahead = last <= np.quantile(last, 0.1)
    spread = ", ".join(f"{each:.4g}" for each in np.quantile(last, [0, 0.1, 0.25, 0.5]))
    ranks = ", ".join(f"{_rank(each, last):.2f}" for each in early)
    shares = ", ".join(f"{np.mean(each[ahead] <= np.quantile(each, 0.1)):.2f}" for each in early)
    diverged = np.mean(~np.isfinite(known.losses[:, :, -1]))
    return (
        f"| {of.name} | {len(last)} | {diverged:.2f} | {spread} | {ranks} | {shares} | {_rank(*seeds.T):.2f} | "
        f"{noise:.3f} | {known.seconds.mean():.2f} | {errors_of(of, known)} |"
    )


def errors_of(of: CurveTask, known: Table) -> str:
    """Of the surrogate, by cross-validation: its rank correlation with the final loss.

    The error is the root mean square of log losses, in units of their standard deviation.
    """
    told = np.full(len(known.configs), np.nan)
    for fold in range(_FOLDS):
        out = np.arange(len(told)) % _FOLDS == fold
        without = _without(known, out)
        made = Surrogate(without, of, "loss")
        told[out] = [np.log(made.value(known.configs[place])) for place in np.flatnonzero(out)]
    last = np.log(np.minimum(_ordered(known.losses[:, :, -1].mean(axis=1)), 2 * of.guessing))
    error = np.sqrt(np.mean((told - last) ** 2)) / last.std()
    return f"{_rank(told, last):.2f}, {error:.2f}"


def _without(known: Table, out: Array) -> Table:
    configs = tuple(config for config, gone in zip(known.configs, out, strict=True) if not gone)
    arrays = {name: getattr(known, name)[~out] for name in ("losses", "errors", "seconds")}
    return dataclasses.replace(known, configs=configs, **arrays)


def bounds(of: CurveTask, known: Table) -> Iterator[str]:
    """Of each parameter: where the best twentieth is, as the quartiles of its range or the shares of its choices."""
    last = _ordered(known.losses[:, :, -1].mean(axis=1))
    best = [known.configs[place] for place in np.argsort(last)[: max(5, len(last) // 20)]]
    yield f"{of.name}: best {dict(best[0])}"
    yield "  " + "; ".join(_bound(param, best) for param in of.space)


def _bound(param: Param, best: list[Config]) -> str:
    values = [config[param["name"]] for config in best]
    if param["type"] == "categorical":
        return f"{param['name']} " + ", ".join(f"{each} {values.count(each)}" for each in param["choices"])
    quartiles = ", ".join(f"{each:.3g}" for each in np.quantile(values, [0.25, 0.5, 0.75]))
    return f"{param['name']} {param['lower']:g} < {quartiles} < {param['upper']:g}"


def _ordered(figures: Array) -> Array:
    """With what diverged last."""
    return np.where(np.isfinite(figures), figures, 1e4).clip(max=1e4)


def _rank(first: Array, second: Array) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)
