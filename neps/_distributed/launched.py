"""Was this process started by torchrun, as one of several ranks? Only its own variables count; no torch here.

What looks like a rank without torchrun can't be a worker of its own, or says that it is one. `neps.run` asks first.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

from neps.errors import LaunchError

__all__ = ["Group", "group_of"]

_logger = logging.getLogger("neps")
_RUN, _SIZE, _RANK, _LOCAL, _ADDRESS, _PORT = (
    "TORCHELASTIC_RUN_ID",
    "WORLD_SIZE",
    "RANK",
    "LOCAL_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
)
_TASKS, _TASK = "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The ranks of one torchrun, as this one of them knows them.

    `agent_hosts`: whether torchrun itself hosts the store at `address`:`port`; else rank 0 does.
    """

    rank: int
    size: int
    run: str
    address: str
    port: int
    agent_hosts: bool


def group_of(environment: Mapping[str, str]) -> Group | None:
    """The ranks to which this process belongs; None where it is a worker by itself.

    A site or a job's script may set WORLD_SIZE or MASTER_ADDR for what it starts later, and `srun` numbers tasks that
    have nothing to do with each other. So nothing but torchrun's variables makes a rank. Who sets all that a rank needs
    but isn't torchrun (deepspeed, mpirun's wrappers, Lightning's own launcher) means ranks, too: those are refused.

    Raises:
        LaunchError: if this is a rank that torchrun hasn't started.

    Example:
        >>> group_of({"WORLD_SIZE": "8", "SLURM_PROCID": "3"})
    """
    size = _whole(environment, _SIZE) or 1
    if size == 1:
        _warn_of_tasks(environment)
        return None
    names = (_RANK, _LOCAL, _PORT)
    numbers = [_whole(environment, name) for name in names]
    address, run = environment.get(_ADDRESS, ""), environment.get(_RUN, "")
    rank, local, port = numbers
    if run and address and rank is not None and local is not None and port is not None:
        return Group(
            rank=rank,
            size=size,
            run=run,
            address=address,
            port=port,
            agent_hosts=environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        )
    if address and (rank is not None or local is not None):
        raise _refused(environment, size)
    _warn_of_tasks(environment)
    return None


def _whole(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() else None


def _refused(environment: Mapping[str, str], size: int) -> LaunchError:
    names = [_SIZE, *(name for name in (_RANK, _LOCAL) if _whole(environment, name) is not None), _ADDRESS]
    shown = ", ".join(f"{name}={environment[name]}" for name in names)
    return LaunchError(
        f"neps.run is called in one of {size} ranks of one distributed training ({shown}), which torchrun has not "
        "started. Each rank would become a worker of its own, with another configuration. Start the script with "
        "torchrun (or accelerate launch): then all ranks train each trial together. Or start it by itself, and let "
        "run_pipeline start the ranks: docs/distributed.md has an example of each. If these processes are to be "
        f"separate workers, unset {_SIZE} where they are started."
    )


def _warn_of_tasks(environment: Mapping[str, str]) -> None:
    """Several tasks of one srun are workers of their own; who sets MASTER_ADDR for them may mean ranks."""
    tasks, task = _whole(environment, _TASKS) or 1, _whole(environment, _TASK)
    if tasks > 1 and task is not None and environment.get(_ADDRESS) and not environment.get(_RUN):
        _logger.warning(
            "This process is one of %d tasks of one srun, and %s is set, but torchrun has not started it: it is a "
            "worker of its own, as each of these tasks is, and evaluates other trials than they do. To have the tasks "
            "train each trial together, start one torchrun on each node: docs/distributed.md has an example. If they "
            "are to be separate workers, unset %s.",
            tasks,
            _ADDRESS,
            _ADDRESS,
        )
