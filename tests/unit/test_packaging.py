"""The package as it is installed: what an import costs, what is shipped, what pyproject.toml promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = ("torch", "scipy", "pandas", "matplotlib", "rich", "sklearn", "optuna", "click", "mlflow", "wandb")


def requirements() -> list[str]:
    extras = PROJECT["optional-dependencies"].values()
    return [*PROJECT["dependencies"], *(requirement for extra in extras for requirement in extra)]


def test_import_neps_is_light() -> None:
    program = f"import sys, neps; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_types_are_shipped() -> None:
    assert resources.files("neps").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", ["scripts/check", "scripts/test", "scripts/quickstart", "scripts/bench", ".ci/run"])
def test_scripts_can_be_started(name: str) -> None:
    path = REPOSITORY / name
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")


@pytest.mark.parametrize("requirement", requirements())
def test_dependencies_are_ranges_and_not_pins(requirement: str) -> None:
    lower_bound = r"[A-Za-z0-9_-]+>=[0-9.]+"
    own_extras = r"neps\[[a-z,]+\]"
    assert re.fullmatch(f"{lower_bound}|{own_extras}", requirement)


def test_runtime_dependencies_are_the_promised_ones() -> None:
    names = {re.split(r"[^A-Za-z0-9_-]", requirement)[0] for requirement in PROJECT["dependencies"]}
    assert names == {"attrs", "click", "filelock", "numpy", "pyyaml", "rich", "scipy", "threadpoolctl", "torch"}


def test_installed_metadata_agrees_with_pyproject() -> None:
    assert metadata.version("neps") == PROJECT["version"]
    commands = {command.name: command.value for command in metadata.entry_points(group="console_scripts")}
    assert commands["neps"] == PROJECT["scripts"]["neps"] == "neps._cli:main"


def test_changelog_knows_the_version() -> None:
    assert f"## [{PROJECT['version']}]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
