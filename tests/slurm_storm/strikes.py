"""What strikes an array that searches: one method for each kind, which knows whom, and what SLURM must say afterwards.

Called by `slurm_storm.rounds`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chaos.evidence import read, record
from rigs.slurm import Job, Slurm
from rigs.waiting import wait_until
from storms.plan import Plan
from storms.reach import Reach
from storms.verdict import STORM

__all__ = ["Search", "Strikes"]

_TESTS = str(Path(__file__).resolve().parents[1])
_SECONDS = 240.0
_TRIES = 100
_TWICE_SECONDS = 1.2  # a second signal within a second is the same one again
_RECIPE = """\
#!/bin/bash
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@50
{before}
exec {python} -m storms.worker {plan} {oddity}
"""
_OLD_TRIALS, _NESTED_TRIALS, _NESTED_TASKS = 3, 8, 3


class Search:
    """All jobs of a search, and what SLURM has to say of them in the end."""

    def __init__(self, cluster: Slurm, plan: Plan) -> None:
        """Submits nothing yet."""
        self.cluster = cluster
        self.plan = plan
        self.outputs: list[Path] = []
        self.reach = Reach(plan)
        self._submitted: list[str] = []
        self._expected: dict[str, tuple[str, str]] = {}

    def submit(self, *options: str, oddity: str = "", before: str = "") -> str:
        """Submits workers; `before` is what their script does first."""
        script = recipe(self.plan, oddity, before)
        self._submitted.append(self.cluster.sbatch(script, *options, environment={"PYTHONPATH": _TESTS}))
        return self._submitted[-1]

    def expect(self, job: Job, kind: str, state: str) -> None:
        """In the end a job that was struck is in this state; all others are COMPLETED."""
        self._expected[job.name] = (kind, state)

    def jobs(self) -> list[Job]:
        """All jobs, and tasks of arrays."""
        return [job for submitted in self._submitted for job in self.cluster.jobs(submitted)]

    def evaluating(self) -> dict[str, Job]:
        """Who runs and has begun an evaluation, by the worker's name."""
        begun = {entry.worker for entry in read(self.plan.evidence) if entry.event == "begin"}
        running = {f"{job.id}.{job.restarts}": job for job in self.jobs() if job.state == "RUNNING"}
        return {name: job for name, job in running.items() if name in begun}

    def end(self) -> list[tuple[str, str]]:
        """Once all jobs are over: which is in another state than expected, and by which strike."""
        wrong = []
        for submitted in self._submitted:
            for job in self.cluster.wait(submitted, _SECONDS):
                self.outputs.append(job.output)
                kind, state = self._expected.get(job.name, ("", "COMPLETED"))
                if job.state != state:
                    wrong.append((kind, f"{job} was struck by {kind or 'nothing'} and should be {state}"))
        return wrong


def recipe(plan: Plan, oddity: str = "", before: str = "") -> str:
    """The batch script of the README."""
    return _RECIPE.format(before=before, python=sys.executable, plan=plan.file, oddity=oddity)


