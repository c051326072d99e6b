"""A result's fields are said once: whatever is recorded is written as ever, and each measure is shown everywhere."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import zlib
from pathlib import Path

import pytest

import neps
from neps._cli import main
from neps._evaluation import read_return_value
from neps._ledger import documents
from neps._ledger.records import result_fields
from neps._ledger.results_cache import parse, remembered
from neps._outcome import MEASURES, Kind, Origin, Outcome, Result, recorded

BEGAN = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
SUCCESS = Result.of(
    success=True,
    loss=0.25,
    cost=2.0,
    account_for_cost=False,
    info_dict={"accuracy": 0.9, "note": "a: b"},
    learning_curve=[1.0, math.nan],
    learning_curve_steps=[1.0, 3.0],
    worker="host-1",
    attempt=2,
    started=BEGAN,
    finished=BEGAN + dt.timedelta(seconds=2, microseconds=-6),
    duration=2.0,
)
WRITTEN = """\
format_version: 1
attempt: 2
end: result
status: success
loss: 0.25
cost: 2.0
account_for_cost: false
info_dict:
  accuracy: 0.9
  note: 'a: b'
learning_curve:
- 1.0
- .nan
learning_curve_steps:
- 1.0
- 3.0
worker: host-1
started: '2026-01-02T03:04:05.000006+00:00'
finished: '2026-01-02T03:04:07+00:00'
duration: 2.0
...
"""
DAMAGED = """\
format_version: 1
attempt: 1
end: damaged
status: failed
error: 'trial.yaml: torn'
worker: host-1
...
"""


def test_what_is_written_stays_as_it_is_byte_for_byte() -> None:
    assert documents.encode(result_fields(SUCCESS)).decode() == WRITTEN
    assert documents.encode(result_fields(Result.of_damage("trial.yaml: torn", "host-1", 1))).decode() == DAMAGED


def test_the_fields_of_both_may_be_given_at_once() -> None:
    outcome = Outcome(success=False, loss=1.0, error="E")
    assert Result.of(success=False, loss=1.0, error="E", attempt=3) == Result(outcome, Origin(attempt=3))
    with pytest.raises(TypeError, match="los"):
        Result.of(success=True, los=1.0)


def test_measures_are_numbers_and_the_first_is_the_loss() -> None:
    kinds = {each.name: each.kind for each in recorded(Outcome)}
    assert MEASURES[0] == "loss"
    assert {kinds[name] for name in MEASURES} <= {Kind.NUMBER, Kind.FINITE, Kind.COST}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one trial; the measures are 1, 2, …"""
    root = tmp_path_factory.mktemp("run")
    returned = {name: float(value) for value, name in enumerate(MEASURES, start=1)}
    neps.run(lambda **_: returned, root, {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=1)
    return root


@pytest.mark.parametrize(("name", "value"), [(name, float(value)) for value, name in enumerate(MEASURES, start=1)])
def test_each_measure_is_everywhere(root: Path, name: str, value: float, capsys: pytest.CaptureFixture[str]) -> None:
    assert getattr(read_return_value({"loss": 0, name: value}), name) == value, "run_pipeline may return it"
    trial = neps.load(root).by_number[1]
    assert trial.measures[name] == value
    (line,) = next((root / ".neps").glob("*/accelerator/*")).read_bytes().splitlines()
    run = next((root / ".neps").glob("*/accelerator")).parent.name
    found = remembered(run, line)
    assert found is not None, zlib.crc32(line)
    assert parse(*found).measures[name] == value
    (row,) = neps.load(root).to_rows()
    assert row[name] == value
    (row,) = csv.DictReader(io.StringIO((root / "summary" / "trials.csv").read_text()))
    assert float(row[name]) == value
    best = documents.load(f"{root}/config_1/result.yaml")
    assert best is not None
    assert best[name] == value
    assert f"\n{name}: {value}\n" in (root / "summary" / "best.yaml").read_text()
    assert main(["show", str(root), "1"]) == main(["top", str(root)]) == main(["status", str(root), "--json"]) == 0
    printed = capsys.readouterr().out
    assert f"\n  {name} " in printed
    assert name in next(line for line in printed.splitlines() if line.startswith("trial  ")).split()
    assert json.loads(printed[printed.index("\n{") :])["best"][name] == value
