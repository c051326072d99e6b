"""The environments that drivers run in: what is installed in each, made on demand in .peers/ of the repository.

Libraries that are compared can't live together, so each has its own. Called by `running` and nobody else.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

__all__ = ["ENVIRONMENTS", "Environment", "Unavailable", "interpreter", "variables"]

_FOLDER = Path(__file__).parents[2] / ".peers"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_BLAS = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)  # a workaround for one numpy would slow down another


class Unavailable(Exception):  # noqa: N818 - said of an environment
    """An environment can't be made."""


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """What pip installs, and the modules whose import shows that it is there."""

    name: str
    modules: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is."""
        return _FOLDER / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Says, once it is there, that the environment is complete."""
        return self.folder / ".complete"

    def is_complete(self) -> bool:
        """Whether it has its stamp or, made by other means, can import its modules."""
        if self.stamp.exists():
            return True
        imports = [str(self.python), "-c", f"import {self.modules}"]
        return self.python.exists() and subprocess.run(imports, check=False, capture_output=True).returncode == 0


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment(
            "hebo",
            "hebo.optimizers.hebo",
            (
                "HEBO==0.3.6",
                "numpy==1.24.4",
                "scipy<1.12",
                "pandas<2.2",
                "scikit-learn<1.5",
                "GPy==1.13.2",
                "pymoo==0.6.0",
                "setuptools<81",
            ),
        ),
        # Without greenlet Optuna's GP climbs from one start after the other, and is slower.
        Environment("optuna", "optuna, torch, cmaes, greenlet", ("optuna>=5", "torch", "scipy", "cmaes", "greenlet")),
        Environment("smac", "smac", ("smac>=2.4,<2.5",)),
        Environment("dehb", "dehb", ("DEHB>=0.1,<0.2",)),
        Environment("neps017", "neps", ("neural-pipeline-search>=0.17,<0.18",)),
        Environment("neps012", "neps", ("neural-pipeline-search==0.12.2",)),
    )
}


@functools.cache
def interpreter(name: str) -> Path:
    """The Python of environment `name`, which is made if it is missing; "own" is the one this runs in.

    A path is that of a Python: of another checkout, say.
    """
    if name == "own":
        return Path(sys.executable)
    if os.sep in name:
        return Path(name)
    environment = ENVIRONMENTS[name]
    _FOLDER.mkdir(exist_ok=True)
    with FileLock(_FOLDER / f"{name}.lock"):  # another host may be making it
        if not environment.is_complete():
            _make(environment)
    return environment.python


def variables() -> dict[str, str]:
    """The environment variables of drivers: one thread each, and sets in the same order each time, which SMAC needs.

    No path of Python's is handed on: a driver of a published neps must not find this one.
    """
    kept = {key: value for key, value in os.environ.items() if key not in {*_BLAS, "PYTHONPATH"}}
    return kept | dict.fromkeys(_THREADS, "1") | {"PYTHONHASHSEED": "0"}


def _make(environment: Environment) -> None:
    print(f"==> Making {environment.folder} (minutes, once): {' '.join(environment.requirements)}", flush=True)
    pip = [str(environment.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([_python_311(), "-m", "venv", "--clear", str(environment.folder)], check=True)
        subprocess.run([*pip, *environment.requirements], check=True)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"making {environment.folder} failed; what it printed is above: {error}") from error
    environment.stamp.touch()
    print(f"==> {environment.folder} is complete", flush=True)


def _python_311() -> str:
    """Python 3.11, the only version that all of these libraries support."""
    found = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if found is None:
        raise Unavailable(
            "no python3.11 on the PATH: the libraries that are compared need that version. Install it, or leave "
            "the methods that have an environment of their own out, with --methods."
        )
    return found
