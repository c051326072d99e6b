"""`neps launch`: what is refused before anything is started, what would be submitted, and who gets which GPUs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neps._cli import main
from neps._launching import following
from neps._launching.following import Tail, follow
from neps._launching.shares import Share, shares, visible_gpus
from neps.errors import ArgumentError

Said = Callable[..., str]
NONE: dict[str, str] = {}


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script in the working directory, and a shell without SLURM's and neps's variables."""
    for variable in os.environ:
        if variable.startswith(("SLURM_", "NEPS_", "CUDA_", "OMP_NUM")):
            monkeypatch.delenv(variable)
    path = tmp_path / "search.py"
    path.touch()
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What `neps launch` says, with the exit code that is expected."""

    def call(*arguments: str, code: int = 0) -> str:
        assert main(["launch", *arguments]) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return call


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts shell scripts first on the PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def add(name: str, text: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    return add


# The batch file


def test_the_batch_file_is_the_recipe_of_the_readme(said: Said) -> None:
    options = ("--workers", "320", "--at-once", "32", "--time", "4:00:00", "--dry-run")
    text = said("search.py", *options, "--", "--seed", "a b")
    written = set(re.findall("^#SBATCH --(.*)$", text, re.MULTILINE))
    readme = (Path(__file__).parents[2] / "README.md").read_text().partition("## On SLURM")[2]
    recipe = set(re.findall("^#SBATCH --(.*)$", readme.partition("exec python")[0], re.MULTILINE))
    assert len(recipe) == 5
    assert recipe <= written
    assert written - recipe == {"job-name=search", "nodes=1", f"output={Path.cwd()}/neps-logs/%A_%a.log"}
    assert text.rstrip().splitlines()[-1] == f"exec {sys.executable} search.py --seed 'a b'"
    assert "srun" not in text
    assert "submitit" not in text.replace("SUBMITIT_EXECUTOR", "")


def test_options_of_slurm(said: Said) -> None:
    options = ("--gpus-per-worker", "1", "--cpus-per-worker", "4", "--mem", "32G", "--slurm-partition", "gpu")
    more = ("--slurm", "qos=high", "--slurm", "--exclusive", "--slurm", "signal=B:USR1@60", "--slurm", "mail-type=END")
    text = said("search.py", *options, *more, "--name", "mine", "--root", "root", "--dry-run")
    wanted = {
        *("array=0-0", "cpus-per-task=4", "gpus-per-node=1", "mem=32G", "partition=gpu", "qos=high", "exclusive"),
        *("signal=B:USR1@60", "mail-type=END", "job-name=mine", f"output={Path.cwd()}/root/logs/%A_%a.log"),
    }
    assert wanted <= set(re.findall("^#SBATCH --(.*)$", text, re.MULTILINE))
    assert text.count("--signal") == 1
    assert list(Path().iterdir()) == [Path("search.py")]


def test_ranks_are_started_by_torchrun_which_hands_on_sigterm_alone(said: Said) -> None:
    text = said("search.py", "--ranks", "4", "--gpus-per-worker", "4", "--dry-run", "--", "3")
    assert "#SBATCH --signal=B:TERM@120\n" in text
    start = f"exec {sys.executable} -m torch.distributed.run --standalone --nproc-per-node=4 --max-restarts=10 "
    assert text.rstrip().splitlines()[-1] == start + "search.py 3"


def test_all_of_one_call_are_one_launch(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def token() -> str:
        found = re.search("^export NEPS_RUN_TOKEN=(.*)$", said("search.py", "--dry-run"), re.MULTILINE)
        return found[1] if found else ""

    first = token()
    assert token() != first
    monkeypatch.setenv("NEPS_RUN_TOKEN", first)  # in a worker that was launched so
    assert token() not in ("", first)
    monkeypatch.setenv("NEPS_RUN_TOKEN", "the user's own")
    assert token() == "'the user'\"'\"'s own'"


# What is refused


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("nothing.py",), r"The script is 'nothing.py', and .* has no such file\. "),
        ((".",), "The script is '.', which is no file"),
        (("search.py", "--workers", "0"), "--workers is 0; it must be from 1 to"),
        (("search.py", "--workers", "2", "--at-once", "3"), "--at-once is 3; it must be from 1 to .*, 2"),
        (("search.py", "--name", "a b"), "--name is 'a b'; it must be"),
        (("search.py", "--python", "no-such"), "--python is 'no-such'; it must be"),
        (("search.py", "--slurm", "qos="), "--slurm is 'qos='; it must be an option of sbatch as NAME=VALUE"),
        (("search.py", "--slurm", "Qos high"), "--slurm is 'Qos high'"),
        (("search.py", "--slurm", "array=0-3"), "can't be given, because --workers and --at-once say it"),
        (("search.py", "--slurm", "output=x"), "can't be given, because --root says where logs lie"),
        (("search.py", "--root", ""), "root_directory is ''"),
        (("search.py", "--share"), "--share has no meaning without --local"),
        (("search.py", "--local", "--time", "1:00"), "--time has no meaning with --local"),
        (("search.py", "--local", "--slurm", "qos=high"), "--slurm has no meaning with --local"),
        (("search.py", "--local", "--gpus-per-worker", "1", "--workers", "2"), "need 2 GPUs; 0 can be seen"),
        (("search.py", "--local", "--cpus-per-worker", "9999"), "need 9999 cores; this process may use"),
        (("search.py", "--workrs", "2"), "has no option --workrs. Did you mean '--workers'"),
        (("--lr", "0.1", "search.py"), r"has no option --lr\. If .*: neps launch search.py --workers 8 -- --lr …"),
        (("search.py", "--mem", "8", "GB"), r"'GB' follows SCRIPT \(search.py\).*: neps launch search.py .* -- GB"),
        (("search.py", "3", "--", "4"), r"'3' follows SCRIPT"),
        (("search.py", "--mem", "8 GB"), "--mem is '8 GB'; it must be a whole number with K, M, G or T"),
        (
            ("torchrun", "search.py"),
            "The script is 'torchrun', which starts scripts, .* `neps launch search.py --ranks 4`",
        ),
        (("search.py", "--ranks", "1"), "--ranks is 1; it must be from 2 to"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_started(
    said: Said, programs: Callable[[str, str], None], arguments: tuple[str, ...], why: str
) -> None:
    programs("sbatch", "touch submitted; echo Submitted batch job 7")
    programs("nvidia-smi", "")
    before = sorted(Path().iterdir())
    assert re.search(why, said(*arguments, code=2))
    assert sorted(Path().iterdir()) == before


def test_a_run_token_that_is_too_long(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPS_RUN_TOKEN", "x" * 2000)
    assert "NEPS_RUN_TOKEN" in said("search.py", "--dry-run", code=2)


def test_without_submitit(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "neps._launching.on_slurm", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "submitit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert "pip install 'neps[launch]'" in said("search.py", code=1)


# Submitting


def test_submitting_and_following(said: Said, programs: Callable[[str, str], None]) -> None:
    programs("sbatch", "echo Submitted batch job 7; echo one > root/logs/7_0.log; printf two > root/logs/7_1.log")
    programs("squeue", "printf '7_0|COMPLETED|n1\\n7_1|FAILED|n2\\n'")
    text = said("search.py", "--workers", "2", "--root", "root")
    assert "Submitted job array 7: 2 x search.py\n" in text
    root = Path.cwd() / "root"
    assert f"{root}/logs/7_TASK.log" in text
    assert f"scancel 7, or neps stop {root} for all workers" in text
    assert "ROOT" not in text
    assert f"export NEPS_LAUNCH_ROOT={root}\n" in (root / "logs" / "7_submission.sh").read_text()
    assert (root / "logs" / "7_submission.sh").read_text().rstrip().endswith("exec " + sys.executable + " search.py")
    assert main(["launch", "search.py", "--workers", "2", "--root", "root", "--follow"]) == 1


def test_what_following_shows(programs: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]) -> None:
    programs("sbatch", "echo Submitted batch job 7; echo one > neps-logs/7_0.log; printf two > neps-logs/7_1.log")
    programs("squeue", "printf '7_0|COMPLETED|n1\\n7_1|FAILED|n2\\n'")
    assert main(["launch", "search.py", "--workers", "3", "--follow"]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-5:] == ["[0] COMPLETED", "[1] FAILED", "[2] gone", "[0] one", "[1] two"]
    assert captured.err == f"worker 1: FAILED. See {Path.cwd()}/neps-logs/7_1.log\n"


def test_ctrl_c_ends_the_following_alone(
    programs: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "follow", interrupted)
    programs("sbatch", "echo Submitted batch job 7")
    programs("scancel", "touch cancelled")
    assert main(["launch", "search.py", "--follow", "--root", "root"]) == 130
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"Follows no longer; the workers go on. To stop them: scancel 7, or neps stop {Path.cwd()}/root"
    assert not Path("cancelled").exists()


def test_without_a_root_it_is_said_what_root_means(said: Said, programs: Callable[[str, str], None]) -> None:
    programs("sbatch", "echo Submitted batch job 7")
    text = said("search.py")
    assert "neps status ROOT\n" in text
    assert "ROOT is the script's root_directory. Pass it as --root to see it here" in text
    assert "NEPS_LAUNCH_ROOT" not in Path("neps-logs/7_submission.sh").read_text()


def test_what_sbatch_refuses(said: Said, programs: Callable[[str, str], None]) -> None:
    programs("sbatch", "echo sbatch: error: invalid partition specified: gpu >&2; exit 1")
    text = said("search.py", "--slurm-partition", "gpu", code=1)
    assert "sbatch refused it, so nothing runs: " in text
    assert "sbatch: error: invalid partition specified: gpu" in text
    assert text.count("\n") == 1
    assert sorted(Path().iterdir()) == [Path("programs"), Path("search.py")]  # no folder for logs is left behind


def test_where_there_is_no_slurm(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "sbatch was not found, so nothing was submitted" in said("search.py", code=1)


# GPUs and cores of this machine


def test_gpus_by_the_variable_or_else_by_nvidia_smi(programs: Callable[[str, str], None]) -> None:
    programs("nvidia-smi", '[ "$*" = "--query-gpu=index --format=csv,noheader" ] && printf "0\\n1\\n2\\n3\\n"')
    assert visible_gpus(NONE) == ["0", "1", "2", "3"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "5, GPU-8a"}) == ["5", "GPU-8a"]
    for none in ("", "-1", "NoDevFiles"):
        assert visible_gpus({"CUDA_VISIBLE_DEVICES": none}) == []


def test_an_nvidia_smi_that_fails_or_is_not_there(
    programs: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("nvidia-smi", "echo No devices were found; exit 6")
    with pytest.raises(ArgumentError, match="nvidia-smi can't say which GPUs there are"):
        visible_gpus(NONE)
    programs("nvidia-smi", "echo No devices were found")
    with pytest.raises(ArgumentError, match="should list numbers"):
        visible_gpus(NONE)
    monkeypatch.setenv("PATH", "")
    assert visible_gpus(NONE) == []


@pytest.mark.parametrize(
    ("workers", "each", "share", "expected"),
    [
        (2, None, False, ["4,5", "6,7"]),
        (4, None, False, ["4", "5", "6", "7"]),
        (3, 1, False, ["4", "5", "6"]),
        (2, 0, False, ["", ""]),
        (6, None, True, ["4", "5", "6", "7", "4", "5"]),
        (3, 3, True, ["4,5,6", "7,4,5", "6,7,4"]),
        (5, None, False, None),
        (2, 3, False, None),
    ],
)
def test_who_gets_which_gpus(workers: int, each: int | None, share: bool, expected: list[str] | None) -> None:  # noqa: FBT001
    environment = {"CUDA_VISIBLE_DEVICES": "4,5,6,7"}

    def said() -> list[str]:
        mine = shares(workers, gpus_each=each, cores_each=None, share=share, environment=environment)
        return [one.environment(environment)["CUDA_VISIBLE_DEVICES"] for one in mine]

    if expected is None:
        with pytest.raises(ArgumentError, match="let them share by --share"):
            said()
    else:
        assert said() == expected


def test_who_gets_which_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 4, 5, 6, 7, 8})

    def said(workers: int, each: int | None, *, share: bool = False) -> list[tuple[tuple[int, ...], bool]]:
        mine = shares(workers, gpus_each=0, cores_each=each, share=share)
        return [(one.cores, one.bound) for one in mine]

    assert said(2, None) == [((3, 4, 5), True), ((6, 7, 8), True)]
    assert said(2, 2) == [((3, 4), True), ((5, 6), True)]
    assert said(7, None) == [((core,), False) for core in (3, 4, 5, 6, 7, 8, 3)]
    assert said(2, 4, share=True) == [((3, 4, 5, 6), False), ((7, 8, 3, 4), False)]
    with pytest.raises(ArgumentError, match=r"2 workers with --cpus-per-worker 4 need 8 cores; .* use 6"):
        said(2, 4)


def test_what_a_worker_is_told() -> None:
    share = Share(("0", "1"), (2, 3), bound=True)
    assert share.environment(NONE, ranks=2)["OMP_NUM_THREADS"] == "1"
    told = {"CUDA_VISIBLE_DEVICES": "0,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "OMP_NUM_THREADS": "2"}
    assert share.environment(NONE) == told
    assert share.environment({"OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": "0,1"}) == {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert "CUDA_VISIBLE_DEVICES" not in Share(None, (1,), bound=False).environment(NONE)


def test_a_dry_run_here(said: Said, programs: Callable[[str, str], None]) -> None:
    programs("nvidia-smi", 'printf "0\\n1\\n"')
    lines = said("search.py", "--local", "--workers", "2", "--root", "root", "--dry-run", "--", "3").splitlines()
    assert [line.split(":")[0] for line in lines] == ["0", "1"]
    assert "CUDA_VISIBLE_DEVICES=1 CUDA_DEVICE_ORDER=PCI_BUS_ID" in lines[1]
    assert f"{sys.executable} search.py 3" in lines[1]
    assert not Path("root").exists()


# Following


def test_lines_are_whole_and_come_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = Tail(log)
    assert tail.lines() == []
    log.write_bytes(b"a\nb\r\nc")
    assert tail.lines() == ["a", "b"]
    with log.open("ab") as file:
        file.write(b"d\xff\n\ne")
    assert tail.lines() == ["cd\ufffd", ""]
    assert tail.lines() == []
    assert tail.lines(to_the_end=True) == ["e"]
    assert tail.lines(to_the_end=True) == []


def test_following_shows_all_that_was_printed_before_the_end(tmp_path: Path) -> None:
    logs = {"0": tmp_path / "0", "1": tmp_path / "1"}
    looks = [{}, {"0": "PENDING"}, {"0": "RUNNING on n1", "1": "RUNNING on n2"}, {"0": "COMPLETED", "1": "COMPLETED"}]
    said, left = list[str](), list(looks)

    def states() -> dict[str, str]:
        if len(left) == 2:
            logs["0"].write_text("a\nb\nc")
        state = left.pop(0)
        if not left:
            logs["1"].write_text("z" * 100_000)
        return state

    last = follow(logs, states, lambda now: "COMPLETED" in now.values(), said.append, pause=lambda: None)
    assert last == looks[-1]
    started = ["[0] PENDING", "[0] RUNNING on n1", "[1] RUNNING on n2", "[0] a", "[0] b"]
    assert said[:5] == started
    assert sorted(said[5:]) == sorted(["[0] COMPLETED", "[1] COMPLETED", "[0] c", "[1] " + "z" * 100_000])


def test_neps_stays_light() -> None:
    """Nothing of launching is imported but by `neps launch`, and submitit by that without --local alone."""
    program = "import sys, neps._cli.launch, neps._launching.local; sys.exit('submitit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
