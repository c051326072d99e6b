"""`neps clean`: earlier runs go, and nothing else, whatever happens meanwhile."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from neps._cli import main
from neps._ledger import documents, earlier
from neps._ledger.definition import find_definition
from neps._ledger.overwriting import move_aside
from unit.ledger_scene import SPACE, Scene, dead, here

Capture = pytest.CaptureFixture[str]
PRESENT = "run3"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run, and three earlier ones: run0, run1, run2, started in 2020, 2021 and 2022, with 1, 2 and 3 trials."""
    root = tmp_path / "root"
    for number in range(4):
        scene = Scene(root, f"run{number}")
        monkeypatch.setattr(documents, "now", lambda number=number: f"202{number}-05-06T07:08:09+00:00")
        definition = scene.define(lease_seconds=0.2)
        for trial in range(1, number + 2):
            scene.claim(trial, dead())
            scene.end(trial)
            scene.path(trial, "model.pt").write_bytes(bytes(100_000))
        Path(scene.layout.presence).mkdir(parents=True)
        if number < 3:
            assert move_aside(str(root), definition, here())
    monkeypatch.undo()
    return root


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "overwritten").iterdir())


def present(root: Path) -> dict[str, bytes]:
    """The run in the root, and what is known of launches."""
    files = [path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] != "overwritten"]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_all(root: Path, capsys: Capture) -> None:
    before = present(root)
    assert main(["clean", str(root)]) == 0
    assert names(root) == []
    assert present(root) == before
    assert sorted(path.name for path in (root / ".neps").iterdir()) == [PRESENT]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert f"{root}/overwritten/run0: 1 trial, " in lines[2]
    assert re.fullmatch(
        rf"deleted {root}/overwritten/run2: 3 trials, \d+\.\d KiB, started 2022-05-06 07:08 UTC", lines[0]
    )
    assert re.fullmatch(r"\d+\.\d KiB freed", lines[3])
    assert main(["clean", str(root)]) == 0
    assert capsys.readouterr().out == f"No earlier run to delete in {root}/overwritten.\n"


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--keep", "1"], ["run2"]),
        (["--keep", "2"], ["run1", "run2"]),
        (["--keep", "9"], ["run0", "run1", "run2"]),
        (["--run", "run1"], ["run0", "run2"]),
        (["--run", "run2", "run0"], ["run1"]),
        (["--run", "run2", "--run", "run0"], ["run1"]),
        (["run2", "run0"], ["run1"]),
    ],
    ids=str,
)
def test_some(root: Path, options: list[str], left: list[str], capsys: Capture) -> None:
    assert main(["clean", str(root), *options, "--dry-run"]) == 0
    assert names(root) == ["run0", "run1", "run2"]
    told = capsys.readouterr().out
    gone = sorted({"run0", "run1", "run2"} - set(left))
    assert sorted(re.findall(r"would delete \S+/(run\d):", told)) == gone
    assert sorted(re.findall(r"kept \S+/(run\d):", told)) == left
    assert main(["clean", str(root), *options]) == 0
    assert names(root) == left
    assert ("Nothing deleted.\n" in capsys.readouterr().out) is (gone == [])


def test_where_there_was_no_run_ever_it_says_so_as_the_others_do(tmp_path: Path, capsys: Capture) -> None:
    assert main(["clean", f"{tmp_path}/absent"]) == 1
    assert capsys.readouterr().err == f"neps: {tmp_path}/absent does not exist. Give the root_directory of a run.\n"


def test_what_is_freed(root: Path, capsys: Capture) -> None:
    """result.yaml is a second name of a document, and counts once."""
    free = sum(path.stat().st_blocks for path in {p.stat().st_ino: p for p in both(root / "overwritten")}.values())
    main(["clean", str(root), "--dry-run"])
    assert f"{512 * free / 1024:.1f} KiB would be free\n" in capsys.readouterr().out


def both(overwritten: Path) -> list[Path]:
    return [path for path in overwritten.rglob("*") if not path.is_symlink()]


@pytest.mark.parametrize("options", [["--run", "run9"], ["--run", PRESENT], ["--run", "../config_1", "run0"]], ids=str)
def test_no_such_run(root: Path, options: list[str], capsys: Capture) -> None:
    before = present(root)
    assert main(["clean", str(root), *options]) == 1
    assert "there is no such run in" in capsys.readouterr().err
    assert present(root) == before
    assert names(root) == [name for name in ("run0", "run1", "run2") if name not in options]


