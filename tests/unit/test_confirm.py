"""neps.confirm: which configurations, with which seeds, each once; what came of it, and how sure the order is."""

from __future__ import annotations

import io
import json
import math
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

import neps
from neps._api.confirming import request
from neps._cli import main
from neps._ledger.layout import Layout
from neps._ledger.reading import read_definition
from neps._views.confirmation import Finalist, probability_better, read_confirmation
from neps._views.status_json import read_fields
from neps.errors import ArgumentError, DefinitionMismatchError, DirectoryError, EvaluationError

SPACE = {"x": neps.Float(0, 1)}
EPOCHS = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}
QUIET: dict[str, Any] = {"progress": False, "post_run_summary": False}


def noisy(x: float, seed: int = 0) -> float:
    return (x - 0.3) ** 2 + random.Random(seed + round(1000 * x)).gauss(0, 0.01)


def searched(root: Path, **arguments: Any) -> neps.History:
    given = {"pipeline_space": SPACE, "searcher": "sobol", "seed": 1, "max_evaluations_total": 8, **QUIET, **arguments}
    return neps.run(noisy, root, **given)


def shown(root: Path) -> str:
    text = io.StringIO()
    neps.status(root, file=text)
    return text.getvalue()


def test_status_says_what_was_confirmed_in_which_order_and_how_sure(tmp_path: Path) -> None:
    searched(tmp_path)
    assert "confirmed" not in shown(tmp_path)
    assert read_fields(tmp_path)["confirmed"] is None
    confirmed = neps.confirm(noisy, tmp_path, top=1, seeds=1, **QUIET)
    (number,) = (each.number for each in confirmed.finalists)
    assert re.search(rf"^confirmed  trial {number} with 1 seed$", shown(tmp_path), re.MULTILINE)
    confirmed = neps.confirm(noisy, tmp_path, top=7, seeds=3, **QUIET)
    first, second, *_ = (each.number for each in confirmed.finalists)
    order = ", ".join(str(each.number) for each in confirmed.finalists[:5])
    sure = f"{100 * (confirmed.finalists[0].better_than_next or 0):.3g} %"
    line = (
        f"trials {order} and 2 more, the best first, with 3 seeds; {first} is better than {second} with a probability "
        f"of {sure}"
    )
    assert f"\nconfirmed  {line}\n" in shown(tmp_path)
    fields = read_fields(tmp_path)["confirmed"]
    assert fields["root"] == str(place(tmp_path))
    assert fields["pending"] == 0
    assert [each["number"] for each in fields["finalists"]] == [each.number for each in confirmed.finalists]
    assert fields["finalists"][0]["mean"] == confirmed.finalists[0].mean
    assert "confirmed" not in shown(place(tmp_path)), "it is a run of its own"


