"""Each searcher decides as recorded, bit for bit; a decision that changes is named: searcher, history, both values."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fingerprints import deciding
from benchmarks.fingerprints.__main__ import main
from benchmarks.fingerprints.bits import bits_here
from benchmarks.fingerprints.deciding import Decisions
from benchmarks.fingerprints.recorded import FOLDER, Variant, check, differences, history_changes, read, write
from benchmarks.fingerprints.searchers import SEARCHERS
from benchmarks.fingerprints.spaces import SPACES, space_of
from neps.errors import ArgumentError
from neps.samplers._protocol import Sampler
from neps.samplers._registry import resolve


@pytest.mark.parametrize("conditional", [False, True], ids=["", "conditional"])
@pytest.mark.parametrize("searcher", SEARCHERS)
def test_it_decides_as_recorded(searcher: str, conditional: bool) -> None:  # noqa: FBT001 - a parameter of the test
    difference = check(searcher, conditional=conditional)
    assert not difference, f"\n{difference}"


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_decisions_in_spaces_with_conditions_are_recorded_apart(searcher: str) -> None:
    flat, conditional = (read(searcher, conditional=each)[0].decisions for each in (False, True))
    assert flat.keys().isdisjoint(conditional)
    configs = [decision["config"] for decision in conditional.values() if "config" in decision]
    assert len({frozenset(config) for config in configs}) > 1, "of several branches"


def test_histories_are_those_that_decisions_were_recorded_on() -> None:
    assert not history_changes()


def test_every_searcher_has_fingerprints() -> None:
    with pytest.raises(ArgumentError) as refused:
        resolve("nothing", space_of(SPACES["floats"]), {})
    known = re.findall(r"'(\w+)'", str(refused.value).partition("one of")[2])
    assert known == ["default", *SEARCHERS]
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted([*SEARCHERS, "histories"])
    assert sorted(path.stem for path in (FOLDER / "conditional").glob("*.json")) == sorted(SEARCHERS)


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if somebody had changed a default of grid search, and lost the settings of all others."""

    def other(searcher: str, space: Any, settings: Mapping[str, Any]) -> Sampler:
        return resolve(searcher, space, {**settings, "steps_per_parameter": 4} if searcher == "grid_search" else {})

    monkeypatch.setattr(deciding, "resolve", other)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "recorded"))


@pytest.mark.usefixtures("changed")
def test_a_changed_decision_is_named_with_its_history_and_both_values() -> None:
    message = check("grid_search")
    assert re.match(r"grid_search decides differently now: \d+ of \d+ decisions differ\.\n", message)
    assert "floats, trial 4: config.x is -1.0, but 0.0 is recorded" in message
    assert "scripts/bench fingerprints --searchers grid_search --write" in message


@pytest.mark.usefixtures("changed")
def test_a_changed_setting_that_is_no_default_keeps_the_version_of_the_default(copied: Path) -> None:
    before = read("asha", copied)
    assert check("asha", copied, only_defaults=True) == ""
    assert "asha (eta=2.0, early_stopping_rate=1) decides differently" in check("asha", copied)
    after = write("asha", copied)
    assert [a.version == b.version for a, b in zip(after, before, strict=True)] == [True, False, False]


def test_what_is_recorded_again_is_the_same(copied: Path) -> None:
    before = (copied / "hyperband.json").read_bytes()
    write("hyperband", copied)
    assert (copied / "hyperband.json").read_bytes() == before


def test_a_history_that_is_new_keeps_the_version(copied: Path) -> None:
    path = copied / "asha.json"
    content = json.loads(path.read_text())
    where = next(iter(content[0]["decisions"]))
    del content[0]["decisions"][where]
    path.write_text(json.dumps(content))
    assert check("asha", copied) == ""
    written = write("asha", copied)[0]
    assert (written.version, where in written.decisions) == (content[0]["version"], True)


def _with_bits(searcher: str, bits: str) -> Variant:
    return dataclasses.replace(read(searcher)[0], bits=bits)


def _with_other_bits(searcher: str) -> Variant:
    return _with_bits(searcher, "another processor")


def _shifted(variant: Variant, by: float, *, share: int = 1) -> Decisions:
    """Each so-manieth number of a model's configuration is off."""
    found: Decisions = json.loads(json.dumps(variant.decisions))
    modelled = [decision for decision in found.values() if decision.get("reasons", {}).get("by") == "model"]
    for decision in modelled[::share]:
        for name in decision["config"].keys() & {"x", "x0"}:
            decision["config"][name] *= 1.0 + by
    return found


@pytest.mark.parametrize("searcher", ["bayesian_optimization", "mobster"])
def test_on_another_processor_a_model_may_round_and_rarely_prefer_another_candidate(searcher: str) -> None:
    variant = _with_other_bits(searcher)
    assert not differences(variant, _shifted(variant, 1e-7))
    assert not differences(variant, _shifted(variant, 0.5, share=30))
    assert differences(variant, _shifted(variant, 0.5, share=3))
    same = _with_bits(searcher, bits_here())
    assert differences(same, _shifted(variant, 1e-13, share=30)), "where the bits are the same"


def test_on_another_processor_searchers_without_a_model_may_only_round() -> None:
    variant = _with_other_bits("sobol")
    for by, expected in ((1e-15, False), (1e-9, True)):
        found: Decisions = json.loads(json.dumps(variant.decisions))
        found["floats, trial 4"]["config"]["x"] *= 1.0 + by
        assert bool(differences(variant, found)) is expected


def test_the_command_says_what_differs_and_fails(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--searchers", "sobol", "--folder", str(copied)]
    assert main(arguments) == 0
    assert re.search(r"sobol: \d+ decisions are as recorded", capsys.readouterr().out)
    path = copied / "sobol.json"
    path.write_text(path.read_text().replace('"layers": 1', '"layers": 2'))
    assert main(arguments) == 1
    assert "config.layers is 1, but 2 is recorded" in capsys.readouterr().out
    assert main([*arguments, "--write"]) == 0
    assert main(arguments) == 0