def test_what_is_no_whole_run_is_left_alone(root: Path, tmp_path: Path, capsys: Capture) -> None:
    """Of a user, of the run in the root, or a link."""
    overwritten = root / "overwritten"
    (overwritten / "notes").mkdir()
    (overwritten / "file").touch()
    (overwritten / "torn").mkdir()
    (overwritten / "torn" / "neps.yaml").write_bytes(b"format_version: 1\n")
    (overwritten / "copy").mkdir()
    shutil.copy(root / "neps.yaml", overwritten / "copy")
    shutil.copytree(overwritten / "run0", tmp_path / "elsewhere")
    (overwritten / "link").symlink_to(tmp_path / "elsewhere")
    (overwritten / "dangling").symlink_to("absent")
    assert main(["clean", str(root)]) == 0
    assert names(root) == ["copy", "dangling", "file", "link", "notes", "torn"]
    assert capsys.readouterr().out.count("left alone") == 6
    assert (tmp_path / "elsewhere" / "neps.yaml").exists()


def test_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").touch()
    (root / "overwritten" / "run0" / "config_1" / "data").symlink_to(tmp_path / "data")
    assert main(["clean", str(root)]) == 0
    assert (tmp_path / "data" / "precious").exists()


def test_what_an_interrupted_call_has_left_is_deleted_by_the_next(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(earlier.shutil, "rmtree", lambda *_, **__: 1 / 0)  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        main(["clean", str(root), "--run", "run1"])
    monkeypatch.undo()
    hidden, *others = names(root)
    assert hidden.startswith(".removing-run1-")
    assert others == ["run0", "run2"]
    assert main(["clean", str(root), "--keep", "2"]) == 0
    assert names(root) == ["run0", "run2"]
    assert f"deleted {root}/overwritten/{hidden}, which was left by an earlier" in capsys.readouterr().out


def test_two_at_once(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    look = earlier.find_runs

    def slow(path: str) -> earlier.Place:
        seen = look(path)
        monkeypatch.undo()
        assert main(["clean", str(root)]) == 0
        return seen

    monkeypatch.setattr("neps._cli.clean.find_runs", slow)
    assert main(["clean", str(root)]) == 0
    assert capsys.readouterr().out.count("another process is deleting it") == 3
    assert names(root) == []


def test_what_cannot_be_deleted_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def refuse(path: str, new: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "rename", refuse)
    assert main(["clean", str(root), "--run", "run1"]) == 1
    told = capsys.readouterr()
    assert f"{root}/overwritten/run1: can't be deleted: " in told.err
    assert "run `neps clean` again" in told.err


def test_while_a_move_is_under_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean before each rename of the move: the run that is moved arrives whole, and goes with the next."""
    rename, renames = os.rename, list[str]()

    def preceded(source: str, target: str) -> None:
        monkeypatch.setattr(os, "rename", rename)
        assert main(["clean", str(root)]) == 0
        assert names(root) == []
        monkeypatch.setattr(os, "rename", preceded)
        renames.append(target)
        rename(source, target)

    definition = find_definition(str(root))
    assert definition is not None
    monkeypatch.setattr(os, "rename", preceded)
    assert move_aside(str(root), definition, here())
    monkeypatch.undo()
    assert len(renames) == 12
    assert names(root) == [PRESENT]
    assert len(list((root / "overwritten" / PRESENT).glob("config_*/result.yaml"))) == 4
    assert Scene(root, "run4").define().space == SPACE
    assert main(["clean", str(root)]) == 0
    assert names(root) == []


@pytest.mark.parametrize("options", [["--keep", "-1"], ["--keep", "x"], ["--keep", "1", "--run", "run0"]], ids=str)
def test_a_wrong_call_is_refused(root: Path, options: list[str]) -> None:
    assert main(["clean", str(root), *options]) == 2
    assert names(root) == ["run0", "run1", "run2"]


def test_where_there_is_no_run(tmp_path: Path, capsys: Capture) -> None:
    assert main(["clean", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"neps: {tmp_path} holds no run")
    assert told.count("\n") == 1