@dataclasses.dataclass
class Strikes:
    """Each method strikes once, and returns what there is to be done once all have struck; that returns a detail."""

    search: Search
    chance: random.Random
    quick: bool = False
    nested: list[Plan] = dataclasses.field(default_factory=list)

    def requeue(self) -> Callable[[], str]:
        """Scontrol requeue: SIGTERM, and the same job again."""
        name, job = self._victim()
        with self._striking("requeue", name):
            self._cluster.run("scontrol", "requeue", job.name)
            self._wait(job.name, lambda jobs: jobs[0].restarts > job.restarts)
        return _nothing

    def cancel(self) -> Callable[[], str]:
        """Scancel of a task: SIGTERM."""
        name, job = self._victim()
        with self._striking("cancel", name):
            return self._cancel(job, "cancel")

    def handler(self) -> Callable[[], str]:
        """Scancel of a worker with a handler of its own: that is called first."""
        name, job = self._start("handler")
        with self._striking("handler", name):
            finish = self._cancel(job, "handler")
        assert any(entry.worker == name and entry.event == "handled" for entry in read(self._plan.evidence)), name
        return finish

    def deaf(self) -> Callable[[], str]:
        """Scancel twice of a worker whose training swallows every interruption: SLURM kills it in the end."""
        name, job = self._start("deaf", event="deaf")
        with self._striking("deaf", name):
            self._cluster.run("scancel", job.name)
            time.sleep(_TWICE_SECONDS)
            self._cluster.run("scancel", job.name)
        self.search.expect(job, "deaf", "CANCELLED")

        def finish() -> str:
            over = self._wait(job.name)
            return f"such a job ends as {over.state} with {over.exit_code}"

        return finish

    def usr1(self) -> Callable[[], str]:
        """Scancel --batch --signal=USR1: as before the time limit."""
        name, job = self._victim()
        with self._striking("usr1", name):
            # slurmctld may answer "try again later" and send it all the same; scancel then finds no job, and fails
            self._cluster.run("sh", "-c", f"scancel --batch --signal=USR1 {job.name} || true")
            over = self._wait(job.name)
        self.search.expect(job, "usr1", "FAILED")
        return lambda: f"such a job ends as {over.state} with {over.exit_code}"

    def limit(self) -> Callable[[], str]:
        """The time limit, and USR1 before it."""
        _, job = self._start("", "--time=1")
        self.search.expect(job, "limit", "FAILED")

        def finish() -> str:
            runs = (f"{job.id}.{restarts}" for restarts in range(9))  # its node may be struck, too
            with self._striking("limit", *runs):
                over = self._wait(job.name)
            return f"such a job ends as {over.state} with {over.exit_code}"

        return finish

    def preempt(self) -> Callable[[], str]:
        """A job of the partition `high` wants a whole node."""
        _, job = self._victim()
        start = time.monotonic()
        there = [one for one in self.search.evaluating().values() if one.node == job.node]
        with self._striking("preempt", host=job.node):
            options = ("--partition=high", "--exclusive", f"--nodelist={job.node}")
            high = self._wait(self._cluster.sbatch("#!/bin/bash\nhostname\n", *options))
        seconds = time.monotonic() - start
        assert high.state == "COMPLETED", high
        assert all(self._cluster.jobs(one.name)[0].restarts > one.restarts for one in there), there
        return lambda: f"the last high job was over {seconds:.0f} s after its sbatch"

    def crash(self) -> Callable[[], str]:
        """A node crashes, SLURM is told or finds out, and the node comes back."""
        _, job = self._victim()
        told = self.quick or self.chance.random() < 0.5
        with self._striking("crash", host=job.node):
            self._cluster.crash(job.node)
            if told:
                self._cluster.declare_down(job.node)
            self._wait(job.name, lambda jobs: jobs[0].restarts > job.restarts)
            self._cluster.boot(job.node)
        self._cluster.await_nodes(seconds=_SECONDS)
        return _nothing

    def freeze(self) -> Callable[[], str]:
        """A node stops until others have taken over (or SLURM has given it up), and goes on."""
        given_up = not self.quick and self.chance.random() < 0.3
        for _ in range(_TRIES):
            _, job = self._victim()
            if self._freeze(job, given_up=given_up):
                break
        return _nothing

    def _freeze(self, job: Job, *, given_up: bool) -> bool:
        """Whether it met anybody in an evaluation."""
        before = len(self.search.reach.deaths())
        with self._striking("freeze", host=job.node):
            self._cluster.pause(job.node)
            try:
                there = {name for name, one in self.search.evaluating().items() if one.node == job.node}
                evaluate = there & self.search.reach.evaluating()
                if evaluate:
                    awaited = f"a takeover from one of {evaluate}"
                    wait_until(lambda: self.search.reach.has_died(before), _SECONDS, awaited, 2.0)
                if evaluate and given_up:
                    self._wait(job.name, lambda jobs: jobs[0].restarts > job.restarts)
            finally:
                self._cluster.resume(job.node)
            self._cluster.await_nodes(seconds=_SECONDS)
        return bool(evaluate)

    def join(self) -> Callable[[], str]:
        """A second array, which is told to overwrite, too, joins who is alive."""
        array = self.search.submit("--array=0-1", "--time=30")
        ids = {job.id for job in self._cluster.jobs(array)}

        def has_begun() -> bool:
            ids.update(job.id for job in self._cluster.jobs(array))
            return any(name.partition(".")[0] in ids for name in self.search.evaluating())

        wait_until(has_begun, _SECONDS, f"an evaluation of array {array}", 0.2)
        return _nothing

    def nest(self) -> Callable[[], str]:
        """A task submits an array of its own, which overwrites another root."""
        folder = self._plan.folder / f"nested_{len(self.nested)}"
        old = Plan(folder / "old", _OLD_TRIALS, 1, "random_search", place=folder / "root")
        old.write()
        old.let(_OLD_TRIALS)
        worker = [sys.executable, "-m", "storms.worker", str(old.file)]
        subprocess.run(worker, env={**os.environ, "PYTHONPATH": _TESTS}, check=True, capture_output=True, timeout=120)
        plan = dataclasses.replace(old, folder=folder, trials=_NESTED_TRIALS, seed=2, by_cost=True, overwrite=True)
        plan.write()
        plan.let(_NESTED_TRIALS)
        (folder / "nested.sh").write_text(recipe(plan))
        said = folder / "job"
        sbatch = f"env -u SLURM_RESTART_COUNT sbatch --parsable --array=0-{_NESTED_TASKS - 1} {folder / 'nested.sh'}"
        before = f"[ -e {said} ] || ({sbatch} >{said}.new && mv {said}.new {said})"  # once, if it is requeued
        self.search.submit("--array=0-0", "--time=30", before=before)
        self.nested.append(plan)
        wait_until(said.exists, _SECONDS, "the job that a task submits")

        def finish() -> str:
            jobs = self._cluster.wait(said.read_text().strip(), _SECONDS)
            assert all(job.state == "COMPLETED" for job in jobs), jobs
            return "each moved the old search of its root aside once"

        return finish

    @property
    def _cluster(self) -> Slurm:
        return self.search.cluster

    @property
    def _plan(self) -> Plan:
        return self.search.plan

    def _victim(self) -> tuple[str, Job]:
        """Some worker that evaluates, other than those with an oddity."""

        def able() -> dict[str, Job]:
            found = self.search.evaluating()
            return {name: job for name, job in found.items() if job.array}

        wait_until(able, _SECONDS, "somebody who evaluates", 0.2)
        return self.chance.choice(sorted(able().items()))

    def _start(self, oddity: str, *options: str, event: str = "begin") -> tuple[str, Job]:
        """A job of its own, once its evaluation has begun."""
        number = self.search.submit(*options, oddity=oddity)

        def has_begun() -> bool:
            return any(e.worker == f"{number}.0" and e.event == event for e in read(self._plan.evidence))

        wait_until(has_begun, _SECONDS, f"the evaluation of job {number}", 0.1)
        return f"{number}.0", self._cluster.jobs(number)[0]

    def _cancel(self, job: Job, kind: str) -> Callable[[], str]:
        start = time.monotonic()
        self._cluster.run("scancel", job.name)
        over = self._wait(job.name)
        self.search.expect(job, kind, "CANCELLED")
        seconds = time.monotonic() - start
        return lambda: f"the last was gone {seconds:.1f} s after scancel, as {over.state} with {over.exit_code}"

    def _wait(self, name: str, until: Callable[[list[Job]], object] | None = None) -> Job:
        return self._cluster.wait(name, _SECONDS, until)[0]

    @contextlib.contextmanager
    def _striking(self, kind: str, *workers: str, host: str = "") -> Iterator[None]:
        since = time.monotonic()
        yield
        facts = {"by": kind, "workers": workers, "host": host, "since": since, "until": time.monotonic()}
        for plan in (self._plan, *self.nested):
            record(plan.evidence, STORM, "struck", **facts)


def _nothing() -> str:
    return ""
