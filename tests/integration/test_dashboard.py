"""`neps dashboard` as a user sees it: a process, its pages in a browser, and Ctrl-C."""

from __future__ import annotations

import html
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import neps
from rigs.requirements import require

SECONDS = 120
COMMAND = [sys.executable, "-m", "neps", "dashboard"]
"""How it is started."""
SPACE: dict[str, neps.Parameter] = {
    "rate": neps.Float(1e-4, 1, log=True),
    "kind": neps.Categorical(["adam", None]),
    "epochs": neps.Integer(1, 3, is_fidelity=True),
}


def train(rate: float, kind: str | None, epochs: int) -> float:
    for epoch in range(1, epochs + 1):
        neps.report(epoch, rate + 1 / epoch)
    return rate + 1 / epochs


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    roots = [tmp_path / "digits", tmp_path / "letters"]
    for seed, root in enumerate(roots):
        neps.run(train, root, SPACE, searcher="successive_halving", max_evaluations_total=20, seed=seed)
    return roots


@pytest.fixture
def process(roots: list[Path]) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, *map(str, roots), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def page(folder: Path, url: str) -> subprocess.Popen[str]:
    """A browser that prints what is on a page once its scripts have run."""
    options = ["--no-sandbox", "--headless=new", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    return subprocess.Popen(
        ["chromium", *options, f"--user-data-dir={folder}", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def text(browser: subprocess.Popen[str]) -> str:
    content, _ = browser.communicate(timeout=SECONDS)
    return " ".join(html.unescape(re.sub(r"<style.*?</style>|<[^>]+>", " ", content, flags=re.DOTALL)).split())


def test_pages_in_a_browser_and_ctrl_c(process: subprocess.Popen[str], roots: list[Path], tmp_path: Path) -> None:
    require(None if shutil.which("chromium") else "needs chromium")
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"Dashboard of 2 runs: (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
    assert found, line
    pages = {"study": "/studies/1", "table": "/studies/1/smartSelection"}
    browsers = {name: page(tmp_path / name, f"{found[1]}dashboard{path}") for name, path in pages.items()}
    seen = {name: text(browser) for name, browser in browsers.items()}

    history = neps.load(roots[1])
    assert history.best is not None
    assert "letters (id=1)" in seen["study"], seen["study"]
    assert f"Best Trial (number={history.best.number - 1}) {history.best.loss} Params = [rate:" in seen["study"]
    assert "successive_halving" in seen["study"], "the study's attributes are there"
    for title in ("History", "Hyperparameter Importance", "Timeline", "Intermediate values"):
        assert title in seen["study"], title

    for trial in history.trials[:5]:
        state = "Complete" if trial.fidelity == 3 else "Pruned"
        row = f"{trial.number - 1} {state} {trial.loss} {trial.config['kind']} {trial.config['rate']}"
        assert row in seen["table"], seen["table"]
        assert f"config_{trial.number} " in seen["table"]

    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, output, errors) == (0, "", "")
