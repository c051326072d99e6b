"""Nothing is skipped in CI, and a run can be repeated by its seed: pytest itself runs with `tests/conftest.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]


class TestConftest:
    @pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
    def test_skips_fail_in_ci_only(self, tmp_path: Path, ci: str, status: int) -> None:
        (tmp_path / "test_it.py").write_text(
            "import pytest\nfrom rigs.requirements import require\n"
            "def test_it() -> None: require('nothing fits')\n"
            "@pytest.mark.xfail\ndef test_expected(): assert False\n"
        )
        done = self.run_pytest(tmp_path, CI=ci, NEPS_TEST_SEED="17")
        assert done.returncode == status, done.stdout
        assert "nothing fits" in done.stdout
        assert "random seed of the tests: 17" in done.stdout

    def test_random_numbers_follow_from_the_seed(self, tmp_path: Path) -> None:
        (tmp_path / "test_it.py").write_text("def test_it(rng): raise ValueError(f'drew {rng.random()}')\n")

        def draw(seed: str) -> str:
            lines = self.run_pytest(tmp_path, NEPS_TEST_SEED=seed).stdout.splitlines()
            return next(line for line in lines if "ValueError: drew" in line)

        assert draw("1") == draw("1") != draw("2")

    @staticmethod
    def run_pytest(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """In a folder of its own, with this conftest as a plugin and without this project's settings."""
        (folder / "pytest.ini").write_text("[pytest]\n")
        argv = [sys.executable, "-m", "pytest", "-rs", "-p", "conftest", "-p", "no:cacheprovider", str(folder)]
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
        return subprocess.run(
            argv, check=False, capture_output=True, text=True, cwd=folder, env=environment, timeout=60
        )
