"""A crew: worker processes that are started once and then run round after round, each begun at one instant.

The workers are `stress/worker.py`. Called by tests; what a round left in its root is for `stress.evidence` to tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rigs.processes import Fleet
from rigs.waiting import wait_until
from stress.share import Share

__all__ = ["Crew"]

_ROUND_SECONDS = 120.0


class Crew:
    """So many workers, ready for rounds; a context manager that tells them to go home."""

    def __init__(self, fleet: Fleet, folder: Path, size: int) -> None:
        """Starts them; `folder` is made, and holds their rounds."""
        folder.mkdir()
        self._folder = folder
        self._round = 0
        self._opened: list[int] = []
        self._prepare()
        program = Path(__file__).with_name("worker.py")
        self.workers = [fleet.start(program, folder, str(index)) for index in range(size)]

    def __enter__(self) -> Self:
        """Ready, once they have imported everything."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After a test that went well all workers live, and end without an error."""
        try:
            if error is None:
                self.begin(None)
                assert [worker.wait(_ROUND_SECONDS) for worker in self.workers] == [0] * len(self.workers)
        finally:
            for descriptor in self._opened:
                os.close(descriptor)

    def run(self, shares: Sequence[Share]) -> list[str | None]:
        """One round: what the workers' calls of `neps.run` raised, None where they returned."""
        return self.outcomes(self.begin(shares), len(shares))

    def begin(self, shares: Sequence[Share] | None) -> int:
        """Begins a round, once all workers are ready for it, and returns its number."""
        self.await_ready()
        number = self._round
        self._prepare()
        plan = None if shares is None else [share.to_plan() for share in shares]
        (self._folder / f"round_{number}.json").write_text(json.dumps(plan))
        self._opened.append(os.open(self._folder / f"start_{number}", os.O_WRONLY))  # stays open for latecomers
        return number

    def outcomes(self, number: int, size: int) -> list[str | None]:
        """Waits for the end of a round."""
        self.await_ready()
        paths = [self._folder / f"outcome_{number}_{index}.json" for index in range(size)]
        return [json.loads(path.read_text()) for path in paths]

    def await_ready(self) -> None:
        """Waits until all workers are at the start line."""
        ready = self._folder / f"ready_{self._round}"
        size = len(self.workers)
        wait_until(
            lambda: self._alive() and ready.exists() and ready.stat().st_size == size, _ROUND_SECONDS, "ready workers"
        )

    def _prepare(self) -> None:
        """The next start line, there before any worker comes to it."""
        self._round += 1
        os.mkfifo(self._folder / f"start_{self._round}")

    def _alive(self) -> bool:
        for worker in self.workers:
            assert worker.exit_code is None, f"{worker} died:\n{worker.stderr[-3000:]}"
        return True
