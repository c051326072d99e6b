"""Spoils a run's root as malice, a torn disk or somebody's editor may: any file, in any way, by a random generator."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import yaml

from neps._ledger.foreign import END_MARKER
from neps._ledger.results_cache import _checksum

__all__ = ["spoil"]

HUGE = 10**30
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 2**31, 2**53, 2**63, 2**64, -(2**70), HUGE, 10**400),
    *(0.0, -0.5, 0.5, 1e-320, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "x", "config_1", "config_2", "config_99", "config_x", "../..", "/etc/passwd", "\x1b[2J", "a" * 5000, "no"),
    *("2024-01-01T00:00:00+00:00", "9999-12-31T23:59:59.9+00:00", "0001-01-01", "success", "failed", "damaged", "left"),
    *("died", "result", "retry", "freeze_thaw", "random_search", "float", "integer", "categorical", "constant"),
    *([], {}, [1, 2], {"a": 1}, [[[[1]]]], {1: {2: {3: None}}}, ["x"] * 100, [float("nan")] * 3, [0.5, 0.25]),
)


def spoil(root: Path, chance: random.Random, most: int = 3) -> list[str]:
    """Do a few things to the root, and say what; mostly without the results cache, which makes up for it."""
    done = []
    if chance.random() < 0.8:
        shutil.rmtree(root / ".neps", ignore_errors=True)
    for _ in range(chance.randint(1, most)):
        spoiling = chance.choice([_bytes, _field, _field, _field, _field, _place, _line, _folder, _yaml])
        if said := spoiling(root, chance):
            done.append(said)
    return done


def _files(root: Path, chance: random.Random, suffix: str = "") -> Path | None:
    files = sorted(path for path in root.rglob("*") if path.name.endswith(suffix) and path.is_file())
    return chance.choice(files) if files else None


def _replace(path: Path, content: bytes, chance: random.Random) -> None:
    """In place (all names of an inode) or as a new file (this name alone)."""
    if chance.random() < 0.5:
        path.unlink()
    path.write_bytes(content)


def _bytes(root: Path, chance: random.Random) -> str:
    if (path := _files(root, chance)) is None:
        return ""
    content = bytearray(path.read_bytes())
    kind = chance.choice(["flip", "cut", "zeros", "random", "double", "long"])
    if kind == "flip":
        for _ in range(chance.randint(1, 5) if content else 0):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        content = content[: chance.randint(0, len(content))]
    elif kind == "zeros":
        content = bytearray(len(content))
    elif kind == "random":
        content = bytearray(chance.randbytes(chance.randint(0, 200)))
    elif kind == "double":
        content = content * 2
    else:
        content = bytearray(b"x" * 100_000) + content
    _replace(path, bytes(content), chance)
    return f"{kind} {path}"


def _field(root: Path, chance: random.Random) -> str:
    """One value of a document, somewhere in it, becomes another, or goes."""
    path = _files(root, chance, ".yaml")
    if path is None:
        return ""
    try:
        fields = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError):
        return ""
    said = _change(fields, chance)
    _replace(path, yaml.safe_dump(fields, sort_keys=False).encode() + END_MARKER[1:], chance)
    return f"{said} in {path}"


def _change(fields: Any, chance: random.Random) -> str:
    while isinstance(fields, dict | list) and fields:
        keys = list(fields) if isinstance(fields, dict) else list(range(len(fields)))
        key = chance.choice(keys)
        if isinstance(fields[key], dict | list) and fields[key] and chance.random() < 0.7:
            fields = fields[key]
            continue
        if chance.random() < 0.15:
            del fields[key]
            return f"no {key!r}"
        if chance.random() < 0.15 and isinstance(fields, dict):
            fields[chance.choice(VALUES[:40])] = fields.pop(key)
            return f"{key!r} renamed"
        fields[key] = chance.choice(VALUES)
        return f"{key!r} is {fields[key]!r:.60}"
    return "nothing"


def _yaml(root: Path, chance: random.Random) -> str:
    """YAML that no document has."""
    path = _files(root, chance, ".yaml")
    if path is None:
        return ""
    bomb = b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9))
    content = chance.choice(
        [
            b"format_version: 1\na0: &a0 [x]\n" + bomb + b"config: *a8\ncost: *a8\nstatus: *a8\n",
            b"a0: &a0 [x]\n" + bomb + b"format_version: *a8\n",
            b"format_version: 1\nx: " + b"[" * 900 + b"]" * 900 + b"\n",
            b"format_version: 1\n? [1, 2]\n: 3\n",
            b"format_version: 1\n<<: {number: 1}\n",
            b"format_version: 1\nnumber: !!python/object/apply:os.getcwd []\n",
            b"format_version: 1\nnumber: " + b"9" * 5000 + b"\n",
            b"format_version: 1\nnumber: 0x" + b"f" * 900 + b"\n",
            b"format_version: 1\nnumber: 2020-13-45\n",
            b"format_version: 99\n",
            b"- 1\n",
        ]
    )
    _replace(path, content + END_MARKER[1:], chance)
    return f"{content[:40]!r} in {path}"


def _place(root: Path, chance: random.Random) -> str:
    """Something else in the place of a file, or of one that could come."""
    trial = chance.choice(sorted(root.glob("config_*")) or [root])
    coming = [trial / name for name in ("result.yaml", "attempt_1.end.yaml", "attempt_2.yaml", "attempt_1.lock")]
    there = _files(root, chance)
    path = chance.choice([*coming, *([there] * 4 if there else [])])
    if not path.parent.is_dir():
        return ""
    return _put_something(path, chance)


def _folder(root: Path, chance: random.Random) -> str:
    """Something else in the place of a trial, or of one that could come."""
    numbers = [int(path.name[7:]) for path in root.glob("config_*")]
    number = chance.choice([*numbers, max(numbers, default=0) + 1, 10**17])
    path = root / f"config_{number}"
    if chance.random() < 0.2 and numbers:
        _remove(path)
        path.symlink_to(f"config_{chance.choice(numbers)}")
        return f"{path} links to another"
    return _put_something(path, chance)


def _put_something(path: Path, chance: random.Random) -> str:
    _remove(path)
    kind = chance.choice(["pipe", "link to zeros", "loop", "dangling", "folder", "full folder", "file", "nothing"])
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to zeros":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nowhere/at/all")
    elif kind == "folder":
        path.mkdir()
    elif kind == "full folder":
        (path / "trial.yaml").mkdir(parents=True)
    elif kind == "file":
        path.write_bytes(b"mine")
    return f"{kind} at {path}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _line(root: Path, chance: random.Random) -> str:
    """A line of the results cache whose checksum is right, and whose payload isn't."""
    path = _files(root, chance, ".jsonl")
    if path is None or path.parent.name != "accelerator":
        return ""
    run = path.parents[1].name
    lines = path.read_bytes().splitlines()
    if not lines:
        return ""
    place = chance.randrange(len(lines))
    _, number, payload = lines[place].split(b" ", 2)
    try:
        fields = json.loads(payload)
    except ValueError:
        return ""
    said = _change(fields, chance)
    rest = chance.choice([number, number, number, b"x", b"0", b"99"]) + b" " + json.dumps(fields).encode()
    if chance.random() < 0.1:
        rest = number + b" " + b"[" * 5000
    lines[place] = _checksum(run, rest) + b" " + rest
    path.write_bytes(b"\n".join(lines) + b"\n")
    return f"{said} in a line of {path}"
