"""How run_pipeline ended on each rank, and what came of the evaluation then. Values only.

Each rank publishes an `Ending`; rank 0 decides by `outcome` once all have, or the rest can't any more.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Mapping
from typing import Any, Literal

from neps._evaluation import Evaluated, Interrupted, Interruption
from neps._outcome import Outcome
from neps._worker.peers import Ended
from neps.errors import RankError

__all__ = ["ALWAYS", "Ending", "How", "asked", "died", "outcome"]

How = Literal["returned", "failed", "signal", "stop", "walltime", "exit", "keyboard", "fenced", "stopped", "stuck"]
ALWAYS = 1 << 60
"""More often than `should_stop` is called."""


def asked(number: int) -> str:
    """Under which name rank 0's answers of `should_stop` are: how many, and from which on it said to stop."""
    return f"asked/{number}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ended on one rank.

    `how`: it returned, failed (`error`), was interrupted by a signal (`signum`) or told that the walltime is over, left
    by SystemExit (`code`) or KeyboardInterrupt, found the trial taken over, was stopped because of another rank, or
    doesn't return though it was.
    `order` counts all but those that returned. `grouped`: torch's default process group is there still. `obstacle`: why
    this process can't be started anew, if it can't.
    """

    how: How
    order: int = 0
    error: str | None = None
    signum: int | None = None
    code: int | str | None = None
    grouped: bool = False
    obstacle: str | None = None

    @classmethod
    def of(cls, ended: Ended | None, *, stopped: bool) -> Ending:
        """What to publish of an evaluation here.

        Args:
            ended: what came of it; None where it doesn't return.
            stopped: whether it was interrupted because of another rank.
        """
        if ended is None:
            return cls(how="stuck")
        if isinstance(ended, Interrupted):
            return cls._of_interruption(ended, stopped=stopped)
        if isinstance(ended, Evaluated) and not ended.outcome.success:
            return cls(how="failed", error=ended.outcome.error)
        return cls(how="returned")

    @classmethod
    def _of_interruption(cls, ended: Interrupted, *, stopped: bool) -> Ending:
        match ended:
            case Interrupted(reason="signal", signum=signum):
                return cls(how="signal", signum=signum)
            case Interrupted(reason="exit", exception=SystemExit(code=code)):
                return cls(how="exit", code=code if isinstance(code, int | str) else None)
            case Interrupted(reason="keyboard" | "walltime" | "stop" as how):
                return cls(how=how)
        return cls(how="stopped" if stopped else "fenced")

    def message(self) -> dict[str, Any]:
        """As it is published."""
        return dataclasses.asdict(self)

    @property
    def is_over(self) -> bool:
        """Whether run_pipeline has come to its end, so that this process can go on as it is."""
        return self.how != "stuck"

    @property
    def is_clean(self) -> bool:
        """Whether run_pipeline has returned, so that nothing of it goes on."""
        return self.how in {"returned", "walltime"}


def died(rank: int, size: int, why: str) -> Interrupted:
    """What came of an evaluation one of whose ranks has died."""
    error = RankError(
        f"rank {rank} of {size} died ({why}), so its trial is resumed from its checkpoint, by these ranks if torchrun "
        "restarts them (--max-restarts=…), or by another worker."
    )
    return Interrupted(reason="rank", exception=error)


def outcome(own: Ended | None, endings: Mapping[int, Ending], size: int, signum: int | None = None) -> Ended:
    """What came of an evaluation that is over on all ranks.

    What has ended rank after rank has one cause: a takeover or a signal may well show as some error elsewhere, and so
    may a rank that failed, on those which then failed later.

    Args:
        own: what came of it on rank 0.
        endings: how it ended, by rank.
        size: how many ranks there are.
        signum: a signal that has come, be it that run_pipeline has noticed it nowhere.
    """
    by_how: dict[str, tuple[int, Ending]] = {}
    for rank, ending in sorted(endings.items(), key=lambda item: item[1].order):
        by_how.setdefault(ending.how, (rank, ending))
    if set(by_how) == {"returned"} and own is not None:
        return own
    if signum is None and "signal" in by_how:
        signum = by_how["signal"][1].signum or signal.SIGTERM
    if "fenced" in by_how:
        return Interrupted(reason="fenced", exception=RankError("the trial was taken over"))
    if signum is not None:
        raised = KeyboardInterrupt() if signum == signal.SIGINT else Interruption(signum)
        return Interrupted(reason="signal", exception=raised, signum=signum)
    return _without_signal(own, by_how, size)


def _without_signal(own: Ended | None, by_how: Mapping[str, tuple[int, Ending]], size: int) -> Ended:
    if "exit" in by_how:
        return Interrupted(reason="exit", exception=SystemExit(by_how["exit"][1].code))
    if "keyboard" in by_how:
        return Interrupted(reason="keyboard", exception=KeyboardInterrupt())
    if isinstance(own, Interrupted) and own.reason in {"walltime", "stop"}:
        return own  # whatever a rank raised after that
    if "failed" in by_how:
        return _failed(own, *by_how["failed"], size)
    raise RankError(f"an evaluation ended on some ranks, and nobody knows why: {sorted(by_how)}.")


def _failed(own: Ended | None, rank: int, ending: Ending, size: int) -> Evaluated:
    error = f"rank {rank} of {size}: {ending.error}"
    if rank == 0 and isinstance(own, Evaluated) and own.out_of_time:
        return own
    if rank == 0 and isinstance(own, Evaluated):
        return dataclasses.replace(own, outcome=dataclasses.replace(own.outcome, error=error))
    return Evaluated(Outcome(success=False, error=error))
