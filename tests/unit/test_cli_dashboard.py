"""`neps dashboard`: what it serves, what it refuses, and what it says where it can't start."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import sys
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import optuna
import pytest
from click.testing import CliRunner
from optuna.visualization import matplotlib as plots

import neps
from neps._cli.dashboard import dashboard
from neps._ledger.records import End
from neps._views.dashboard import application, server
from neps.errors import ArgumentError, DirectoryError, NepsError
from rigs.waiting import wait_until
from unit.ledger_scene import Scene, here

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

mpl.use("Agg")

# optuna-dashboard imports botorch where that is installed, which uses what torch would no longer have used.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
SPACE = {"x": neps.Float(0, 1)}
WRITES = [
    ("DELETE", "/api/studies/0"),
    ("POST", "/api/studies"),
    ("POST", "/api/studies/0/rename"),
    ("PUT", "/api/studies/0/note"),
    ("PUT", "/api/studies/0/0/note"),
    ("POST", "/api/studies/0/preference"),
    ("POST", "/api/trials/0/user-attrs"),
    ("POST", "/api/trials/0/tell"),
]


def search(root: Path, evaluations: int) -> neps.History:
    return neps.run(lambda x: x, root, SPACE, searcher="random_search", max_evaluations_total=evaluations, seed=1)


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        search(root, 3)
    return roots


@contextlib.contextmanager
def listening(app: WSGIApplication) -> Iterator[str]:
    """Where it answers."""
    with server(app, "127.0.0.1", 0) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_port}"
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture
def address(roots: list[Path]) -> Iterator[str]:
    """Where a dashboard of both runs answers."""
    with listening(application(roots)) as address:
        yield address


def ask(url: str, method: str = "GET") -> tuple[int, Any]:
    request = urllib.request.Request(url, method=method, data=None if method == "GET" else b"{}")  # noqa: S310
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def answer_to(address: str, host: str) -> int:
    """The status of an answer to whoever calls it by that name."""
    request = urllib.request.Request(f"{address}/api/studies", headers={"Host": host})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def start(*arguments: object) -> None:
    CliRunner().invoke(dashboard, [*map(str, arguments)], catch_exceptions=False)


def test_runs_are_studies(address: str, roots: list[Path]) -> None:
    studies = ask(f"{address}/api/studies")[1]["study_summaries"]
    assert [study["study_name"] for study in studies] == ["one", "two"]
    for study, root in zip(studies, roots, strict=True):
        _, detail = ask(f"{address}/api/studies/{study['study_id']}")
        losses = [trial["values"] for trial in detail["trials"]]
        assert losses == [[trial.loss] for trial in neps.load(root).trials]
        best = neps.load(root).best
        assert best is not None
        assert detail["best_trials"][0]["number"] == best.number - 1


def test_it_follows_the_run(address: str, roots: list[Path]) -> None:
    def count() -> int:
        return len(ask(f"{address}/api/studies/1")[1]["trials"])

    assert count() == 3
    search(roots[1], 5)
    wait_until(lambda: count() == 5, 60, "the trials of the second call", 0.2)


def test_writing_is_refused_and_changes_nothing(address: str, roots: list[Path]) -> None:
    before = ask(f"{address}/api/studies")
    for method, path in WRITES:
        expected = {"reason": "The dashboard of a run is read-only: nothing was changed."}
        assert ask(f"{address}{path}", method) == (403, expected)
    assert ask(f"{address}/api/studies") == before
    assert len(ask(f"{address}/api/studies/0")[1]["trials"]) == 3


def test_a_name_of_somebody_else_is_refused(roots: list[Path]) -> None:
    """A web page could have its own name lead here, and then read what the dashboard answers."""
    with listening(application(roots, ["cluster7"])) as address:
        assert [answer_to(address, host) for host in ("cluster7:80", "localhost", "127.0.0.1:1")] == [200] * 3
        assert answer_to(address, "evil.example") == 403


def test_every_state_can_be_shown(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "root")
    scene.define()
    scene.claim(1)
    scene.end(1, loss=0.5, learning_curve=[math.nan, 0.5], learning_curve_steps=[0.5, 1.0])
    scene.claim(2)
    scene.end(2, loss=-math.inf, info_dict={"inf": math.inf, "list": [math.nan, None, {"a": True}], "none": None})
    scene.claim(3)
    scene.fail(3)
    scene.claim(4).curve(1).append([(1.0, math.inf), (2.0, 0.5)])
    scene.claim(5).end_attempt(1, End.LEFT, here())
    scene.spoil(6, "trial.yaml", b"format_version: 99\n...\n")
    scene.folder(8).reserve()
    study = neps.to_optuna(scene.root)
    assert [trial.state.name for trial in study.trials] == [
        *("COMPLETE", "FAIL", "FAIL", "RUNNING", "WAITING", "FAIL", "WAITING", "WAITING"),
    ]
    with listening(application([scene.root])) as address:
        status, detail = ask(f"{address}/api/studies/0")
    assert status == 200
    assert [trial["state"].upper() for trial in detail["trials"]] == [trial.state.name for trial in study.trials]
    assert detail["trials"][3]["intermediate_values"] == [{"step": 1, "value": "inf"}, {"step": 2, "value": 0.5}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for plot in (plots.plot_timeline, plots.plot_intermediate_values, plots.plot_optimization_history):
            plot(study)
    plt.close("all")


def test_a_port_that_is_taken_is_an_error(roots: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        expected = rf"^The dashboard can't listen at '127\.0\.0\.1', port {port}: it is taken.*--port N, .*--port 0\.$"
        with pytest.raises(ArgumentError, match=expected):
            start(roots[0], "--port", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 70, ""])
def test_a_host_that_is_not_this_one_is_an_error(host: str, roots: list[Path]) -> None:
    with pytest.raises(
        ArgumentError, match=r"--host must be a name or an address of this machine, such as 127\.0\.0\.1"
    ):
        start(roots[0], "--host", host)


def test_ipv6(roots: list[Path]) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with server(application(roots[:1]), "::1", 0) as listener:
        assert listener.socket.family == socket.AF_INET6


def test_a_folder_without_a_run_is_an_error(roots: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="holds no run"):
        start(roots[0], tmp_path)
    with pytest.raises(DirectoryError, match=r"nowhere does not exist"):
        start(tmp_path / "nowhere")


@pytest.mark.parametrize("missing", ["optuna_dashboard", "optuna"])
def test_what_is_missing_is_said(missing: str, roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "neps._views.optuna_storage", raising=False)
    for name in [name for name in sys.modules if name == missing or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(NepsError, match=r"which is not installed: pip install 'neps\[optuna\]'"):
        start(roots[0])


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_wrong(port: str, roots: list[Path]) -> None:
    done = CliRunner().invoke(dashboard, [str(roots[0]), "--port", port])
    assert done.exit_code == 2
    assert "Invalid value for '--port'" in done.output


def test_no_root_is_wrong() -> None:
    done = CliRunner().invoke(dashboard, [])
    assert done.exit_code == 2
    assert "Missing argument 'ROOT...'" in done.output
