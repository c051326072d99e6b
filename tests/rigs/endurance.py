"""What a spoilt root must stand: every way of looking at it, and a worker of the run, each within a deadline."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import neps
from neps._cli import main
from neps._views.plot import write_plot
from neps.errors import NepsError
from neps.samplers._registry import SEARCHERS as KNOWN

__all__ = ["SEARCHERS", "assert_endures", "found"]

DEADLINE = 60.0
LEASE = 0.2
MULTI_FIDELITY = frozenset(
    name for name in KNOWN if any(kind in name for kind in ("halving", "hyperband", "asha", "band", "mobster", "thaw"))
)
SEARCHERS = tuple(KNOWN)
SPACE = {"x": neps.Float(1e-3, 1, log=True, default=0.1), "n": neps.Integer(1, 9), "c": neps.Categorical(["a", "b", 3])}


def pipeline(x: float, n: int, c: object, epochs: int = 1) -> dict[str, Any]:
    if n == 3:
        raise ValueError("three")
    for epoch in range(1, epochs + 1):
        neps.report(epoch, x / epoch)
    return {"loss": x * n / epochs, "cost": float(n), "info_dict": {"text": "a", "list": [1, {"b": None}]}}


def arguments(searcher: str) -> dict[str, Any]:
    space: dict[str, Any] = dict(SPACE)
    if searcher in MULTI_FIDELITY:
        space["epochs"] = neps.Integer(1, 9, is_fidelity=True)
    budget = {"max_cost_total": 1000.0} if searcher == "cost_cooling" else {}
    return {
        "run_pipeline": pipeline,
        "pipeline_space": space,
        "searcher": searcher,
        "seed": 1,
        "lease_seconds": LEASE,
        "ignore_errors": True,
        "cost_value_on_error": 1.0,
        "keep_checkpoints": "promotable",
        "progress": False,
        **budget,
    }


def found(root: Path, searcher: str, trials: int = 7) -> Path:
    """A run of some trials: successes, failures, promotions."""
    neps.run(root_directory=root, max_evaluations_total=trials, **arguments(searcher))
    return root


def assert_endures(root: Path, searcher: str) -> None:
    """Nothing hangs, and nothing raises anything but what neps raises on purpose."""
    _try(lambda: neps.load(root).to_dict())
    _try(lambda: neps.status(root, file=io.StringIO()))
    shutil.rmtree(root / "summary", ignore_errors=True)
    _try(lambda: write_plot(root, root.parent / "plot.svg"))
    _try(lambda: _work(root, searcher))
    _try(lambda: main(["retry", str(root), "--failed"]))
    _try(lambda: _work(root, searcher))
    _try(lambda: neps.load(root).to_dict())
    _try(lambda: neps.status(root, file=io.StringIO()))


def _work(root: Path, searcher: str) -> None:
    neps.run(
        root_directory=root,
        max_evaluations_total=9,
        max_evaluations_per_run=1,
        max_seconds_per_run=3,
        **arguments(searcher),
    )


def _try(operation: Callable[[], object]) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(NepsError), _deadline():
        operation()


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError(f"it hangs: not done after {DEADLINE:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
