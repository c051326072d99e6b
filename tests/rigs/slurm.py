"""A real SLURM with nodes that crash and freeze: munged, slurmctld, and a slurmd on each of some hosts (`rigs.hosts`).

Needs Linux, root, and the programs that scripts/install-test-rigs installs; /etc/slurm is not touched, and several
clusters can run side by side. By hand: `PYTHONPATH=tests python -m rigs.slurm`. Called by tests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rigs.hosts import as_host, hosts_available
from rigs.isolated import isolated
from rigs.service import Service, service
from rigs.waiting import wait_until

__all__ = ["Job", "Slurm", "slurm", "slurm_available"]

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "sinfo", "squeue")
_READY_SECONDS = 60.0
_LIVING = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "REQUEUED", "REQUEUE_HOLD"}
_CONFIGURATION = """\
ClusterName=rig
SlurmctldHost=head(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CredType=cred/munge
# A job that was requeued waits for so long, and a second, before it starts again (SLURM's default: 120)
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/spool/%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,bf_interval=1,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait={kill_wait}
MinJobAge=86400
SlurmdTimeout={node_timeout}
SlurmctldTimeout=30
ReturnToService=1
MaxArraySize=10001
{more}
{nodes}
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime={grace} MaxTime=INFINITE LLN=YES
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE LLN=YES
"""


@dataclasses.dataclass(frozen=True)
class Job:
    """A job, or a task of an array, as SLURM knows it.

    Args:
        id: its own number; that of an array's first task is the array's.
        task: its index in the array; "" is no array; "3-7" is several that are pending.
        state: such as RUNNING, COMPLETED, CANCELLED, TIMEOUT.
        restarts: how often it was requeued.
        exit_code: as `status:signal`.
        node: where it runs or ran last; "n[1-2]" is two of them.
        output: the file of its standard output; "%" placeholders stay while it is pending.
    """

    id: str
    task: str
    state: str
    restarts: int
    exit_code: str
    node: str
    output: Path

    @property
    def is_over(self) -> bool:
        """Whether SLURM will do no more with it."""
        return self.state not in _LIVING


@dataclasses.dataclass(frozen=True)
class Slurm:
    """A cluster that runs.

    Args:
        folder: its state, configuration and logs; output of jobs that were not told where to write is in `folder/jobs`.
        nodes: their names: n1, n2, ...
        environment: what SLURM's commands need in theirs.
    """

    folder: Path
    nodes: list[str]
    environment: Mapping[str, str]
    _daemons: Service

    def run(
        self,
        *command: str | Path,
        text: str = "",
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Runs a command of SLURM, or any other, outside of the nodes; what it printed.

        Args:
            *command: with its arguments.
            text: its standard input.
            folder: its working directory; None is where the output of jobs lies.
            environment: added to this process's, of which SLURM's own variables are left out.
        """
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
        done = subprocess.run(
            list(map(str, command)),
            check=False,
            capture_output=True,
            text=True,
            input=text,
            cwd=folder or self.folder / "jobs",
            env={**clean, **self.environment, **(environment or {})},
            timeout=_READY_SECONDS,
        )
        assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def sbatch(
        self,
        script: str | Path,
        *options: str,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Submits a batch script, given as its text or as a file; the id of the job, or of the array. See `run`."""
        text, file = (script, []) if isinstance(script, str) else ("", [script])
        return self.run("sbatch", "--parsable", *options, *file, text=text, folder=folder, environment=environment)

    def jobs(self, job: str) -> list[Job]:
        """What SLURM says of a job, or of each task of an array."""
        lines = self.run("scontrol", "show", "--oneliner", "job", job).splitlines()
        return [_job(dict(re.findall(r"(\w+)=(\S*)", line))) for line in lines]

    def wait(self, job: str, seconds: float = 300.0, until: Callable[[list[Job]], object] | None = None) -> list[Job]:
        """Until a job, or all tasks of an array, are over, or until something else is true of them."""
        found: list[Job] = []

        def reached() -> object:
            found[:] = self.jobs(job)
            return until(found) if until else all(one.is_over for one in found)

        try:
            wait_until(reached, seconds, f"job {job}", 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}\n{self.run('squeue')}\n{self.run('sinfo', '-N', '-l')}") from None
        return found

    def crash(self, node: str) -> None:
        """All processes of a node are gone at once. SLURM notices that after `node_timeout`, or by `declare_down`."""
        self._daemons.ask("crash", node)

    def declare_down(self, node: str) -> None:
        """Has SLURM give a node up at once, as the health checks of many sites do; its jobs are requeued."""
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def boot(self, node: str) -> None:
        """Starts a node that has crashed; SLURM uses it again after `await_nodes`."""
        self._daemons.ask("boot", node)

    def pause(self, node: str) -> None:
        """All processes of a node stop, as on a host that hangs."""
        self._daemons.ask("pause", node)

    def resume(self, node: str) -> None:
        """They go on as if nothing had happened."""
        self._daemons.ask("resume", node)

    def await_nodes(self, *nodes: str, seconds: float = _READY_SECONDS) -> None:
        """Until SLURM would start jobs on these nodes, or on all; as an administrator, resumes those that are down."""
        wanted = set(nodes or self.nodes)

        def up() -> bool:
            for node in wanted & self._nodes("down"):
                self.run("scontrol", "update", f"nodename={node}", "state=resume")
            return wanted <= self._nodes("idle,mix,alloc")

        wait_until(up, seconds, f"nodes {sorted(wanted)}", 0.1)

    def _nodes(self, states: str) -> set[str]:
        return set(self.run("sinfo", "-h", "-N", "--responding", "-p", "low", "-t", states, "-o", "%N").split())

    def log(self, lines: int = 40) -> str:
        """The end of the controller's log."""
        path = self.folder / "log" / "slurmctld.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


@contextlib.contextmanager
def slurm(
    nodes: int = 4, cpus: int = 8, *, kill_wait: int = 5, grace: int = 5, node_timeout: int = 30, more: str = ""
) -> Iterator[Slurm]:
    """A cluster of its own, with the partitions `low` (the default; preempted by requeueing) and `high`.

    Args:
        nodes: how many: n1, n2, ... Each is a host: jobs see its name, and no process of another one.
        cpus: that SLURM believes each to have.
        kill_wait: seconds from SIGTERM to SIGKILL (SLURM's default: 30).
        grace: seconds that a job of `low` goes on after it was chosen to make room for one of `high`.
        node_timeout: seconds of silence after which SLURM gives a node up (at most half a minute later).
        more: lines for slurm.conf.

    Yields:
        The cluster, all of whose nodes are idle. In all cases nothing of it runs afterwards.
    """
    names = [f"n{index + 1}" for index in range(nodes)]
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        for name in ("munge", "state", "spool", "log", "jobs", *(f"spool/{name}" for name in names)):
            (folder / name).mkdir()
        settings = {"kill_wait": kill_wait, "grace": grace, "node_timeout": node_timeout, "more": more}
        _configure(folder, names, cpus, settings)
        environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        keeper = as_host(
            "head", [*isolated("slurm_daemons"), temporary, *names], binds={folder / "hosts": "/etc/hosts"}
        )
        command = ["env", f"SLURM_CONF={environment['SLURM_CONF']}", *keeper]
        with service(command, folder / "log" / "daemons.log") as daemons:
            cluster = Slurm(folder, names, environment, daemons)
            try:
                cluster.await_nodes()
                yield cluster
            except BaseException:
                sys.stderr.write(f"The end of slurmctld's log:\n{cluster.log()}\n")
                raise


def slurm_available() -> str | None:
    """Why a cluster can't be made on this machine, or None."""
    if reason := hosts_available():
        return f"slurm: {reason}"
    if missing := [program for program in _PROGRAMS if not shutil.which(program)]:
        return f"slurm: {', '.join(missing)} not found; scripts/install-test-rigs installs them"
    return None


def _configure(folder: Path, names: Sequence[str], cpus: int, settings: Mapping[str, object]) -> None:
    """All files that the daemons need."""
    port = _free_ports(1 + len(names))
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={name} NodeAddr=127.0.0.1 Port={port + 1 + index}"
        f" CPUs={cpus} RealMemory=16000 State=UNKNOWN"
        for index, name in enumerate(names)
    )
    configuration = _CONFIGURATION.format(folder=folder, port=port, nodes=nodes, **settings)
    (folder / "slurm.conf").write_text(configuration)
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    lines = [f"127.0.0.1 {name}" for name in (*names, "head")]
    (folder / "hosts").write_text("\n".join([Path("/etc/hosts").read_text(), *lines, ""]))
    key = folder / "munge" / "key"
    key.touch(0o600)
    key.write_bytes(os.urandom(128))


def _free_ports(count: int) -> int:
    """The first of so many in a row, below those that the kernel hands out."""
    while True:
        first = random.SystemRandom().randrange(10_000, 32_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + count):
                stack.enter_context(socket.create_server(("", port)))
            return first


def _job(fields: Mapping[str, str]) -> Job:
    return Job(
        id=fields["JobId"],
        task=fields.get("ArrayTaskId", ""),
        state=fields["JobState"],
        restarts=int(fields.get("Restarts", 0)),
        exit_code=fields["ExitCode"],
        node=fields.get("NodeList", ""),
        output=Path(fields.get("StdOut", "")),
    )


def _main() -> None:
    """A cluster by hand."""
    if reason := slurm_available():
        sys.exit(f"error: {reason}")
    with slurm() as cluster:
        print("\n".join(f"export {name}={value}" for name, value in cluster.environment.items()))
        print(f"# nodes {' '.join(cluster.nodes)}; logs in {cluster.folder / 'log'}; Ctrl-C ends all", flush=True)
        signal.sigwait([signal.SIGINT, signal.SIGTERM])


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    _main()
