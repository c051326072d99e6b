"""Workers as tasks of a SLURM job array, by submitit: it writes the batch file, submits it, and names what it leaves.

Its own wrapper of a task doesn't run: that handles SIGTERM itself and would hide the script behind a pickled function.
The batch file ends with `exec python script.py` instead, as the README's does, so a worker gets each signal itself.
Imported only for launching, since submitit is an extra.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.slurm.slurm import SlurmExecutor

from neps._launching.plan import Plan
from neps.errors import ArgumentError, LaunchError, shown

__all__ = ["Array", "Options", "batch_file", "submit"]

_OPTION = re.compile(r"[a-z][a-z0-9-]*")
_MEMORY = re.compile(r"[0-9]+([KMGT]B?)?", re.IGNORECASE)
_OURS = {
    "array": "--workers and --at-once say it",
    "output": "--root says where logs lie",
    "error": "--root says where logs lie",
    "ntasks": "each worker is a task of the array: --workers says how many",
    "wrap": "the script takes its place",
}
_SECONDS_BEFORE = 120
_SECONDS = 60.0
_SECONDS_BETWEEN = 5.0
"""Between two questions to SLURM, which has others to answer."""
_LIVING = frozenset({"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "REQUEUED", "RESIZING"})
_GONE = "gone"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked of SLURM for each task; `more` are further options of sbatch, without their dashes."""

    at_once: int | None = None
    time: str | None = None
    partition: str | None = None
    gpus: int | None = None
    cpus: int | None = None
    mem: str | None = None
    more: Sequence[str] = ()

    def checked(self, workers: int) -> dict[str, Any]:
        """`more` by name; True for one without a value.

        Raises:
            ArgumentError: if one of all these can't be.
        """
        if self.at_once is not None and not 1 <= self.at_once <= workers:
            raise ArgumentError(f"--at-once is {self.at_once}; it must be from 1 to the number of workers, {workers}.")
        if self.mem is not None and not _MEMORY.fullmatch(self.mem):
            raise ArgumentError(
                f"--mem is {shown(self.mem)}; it must be a whole number with K, M, G or T behind it, without a blank, "
                "such as 8G. (A number alone is megabytes.)"
            )
        return dict(map(_option, self.more))


def _option(text: str) -> tuple[str, str | bool]:
    """An option of sbatch, as NAME=VALUE or NAME."""
    name, equals, value = text.removeprefix("--").partition("=")
    if not _OPTION.fullmatch(name) or "\n" in value or (equals and not value):
        raise ArgumentError(
            f"--slurm is {shown(text)}; it must be an option of sbatch as NAME=VALUE, or NAME for one without a value, "
            "such as --slurm qos=high."
        )
    if name in _OURS:
        raise ArgumentError(f"--slurm {shown(text)} can't be given, because {_OURS[name]}.")
    return name, value if equals else True


class _Scripts(SlurmExecutor):
    """Submits a command of ours in the place of submitit's, without pickles. `batch_file` is what it has written."""

    batch_file: Path | None = None

    @classmethod
    def affinity(cls) -> int:
        return 2  # whether sbatch is there matters to who submits, not to who only looks at the batch file

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:
        self.batch_file = submission_file_path
        return list(super()._make_submission_command(submission_file_path))


def _executor(plan: Plan, options: Options) -> _Scripts:
    more = options.checked(plan.workers)
    at_once = "" if options.at_once is None else f"%{options.at_once}"
    ours = {
        "array": f"0-{plan.workers - 1}{at_once}",
        "output": f"{plan.logs}/%A_%a.log",
        "signal": f"B:{'USR1' if plan.ranks is None else 'TERM'}@{_SECONDS_BEFORE}",  # torchrun hands on the latter
        "requeue": True,
    }
    executor = _Scripts(plan.logs)
    executor.update_parameters(
        job_name=plan.name,
        time=options.time,
        partition=options.partition,
        gpus_per_node=options.gpus or None,
        cpus_per_task=options.cpus,
        mem=options.mem,
        wckey=None,
        stderr_to_stdout=True,
        use_srun=False,
        setup=[f"export {name}={shlex.quote(value)}" for name, value in plan.environment.items()],
        additional_parameters={**ours, **more},
    )
    return executor


