"""Is this process one of several ranks of one distributed training? Then it can't be a worker of its own."""

from __future__ import annotations

from collections.abc import Mapping

from neps.errors import LaunchError

__all__ = ["check_no_rank"]

_SIZE, _ADDRESS, _RANKS = "WORLD_SIZE", "MASTER_ADDR", ("RANK", "LOCAL_RANK")


def check_no_rank(environment: Mapping[str, str]) -> None:
    """Refuse to be one of several ranks, as torchrun, accelerate, deepspeed and Lightning start them.

    They all set WORLD_SIZE, MASTER_ADDR, and RANK or LOCAL_RANK (Lightning only that). WORLD_SIZE alone says nothing: a
    site, or a job's script, may set it for what it starts later.

    Raises:
        LaunchError: if it is one.
    """
    size = environment.get(_SIZE, "").strip()
    ranks = [name for name in _RANKS if environment.get(name, "").strip().isdecimal()]
    if not (size.isdecimal() and int(size) > 1 and ranks and environment.get(_ADDRESS)):
        return
    shown = ", ".join(f"{name}={environment[name]}" for name in (_SIZE, *ranks, _ADDRESS))
    message = (
        f"neps.run is called in one of {size} ranks of one distributed training ({shown}). Each rank would become a "
        "worker of its own, with another configuration. Start the script by itself, without torchrun (or accelerate, "
        "deepspeed, Lightning), and let run_pipeline start the ranks: docs/distributed.md has an example. If these "
        f"processes are to be separate workers, unset {_SIZE} where they are started."
    )
    raise LaunchError(message)
