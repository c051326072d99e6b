"""target_loss and patience: what is an improvement, what counts, who agrees, and what goes on."""

from __future__ import annotations

import copy
import itertools
import math
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._budget import Budget, Improvement
from neps._doctor.examination import examine
from neps._doctor.finding import Kind
from neps._ending import Ending
from neps._trial import Decision, Trial
from neps._views.status_json import read_fields
from neps.errors import ArgumentError, EvaluationError
from neps.samplers import RandomSearch
from neps.space import Float, SearchSpace
from neps.testing.simulation import ended, simulate

SPACE = SearchSpace({"x": Float(0, 1)})
FAILED = None


def trial(
    number: int,
    loss: float | None,
    *,
    knows: int | None = None,
    fidelity: float | None = None,
    previous: int | None = None,
    cost: float | None = None,
) -> Trial:
    decision = Decision(number=number, config={}, incumbent=knows, fidelity=fidelity, previous=previous)
    return ended(Trial(number=number, decision=decision), loss, cost)


def pending(number: int, knows: int | None = None) -> Trial:
    return Trial(number=number, decision=Decision(number=number, config={}, incumbent=knows))


def reason(trials: list[Trial], highest: float | None = None, **limits: Any) -> str | None:
    ending = Improvement(highest, trials=trials).ending(Budget(**limits), len(trials) + 1)
    return None if ending is None else ending.reason


def test_any_lower_loss_is_an_improvement_and_an_equal_one_is_none() -> None:
    losses = [3.0, 2.0, 2.0, 2.0]
    trials = [trial(number, loss) for number, loss in enumerate(losses, start=1)]
    assert reason(trials, patience=2) == "no improvement in the last 2 results, since trial 2 (patience=2)"
    assert reason(trials, patience=3) is None
    assert reason([*trials, trial(5, math.nextafter(2.0, 0.0))], patience=1) is None


def test_a_slow_trial_that_ties_is_no_improvement_though_it_becomes_the_best() -> None:
    trials = [trial(1, 2.0, knows=0), trial(2, 2.0, knows=0), trial(3, 5.0, knows=2), trial(4, 5.0, knows=2)]
    assert reason(trials, patience=2) is not None


def test_failures_and_losses_that_are_not_finite_count() -> None:
    trials = [trial(1, 2.0), trial(2, FAILED), trial(3, math.nan), trial(4, math.inf)]
    assert reason(trials, patience=3) is not None
    assert reason(trials, patience=4) is None
    none = [trial(1, FAILED), trial(2, math.nan)]
    assert (
        reason(none, patience=2) == "no improvement in the last 2 results, none of which has a finite loss (patience=2)"
    )


def test_what_runs_does_not_count_and_a_trial_counts_once_however_often_it_is_told() -> None:
    known = Improvement(trials=[trial(1, 2.0), pending(2, 1), pending(3, 1)])
    for _ in range(3):
        known.seen(trial(2, 4.0, knows=1))
    assert known.ending(Budget(patience=1), 4) is not None
    assert known.ending(Budget(patience=2), 4) is None


def test_only_trials_count_that_were_decided_with_the_best_loss_known() -> None:
    wave = [trial(number, 9.0 - (number == 2), knows=0) for number in range(1, 33)]
    assert reason(wave, patience=20) is None
    informed = [trial(number, 9.0, knows=2) for number in range(33, 53)]
    assert reason([*wave, *informed[:19]], patience=20) is None
    assert reason([*wave, *informed], patience=20) is not None


def test_a_target_is_reached_at_the_highest_fidelity_only() -> None:
    assert reason([trial(1, 0.1)], target_loss=0.1) == "target_loss=0.1 was reached by trial 1"
    assert reason([trial(1, 0.1 + 1e-12)], target_loss=0.1) is None
    low = trial(1, 0.1, fidelity=3)
    assert reason([low], 9, target_loss=0.1) is None
    assert reason([low, trial(2, 0.1, fidelity=9, previous=1)], 9, target_loss=0.1) is not None
    assert reason([trial(1, FAILED)], target_loss=1e9) is None


