"""What is to be started, checked: the script with its arguments, how many workers, and where their logs lie.

Values only; nothing is started and nothing written. Both ways of launching begin here.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from neps._distributed.starting import torchrun
from neps._ledger.launches import TOLD_ROOT, launch_token
from neps._ledger.reading import root_of
from neps.errors import ArgumentError, shown

__all__ = ["STARTERS", "Plan", "planned"]

TOKEN = "NEPS_RUN_TOKEN"  # noqa: S105 - a name of the environment
_OWN_TOKENS = "neps-launch-"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MOST_WORKERS = 100_000
STARTERS = frozenset({"accelerate", "mpirun", "python", "python3", "srun", "torchrun"})
"""What people may write before a script."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """So many `workers`, each a process of its own that runs `command`; `logs` is the folder of what they print.

    `token` is the launch that all of them belong to; `root` is where the search lies, if the user has said it. `ranks`:
    how many processes each worker has, if torchrun starts it. `script` is the end of the command.
    """

    command: tuple[str, ...]
    workers: int
    name: str
    logs: Path
    token: str
    script: tuple[str, ...]
    root: str | None = None
    ranks: int | None = None

    def with_ranks(self, ranks: int) -> Plan:
        """The same with so many processes for each worker, which torchrun starts.

        Raises:
            ArgumentError: if there can't be so many.
        """
        return dataclasses.replace(self, command=(*torchrun(self.command[0], ranks), *self.script), ranks=ranks)

    @property
    def what(self) -> str:
        """What is started, for people."""
        ranks = "" if self.ranks is None else f", each with {self.ranks} ranks"
        return f"{self.workers} x {shlex.join(self.script)}{ranks}"

    @property
    def environment(self) -> dict[str, str]:
        """What each worker is told."""
        told = {} if self.root is None else {TOLD_ROOT: self.root}
        return {TOKEN: self.token, "PYTHONUNBUFFERED": "1", **told}

    @property
    def stop(self) -> str:
        """The command by which all workers leave, as far as the root is known."""
        return f"neps stop {shlex.quote(self.root or 'ROOT')}"

    @property
    def status(self) -> str:
        """The command that shows how the search stands."""
        return f"neps status {shlex.quote(self.root or 'ROOT')}"


def planned(
    script: str,
    arguments: Sequence[str],
    *,
    workers: int,
    root: str | None = None,
    name: str | None = None,
    python: str | None = None,
) -> Plan:
    """The plan, checked.

    Args:
        script: a Python file, relative to the working directory, which is that of the workers, too.
        arguments: of the script.
        workers: how many.
        root: the root directory that the script names; None: the user doesn't say.
        name: what it is called where jobs are listed; None is the script's.
        python: the interpreter; None is this one.

    Raises:
        ArgumentError: if something of it can't be.
    """
    path = _script(script)
    if not 1 <= workers <= _MOST_WORKERS:
        raise ArgumentError(f"--workers is {workers}; it must be from 1 to {_MOST_WORKERS}.")
    called = re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem)[:100] if name is None else name
    if not _NAME.fullmatch(called):
        raise ArgumentError(f"--name is {shown(name)}; it must be up to 100 letters, digits, '_', '-' and '.'.")
    launch_token()  # refuses one that is too long, before anything is started
    folder = None if root is None else root_of(root)
    return Plan(
        command=(_python(python), script, *arguments),
        script=(script, *arguments),
        workers=workers,
        name=called,
        logs=Path("neps-logs").absolute() if folder is None else Path(folder, "logs"),
        token=_token(os.environ),
        root=folder,
    )


def _script(script: str) -> Path:
    path = Path(script)
    if not path.exists():
        where = Path.cwd()
        if script in STARTERS:
            raise ArgumentError(
                f"The script is {shown(script)}, which starts scripts, and so does neps launch. Give a Python file's "
                "path: `neps launch search.py`. To have torchrun start each worker: `neps launch search.py --ranks 4`."
            )
        raise ArgumentError(f"The script is {shown(script)}, and {where} has no such file. Give a Python file's path.")
    if not path.is_file():
        raise ArgumentError(f"The script is {shown(script)}, which is no file. Give the path of a Python file.")
    if script.startswith("-"):
        raise ArgumentError(f"The script is {shown(script)}, which Python would take for an option. Write ./{script}.")
    return path


def _python(python: str | None) -> str:
    """The interpreter's path: a virtual environment's own name for it, not what that leads to."""
    found = sys.executable if python is None else shutil.which(os.path.expanduser(python))  # noqa: PTH111
    if not found:
        raise ArgumentError(f"--python is {shown(python)}; it must be a Python interpreter that can be executed.")
    return os.path.abspath(found)  # noqa: PTH100 - resolves no link: that would leave the environment


def _token(environment: Mapping[str, str]) -> str:
    """That of the shell if the user has set one; else a new one, also in a worker that was itself launched."""
    inherited = environment.get(TOKEN, "")
    if inherited and not inherited.startswith(_OWN_TOKENS):
        return inherited
    return f"{_OWN_TOKENS}{uuid.uuid4().hex[:16]}"
