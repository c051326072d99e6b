"""How a driver talks to the benchmark that started it: JSON lines, in on stdin, out on what was stdout.

Standard library only, since each driver imports it (as `pipe`, beside it) in its optimizer's own environment. Importing
it sets mathematics to one thread, so it has to come before numpy and torch.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

__all__ = [
    "Host",
    "Parameter",
    "Task",
    "Training",
    "active",
    "by_index",
    "from_index",
    "is_active",
    "preload",
    "seed_everything",
]

Parameter = Mapping[str, Any]
"""`name` and `type`; `lower`, `upper` and `log` of a float or integer, `choices` of a categorical; any may have a
prior, as `default` and `default_confidence`, and conditions, as `active_if`: values of others that come before it."""

Training = Generator[Mapping[str, Any], float, None]
"""It yields configurations to be evaluated, one after the other, and is sent their losses."""

for _library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"


class Task(NamedTuple):
    """What to minimise over, the run's seed, and how many evaluations the run has.

    With a fidelity (a parameter that `is_fidelity`) the run ends once `budget` is spent, by killing the driver;
    `evaluations` is then how many fit at the lowest fidelity. `workers` is how many evaluate at once.
    """

    space: list[Parameter]
    seed: int
    evaluations: int
    budget: float | None = None
    workers: int = 1

    @property
    def fidelity(self) -> Parameter:
        """The parameter that is the fidelity."""
        return next(parameter for parameter in self.space if parameter.get("is_fidelity"))

    @property
    def turns(self) -> Iterable[int]:
        """One for each evaluation: no end of them where the run is ended by its budget."""
        return range(self.evaluations) if self.budget is None else itertools.count()

    @property
    def searched(self) -> list[Parameter]:
        """The other parameters."""
        return [parameter for parameter in self.space if not parameter.get("is_fidelity")]


class Host:
    """The other end of the pipe: it evaluates configurations. What libraries print goes to stderr."""

    def __init__(self) -> None:
        """Take stdin and stdout for the protocol, and leave harmless ones to everybody else."""
        self.cost = 0.0
        """Seconds that the last evaluation took, or pretends to have taken."""
        self._replies = os.fdopen(os.dup(0), encoding="utf-8")
        self._requests = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._resumed = 0.0
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def read_task(self, version: str) -> Task:
        """Say which version of the library runs, and read what it is to do. From here on, CPU time counts."""
        self._send({"version": version})
        return Task(**self._receive())

    def evaluate(self, config: Mapping[str, Any]) -> float:
        """The loss of a configuration; its values may be of numpy."""
        cpu = time.process_time() - self._resumed
        self._send({"evaluate": dict(config), "cpu": cpu})
        reply = self._receive()
        self.cost = reply["cost"]
        return float(reply["loss"])

    def run(self, task: Task, begin: Callable[[], Training | None]) -> None:
        """Let each worker do one training after the other.

        Args:
            task: how many workers there are, and how many trainings.
            begin: begins a training; None where results have to come in first.
        """
        if task.workers > 1:
            self._run_together(task.workers, begin)
        for _ in task.turns:
            training = begin()
            config = next(training, None) if training else None
            while training and config is not None:
                config = _after(training, self.evaluate(config))

    def _run_together(self, workers: int, begin: Callable[[], Training | None]) -> NoReturn:
        """Until it is killed. What a worker evaluates is sent with its number; `wait` asks for whose ends next."""
        running = dict[int, Training]()
        while True:
            for worker in range(workers):
                if worker not in running and (training := begin()):
                    running[worker] = training
                    self._submit(worker, next(training))
            self._send({"wait": len(running)})
            reply = self._receive()
            self.cost, worker = reply["cost"], reply["worker"]
            config = _after(running[worker], float(reply["loss"]))
            if config is None:
                del running[worker]
            else:
                self._submit(worker, config)

    def _submit(self, worker: int, config: Mapping[str, Any]) -> None:
        self._send({"evaluate": dict(config), "worker": worker, "cpu": time.process_time() - self._resumed})
        self._resumed = time.process_time()

    def _send(self, message: Mapping[str, Any]) -> None:
        self._requests.write(json.dumps(message, default=_plain) + "\n")
        self._requests.flush()

    def _receive(self) -> dict[str, Any]:
        line = self._replies.readline()
        if not line:
            sys.exit("the benchmark has closed the pipe: it has ended, or the run is longer than it asked for")
        message: dict[str, Any] = json.loads(line)
        self._resumed = time.process_time()
        return message


def _after(training: Training, loss: float) -> Mapping[str, Any] | None:
    """What a training has evaluated next, None at its end."""
    try:
        return training.send(loss)
    except StopIteration:
        return None


def preload(*modules: str) -> None:
    """Import what a library imports only when it needs it: that would count as the cost of a suggestion."""
    for module in modules:
        importlib.import_module(module)


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python and of what is imported of numpy and torch; torch gets one thread."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
        torch.set_num_threads(1)


def is_active(parameter: Parameter, config: Mapping[str, Any]) -> bool:
    """Whether the parameter's conditions hold in a configuration that holds what is active of those before it."""
    conditions: Mapping[str, Sequence[Any]] = parameter.get("active_if", {})
    return all(name in config and config[name] in values for name, values in conditions.items())


def active(space: Sequence[Parameter], config: Mapping[str, Any]) -> dict[str, Any]:
    """What is active of a configuration that holds a value of each parameter."""
    found = dict[str, Any]()
    for parameter in space:
        if is_active(parameter, found):
            found[parameter["name"]] = config[parameter["name"]]
    return found


def by_index(space: Sequence[Parameter]) -> list[Parameter]:
    """The same space with 0, 1, 2, ... for the choices: some libraries turn 1 into 1.0 or "1", or want one type."""
    choices = {parameter["name"]: parameter["choices"] for parameter in space if parameter["type"] == "categorical"}
    indexed = (_indexed(parameter) if parameter["name"] in choices else parameter for parameter in space)
    return [_with_indexed_conditions(parameter, choices) for parameter in indexed]


def from_index(space: Sequence[Parameter], config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of `by_index(space)` in `space`, where rounding has put no number beyond its bounds."""
    present = [parameter for parameter in space if parameter["name"] in config]
    return {parameter["name"]: _value(parameter, config[parameter["name"]]) for parameter in present}


def _indexed(parameter: Parameter) -> Parameter:
    choices = parameter["choices"]
    default = {"default": choices.index(parameter["default"])} if "default" in parameter else {}
    return {**parameter, "choices": list(range(len(choices))), **default}


def _with_indexed_conditions(parameter: Parameter, choices: Mapping[str, list[Any]]) -> Parameter:
    if "active_if" not in parameter:
        return parameter
    conditions = {
        name: [choices[name].index(value) for value in values] if name in choices else values
        for name, values in parameter["active_if"].items()
    }
    return {**parameter, "active_if": conditions}


def _value(parameter: Parameter, value: Any) -> Any:
    if parameter["type"] == "categorical":
        return parameter["choices"][int(value)]
    number = min(max(value, parameter["lower"]), parameter["upper"])
    return round(number) if parameter["type"] == "integer" else float(number)


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's."""
    return value.item()