def test_with_a_fidelity_patience_is_in_full_evaluations_and_a_higher_one_is_an_improvement() -> None:
    base = [trial(1, 1.0, fidelity=9), trial(2, 2.0, fidelity=3), trial(3, 5.0, fidelity=9, previous=2)]
    assert (
        reason(base, 9, patience=1)
        == "no improvement in the last 2 results, worth 1 full evaluation, since trial 1 (patience=1)"
    )
    assert reason(base, 9, patience=2) is None
    low = [trial(1, 1.0, fidelity=3), *(trial(number, 5.0, fidelity=3) for number in range(2, 5))]
    assert reason(low, 9, patience=1) is not None
    assert reason([*low, trial(5, 7.0, fidelity=9, previous=2)], 9, patience=1) is None


def test_patience_in_cost_adds_up_what_the_trials_have_cost() -> None:
    trials = [trial(1, 1.0, cost=50.0), *(trial(number, 2.0, cost=0.1) for number in range(2, 12))]
    assert reason(trials[:-1], patience_cost=1.0) is None
    assert reason(trials, patience_cost=1.0) == "no improvement at a cost of 1, since trial 1 (patience_cost=1)"


def test_what_is_known_in_any_order_ends_alike() -> None:
    """Retries, removed folders and trials that continue later-known ones included."""
    drawn = random.Random(7)
    for _ in range(200):
        trials = []
        for number in range(1, 15):
            fidelity, previous = drawn.choice([(3, None), (9, None), (9, drawn.randrange(1, max(2, number)))])
            loss = drawn.choice([FAILED, 1.0, 2.0, 3.0, math.nan])
            knows = drawn.choice([None, *range(number)])
            known = previous if previous is not None and previous < number else None
            trials.append(trial(number, loss, knows=knows, fidelity=fidelity, previous=known, cost=1.0))
        budgets = [Budget(patience=patience) for patience in range(1, 10)] + [Budget(patience_cost=3.5)]
        expected = [Improvement(9, trials=trials).ending(budget, 15) for budget in budgets]
        other = Improvement(9)
        for number in drawn.sample(range(1, 15), 5):
            other.seen(trial(number, 0.5, fidelity=9))
        other.ending(budgets[0], 15)
        for each in drawn.sample(trials, len(trials)):
            if drawn.random() < 0.3:
                other.gone(each.number)
            other.seen(pending(each.number))
            other.seen(each)
            other.ending(budgets[0], 15)
        assert [other.ending(budget, 15) for budget in budgets] == expected


def test_a_published_ending_binds_whoever_has_no_more_patience() -> None:
    ending = Ending(reason="…", number=9, patience=5)
    bound = [Budget(patience=patience).is_bound_by(ending) for patience in (4, 5, 6)]
    assert bound == [True, True, False]
    assert not Budget(patience_cost=1.0).is_bound_by(ending)
    assert not Budget(target_loss=1.0, max_evaluations_total=3).is_bound_by(ending)


@pytest.mark.parametrize("workers", [1, 8])
def test_a_simulated_run_ends_within_as_many_trials_more_as_there_are_other_workers(workers: int) -> None:
    for seed, patience in itertools.product(range(20), (1, 5, 12)):
        history = simulate(
            RandomSearch(), SPACE, lambda config: config["x"], Budget(patience=patience), seed=seed, workers=workers
        )
        assert history.ended_by is not None
        since = int(history.ended_by.partition("since trial ")[2].partition(" ")[0])
        loss = history.by_number[since].loss
        informed = [
            each
            for each in history
            if each.decision is not None
            and each.decision.incumbent
            and history.by_number[each.decision.incumbent].loss == loss
        ]
        assert patience <= len(informed) <= patience - 1 + workers


