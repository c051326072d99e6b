"""What benchmarks compute from what they measure: targets, ratios, and the counting of system calls."""

from __future__ import annotations

import pytest

from benchmarks.coordination.report import Figure, Section, Table, at_least, at_most, missed
from benchmarks.coordination.system_calls import Calls, count
from benchmarks.coordination.worker import MARK, Report

_MARK = f'access("{MARK}", F_OK) = -1 ENOENT (No such file or directory)'
_EVALUATION = f"{_MARK}\nclock_gettime(CLOCK_PROCESS_CPUTIME_ID, {{tv_sec=0}}) = 0\n{_MARK}"
_ROOT = "/disk/run"


def _trace(*trials: str) -> str:
    """Evaluations, and what happened between them; before the first and after the last something else did."""
    return "\n".join(["mkdir(start)", _EVALUATION, *(f"{trial}\n{_EVALUATION}" for trial in trials), "exit_group(0)"])


def test_calls_are_counted_between_evaluations_only() -> None:
    calls = count(_trace("getpid() = 7\ngetpid() = 7", "getpid() = 7\nkill(9, 0) = 0"), _ROOT)
    assert calls == Calls({"getpid": 3, "kill": 1}, trials=2)
    assert calls.a_trial == 2


def test_trials_of_the_warm_up_are_skipped() -> None:
    assert count(_trace("getpid() = 7", "kill(9, 0) = 0"), _ROOT, skip=1) == Calls({"kill": 1}, trials=1)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('mkdir("/disk/run/config_12", 0777) = 0', "mkdir ROOT/config_N"),
        ('mkdir("/disk/run/config_12", 0777) = -1 EEXIST (File exists)', "mkdir ROOT/config_N EEXIST"),
        (
            'openat(AT_FDCWD</me>, "/disk/run/config_3/.trial.yaml.vm-30404-8c266e83", O_WRONLY|O_CREAT, 0666) = 4</x>',
            "openat ROOT/config_N/.trial.yaml.TOKEN (creates)",
        ),
        ("fsync(4</disk/run/config_3>) = 0", "fsync ROOT/config_N"),
        ("fsync(4</disk/run>) = 0", "fsync ROOT"),
        (
            'write(3</disk/run/.neps/d5aaebbb403949af/accelerator/vm-1-8c266e83.jsonl>, ""..., 9) = 9',
            "write ROOT/.neps/RUN/accelerator/TOKEN.jsonl",
        ),
    ],
)
def test_kinds_of_calls_leave_out_what_differs_from_trial_to_trial(line: str, kind: str) -> None:
    assert dict(count(_trace(line), _ROOT).counts) == {kind: 1}


def test_calls_of_one_name_are_summed_over_what_they_are_on() -> None:
    calls = Calls({"fsync ROOT": 2, "fsync ROOT/config_N": 4, "fsync": 2}, trials=2)
    assert calls.named("fsync") == 4
    assert calls.a_trial_of("fsync") == 1


def test_targets_are_reached_at_their_limit() -> None:
    assert at_least(0.5).reached_by(0.5)
    assert not at_least(0.5).reached_by(0.49)
    assert at_most(1.2).reached_by(1.2)
    assert not at_most(1.2).reached_by(1.21)


def test_a_ratio_is_of_medians() -> None:
    figure = Figure.ratio("speed", [10.0, 30.0, 20.0], [4.0, 5.0, 1000.0], at_least(5))
    assert figure.value == 4
    assert figure.reached is False


def test_a_report_says_which_targets_are_missed() -> None:
    good, bad = Figure("good", 1, "s", at_most(1)), Figure.median("bad", [3, 2, 9], "s", at_most(1))
    section = Section("Times", "How.", [good, bad, Figure("plain", 7)], [Table(("a", "b"), [("1", "2")])])
    assert missed([section]) == ["bad"]
    assert "| bad | 3 s | 2 – 9 | ≤ 1 | **NO** |" in str(section)
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |" in str(section)
    assert section.fields()["figures"][0]["reached"] is True


def test_the_cost_of_a_trial_is_from_one_evaluation_to_the_next() -> None:
    report = Report(walls=[0.0, 1.0, 1.5, 1.75], cpus=[0.0, 0.5, 0.5, 0.75], resident=1, peak=1, heavy=[])
    assert report.wall_milliseconds(1) == [500, 250]
    assert report.cpu_milliseconds(1) == [0, 250]
