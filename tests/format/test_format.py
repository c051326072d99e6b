"""Runs that earlier versions wrote are read, and gone on with, as they were meant; today's is written as specified."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import neps
from format.writing import (
    REQUIRED,
    SPACE,
    SPACES,
    write_aside,
    write_endings,
    write_known,
    write_run,
    write_stops,
)
from neps._ledger import documents
from neps._ledger.heartbeat import Heartbeat
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.results_cache import ResultsCache

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
VERSIONS = sorted(path.name for path in HERE.glob("v[0-9]*") if path.is_dir())
NEWEST = f"v{documents.FORMAT_VERSION}_pending"
"""Of the present version, with the fields and files that were added to it last: `vN_WHAT`, WHAT sorted by age."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A damaged trial is warned about, which is not under test here."""
    logging.getLogger("neps").setLevel(logging.ERROR)
    yield
    logging.getLogger("neps").setLevel(logging.NOTSET)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def history(root: Path) -> str:
    """What is read there, as text, since NaN isn't equal to itself."""
    read = neps.load(root).to_dict()
    text = json.dumps(read, default=lambda time: time.isoformat(), indent=1, ensure_ascii=False)
    return text.replace(str(root), "ROOT") + "\n"


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest) -> Path:
    return HERE / str(request.param)


