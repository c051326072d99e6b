"""`neps.checkpoint.save` and `load`: whole files, the right one, what is refused, and what errors say."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch

import neps
from neps.checkpoint import _files as files
from neps.checkpoint import _saving as saving
from neps.checkpoint import load, save
from neps.errors import ArgumentError, CheckpointError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def raw(content: bytes, file: IO[bytes]) -> None:
    file.write(content)


class Anything:
    """What PyTorch won't load unless it's told to."""


class TestRoundTrip:
    def test_torch_and_plain_values(self, tmp_path: Path) -> None:
        model = torch.nn.Linear(2, 3)
        state = {
            "epoch": 3,
            "model": model.state_dict(),
            "torch": torch.get_rng_state(),
            "python": random.getstate(),
            "numpy": np.random.default_rng(1).bit_generator.state,
        }
        assert save(tmp_path, state) == tmp_path / "checkpoint.pt"
        loaded = load(tmp_path)
        assert torch.equal(loaded["model"]["weight"], model.weight)
        assert torch.equal(loaded["torch"], state["torch"])  # type: ignore[arg-type]
        assert (loaded["epoch"], loaded["python"], loaded["numpy"]) == (3, state["python"], state["numpy"])

    def test_plain_files_by_any_means(self, tmp_path: Path) -> None:
        save(tmp_path, {"a": 1}, "a.json", write=lambda state, file: file.write(json.dumps(state).encode()))
        save(tmp_path, Anything(), "b.pickle", write=pickle.dump)
        save(tmp_path, np.arange(3), "c.npy", write=lambda array, file: np.save(file, array))
        save(tmp_path, b"by its path", "d.bin", write=lambda state, file: Path(file.name).write_bytes(state))
        assert load(tmp_path, name="a.json", read=json.load) == {"a": 1}
        assert isinstance(load(tmp_path, name="b.pickle", read=pickle.load), Anything)
        assert load(tmp_path, name="c.npy", read=np.load).tolist() == [0, 1, 2]
        assert load(tmp_path, name="d.bin", read=lambda file: Path(file.name).read_bytes()) == b"by its path"

    def test_tensors_come_to_the_cpu(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: dict[str, Any] = {}
        save(tmp_path, {})
        monkeypatch.setattr(torch, "load", lambda _, **keywords: asked.update(keywords))
        load(tmp_path)
        assert asked == {"map_location": "cpu", "weights_only": True}

    def test_folders_may_be_strings_and_relative(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert save(".", 1) == tmp_path / "checkpoint.pt"
        assert load(str(tmp_path)) == load("") == 1

    def test_torch_is_imported_when_it_is_needed(self, tmp_path: Path) -> None:
        program = (
            "import sys, neps; neps.checkpoint.save('.', b'x', 'x', write=lambda state, file: file.write(state));"
            "print(neps.checkpoint.load('.', name='x', read=lambda file: file.read()), 'torch' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == "b'x' False\n"

    def test_neps_has_it(self) -> None:
        assert neps.checkpoint.save is save
        assert "checkpoint" in dir(neps)
        assert neps.checkpoint.__all__ == ["load", "save"]


class TestWhatLoadRefuses:
    @pytest.mark.parametrize(
        ("state", "refused"),
        [
            ({"loss": np.float64(1)}, "numpy.dtype"),
            ({"split": np.arange(3)}, "numpy.ndarray"),
            (Path("x"), "pathlib.PosixPath"),
        ],
    )
    def test_it_is_saved_with_a_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, state: object, refused: str
    ) -> None:
        saving._warn_of.cache_clear()
        save(tmp_path, state)
        save(tmp_path, state)
        (message,) = caplog.messages
        assert re.match(rf"checkpoint\.pt holds .*{refused}.* which neps\.checkpoint\.load refuses", message)
        with pytest.raises(CheckpointError, match="weights_only=False"):
            load(tmp_path)
        assert repr(load(tmp_path, weights_only=False)) == repr(state)

    def test_what_it_takes_is_saved_without_a_word(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        model = torch.nn.Linear(2, 2)
        optimizer = torch.optim.Adam(model.parameters())
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}
        save(tmp_path, {**state, "numpy": np.random.default_rng(0).bit_generator.state, "epoch": 3})
        save(tmp_path, np.arange(3), "other", write=lambda array, file: np.save(file, array))
        assert not caplog.messages
        load(tmp_path)


class TestWhichOne:
    @pytest.mark.parametrize(
        ("own", "previous", "expected"), [(7, 3, 7), (7, None, 7), (None, 3, 3), (None, None, "default")]
    )
    def test_its_own_then_that_of_the_previous(
        self, tmp_path: Path, own: int | None, previous: int | None, expected: object
    ) -> None:
        for name, state in (("config_2", own), ("config_1", previous)):
            (tmp_path / name).mkdir()
            if state is not None:
                save(tmp_path / name, state)
        assert load(tmp_path / "config_2", tmp_path / "config_1", default="default") == expected

    def test_one_that_begins_anew_though_it_continues_another_says_so(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert load(tmp_path / "config_2", None) is None
        assert not caplog.records
        assert load(tmp_path / "config_2", tmp_path / "config_1") is None
        (message,) = caplog.messages
        assert message.startswith(
            f"There is no checkpoint.pt in {tmp_path}/config_1, the trial that this one continues, nor"
        )


class TestAtomic:
    def test_nothing_is_left_but_the_checkpoint_and_its_sign(self, tmp_path: Path) -> None:
        for state in (1, 2):
            save(tmp_path, state)
            assert names(tmp_path) == [".checkpoint.pt.neps", "checkpoint.pt"]
        assert load(tmp_path) == 2

    def test_the_old_one_stands_while_the_new_one_is_written(self, tmp_path: Path) -> None:
        def write(state: object, file: IO[bytes]) -> None:
            torch.save(state, file)
            assert load(tmp_path) == "old"

        save(tmp_path, "old")
        save(tmp_path, "new", write=write)
        assert load(tmp_path) == "new"

    @pytest.mark.parametrize("error", [RuntimeError("no"), OSError("disk full"), KeyboardInterrupt()])
    def test_the_old_one_stays_where_writing_fails(self, tmp_path: Path, error: BaseException) -> None:
        def write(_: object, file: IO[bytes]) -> None:
            file.write(b"half")
            raise error

        save(tmp_path, "old")
        with pytest.raises((CheckpointError, KeyboardInterrupt)) as raised:
            save(tmp_path, "new", write=write)
        assert raised.value is error or raised.value.__cause__ is error
        assert load(tmp_path) == "old"
        assert names(tmp_path) == [".checkpoint.pt.neps", "checkpoint.pt"]

    def test_it_is_synced_before_it_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        events: list[str] = []
        replace, fsync = os.replace, os.fsync

        def note_replace(*paths: str) -> None:
            events.append("replace")
            replace(*paths)

        def note_fsync(file: int) -> None:
            events.append(f"fsync {os.fstat(file).st_size}")
            fsync(file)

        monkeypatch.setattr(os, "replace", note_replace)
        monkeypatch.setattr(os, "fsync", note_fsync)
        save(tmp_path, b"four", write=raw)
        assert events == ["fsync 4", "replace"]

    def test_files_that_can_not_be_written_to_are_replaced(self, tmp_path: Path) -> None:
        save(tmp_path, "old")
        (tmp_path / "checkpoint.pt").chmod(0o444)
        sign = tmp_path / ".checkpoint.pt.neps"
        sign.unlink()
        sign.mkdir()  # root may write to any file, but not to this
        save(tmp_path, "new")
        assert load(tmp_path) == "new"

    def test_what_a_killed_worker_was_writing_is_discarded(self, tmp_path: Path) -> None:
        program = f"import neps, os; neps.checkpoint.save({str(tmp_path)!r}, 1, write=lambda *_: os._exit(9))"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
        (unfinished,) = names(tmp_path)
        assert unfinished.startswith(".checkpoint.pt.neps-")
        (tmp_path / ".mine.neps").touch()
        (tmp_path / ".mine.neps-1").touch()
        files.discard_unfinished(str(tmp_path))
        assert names(tmp_path) == [".mine.neps", ".mine.neps-1"]

    @pytest.mark.parametrize("name", ["c.npy", "c.tar.npy", "c"])
    def test_a_library_that_appends_an_ending_finds_its_own(self, tmp_path: Path, name: str) -> None:
        """np.save does."""
        old, new = np.zeros(3), np.ones(3)
        save(tmp_path, old, name, write=lambda array, file: np.save(file, array))
        if name.endswith(".npy"):
            save(tmp_path, new, name, write=lambda array, file: np.save(file.name, array))
        else:
            with pytest.raises(CheckpointError, match=r"written nothing into .* The last checkpoint is still there\."):
                save(tmp_path, new, name, write=lambda array, file: np.save(file.name, array))
            new = old
        assert np.array_equal(load(tmp_path, name=name, read=np.load), new)
        files.discard_unfinished(str(tmp_path))
        assert names(tmp_path) == [f".{name}.neps", name]

    def test_an_empty_file_is_no_checkpoint(self, tmp_path: Path) -> None:
        save(tmp_path, {"epoch": 1})
        with pytest.raises(CheckpointError, match=r"file\.name, as it is"):
            save(tmp_path, {"epoch": 2}, write=lambda _state, _file: None)
        assert load(tmp_path) == {"epoch": 1}


class TestDeleting:
    def test_only_what_was_saved_here_is_deleted(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        users = ["checkpoint.pth", "result.yaml", "sub/log.txt", ".hidden"]
        for name in users:
            (tmp_path / name).write_text("mine")
        save(tmp_path, b"12345", write=raw)
        save(tmp_path / "sub", b"123", "best.pt", write=raw)
        save(tmp_path, b"1", "gone.pt", write=raw)
        (tmp_path / "gone.pt").unlink()
        assert sorted(files.delete(str(tmp_path))) == [("checkpoint.pt", 5), ("sub/best.pt", 3)]
        left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
        assert sorted(left) == sorted(users)
        assert files.delete(str(tmp_path)) == []

    def test_a_link_to_elsewhere_is_not_followed(self, tmp_path: Path) -> None:
        trial, elsewhere = tmp_path / "config_1", tmp_path / "elsewhere"
        trial.mkdir()
        elsewhere.mkdir()
        save(elsewhere, 1)
        (trial / "shared").symlink_to(elsewhere)
        assert files.delete(str(trial)) == []
        assert load(elsewhere) == 1


class TestErrors:
    @pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "/etc/x", None, 3])
    def test_a_name_must_be_a_plain_one(self, tmp_path: Path, name: Any) -> None:
        for call in (lambda: save(tmp_path, 1, name), lambda: load(tmp_path, name=name)):
            with pytest.raises(ArgumentError, match="must be a plain file name that doesn't begin with a dot"):
                call()
        assert names(tmp_path) == []

    @pytest.mark.parametrize(
        "name",
        [
            *("trial.yaml", "config.yaml", "result.yaml", "result_2.yaml"),
            *("attempt_1.end.yaml", "attempt_12.lock", "attempt_1.curve.jsonl", "attempt_2.yaml.damaged-12345678"),
        ],
    )
    def test_names_of_the_ledger_are_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ArgumentError, match=r"a name that neps itself uses\. Choose another"):
            save(tmp_path, 1, name)

    def test_a_folder_is_never_made(self, tmp_path: Path) -> None:
        """It could become a trial of another run."""
        with pytest.raises(CheckpointError, match=r"there is no folder .*/nowhere to save checkpoint.pt in"):
            save(tmp_path / "nowhere", 1)
        assert names(tmp_path) == []

    @pytest.mark.parametrize("folder", [None, 3, b"/tmp"])
    def test_a_folder_must_be_a_path(self, folder: Any) -> None:
        for use in (save, load):
            with pytest.raises(ArgumentError, match=r"folder of a checkpoint is .*must be a path, such as pipeline"):
                use(folder, 1)  # type: ignore[arg-type]

    def test_a_name_that_no_folder_takes(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"can't be saved: OSError: .* too long"):
            save(tmp_path, 1, "x" * 300)

    def test_what_can_not_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"/checkpoint.pt can't be saved: .*pickle") as raised:
            save(tmp_path, lambda: None)
        assert "saved before" not in str(raised.value)
        save(tmp_path, 1)
        with pytest.raises(CheckpointError, match=r"pickle.*\. The last checkpoint is still there\.$"):
            save(tmp_path, lambda: None)

    def test_what_only_trust_can_load(self, tmp_path: Path) -> None:
        save(tmp_path, {"x": Anything()})
        with pytest.raises(CheckpointError) as raised:
            load(tmp_path)
        message = str(raised.value)
        assert f"{tmp_path}/checkpoint.pt holds " in message
        assert f"{Anything.__module__}.Anything, which is not loaded by default" in message
        assert "pass weights_only=False" in message
        assert isinstance(load(tmp_path, weights_only=False)["x"], Anything)

    @pytest.mark.parametrize("content", [b"", b"PK", b"hello world", b"\x80\x02}q\x00."])
    def test_what_is_no_checkpoint(self, tmp_path: Path, content: bytes) -> None:
        save(tmp_path, b"whole", write=raw)
        (tmp_path / "checkpoint.pt").write_bytes(content)
        rule = r"checkpoint.pt can't be read: .*not a file of torch.save, or its end is missing.*move it away"
        with pytest.raises(CheckpointError, match=rule):
            load(tmp_path, default="never")

    @pytest.mark.parametrize("keep", [400, -1])
    def test_one_whose_end_is_missing(self, tmp_path: Path, keep: int) -> None:
        path = save(tmp_path, torch.ones(100))
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(CheckpointError, match=r"checkpoint.pt can't be read: .*is damaged"):
            load(tmp_path)

    def test_one_with_other_bytes_inside(self, tmp_path: Path) -> None:
        path = save(tmp_path, torch.ones(100))
        content = bytearray(path.read_bytes())
        content[40:120] = bytes(80)
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="is damaged"):
            load(tmp_path)

    def test_one_that_the_users_reader_does_not_take(self, tmp_path: Path) -> None:
        save(tmp_path, b"{", "a.json", write=raw)
        with pytest.raises(CheckpointError, match=r"a.json can't be read: JSONDecodeError: .*damaged") as raised:
            load(tmp_path, name="a.json", read=json.load)
        assert isinstance(raised.value.__cause__, json.JSONDecodeError)

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "checkpoint.pt").mkdir()
        with pytest.raises(CheckpointError, match="can't be saved: IsADirectoryError"):
            save(tmp_path, 1)
        with pytest.raises(CheckpointError, match="can't be read: IsADirectoryError"):
            load(tmp_path)


class TestHostile:
    """Anybody may put files into a trial's folder."""

    def test_a_sign_beside_what_is_not_ours_deletes_nothing(self, tmp_path: Path) -> None:
        names = ["trial.yaml", "result.yaml", "result_1.yaml", "attempt_1.end.yaml", "attempt_1.lock", "neps.yaml"]
        save(tmp_path, {"epoch": 1})
        for name in [*names, ".hidden"]:
            (tmp_path / name).write_text("keep")
            (tmp_path / f".{name}.neps").touch()
        (tmp_path / "folder").mkdir()
        (tmp_path / ".folder.neps").touch()
        assert [name for name, _ in files.delete(str(tmp_path))] == ["checkpoint.pt"]
        assert all((tmp_path / name).exists() for name in [*names, ".hidden", "folder"])

    def test_nothing_is_deleted_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        save(tmp_path / "outside", {"epoch": 1})
        (tmp_path / "trial").mkdir()
        (tmp_path / "trial" / "sub").symlink_to("../outside")
        (tmp_path / "link").symlink_to("outside")
        assert files.delete(str(tmp_path / "trial")) == []
        assert files.delete(str(tmp_path / "link")) == []
        assert load(tmp_path / "outside") == {"epoch": 1}

    def test_a_pipe_is_no_checkpoint(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "checkpoint.pt")
        with pytest.raises(CheckpointError, match="it is no file"):
            load(tmp_path)

    def test_a_tar_that_ends_as_a_zip_never_reaches_torch(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """torch goes by a file's first bytes, zipfile by its last."""
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.add(__file__, "pickle")
        save(tmp_path, {"epoch": 1}, "a.zip")
        (tmp_path / "checkpoint.pt").write_bytes((tmp_path / "a.tar").read_bytes() + (tmp_path / "a.zip").read_bytes())
        assert zipfile.is_zipfile(tmp_path / "checkpoint.pt")
        monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it reaches torch"))
        for weights_only in (True, False):
            with pytest.raises(CheckpointError, match=r"it is not a file of torch\.save"):
                load(tmp_path, weights_only=weights_only)