def test_the_first_trials_are_the_same_with_any_number_of_workers() -> None:
    runs = [simulate(RandomSearch(), SPACE, lambda c: c["x"], Budget(patience=5), seed=3, workers=w) for w in (1, 8)]
    one, many = ([each.config for each in history] for history in runs)
    shorter = min(len(one), len(many))
    assert one[:shorter] == many[:shorter]


def test_ask_and_tell_ends_and_stays_so_though_a_pending_trial_improves() -> None:
    search = neps.AskAndTell({"x": neps.Float(0, 1)}, searcher="sobol", patience=2, seed=1)
    first, *_ = [search.ask()]
    assert first is not None
    search.tell(first, 1.0)
    others = [search.ask() for _ in range(3)]
    assert None not in others
    for each, loss in zip(others[:2], (2.0, 1.0), strict=True):
        search.tell(each, loss)  # type: ignore[arg-type]
    assert search.ask() is None
    assert search.done
    assert search.reason == "no improvement in the last 2 results, since trial 1 (patience=2)"
    search.tell(others[2], 0.5)  # type: ignore[arg-type]
    assert search.ask() is None
    assert search.history.ended_by == search.reason


def run(root: Path, losses: list[float], **arguments: Any) -> neps.History:
    """Each call of run_pipeline returns the next of these losses."""
    return neps.run(
        lambda x: losses.pop(0) + 0 * x,
        root,
        {"x": neps.Float(0, 1)},
        searcher="sobol",
        seed=1,
        progress=False,
        **arguments,
    )


def test_a_start_after_the_end_begins_nothing_and_one_with_more_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "run"
    first = run(root, [3.0, 1.0, 2.0, 2.0, 0.1], patience=2)
    assert [each.loss for each in first] == [3.0, 1.0, 2.0, 2.0]
    assert first.ended_by == "no improvement in the last 2 results, since trial 2 (patience=2)"
    assert neps.load(root).ended_by == first.ended_by == neps.load(root).to_dict()["ended_by"]
    assert str(first).splitlines()[1] == f"ended: {first.ended_by}"
    assert f"ended: {first.ended_by}" in first._repr_html_()
    assert copy.deepcopy(first).ended_by == first.ended_by
    assert (root / "summary" / "ended.yaml").read_text().startswith("reason: no improvement in the last 2 results")
    assert len(run(root, [], patience=2)) == len(run(root, [], patience=1)) == 4
    longer = run(root, [2.0, 0.5, 9.0], patience=4, target_loss=0.5)
    assert len(longer) == 6
    assert longer.ended_by == "target_loss=0.5 was reached by trial 6"
    assert len(run(root, [], target_loss=0.6)) == 6
    assert len(run(root, [0.4], target_loss=0.4)) == 7
    assert len(run(root, [9.0], max_evaluations_total=8)) == 8


def test_an_ending_holds_though_a_trial_that_still_ran_improves_and_removing_it_lets_the_results_decide(
    tmp_path: Path,
) -> None:
    root, space = tmp_path / "run", {"x": neps.Float(0, 1)}
    search = neps.AskAndTell(space, root_directory=root, searcher="sobol", patience=1, seed=1)
    first = search.ask()
    assert first is not None
    search.tell(first, 1.0)
    second, third = search.ask(), search.ask()
    assert second is not None
    assert third is not None
    search.tell(second, 2.0)
    assert search.ask() is None
    search.tell(third, 0.5)
    assert search.ask() is None
    assert neps.AskAndTell(space, root_directory=root, patience=1).ask() is None
    for path in (root / "endings").rglob("*.yaml"):
        path.unlink()
    assert neps.AskAndTell(space, root_directory=root, patience=1).ask() is not None


def test_status_says_why_it_ended_and_what_has_begun_since(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, [0.1], target_loss=0.1)
    neps.status(tmp_path)
    assert "\nended     target_loss=0.1 was reached by trial 1, " in capsys.readouterr().out
    run(tmp_path, [1.0], max_evaluations_total=2)
    neps.status(tmp_path)
    assert " ago; 1 trial begun since\n" in capsys.readouterr().out
    said = read_fields(tmp_path)["ended"]
    assert (said["reason"], said["begun_since"]) == ("target_loss=0.1 was reached by trial 1", 1)


