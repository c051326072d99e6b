"""The scripts set themselves up: which Python they take, when they install, and what they say when they can't.

A stand-in for Python records what it is asked to do, so nothing is downloaded.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

# `-m venv DIR` copies itself there, as a real one would; every request is appended to the log.
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
case "$*" in
    *version_info*) exit {too_old} ;;
    *ensurepip*) exit {no_venv} ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
esac
"""


class Machine:
    """A machine with a copy of the scripts, a PATH without Python, and stand-ins for Python put on it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.bin = folder / "bin"
        self.repository = folder / "a clone"  # with a space, as people have them
        self.environment = self.repository / ".venv"
        self.bin.mkdir()
        (self.repository / "scripts").mkdir(parents=True)
        shutil.copy(REPOSITORY / "scripts" / "_environment.sh", self.repository / "scripts")
        shutil.copy(REPOSITORY / "pyproject.toml", self.repository)
        for tool in ("basename", "bash", "cat", "cksum", "cp", "dirname", "mkdir", "rm", "sh"):
            (self.bin / tool).symlink_to(str(shutil.which(tool)))

    def add_python(self, name: str, *, too_old: bool = False, no_venv: bool = False) -> None:
        path = self.bin / name
        path.write_text(STAND_IN.format(log=self.log, too_old=int(too_old), no_venv=int(no_venv)), encoding="utf-8")
        path.chmod(0o755)

    def use_environment(self, extra: str = "dev", **variables: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("", encoding="utf-8")
        program = f'set -euo pipefail; source "a clone/scripts/_environment.sh"; use_environment {extra}; echo "$PATH"'
        environment = {"PATH": str(self.bin), **variables}
        command = [str(self.bin / "bash"), "-c", program]
        return subprocess.run(
            command, cwd=self.repository.parent, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def asked(self) -> str:
        return self.log.read_text(encoding="utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_first_use_makes_an_environment_and_installs_the_extra(machine: Machine) -> None:
    machine.add_python("python3")
    done = machine.use_environment("examples")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{machine.environment}/bin:")
    assert f"python3 -m venv {machine.environment}\n" in machine.asked
    assert f"--editable {machine.repository}[examples]\n" in machine.asked


def test_installs_again_only_when_pyproject_changed_or_for_another_extra(machine: Machine) -> None:
    machine.add_python("python3")
    machine.use_environment()
    machine.use_environment()
    assert "pip install" not in machine.asked
    assert "-m venv" not in machine.asked
    machine.use_environment("bench")
    assert "pip install" in machine.asked
    with (machine.repository / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    machine.use_environment()
    assert "pip install" in machine.asked
    assert "-m venv" not in machine.asked


def test_another_place_for_the_environment(machine: Machine, tmp_path: Path) -> None:
    machine.add_python("python3")
    for place in (str(tmp_path / "elsewhere"), "elsewhere"):  # relative to where the script was started
        done = machine.use_environment(NEPS_VENV=place)
        assert done.stdout.startswith(f"{tmp_path / 'elsewhere'}/bin:")
    assert not machine.environment.exists()


def test_an_old_python3_is_passed_over_for_a_newer_one(machine: Machine) -> None:
    machine.add_python("python3", too_old=True)
    machine.add_python("python3.13")
    assert machine.use_environment().returncode == 0
    assert "python3.13 -m venv" in machine.asked


def test_a_chosen_python_is_taken_or_refused_but_never_replaced(machine: Machine) -> None:
    machine.add_python("python3")
    machine.add_python("mine", too_old=True)
    done = machine.use_environment(PYTHON="mine")
    assert done.returncode == 1
    assert done.stderr == "error: PYTHON=mine is not a Python 3.11 or newer. Set PYTHON to one that is.\n"
    machine.add_python("mine")
    assert machine.use_environment(PYTHON="mine").returncode == 0
    assert "mine -m venv" in machine.asked


def test_no_python_at_all(machine: Machine) -> None:
    done = machine.use_environment()
    assert done.returncode == 1
    assert done.stderr == (
        "error: no Python 3.11 or newer on the PATH. Install one (on Debian: apt install python3 python3-venv), "
        "or set PYTHON to its path.\n"
    )


def test_a_python_without_venv_is_named_before_anything_is_made(machine: Machine) -> None:
    machine.add_python("python3", no_venv=True)
    done = machine.use_environment()
    assert done.returncode == 1
    assert done.stderr == "error: python3 has no working venv module. On Debian: apt install python3-venv.\n"
    assert not machine.environment.exists()


def test_bench_lists_its_benchmarks_when_it_does_not_know_the_name() -> None:
    done = subprocess.run([REPOSITORY / "scripts" / "bench", "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: scripts/bench NAME" in done.stderr
    assert "\ncoordination\n" in done.stderr