class TestGolden:
    def test_is_read_as_it_was_meant(self, golden: Path) -> None:
        assert history(golden) == (HERE / f"{golden.name}_history.json").read_text()

    def test_is_read_wherever_it_lies(self, golden: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(golden, tmp_path / "elsewhere")
        assert history(copy) == (HERE / f"{golden.name}_history.json").read_text()
        assert files(copy) == files(golden)

    def test_earlier_run_in_it_is_read(self, golden: Path) -> None:
        (earlier,) = (golden / "overwritten").iterdir()
        (trial,) = neps.load(earlier).trials
        assert (trial.status, trial.config["optimizer"]) == ("success", "Ñandú")

    def test_holds_no_absolute_path(self, golden: Path) -> None:
        for path, content in files(golden).items():
            assert not re.search(rb"(^|[\s'\"])/\w", content), path

    def test_worker_goes_on_from_it(self, golden: Path, tmp_path: Path) -> None:
        root = shutil.copytree(golden, tmp_path / "run")
        evaluated: list[tuple[str, dict[str, Any]]] = []

        def run_pipeline(pipeline_directory: Path, **config: Any) -> dict[str, float]:
            evaluated.append((pipeline_directory.name, config))
            return {"loss": 0.125, "cost": 1.0}

        space = SPACES.get(golden.name, SPACE)
        after = neps.run(run_pipeline, root, space, max_evaluations_total=11, post_run_summary=False, progress=False)
        pending = sorted(int(path.parent.name[7:]) for path in golden.glob("config_*/attempt_1.pending.yaml"))
        assert {int(name[7:]) for name, _ in evaluated} == {3, 9, 10, 11} - {*pending}
        resumed = dict(evaluated)["config_3"]
        others: dict[str, dict[str, Any]] = {
            "v1_steps": {"width": 48, "drop": 0.3, "depth": 8, "net": list},
            "v1_conditional": {"depth": 4, "beta": 0.9},
            "v1_nested": {"cell": {"conv": {"kernel": 3}}, "layer": [{"dense": {"width": 16}}]},
        }
        fixed: dict[str, Any] = {"rate": 0.03, "optimizer": "adam", "epochs": 3, "data": "digits"}
        assert resumed == fixed | others.get(golden.name, {})
        statuses = {trial.number: str(trial.status) for trial in after.trials}
        assert [number for number, status in statuses.items() if status != "success"] == [2, 6, 8, *pending]
        assert after.trials[2].attempts == 2

        written = files(root)
        for path, content in files(golden).items():
            assert written[path] == content, f"{path} was changed"

    def test_what_a_left_attempt_has_reported_is_in_the_result_of_the_next(self, tmp_path: Path) -> None:
        root = shutil.copytree(HERE / NEWEST, tmp_path / "run")

        def run_pipeline(**config: Any) -> float:
            neps.report(3, 0.25)
            return 0.25

        after = neps.run(run_pipeline, root, SPACE, max_evaluations_total=9, post_run_summary=False, progress=False)
        assert repr(after.trials[2].learning_curve) == "((1.0, 0.875), (2.0, nan), (3.0, 0.25))"
        assert after.trials[7].status is neps.Status.RUNNING

    def test_retries_what_had_failed(self, golden: Path, tmp_path: Path) -> None:
        from neps._ledger.reading import read_definition, read_trials
        from neps._ledger.retrying import reopen

        root = shutil.copytree(golden, tmp_path / "run")
        definition = read_definition(root)
        reopened = [
            trial.number
            for trial in read_trials(root, definition).values()
            if not trial.awaits_tell and reopen(str(root), definition, trial)
        ]
        assert reopened == [2]
        assert neps.load(root).trials[1].status is neps.Status.WAITING


class TestToday:
    """If this fails, the format has changed: add a golden directory beside the old ones (docs/format.md, Versions)."""

    @pytest.fixture
    def written(self, tmp_path: Path) -> Path:
        write_run(tmp_path / "run")
        return tmp_path / "run"

    def test_writer_writes_the_newest_golden_directory(self, written: Path) -> None:
        assert files(written) == files(HERE / NEWEST)

    def test_writer_writes_requests_to_stop(self, written: Path) -> None:
        write_stops(written)
        assert files(written) == files(HERE / "v1_stops")

    def test_writer_writes_how_results_ended_it(self, written: Path) -> None:
        write_endings(written)
        assert files(written) == files(HERE / "v1_endings")

    def test_writer_names_the_decisions_of_results(self, tmp_path: Path) -> None:
        write_run(tmp_path / "run", name_decisions=True)
        written = files(tmp_path / "run")
        assert written == files(HERE / "v1_decisions")
        assert b"\ndecision: " in written["config_1/result.yaml"]

    def test_writer_writes_what_users_know(self, tmp_path: Path) -> None:
        write_known(tmp_path / "run")
        assert files(tmp_path / "run") == files(HERE / "v1_known")

    def test_writer_writes_what_an_earlier_run_takes_along(self, tmp_path: Path) -> None:
        write_aside(tmp_path / "run")
        assert files(tmp_path / "run") == files(HERE / "v1_aside")
        (aside,) = (HERE / "v1_aside" / "overwritten").iterdir()
        earlier = neps.load(aside)
        assert ([trial.loss for trial in earlier.imported], earlier.ended_by) == (
            [0.5],
            "target_loss=1 was reached by trial 1",
        )

    @pytest.mark.parametrize("name", SPACES)
    def test_writer_writes_other_spaces_and_what_they_require(self, name: str, tmp_path: Path) -> None:
        write_run(tmp_path / "run", SPACES[name])
        assert files(tmp_path / "run") == files(HERE / name)
        assert (documents.load(str(HERE / name / "neps.yaml")) or {})["requires"] == REQUIRED[name]

    def test_one_document_has_two_names(self, written: Path) -> None:
        for path in written.glob("config_*/result.yaml"):
            attempt = documents.load(str(path))
            assert attempt is not None
            assert path.samefile(path.with_name(f"attempt_{attempt['attempt']}.end.yaml"))

    def test_every_name_and_field_is_specified(self, written: Path) -> None:
        """docs/format.md has each file's name, and each field, as `code`."""
        layout = Layout(written, "0123456789abcdef")
        self._show_up(layout)
        specified = set(re.findall(r"`([^`\n]+)`", (REPOSITORY / "docs" / "format.md").read_text()))
        lacking = {name for name in _names(written) if name not in specified}
        for path in [*written.rglob("*.yaml"), *(HERE / "v1_known").rglob("*.yaml")]:
            if path.name != "config.yaml" and (content := path.read_bytes()).endswith(b"\n...\n"):
                lacking |= set(documents.decode(str(path), content)) - specified
        for line in Path(layout.results_cache, "worker.jsonl").read_text().splitlines():
            lacking |= set(json.loads(line.split(" ", 2)[2])) - specified
        assert lacking == set()

    def _show_up(self, layout: Layout) -> None:
        heartbeat = Heartbeat(layout, Identity.mine(), 3600.0)
        heartbeat.begin()
        cache = ResultsCache(layout, "worker")
        for trial in neps.load(layout.root).trials:
            cache.append(trial)

        presence = Path(layout.presence)
        shutil.copytree(presence, presence.with_name("workers_copy"))
        heartbeat.stop()
        shutil.rmtree(presence)
        presence.with_name("workers_copy").rename(presence)


def _names(root: Path) -> set[str]:
    """The names of all files and folders, with N, K, RUN, WORKER and TOKEN for what differs."""
    patterns = (
        (r"^config_\d+$", "config_N"),
        (r"^(attempt|result|intent|verdict)_\d+", r"\1_K"),
        (r"\.stalled_\d+$", ".stalled_BYTES"),
        (r"^(move_)?[0-9a-f]{16}$", r"\1RUN"),
        (r"^launch_[0-9a-f]{16}", "launch_HASH"),
        (r"^([\w-]+-\d+-[0-9a-f]{8}|worker)\.(yaml|jsonl)$", r"WORKER.\2"),
        (r"^\..+\.[\w-]+-\d+-[0-9a-f]{8}$", ".NAME.TOKEN"),
    )
    names = set()
    for path in root.rglob("*"):
        name = path.name
        for pattern, placeholder in patterns:
            name = re.sub(pattern, placeholder, name)
        names.add(name)
    return names
