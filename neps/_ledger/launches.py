"""Which launch this worker belongs to, and which launches have had their run: those move nothing aside any more.

    launches/launch_HASH.yaml    the launch whose token has that hash has had a run here

Only the name counts. It lies beside neps.yaml, in nothing that users may delete: see docs/format.md. Called when a run
is opened.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os

from neps._ledger import documents
from neps._ledger.exclusive import publish, sync_folder
from neps._ledger.fields import LONGEST_TEXT
from neps._ledger.identity import Identity, process_state
from neps._ledger.layout import Layout
from neps.errors import ArgumentError, DirectoryError, shown

__all__ = ["TOLD_ROOT", "has_had_run", "launch_token", "remember"]

_logger = logging.getLogger("neps.ledger")
TOLD_ROOT = "NEPS_LAUNCH_ROOT"
"""The environment variable by which `neps launch` hands its `--root` to the workers: do they work there?"""
_PATIENCE = 10.0


def launch_token() -> str | None:
    """What all workers of one launch have in common: NEPS_RUN_TOKEN, else SLURM's array or job, or torchrun, else None.

    Raises:
        ArgumentError: if it is longer than neps.yaml takes.
    """
    if token := os.environ.get("NEPS_RUN_TOKEN"):
        launch = f"NEPS_RUN_TOKEN={token.encode(errors='backslashreplace').decode()}"  # whatever the environment holds
        if len(launch) > LONGEST_TEXT:
            message = (
                f"the environment variable NEPS_RUN_TOKEN is {shown(token)}, of {len(token)} characters; it must have "
                f"at most {LONGEST_TEXT - len('NEPS_RUN_TOKEN=')}. Choose a short name for the launch."
            )
            raise ArgumentError(message)
        return launch
    job, array = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_ARRAY_JOB_ID")
    if array and (not job or job == array or _is_task_of(job, array)):
        return f"SLURM_ARRAY_JOB_ID={array}"
    return f"SLURM_JOB_ID={job}" if job else _torchrun()


def _torchrun() -> str | None:
    """The torchrun that has started this process as a rank: its restarts belong to the launch. Run ids may repeat."""
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    if not run or os.environ.get("WORLD_SIZE", "1") == "1":
        return None
    parent = os.getppid()
    return f"TORCHELASTIC_RUN_ID={shown(run)} of {parent}-{process_state(parent)[1]}"


@functools.cache
def _is_task_of(job: str, array: str) -> bool:
    """Whether SLURM has that job as a task of that array: in doubt, yes.

    A job that was submitted from inside a task inherits all SLURM_ARRAY_… of that, even with --export=NONE, and no
    variable tells it from a task. All tasks of an array must agree, so doubt may not split it.
    """
    import subprocess  # slow to import, and few ask

    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%F"]  # %F: the array's id, or the job's own
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
    try:
        done = subprocess.run(  # noqa: S603 - two numbers that SLURM has set
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            env=environment,
            text=True,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.SubprocessError) as error:
        _logger.info(
            "squeue could not tell whether job %s belongs to array %s (%s), so it is treated as one of its tasks. If "
            "it was submitted from inside that array and should start its own search, set NEPS_RUN_TOKEN for it.",
            job,
            array,
            error,
        )
        return True
    ids = done.stdout.split()
    return array in ids or job not in ids


def has_had_run(root: str, launch: str) -> bool:
    """Whether a run of this launch was moved aside, or it has joined another launch's run."""
    return os.path.lexists(f"{Layout(root).launches}/{_name(launch)}")


def remember(root: str, launch: str, run: str, me: Identity) -> None:
    """Let `has_had_run` be true from now on, for ever and for everybody.

    Raises:
        DirectoryError: if that can't be written.
    """
    folder = Layout(root).launches
    fields = {"launch": launch, "run": run, "by": me.worker, "time": documents.now()}
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        if publish(folder, _name(launch), documents.encode(fields), me.token):
            sync_folder(folder)
            sync_folder(root)
    except OSError as error:
        message = f"{folder} can't be used: {error}. It must be a folder that this user may write to, or not exist yet."
        raise DirectoryError(message) from error


def _name(launch: str) -> str:
    """A token is any text, so its hash makes the name."""
    return f"launch_{hashlib.blake2b(launch.encode(), digest_size=8).hexdigest()}.yaml"
