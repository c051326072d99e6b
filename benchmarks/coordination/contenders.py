"""Who is compared: neps, Optuna on its two kinds of durable files, and a raw loop of what a trial can't do without.

Each does the same: 4 floats at random, an objective that does nothing, durable writes. Called by `throughput`,
in processes that have imported all of it before the clock starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

import neps

__all__ = ["CONTENDERS", "Contender"]

_NAMES = ("a", "b", "c", "d")
_STUDY = "benchmark"
_LOCK_SECONDS = 120
_DECISION, _RESULT = b"d" * 352 + b"\n...\n", b"r" * 210 + b"\n...\n"  # as long as trial.yaml and result.yaml are

Lap = Callable[[], None]


class Contender(Protocol):
    """Something that runs trials in a directory, from any number of processes."""

    def prepare(self, directory: Path) -> None:
        """Make the directory ready, once."""

    def work(self, directory: Path, trials: int, lap: Lap) -> None:
        """Run a fixed share of trials in this process; `lap` is called in each, where the objective is."""

    def finished(self, directory: Path) -> int:
        """How many trials have a result."""


class Neps:
    """`neps.run` with random search."""

    def prepare(self, directory: Path) -> None:
        """Publish the definition, with a first trial."""
        self.work(directory, 1, lambda: None)

    def work(self, directory: Path, trials: int, lap: Lap) -> None:
        """See `Contender`."""

        def objective(a: float, b: float, c: float, d: float) -> float:  # noqa: ARG001
            lap()
            return 0.0

        neps.run(
            objective,
            directory,
            {name: neps.Float(0, 1) for name in _NAMES},
            searcher="random_search",
            max_evaluations_per_run=trials,
            progress=False,
            post_run_summary=False,
        )

    def finished(self, directory: Path) -> int:
        """See `Contender`, less the one that `prepare` made."""
        return sum(trial.succeeded for trial in neps.load(directory).trials) - 1


class OptunaContender:
    """`study.optimize` with the RandomSampler, on storage that `connect` opens."""

    def __init__(self, connect: Callable[[Path], BaseStorage]) -> None:
        self._connect = connect
        optuna.logging.set_verbosity(optuna.logging.ERROR)

    def prepare(self, directory: Path) -> None:
        """Create the study."""
        directory.mkdir()
        optuna.create_study(storage=self._connect(directory), study_name=_STUDY)

    def work(self, directory: Path, trials: int, lap: Lap) -> None:
        """See `Contender`."""

        def objective(trial: optuna.Trial) -> float:
            for name in _NAMES:
                trial.suggest_float(name, 0, 1)
            lap()
            return 0.0

        storage = self._connect(directory)
        optuna.load_study(study_name=_STUDY, storage=storage, sampler=RandomSampler()).optimize(
            objective, n_trials=trials
        )

    def finished(self, directory: Path) -> int:
        """See `Contender`."""
        study = optuna.load_study(study_name=_STUDY, storage=self._connect(directory))
        return len(study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE]))


def _journal(directory: Path) -> BaseStorage:
    """Calls fsync after each append, as it is."""
    return JournalStorage(JournalFileBackend(str(directory / "journal.log")))


def _sqlite(directory: Path) -> BaseStorage:
    """Durable as it is: SQLite's default is synchronous=FULL. Crowds need more patience than its 5 s."""
    return RDBStorage(f"sqlite:///{directory}/study.db", engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}})


class RawLoop:
    """mkdir; twice write, fsync, link; then the folder and the root synced. Nobody competes for a name."""

    def prepare(self, directory: Path) -> None:
        """Make the root."""
        directory.mkdir()

    def work(self, directory: Path, trials: int, lap: Lap) -> None:
        """See `Contender`."""
        root, process = str(directory), os.getpid()
        for index in range(trials):
            folder = f"{root}/config_{process}_{index}"
            os.mkdir(folder)  # noqa: PTH102 - as bare as Python gets
            _publish(folder, "trial.yaml", _DECISION)
            lap()
            _publish(folder, "result.yaml", _RESULT)
            _sync(folder)
            _sync(root)

    def finished(self, directory: Path) -> int:
        """See `Contender`."""
        return sum(1 for _ in directory.glob("config_*/result.yaml"))


def _publish(folder: str, name: str, content: bytes) -> None:
    staged = f"{folder}/.{name}"
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    os.write(descriptor, content)
    os.fsync(descriptor)
    os.close(descriptor)
    os.link(staged, f"{folder}/{name}")


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fsync(descriptor)
    os.close(descriptor)


CONTENDERS: dict[str, Contender] = {
    "neps": Neps(),
    "raw loop": RawLoop(),
    "Optuna journal": OptunaContender(_journal),
    "Optuna SQLite": OptunaContender(_sqlite),
}
