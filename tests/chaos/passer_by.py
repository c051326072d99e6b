"""Who uses a search without being a worker, a program: looks at it, draws it, tells of what is pending, and retries.

`sys.argv[1]` is the plan. Runs on a host that nothing strikes, until the round's file `quiet` is there.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import neps
from chaos.evidence import read, record
from chaos.plan import Plan
from chaos.training import ASKED, result_of
from neps.errors import ArgumentError, NotPendingError

PASSER_BY = "passer-by"
_PAUSE_SECONDS = 1.0
_PLOT_SECONDS = 20.0
_TELL_AGAIN_SECONDS = 5.0
_TWICE = 0.3  # so often two processes tell of the same evaluation at once


class PasserBy:
    """One, who does one thing after the other, and tells in threads: that may wait for a worker."""

    def __init__(self, plan: Plan, threads: ThreadPoolExecutor) -> None:
        self._plan, self._threads = plan, threads
        self._chance = random.Random(plan.seed)
        self._most, self._has_best = 0, False
        self._told: dict[str, float] = {}
        self._plot_at = 0.0

    def pass_by(self) -> None:
        """Do all that may be done, once."""
        if not (self._plan.root / "neps.yaml").exists():
            return
        for act in (self._load, self._status, self._plot, self._tell):
            self._try(act)

    def _try(self, act: Callable[[], None]) -> None:
        """Whatever goes wrong is trouble: nobody fails or strikes here."""
        try:
            act()
        except Exception:  # noqa: BLE001 - told, and judged as a finding
            self._say("trouble", what=f"{act}: {traceback.format_exc()[-1500:]}")

    def _load(self) -> None:
        history = neps.load(self._plan.root)
        self._say("look", how="load", trials=len(history.trials))
        if len(history.trials) < self._most:
            self._say("trouble", what=f"{len(history.trials)} trials are loaded, after {self._most}")
        self._most = max(self._most, len(history.trials))
        self._has_best = history.best is not None
        if self._plan.kind.failing:
            for trial in history.trials:
                if trial.ended and not trial.succeeded and ASKED in str(trial.error):
                    self._retry(trial.number)

    def _retry(self, number: int) -> None:
        self._say("retry", number=number)
        with contextlib.suppress(ArgumentError):  # it has been given up or ended otherwise meanwhile
            neps.retry(self._plan.root, number)

    def _status(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            neps.status(self._plan.root)
        self._say("look", how="status", characters=len(printed.getvalue()))

    def _plot(self) -> None:
        if self._has_best and time.monotonic() >= self._plot_at:
            self._plot_at = time.monotonic() + _PLOT_SECONDS
            neps.plot(self._plan.root)
            self._say("look", how="plot")

    def _tell(self) -> None:
        """Of all that is pending and has no end yet: a tell may be refused, or come before the mark."""
        for entry in [entry for entry in read(self._plan.evidence) if entry.event == "pending"]:
            number, attempt = entry["number"], entry["of"].split()[0]
            end = self._plan.root / f"config_{number}" / f"attempt_{attempt}.end.yaml"
            if end.exists() or time.monotonic() < self._told.get(entry["evaluation"], 0.0) + _TELL_AGAIN_SECONDS:
                continue
            self._told[entry["evaluation"]] = time.monotonic()
            for teller in ("a", "b") if self._chance.random() < _TWICE else ("a",):
                self._threads.submit(self._try, functools.partial(self._tell_one, entry.facts, teller))

    def _tell_one(self, pending: dict[str, Any], teller: str) -> None:
        evaluation = f"{pending['evaluation']} told by {teller} at {time.monotonic()}"
        self._say("end", number=pending["number"], evaluation=evaluation, loss=pending["loss"])
        with contextlib.suppress(NotPendingError):
            neps.tell(
                self._plan.root,
                pending["number"],
                result_of(self._plan, evaluation, pending["loss"]),
                attempt=pending["of"],
            )
            self._say("tell", number=pending["number"])

    def _say(self, event: str, **facts: object) -> None:
        record(self._plan.evidence, PASSER_BY, event, **facts)


def main() -> None:
    """Entry."""
    plan = Plan.from_json(sys.argv[1])
    with ThreadPoolExecutor(4) as threads:
        passer_by = PasserBy(plan, threads)
        while not plan.quiet.exists():
            passer_by.pass_by()
            time.sleep(_PAUSE_SECONDS)
        threads.shutdown(cancel_futures=True)


if __name__ == "__main__":
    main()
