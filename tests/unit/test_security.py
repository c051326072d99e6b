"""docs/security.md: what somebody with access to a root can't do; the rest of its tests are where the table says."""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import pickle
import re
import shutil
from pathlib import Path

import pytest

import neps
from neps._cli import main
from neps._doctor.examination import examine
from neps._ledger import definition as definition_module
from neps._ledger import reading
from neps._views.dashboard import DEFAULT_HOST
from neps.errors import CheckpointError, NepsError

REPOSITORY = Path(__file__).parents[2]
LOADERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "code"}
ALLOWED = {
    ("neps/_ledger/stand_in.py", "marshal"),  # a worker hands its own code to its own process
    ("neps/testing/samplers.py", "pickle"),  # a test of samplers, which reads no file
}
SPACE = {"x": neps.Float(0, 1)}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_nothing_that_loads_code_is_imported() -> None:
    found = {
        (str(path.relative_to(REPOSITORY)), module)
        for path in (REPOSITORY / "neps").rglob("*.py")
        for module in imported(path) & LOADERS
    }
    assert found == ALLOWED


def searched(root: Path) -> Path:
    neps.run(
        lambda x: x,
        root,
        SPACE,
        searcher="random_search",
        max_evaluations_total=2,
        seed=1,
        lease_seconds=0.2,
        progress=False,
    )
    return root


class Code:
    """What makes a file, once it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.sign),)


@pytest.mark.parametrize("kind", ["yaml", "pickle"])
def test_a_root_full_of_code_runs_none(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definition_module, "_PATIENCE", 0.05)
    monkeypatch.setattr(reading, "_PATIENCE", 0.02)
    sign, original = tmp_path / "sign", searched(tmp_path / "root")
    content = pickle.dumps(Code(sign))
    if kind == "yaml":
        content = f"format_version: 1\nrun: !!python/object/apply:os.mkdir [{sign}]\n...\n".encode()
    pickle.loads(pickle.dumps(Code(tmp_path / "proof")))  # noqa: S301
    assert (tmp_path / "proof").exists()
    kinds = ("neps.yaml", "config_1/trial.yaml", "config_1/result.yaml", ".neps/*/accelerator/*.jsonl")
    names = [path.relative_to(original) for kind in kinds for path in original.glob(kind)]
    assert len(names) == len(kinds)
    for name in names:
        root = shutil.copytree(original, tmp_path / "spoilt")
        (root / name).write_bytes(content)
        for command in ("status", "show", "retry"):
            main([command, str(root), *([] if command == "status" else ["1"])])
        for look in (neps.load, functools.partial(examine, probe=False), searched):
            with contextlib.suppress(NepsError):
                look(root)
        shutil.rmtree(root)
    (original / "config_1" / "checkpoint.pt").write_bytes(content)
    with pytest.raises(CheckpointError):
        neps.checkpoint.load(original / "config_1")
    assert not sign.exists()


def test_the_name_of_a_searcher_is_never_imported(tmp_path: Path) -> None:
    root = searched(tmp_path / "root")
    (tmp_path / "evil.py").write_text(f"import os; os.mkdir({str(tmp_path / 'sign')!r})")
    text = (root / "neps.yaml").read_text()
    (root / "neps.yaml").write_text(text.replace("name: random_search", "name: evil.Sampler"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        assert "evil.Sampler" in (root / "neps.yaml").read_text()
        main(["status", str(root)])
        neps.load(root)
        with pytest.raises(NepsError, match=r"evil\.Sampler"):
            searched(root)
    assert not (tmp_path / "sign").exists()


@pytest.mark.parametrize(("umask", "forbidden"), [(0o077, 0o077), (0o027, 0o027), (0o002, 0o002)])
def test_files_have_the_mode_that_the_umask_allows(tmp_path: Path, umask: int, forbidden: int) -> None:
    before = os.umask(umask)
    try:
        root = searched(tmp_path / "root")
        neps.checkpoint.save(root / "config_1", b"x", write=lambda state, file: file.write(state))
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode for path in [root, *root.rglob("*")]}
    assert [path for path, mode in modes.items() if mode & forbidden] == []
    group = 0o060 & ~umask
    assert [path for path, mode in modes.items() if mode & group != group] == []


def test_the_dashboard_listens_on_this_machine_alone() -> None:
    assert DEFAULT_HOST == "127.0.0.1"


def test_the_page_names_tests_that_there_are() -> None:
    page = (REPOSITORY / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/\S+\.py)::(?:(\w+)::)?(\w+)`", page)
    assert len(named) > 15
    for path, case, test in named:
        tree = ast.parse((REPOSITORY / path).read_text())
        body: list[ast.stmt] = tree.body
        if case:
            body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == case)
        assert test in {node.name for node in body if isinstance(node, ast.FunctionDef)}, (path, case, test)
