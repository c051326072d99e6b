"""What to advise whoever returns a mapping without a loss: which of its metrics is meant, and with which sign."""

from __future__ import annotations

import re
from collections.abc import Iterable

from neps.errors import nearest

__all__ = ["LOSSES", "advice"]

LOSSES = ("loss", "objective_to_minimize")
"""The names of the loss in what run_pipeline returns."""


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower()))


_MAXIMISED = _words(
    "accuracy acc auc auroc auprc roc precision recall sensitivity specificity f1 fbeta score reward return returns r2 "
    "iou miou dice map ndcg mrr mcc kappa bleu rouge meteor psnr ssim elbo likelihood correlation correct success wins "
    "winrate top1 top5 purity silhouette sharpe utility fitness gain profit"
)
_MINIMISED = _words("loss losses error err rmse mse mae mape nll bce crossentropy perplexity ppl wer cer fid")


def advice(keys: Iterable[object]) -> str:
    """What to return instead of a mapping with these keys, none of which is a loss.

    Example:
        >>> advice(["val_acc"])
        'neps minimises. If a higher val_acc is better, return {"loss": -val_acc, "val_acc": val_acc}.'
        >>> advice(["Loss"]), advice(["rmse"]), advice(["x"])
        ("Rename 'Loss' to 'loss'.", "Rename 'rmse' to 'loss'.", 'Return {"loss": …}.')
    """
    names = [key for key in keys if isinstance(key, str)]
    meant = next((name for name in names if nearest(name.lower(), LOSSES) or _words(name) & _MINIMISED), None)
    if meant is not None:
        return f"Rename {meant!r} to 'loss'."
    if (better := next((name for name in names if _words(name) & _MAXIMISED), None)) is None:
        return 'Return {"loss": …}.'
    value = better if better.isidentifier() else "value"
    return f'neps minimises. If a higher {better} is better, return {{"loss": -{value}, "{better}": {value}}}.'
