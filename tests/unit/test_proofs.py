"""`scripts/stress`: its list of proofs, what they record, and the tables of docs/reliability.md."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from proofs.catalogue import PROOFS, Proof
from proofs.record import Record, Row
from proofs.table import PAGE, RECORDED, records, tables, written

TESTS = Path(__file__).parents[1]


def record(*rows: Row, wrong: tuple[str, ...] = ()) -> Record:
    command = "scripts/stress torn-power --seed 3"
    return Record("torn power", "Power is cut.", rows, wrong, seed=3, seconds=90.0, command=command)


def stress(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proofs", *arguments]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)


def test_the_tables_of_the_page_are_those_of_the_records() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page, tables(records())), "run `scripts/stress --table`"


def test_each_recorded_file_is_a_listed_proof_that_found_nothing_wrong() -> None:
    for path in RECORDED.glob("*.json"):
        assert path.stem in PROOFS
        assert Record.read(path).wrong == ()


@pytest.mark.parametrize("proof", PROOFS.values(), ids=lambda proof: proof.name)
def test_each_listed_proof_is_there(proof: Proof) -> None:
    assert importlib.util.find_spec(f"{proof.module}.__main__") is not None


def test_lists_the_proofs() -> None:
    listed = stress().stdout
    for proof in PROOFS.values():
        assert f"  {proof.name} " in listed
        assert proof.what in listed


def test_refuses_a_proof_that_it_does_not_know() -> None:
    refused = stress("system-crawls")
    assert refused.returncode == 2
    assert "there is no proof 'system-crawls'. There are: system-calls" in refused.stderr


def test_the_size_follows_from_the_minutes() -> None:
    counted = Proof("a", "a", "", "times", full=400, minutes=20)
    timed = Proof("b", "b", "", "minutes", full=30, minutes=30)
    assert counted.sized(None) == ["--times", "400"]
    assert counted.sized(5) == ["--times", "100"]
    assert timed.sized(None) == ["--minutes", "30"]
    assert timed.sized(0.5) == ["--minutes", "0.5"]
    assert Proof("c", "c", "", "times", full=0, minutes=20).sized(None) == ["--times", "0"]
    assert Proof("c", "c", "", "times", full=0, minutes=20).sized(2) == ["--times", "240"]


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    found = record(Row("ext4", 20, 20, "all mounted"))
    found.write(tmp_path / "a.json")
    assert Record.read(tmp_path / "a.json") == found


@pytest.mark.parametrize(("rows", "wrong"), [((Row("ext4", 2, 1),), ()), ((Row("ext4", 2, 2),), ("a result is lost",))])
def test_a_record_is_refused_whose_rows_say_something_else_than_what_is_wrong(
    rows: tuple[Row, ...], wrong: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="don't agree"):
        record(*rows, wrong=wrong)
    with pytest.raises(ValueError, match="survived 3 of 2"):
        Row("ext4", 2, 3)


def test_a_file_that_is_no_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"proof": "torn power"}))
    with pytest.raises(ValueError, match="not the record of a proof"):
        Record.read(tmp_path / "a.json")


def test_the_table_has_each_scenario_and_their_sum() -> None:
    made = tables({"torn-power": record(Row("ext4", 1200, 1200, "all mounted"), Row("XFS", 34, 34))})
    assert "| [torn power](#torn-power) | 1,234 | 1,234 | 2 min | `scripts/stress torn-power --seed 3` |" in made
    assert "| ext4 | 1,200 | 1,200 | all mounted |" in made


def test_what_is_wrong_is_in_the_table() -> None:
    assert "- a result is lost" in tables({"torn-power": record(Row("ext4", 2, 1), wrong=("a result is lost",))})


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- proofs: begin -->"):
        written("# Reliability\n", "")