def _command(plan: Plan) -> str:
    """By exec: else signals reach the shell only, which dies of them. No submitit runs there, so nothing may say so."""
    return f"unset SUBMITIT_EXECUTOR\nexec {shlex.join(plan.command)}"


def batch_file(plan: Plan, options: Options) -> str:
    """What would be submitted.

    Raises:
        ArgumentError: if something of it can't be.
    """
    return _executor(plan, options)._make_submission_file_text(_command(plan), "")  # noqa: SLF001 - for plugins


def submit(plan: Plan, options: Options) -> Array:
    """Submit the array.

    Raises:
        ArgumentError: if something of it can't be; nothing was submitted.
        LaunchError: if it can't be submitted.
    """
    executor = _executor(plan, options)
    if shutil.which("sbatch") is None:
        raise LaunchError(
            "sbatch was not found, so nothing was submitted. Run this where SLURM is, or start the workers here, by "
            "--local."
        )
    made = _made(plan.logs)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it raises
            job = executor._submit_command(_command(plan))  # noqa: SLF001 - what plugins of submitit call
    except (FailedJobError, FailedSubmissionError) as error:
        lines = [line for line in str(error).splitlines() if "sbatch:" in line] or [str(error)]
        _unmake([executor.batch_file] if executor.batch_file else [], made)
        raise LaunchError(f"sbatch refused it, so nothing runs: {' '.join(lines)}") from None
    return Array(job.job_id, plan)


def _made(folder: Path) -> list[Path]:
    """Make a folder; those that were not there before, the deepest first."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return made


def _unmake(files: Sequence[Path], folders: Sequence[Path]) -> None:
    """Take away what was made for a batch file that was refused."""
    for file in files:
        file.unlink(missing_ok=True)
    for folder in folders:
        with contextlib.suppress(OSError):  # somebody has put something into it
            folder.rmdir()


class Array:
    """A job array that was submitted.

    Args:
        job: its number.
        plan: what its tasks run.
    """

    def __init__(self, job: str, plan: Plan) -> None:
        self.job, self.plan = job, plan
        self.logs = {str(task): plan.logs / f"{job}_{task}.log" for task in range(plan.workers)}
        """Of each task, by its number."""
        self._states: dict[str, str] = {}
        self._asked = -math.inf

    def states(self) -> dict[str, str]:
        """How each task stands, as SLURM said some seconds ago; `gone` if it doesn't know it any more."""
        if time.monotonic() - self._asked >= _SECONDS_BETWEEN:
            self._states = self._ask() or self._states
            self._asked = time.monotonic()
        return self._states

    def _ask(self) -> dict[str, str]:
        """One question for all tasks; nothing if SLURM can't say."""
        command = ["squeue", "--noheader", "--array", "--states=all", f"--jobs={self.job}", "--format=%i|%T|%N"]
        try:
            done = subprocess.run(  # noqa: S603 - a number that SLURM has said
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return {}
        if done.returncode and "Invalid job id" not in done.stderr:
            return {}
        said = dict.fromkeys(self.logs, _GONE)
        for line in done.stdout.splitlines():
            name, state, node = (*line.strip().split("|"), "", "")[:3]
            task = name.partition("_")[2]
            if task in said:
                said[task] = f"{state} on {node}" if node and state == "RUNNING" else state
        return said

    @staticmethod
    def are_over(states: Mapping[str, str]) -> bool:
        """Whether all tasks have ended, by their states."""
        return bool(states) and not any(state.split()[0] in _LIVING for state in states.values())

    @staticmethod
    def failed(states: Mapping[str, str]) -> dict[str, str]:
        """The tasks that ended otherwise than well."""
        return {task: state for task, state in states.items() if state not in {"COMPLETED", _GONE}}