def test_an_ending_that_is_torn_or_foreign_says_nothing(tmp_path: Path) -> None:
    run(tmp_path, [0.1, 0.2], patience=1)
    (document,) = (tmp_path / "endings").rglob("*.yaml")
    for content in (b"", b"format_version: 1\nnumber: 2\n...\n", b"format_version: 1\nnumber: 1\nreason: 3\n...\n"):
        document.write_bytes(content)
        assert neps.load(tmp_path).ended_by is None
    assert len(run(tmp_path, [], patience=1)) == 2
    assert neps.load(tmp_path).ended_by is not None


def test_where_an_ending_can_not_be_written_the_run_ends_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.joinpath("endings").write_text("something else")
    assert len(run(tmp_path, [0.1, 0.2], patience=1)) == 2
    assert "That the search has ended (no improvement in the last result, since trial 1" in caplog.text
    assert len(run(tmp_path, [], patience=1)) == 2


@pytest.mark.parametrize("name", ["endings", "known"])
def test_a_folder_that_can_not_be_entered_is_looked_at_once(tmp_path: Path, name: str) -> None:
    """As one of another user: of no number in it could anybody say that it isn't there, so readers went on for ever."""
    run(tmp_path, [0.1, 0.2], patience=1)
    folder = tmp_path / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(folder.name)
    assert (neps.load(tmp_path).ended_by is None) == (name == "endings")
    (found,) = examine(str(tmp_path), probe=False).findings
    assert found.kind is Kind.TORN
    assert str(found.path).startswith(str(folder))
    assert "it can't be looked at: Too many levels of symbolic links" in found.what


def test_doctor_names_an_ending_that_can_not_be_read_and_one_that_was_only_staged(tmp_path: Path) -> None:
    run(tmp_path, [0.1, 0.2], patience=1)
    (document,) = (tmp_path / "endings").rglob("*.yaml")
    whole = document.read_bytes()
    staged = document.with_name(".ending_1.yaml.host-1-abc")
    staged.write_bytes(whole)
    assert [(each.kind, each.path) for each in examine(str(tmp_path), probe=False).findings] == [
        (Kind.STALE, str(staged))
    ]
    staged.unlink()
    document.write_bytes(whole[:-5])
    (found,) = examine(str(tmp_path), probe=False).findings
    assert (found.kind, found.path) == (Kind.TORN, str(document))
    assert "no end marker" in found.what


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("target_loss", math.nan, "a finite number"),
        ("target_loss", math.inf, "a finite number"),
        ("target_loss", "low", "a finite number"),
        ("patience", 0, "a whole number of at least 1"),
        ("patience", 2.5, "a whole number of at least 1"),
        ("patience", True, "a whole number of at least 1"),
        ("patience", 10**400, "at most 2\\^53"),
        ("patience_cost", 0, "a finite number greater than 0"),
    ],
)
def test_a_bad_limit_is_refused_before_anything_is_written(tmp_path: Path, name: str, value: Any, rule: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{name} is .*; it must be {rule}"):
        run(tmp_path / "run", [], **{name: value})
    with pytest.raises(ArgumentError, match=f"^{name} is .*; it must be {rule}"):
        neps.AskAndTell({"x": neps.Float(0, 1)}, **{name: value})
    assert not (tmp_path / "run").exists()


def test_patience_in_cost_needs_costs(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no cost, which patience_cost=5 needs"):
        run(tmp_path / "a", [1.0], patience_cost=5)
    with pytest.raises(ArgumentError, match="ignore_errors=True with patience_cost needs cost_value_on_error"):
        run(tmp_path / "b", [1.0], patience_cost=5, ignore_errors=True)
    assert len(run(tmp_path / "c", [1.0] * 4, patience_cost=3, cost_value_on_error=1)) == 4