def test_best_says_where_another_trial_is_better_with_other_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lucky = searched(tmp_path).best
    assert lucky is not None

    def run_pipeline(x: float, seed: int = 0) -> float:
        return 1.0 if x == lucky.config["x"] else noisy(x, seed)

    assert main(["best", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    best = neps.confirm(run_pipeline, tmp_path, top=2, seeds=1, **QUIET).best
    assert best is not None
    assert best.number != lucky.number
    assert main(["best", str(tmp_path), "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == lucky.config
    assert shown.err == (
        f"{tmp_path}: trial {lucky.number} has the lowest loss of the search, but with other seeds trial {best.number} "
        f"is better: `neps confirm {tmp_path}` shows both\n"
    )


def test_status_says_how_much_of_it_has_not_ended(tmp_path: Path) -> None:
    searched(tmp_path)

    def run_pipeline(x: float, seed: int = 0) -> float:
        if (begun := len(list(place(tmp_path).glob("config_*")))) < 4:
            return x + seed
        assert begun == 4
        assert shown(tmp_path).count("; 1 evaluation not ended yet\n") == 1
        return x

    neps.confirm(run_pipeline, tmp_path, top=2, seeds=2, **QUIET)
    assert "not ended" not in shown(tmp_path)


def place(root: Path) -> Path:
    return Path(Layout(root, read_definition(root).run).confirmation)


def test_each_of_the_best_is_evaluated_once_with_each_of_the_same_seeds(tmp_path: Path) -> None:
    search = searched(tmp_path)
    calls: list[tuple[float, int]] = []

    def run_pipeline(x: float, seed: int = 0) -> float:
        assert neps.current_trial().seed == seed
        calls.append((x, seed))
        return noisy(x, seed)

    confirmed = neps.confirm(run_pipeline, tmp_path, top=3, seeds=4, **QUIET)
    best = sorted(search, key=lambda trial: trial.loss or 0.0)[:3]
    assert {x for x, _ in calls} == {trial.config["x"] for trial in best}
    seeds = {seed for _, seed in calls}
    assert len(seeds) == 4
    assert Counter(calls) == Counter({(trial.config["x"], seed): 1 for trial in best for seed in seeds})
    assert {each.number for each in confirmed.finalists} == {trial.number for trial in best}
    assert all(set(each.losses) == seeds for each in confirmed.finalists)
    assert confirmed.complete
    for each in confirmed.finalists:
        expected = [noisy(each.config["x"], seed) for seed in each.losses]  # type: ignore[arg-type]
        assert list(each.losses.values()) == expected
        assert each.loss == search.by_number[each.number].loss


def test_what_is_there_is_not_evaluated_again_and_more_adds_the_rest(tmp_path: Path) -> None:
    searched(tmp_path)
    calls: list[float] = []

    def run_pipeline(x: float, seed: int = 0) -> float:
        calls.append(x)
        return noisy(x, seed)

    for top, seeds, evaluations in ((2, 2, 4), (2, 2, 4), (1, 1, 4), (3, 2, 6), (3, 3, 9)):
        confirmed = neps.confirm(run_pipeline, tmp_path, top=top, seeds=seeds, **QUIET)
        assert len(calls) == len(confirmed.history) == evaluations
    assert [len(each.losses) for each in confirmed.finalists] == [3, 3, 3]


def test_only_a_seed_that_is_named_and_no_parameter_is_passed(tmp_path: Path) -> None:
    seen: list[Any] = []

    def whatever(**config: Any) -> float:
        seen.append((set(config), neps.current_trial().seed))
        return 1.0

    searched(tmp_path / "a")
    neps.confirm(whatever, tmp_path / "a", top=1, seeds=2, **QUIET)
    assert [names for names, _ in seen] == [{"x"}, {"x"}]
    assert len({seed for _, seed in seen}) == 2
    space = {"x": neps.Float(0, 1), "seed": neps.Constant(5)}
    neps.run(noisy, tmp_path / "b", space, searcher="random_search", max_evaluations_total=2, **QUIET)
    given: list[int] = []

    def own(x: float, seed: int) -> float:
        given.append(seed)
        return x

    neps.confirm(own, tmp_path / "b", top=1, seeds=2, **QUIET)
    assert given == [5, 5]


def test_a_required_seed_and_a_folder_of_its_own(tmp_path: Path) -> None:
    searched(tmp_path)
    folders: list[Path] = []

    def run_pipeline(
        pipeline_directory: Path, previous_pipeline_directory: Path | None, x: float, *, seed: int
    ) -> float:
        assert previous_pipeline_directory is None
        folders.append(pipeline_directory)
        return x + seed

    neps.confirm(run_pipeline, tmp_path, top=2, seeds=2, **QUIET)
    assert folders == [place(tmp_path) / f"config_{number}" for number in (1, 2, 3, 4)]


def test_with_a_fidelity_each_configuration_comes_once_from_scratch_at_the_highest(tmp_path: Path) -> None:
    def run_pipeline(x: float, epochs: int, seed: int = 0) -> float:
        return (x - 0.3) ** 2 + 1 / epochs + seed / 2**50

    search = neps.run(run_pipeline, tmp_path, EPOCHS, searcher="hyperband", seed=1, max_fidelity_total=60, **QUIET)
    assert len({trial.config["x"] for trial in search}) < len(search)
    highest = sum(trial.fidelity == 9 for trial in search)
    confirmed = neps.confirm(run_pipeline, tmp_path, top=highest + 2, seeds=1, **QUIET)
    assert len({each.config["x"] for each in confirmed.finalists}) == len(confirmed.finalists) == highest + 2
    for trial in confirmed.history:
        assert (trial.config["epochs"], trial.fidelity, trial.previous) == (9, 9, None)


def test_choices_that_are_objects_come_from_the_space_that_is_passed(tmp_path: Path) -> None:
    def run_pipeline(power: Any, seed: int = 0) -> float:
        return float(power(2)) + seed * 0

    space = {"power": neps.Categorical({"square": lambda x: x**2, "cube": lambda x: x**3})}
    neps.run(run_pipeline, tmp_path, space, searcher="grid_search", **QUIET)
    confirmed = neps.confirm(run_pipeline, tmp_path, pipeline_space=space, **QUIET)
    assert [each.mean for each in confirmed.finalists] == [4.0, 8.0]
    with pytest.raises(DefinitionMismatchError, match="searches another space than this pipeline_space"):
        neps.confirm(run_pipeline, tmp_path, pipeline_space={"power": neps.Categorical(["square"])}, **QUIET)


@pytest.mark.parametrize("with_space", [True, False])
def test_nothing_is_forbidden_to_what_the_search_has_found(tmp_path: Path, with_space: bool) -> None:  # noqa: FBT001
    """A function of `forbid` may have changed since; and with or without the space it is the same run."""
    forbidden = set[float]()

    def too_wide(config: dict[str, Any]) -> bool:
        return config["x"] in forbidden

    space = neps.SearchSpace(SPACE, forbid=[too_wide, {"x": neps.at_least(0.99)}])
    search = searched(tmp_path, pipeline_space=space)
    assert search.best is not None
    forbidden.add(search.best.config["x"])  # type: ignore[arg-type]
    given: dict[str, Any] = {"top": 1, "pipeline_space": space if with_space else None, **QUIET}
    (finalist,) = neps.confirm(noisy, tmp_path, seeds=1, **given).finalists
    assert finalist.number == search.best.number
    given["pipeline_space"] = None if with_space else space
    (finalist,) = neps.confirm(noisy, tmp_path, seeds=2, **given).finalists
    assert len(finalist.losses) == len(neps.load(place(tmp_path))) == 2


def test_a_failure_is_counted_and_ranks_behind_those_without(tmp_path: Path) -> None:
    search = searched(tmp_path)
    assert search.best is not None
    failing = search.best.config["x"]
    calls: list[float] = []

    def run_pipeline(x: float, seed: int = 0) -> float:
        calls.append(x)
        if x == failing and calls.count(x) == 1:
            raise ValueError(seed)
        return noisy(x, seed)

    with pytest.raises(EvaluationError, match="ValueError"):
        neps.confirm(run_pipeline, tmp_path, top=2, **QUIET)
    confirmed = neps.confirm(run_pipeline, tmp_path, top=2, ignore_errors=True, **QUIET)
    assert [(each.failed, len(each.finite)) for each in confirmed.finalists] == [(0, 3), (1, 2)]
    assert "failed" in str(confirmed).splitlines()[1].split()


# How sure the order is


def test_the_probability_is_that_of_the_paired_t_test() -> None:
    drawn = random.Random(3)
    for count in range(2, 12):
        one = {seed: drawn.gauss(0, 1) for seed in range(count)}
        other = {seed: drawn.gauss(0.5, 1) for seed in range(count)}
        test = scipy.stats.ttest_rel(list(other.values()), list(one.values()), alternative="greater")
        assert probability_better(one, other) == pytest.approx(1 - test.pvalue, abs=1e-12)
        assert probability_better(other, one) == pytest.approx(test.pvalue, abs=1e-12)


def test_only_common_seeds_are_compared_and_fewer_than_two_say_nothing() -> None:
    assert probability_better({1: 0.0, 2: 0.0}, {2: 1.0, 3: 1.0}) is None
    both = probability_better({1: 0.0, 2: 0.1, 9: 5.0}, {1: 1.0, 2: 1.3, 8: 0.0})
    assert both == probability_better({1: 0.0, 2: 0.1}, {1: 1.0, 2: 1.3})


@pytest.mark.parametrize(("difference", "sure"), [(0.0, 0.5), (1.0, 1.0), (-1.0, 0.0)])
def test_differences_that_do_not_vary(difference: float, sure: float) -> None:
    assert probability_better({1: 0.0, 2: 3.0}, {1: difference, 2: 3.0 + difference}) == sure


def test_the_probability_is_calibrated_where_the_noise_is_normal() -> None:
    """Of two equal configurations it is uniform: below 5 % in one of 20 cases."""
    drawn = random.Random(5)
    low = sum(
        (probability_better({s: drawn.gauss(0, 1) for s in range(4)}, {s: drawn.gauss(0, 1) for s in range(4)}) or 0)
        < 0.05
        for _ in range(4000)
    )
    assert low == pytest.approx(200, abs=5 * math.sqrt(200))


def test_losses_whose_sum_is_no_float_have_a_mean() -> None:
    most = sys.float_info.max
    each = Finalist(number=1, config={}, loss=0.0, losses={1: most, 2: most, 3: most / 2})
    assert each.mean == pytest.approx(most / 6 * 5)
    assert each.deviation == pytest.approx(most / 2 / math.sqrt(3))
    assert Finalist(number=1, config={}, loss=0.0, losses={1: most, 2: -most}).deviation == math.inf
    assert probability_better({1: -most, 2: -most, 3: -most / 2}, {1: most, 2: most, 3: most}) == pytest.approx(
        1, abs=1e-2
    )


def test_a_confirmation_without_a_decided_trial_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever confirms publishes its run first, and may die before the first decision; or has no time for one."""
    searched(tmp_path)
    confirmed = neps.confirm(noisy, tmp_path, max_seconds_per_run=1e-9, progress=False)
    assert confirmed.finalists == ()
    assert confirmed.best is None
    assert "0 configurations" in str(confirmed)
    capsys.readouterr()
    assert main(["best", str(tmp_path)]) == 0
    assert main(["status", str(tmp_path)]) == 0
    assert main(["status", str(tmp_path), "--json"]) == 0


def test_means_and_deviations() -> None:
    each = Finalist(number=1, config={}, loss=0.0, losses={1: 1.0, 2: 3.0, 3: None})
    assert (each.mean, each.failed) == (2.0, 1)
    assert each.deviation == pytest.approx(math.sqrt(2))
    none = Finalist(number=1, config={}, loss=0.0, losses={1: None})
    assert (none.mean, none.deviation, none.failed) == (None, None, 1)


# How it looks, and what else knows of it


def test_that_the_seed_changes_nothing_is_said(tmp_path: Path) -> None:
    searched(tmp_path)
    confirmed = neps.confirm(lambda x: x, tmp_path, top=2, **QUIET)
    assert "The seed changes no loss. Use it for what is random" in str(confirmed).splitlines()[-1]


def test_it_prints_itself_as_rows_and_as_a_table(tmp_path: Path) -> None:
    searched(tmp_path)
    confirmed = neps.confirm(noisy, tmp_path, top=2, **QUIET)
    first, head, *rows = str(confirmed).splitlines()
    assert first == "2 configurations confirmed with 3 seeds"
    assert head.split()[:4] == ["trial", "mean", "deviation", "seeds"]
    assert [row.split()[0] for row in rows] == [str(each.number) for each in confirmed.finalists]
    assert repr(confirmed) == f"<Confirmation: {first}>"
    assert first in confirmed._repr_html_()
    row = confirmed.to_rows()[0]
    best = confirmed.best
    assert best is not None
    assert "seed" not in rows[-1]
    assert (row["number"], row["mean"], row["config.x"]) == (best.number, best.mean, best.config["x"])
    assert sum(name.startswith("loss.") for name in row) == 3
    frame = confirmed.to_pandas()
    assert list(frame.index) == [each.number for each in confirmed.finalists]
    pair = confirmed.finalists[0].number, confirmed.finalists[1].number
    assert confirmed.probability_better(*pair) == confirmed.finalists[0].better_than_next
    assert confirmed.finalists[1].better_than_next is None


def test_the_search_and_all_that_reads_it_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = searched(tmp_path)
    neps.confirm(noisy, tmp_path, **QUIET)
    assert neps.load(tmp_path).to_dict() == before.to_dict()
    assert len(searched(tmp_path, max_evaluations_total=9)) == 9
    assert main(["doctor", str(tmp_path)]) == 0
    assert "Nothing is wrong." in capsys.readouterr().out
    assert len(neps.load(place(tmp_path))) == 15


def test_a_new_search_in_the_root_has_nothing_confirmed_and_clean_removes_what_the_old_one_had(tmp_path: Path) -> None:
    searched(tmp_path, patience=2, max_evaluations_total=None)
    neps.confirm(noisy, tmp_path, top=1, **QUIET)
    old, endings = place(tmp_path), list(tmp_path.glob("endings/*"))
    assert len(endings) == 1
    anew = searched(tmp_path, overwrite_working_directory=True, patience=50, max_evaluations_total=3)
    assert len(anew) == 3
    assert anew.ended_by is None
    with pytest.raises(DirectoryError, match="was confirmed yet"):
        read_confirmation(tmp_path)
    assert old.exists()
    assert main(["clean", str(tmp_path)]) == 0
    assert not old.exists()
    assert not endings[0].exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top": 0}, "top is 0; it must be a whole number of at least 1"),
        ({"seeds": 2.5}, "seeds is 2.5; it must be a whole number of at least 1"),
        ({"searcher": "sobol"}, "neps.confirm has no argument 'searcher'. It takes top, seeds"),
        ({"max_attempt": 2}, "neps.confirm has no argument 'max_attempt'. Did you mean 'max_attempts'"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    searched(tmp_path)
    with pytest.raises(ArgumentError) as raised:
        neps.confirm(noisy, tmp_path, **arguments)
    assert str(raised.value).startswith(message)
    assert not place(tmp_path).exists()


def test_without_a_run_or_without_a_success_there_is_nothing_to_confirm(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError):
        neps.confirm(noisy, tmp_path / "none")
    searched(tmp_path, max_evaluations_total=1)
    (tmp_path / "config_1" / "result.yaml").unlink()
    neps.run(lambda x: math.nan + x, tmp_path / "nan", SPACE, searcher="sobol", max_evaluations_total=2, **QUIET)
    with pytest.raises(ArgumentError, match=r"No trial of .* has succeeded with a finite loss yet"):
        neps.confirm(noisy, tmp_path / "nan")


# The command line

SCRIPT = """
import random, sys
import neps

def run_pipeline(x, seed=0):
    return (x - 0.3) ** 2 + random.Random(seed).gauss(0, 0.01)

if __name__ == "__main__":
    for root in sys.argv[1:]:
        history = neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, searcher="sobol", seed=1,
                           max_evaluations_total=6)
        print("RETURNED", len(history))
"""


def test_the_command_has_a_script_confirm_and_shows_what_came_of_it(tmp_path: Path) -> None:
    script, root, other = tmp_path / "search.py", tmp_path / "a", tmp_path / "b"
    script.write_text(SCRIPT)
    searched(root, max_evaluations_total=6)
    searched(other, max_evaluations_total=2)

    def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "neps", "confirm", *map(str, arguments)]
        return subprocess.run(whole, capture_output=True, text=True, timeout=120, check=False)

    none = command(root)
    assert none.returncode == 1
    assert "was confirmed yet. Run `neps confirm " in none.stderr
    done = command("--top", "2", "--seeds", "2", root, script, other, root)
    assert done.returncode == 0, done.stderr
    assert "RETURNED 2\n2 configurations confirmed with 2 seeds\n" in done.stdout
    assert done.stdout.endswith("RETURNED 4\n")
    assert command("--top", "2", "--seeds", "2", root, script, "--", other, root).stdout == done.stdout
    assert "nothing is searched in" in done.stderr
    assert len(neps.load(root)) == 6
    assert len(neps.load(other)) == 2
    shown = command(root)
    assert shown.returncode == 0
    assert shown.stdout.rstrip("\n") == str(read_confirmation(root))
    assert command(tmp_path / "nowhere", script).returncode == 1


def test_what_is_confirmed_may_search_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, inner = tmp_path / "search", tmp_path / "inner"
    searched(root)
    for name, value in request(str(root), 2, 2).items():
        monkeypatch.setenv(name, value)

    def run_pipeline(x: float, seed: int = 0) -> float:
        more = {"pipeline_space": SPACE, "searcher": "sobol", "max_evaluations_total": 2, **QUIET}
        history = neps.run(lambda x: x, inner / f"{x}_{seed}", **more)
        assert len(history) == 2
        return x

    history = neps.run(run_pipeline, root, SPACE, **QUIET)
    assert [trial.succeeded for trial in history] == [True] * 4
    assert len(list(inner.iterdir())) == 4
    assert len(neps.load(root)) == 8


def test_a_script_that_asks_and_tells_is_not_confirmed_and_searches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(tmp_path)
    for name, value in request(str(tmp_path), 2, 2).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArgumentError, match=r"uses neps.AskAndTell, .* Call neps.confirm\(run_pipeline, root"):
        neps.AskAndTell(SPACE, root_directory=tmp_path, searcher="sobol")
    assert neps.AskAndTell(SPACE, searcher="sobol").ask() is not None, "in memory, it is nobody's search"
    assert len(neps.load(tmp_path)) == 8
