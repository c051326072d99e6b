"""A worker is a guest in the user's process: it leaves everything as it found it, and its randomness is its own."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neps
from neps.errors import EvaluationError
from stress.evidence import configurations

SPACE: dict[str, neps.space.Parameter] = {
    "x": neps.Float(0, 1),
    "n": neps.Integer(1, 9),
    "kind": neps.Categorical(["a", "b"]),
}
SEARCHERS = ["random_search", "sobol", "grid_search", "bayesian_optimization"]
TRIALS = 12


def good(x: float, n: int, kind: str) -> float:
    return (x - 0.3) ** 2 + n


def failing(x: float, n: int, kind: str) -> float:
    raise ValueError(x)


def interrupted(x: float, n: int, kind: str) -> float:
    raise KeyboardInterrupt


def signalled(x: float, n: int, kind: str) -> float:
    signal.raise_signal(signal.SIGINT)
    return x


def run(root: Path, run_pipeline: Callable[..., Any] = good, **arguments: Any) -> None:
    common = {"searcher": "random_search", "max_evaluations_total": TRIALS, "seed": 3}
    with contextlib.suppress(EvaluationError, KeyboardInterrupt):
        neps.run(run_pipeline, root, SPACE, **{**common, **arguments})


def surroundings() -> dict[str, Any]:
    """All that is global and may be touched by mistake."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - the global one is what is looked at
    names = ["", *(name for name in logging.root.manager.loggerDict if name.startswith("neps"))]
    loggers = [logging.getLogger(name) for name in names]
    umask = os.umask(0)
    os.umask(umask)
    return {
        "random": random.getstate(),
        "numpy": (numpy_state["state"]["key"].tobytes(), numpy_state["state"]["pos"], numpy_state["gauss"]),
        "numpy's errors": np.geterr(),
        "torch": torch.get_rng_state().numpy().tobytes(),
        "torch's threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch's dtype": torch.get_default_dtype(),
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's determinism": torch.are_deterministic_algorithms_enabled(),
        "loggers": {logger.name: (logger.level, logger.handlers[:], logger.propagate) for logger in loggers},
        "disabled logs": logging.root.manager.disable,
        "folder": Path.cwd(),
        "handlers": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "signal mask": signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "threads": threading.active_count(),
        "environment": dict(os.environ),
        "umask": umask,
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "path": sys.path[:],
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.gettrace(), sys.getprofile()),
        "warnings": warnings.filters[:],
        "recursion": sys.getrecursionlimit(),
        "switches": sys.getswitchinterval(),
        "streams": (sys.stdout, sys.stderr),
    }


@pytest.mark.parametrize("searcher", SEARCHERS)
@pytest.mark.parametrize("run_pipeline", [good, failing, interrupted, signalled])
def test_all_is_as_it_was(tmp_path: Path, searcher: str, run_pipeline: Callable[..., Any]) -> None:
    run(tmp_path / "warm-up", searcher=searcher)  # what is imported then may open files and register loggers
    before = surroundings()
    run(tmp_path / "root", run_pipeline, searcher=searcher)
    after = surroundings()
    assert {name for name in before if before[name] != after[name]} == set()


def test_it_is_so_in_unusual_surroundings_too(tmp_path: Path) -> None:
    def own_handler(number: int, frame: Any) -> None:
        pass

    before = surroundings()
    handlers = {number: signal.signal(number, own_handler) for number in (signal.SIGTERM, signal.SIGUSR1)}
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), np.errstate(all="raise"):
            unusual = surroundings()
            run(tmp_path / "root", searcher="bayesian_optimization")
            after = surroundings()
            assert {name for name in unusual if unusual[name] != after[name]} == set()
    finally:
        torch.set_default_dtype(before["torch's dtype"])
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_the_search_is_that_of_its_seed(tmp_path: Path, searcher: str) -> None:
    """Whatever state the global generators are in."""
    found = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the global one
        torch.manual_seed(seed)
        run(tmp_path / str(seed), searcher=searcher)
        found.append(configurations(tmp_path / str(seed)))
    assert found[0] == found[1]
    run(tmp_path / "other", searcher=searcher, seed=4)
    chance_decides = searcher != "grid_search"
    assert (configurations(tmp_path / "other") != found[0]) == chance_decides


def test_run_pipeline_may_do_to_the_process_what_it_likes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def rude(x: float, n: int, kind: str) -> float:
        folder = tmp_path / f"folder_{n}_{x}"
        folder.mkdir()
        os.chdir(folder)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 - the global one
        logging.getLogger("neps").setLevel(logging.CRITICAL)
        return x

    try:
        run(Path("root"), rude)
    finally:
        logging.getLogger("neps").setLevel(logging.NOTSET)
    run(tmp_path / "other")
    assert configurations(tmp_path / "root") == configurations(tmp_path / "other")


def test_in_another_thread(tmp_path: Path) -> None:
    threads = [threading.Thread(target=run, args=(tmp_path / "root",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(neps.load(tmp_path / "root").succeeded) == TRIALS


def test_within_an_evaluation(tmp_path: Path) -> None:
    """run_pipeline may itself run a search."""

    def outer(x: float, n: int, kind: str) -> float:
        run_inner = neps.run(good, tmp_path / f"inner_{x}", SPACE, searcher="sobol", max_evaluations_total=3)
        assert run_inner.best is not None
        return float(run_inner.best.loss or 0.0)

    run(tmp_path / "root", outer)
    assert len(neps.load(tmp_path / "root").succeeded) == TRIALS
    assert len(list(tmp_path.glob("inner_*"))) == TRIALS


def test_two_lines_by_default_and_none_on_request(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "root", searcher="default")
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.split()[:2] for line in err.splitlines()] == [["neps:", "new"], ["neps:", "leaves"]]
    run(tmp_path / "another", searcher="default", progress=False)
    assert capfd.readouterr() == ("", "")
