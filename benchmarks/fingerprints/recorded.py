"""Recorded fingerprints: a file for each searcher, what of it today's decisions differ in, and the version of its runs.

The version is that of benchmark runs. It is a digest of the decisions, and it stays while none of them changes. What is
decided in spaces with conditions is recorded apart, and has a version of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.fingerprints.bits import bits_here
from benchmarks.fingerprints.deciding import RUNS, Decisions, decisions, is_by_model, is_near
from benchmarks.fingerprints.histories import STORIES, rows_of
from benchmarks.fingerprints.searchers import MODELLED, variants
from benchmarks.fingerprints.spaces import SPACES

__all__ = [
    "FOLDER",
    "Difference",
    "Variant",
    "check",
    "differences",
    "digest_of",
    "history_changes",
    "read",
    "write",
    "write_histories",
]

FOLDER = Path(__file__).parent / "recorded"
_HISTORIES = "histories.json"
_ROUNDED = 1e-12
"""Relative: where the last digits differ, those of searchers without a model do no more than this."""
_SHOWN = 3
_ADVICE = """\
If a refactoring did this, mend it. If it is meant: scripts/bench fingerprints --searchers {} --write
The searcher then has another version, and the benchmark runs of the version before no longer count as its."""
_JUMPS = 0.1
"""Where the last digits differ, this share of the decisions by a model may be other ones altogether: of two candidates
that promise the same, another is ahead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """What a searcher with some settings decided, where the libraries computed `bits`."""

    searcher: str
    settings: Mapping[str, Any]
    decisions: Decisions
    version: str
    bits: str

    @property
    def name(self) -> str:
        """The searcher and its settings."""
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.searcher} ({settings})" if settings else self.searcher


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """A decision that isn't as recorded: where, which part of it, and the values of that part."""

    where: str
    part: str
    recorded: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.where}: {self.part} is {self.now!r}, but {self.recorded!r} is recorded"


# ------------------------------------------------------------------------------------------------------- comparing


def differences(variant: Variant, now: Decisions) -> list[Difference]:
    """Where today's decisions are others than the recorded ones. Today's may be more: of new histories, say."""
    found = list(_differences(variant.decisions, now, exactly=True))
    if not found or variant.bits == bits_here():
        return found
    if variant.searcher not in MODELLED:
        return list(_differences(variant.decisions, now, exactly=False))
    return _beyond_rounding(variant.decisions, now)


def check(searcher: str, folder: Path = FOLDER, *, conditional: bool = False, only_defaults: bool = False) -> str:
    """Nothing if a searcher decides as recorded; else which of its decisions differ, and what to do."""
    recorded = read(searcher, folder, conditional=conditional)
    lines = [] if recorded else [f"No decisions of {searcher!r} are recorded."]
    for variant in recorded[:1] if only_defaults else recorded:
        now = _through_json(decisions(searcher, variant.settings, conditional=conditional))
        if found := differences(variant, now):
            count = f"{len(found)} of {len(variant.decisions)} decisions differ"
            lines += [f"{variant.name} decides differently now: {count}.", *(f"  {each}" for each in found[:_SHOWN])]
            lines += [f"  … and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "\n".join([*lines, _ADVICE.format(searcher)] if lines else [])


def _differences(recorded: Decisions, now: Decisions, *, exactly: bool) -> Iterator[Difference]:
    for where, decision in recorded.items():
        if where not in now:
            yield Difference(where, "the decision", decision, None)
        elif part := next(_parts(decision, now[where], exactly=exactly), None):
            yield Difference(where, *part)


def _parts(recorded: Any, now: Any, name: str = "", *, exactly: bool) -> Iterator[tuple[str, Any, Any]]:
    """The parts of two decisions that differ, as name, old and new value."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in [*recorded, *(key for key in now if key not in recorded)]:
            yield from _parts(recorded.get(key), now.get(key), f"{name}.{key}" if name else key, exactly=exactly)
    elif not _equal(recorded, now, exactly=exactly):
        yield name or "the decision", recorded, now


def _equal(recorded: Any, now: Any, *, exactly: bool) -> bool:
    if isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        return all(_equal(a, b, exactly=exactly) for a, b in zip(recorded, now, strict=True))
    if isinstance(recorded, float) and isinstance(now, float) and not exactly:
        return math.isclose(recorded, now, rel_tol=_ROUNDED, abs_tol=_ROUNDED)
    return repr(recorded) == repr(now)


def _beyond_rounding(recorded: Decisions, now: Decisions) -> list[Difference]:
    """Differences that other last digits don't explain: of decisions before any by a model, or of many by one.

    In a run, what comes after a decision that differs has another history, and isn't compared.
    """
    found, jumps = list[Difference](), list[Difference]()
    other = {difference.where: difference for difference in _differences(recorded, now, exactly=False)}
    by_model, runs_with_a_model, diverged = 0, set[str](), set[str]()
    for where, decision in recorded.items():
        name = where.rpartition(",")[0]
        if name in diverged:
            continue
        if is_by_model(decision):
            by_model += 1
            runs_with_a_model.update({name} & RUNS.keys())
        if where in other and not is_near(name, decision, now.get(where, {})):
            diverged.update({name} & RUNS.keys())
            (jumps if is_by_model(decision) or name in runs_with_a_model else found).append(other[where])
    return [*found, *jumps] if found or len(jumps) > _JUMPS * by_model else []


# ----------------------------------------------------------------------------------------------------------- files


def read(searcher: str, folder: Path = FOLDER, *, conditional: bool = False) -> list[Variant]:
    """The recorded variants of a searcher, that with its defaults first."""
    path = _path(searcher, folder, conditional)
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return [Variant(searcher, **fields) for fields in content]


def write(searcher: str, folder: Path = FOLDER, *, conditional: bool = False) -> list[Variant]:
    """Record what a searcher decides now. Variants whose decisions are as recorded keep their version.

    Where libraries have other last digits than those that recorded, such variants keep their decisions, too.
    """
    before = {repr(variant.settings): variant for variant in read(searcher, folder, conditional=conditional)}
    found = []
    for settings in variants(searcher):
        now = _through_json(decisions(searcher, settings, conditional=conditional))
        old = before.get(repr(dict(settings)))
        if old is not None and not differences(old, now):
            kept = now if old.bits == bits_here() else now | old.decisions
            found.append(dataclasses.replace(old, decisions={where: kept[where] for where in now}))
        else:
            found.append(Variant(searcher, dict(settings), now, digest_of(settings, now), bits_here()))
    path, text = _path(searcher, folder, conditional), ",\n".join(_text(variant) for variant in found)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[\n{text}\n]\n", encoding="utf-8")
    return found


def _path(searcher: str, folder: Path, conditional: bool) -> Path:  # noqa: FBT001 - as it is called
    return folder / ("conditional" if conditional else "") / f"{searcher}.json"


def digest_of(settings: Mapping[str, Any], made: Decisions) -> str:
    """Of all decisions and the settings, in ten digits."""
    return hashlib.sha256(json.dumps([dict(settings), made]).encode()).hexdigest()[:10]


def _text(variant: Variant) -> str:
    """JSON with a line for each decision."""
    head = {"settings": variant.settings, "version": variant.version, "bits": variant.bits}
    lines = ",\n".join(f"  {_json(where)}: {_json(decision)}" for where, decision in variant.decisions.items())
    return f'{_json(head)[:-1]}, "decisions": {{\n{lines}\n}}}}'


def _json(value: Any) -> str:
    """A float has as many digits as tell it from all others."""
    return json.dumps(value, ensure_ascii=False)


def _through_json(made: Decisions) -> Decisions:
    through: Decisions = json.loads(json.dumps(made))
    return through


# ------------------------------------------------------------------------------------------------------- histories


def history_changes(folder: Path = FOLDER) -> list[str]:
    """What to say of histories that aren't drawn as they were when decisions on them were recorded."""
    path = folder / _HISTORIES
    recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return [
        f"The history {name!r} is not the recorded one: add a history under another name instead of changing one."
        for name in recorded
        if recorded[name] != _digest_of_history(name)
    ]


def write_histories(folder: Path = FOLDER) -> None:
    """Record what the histories are."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: _digest_of_history(name) for name in STORIES}
    (folder / _HISTORIES).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _digest_of_history(name: str) -> str | None:
    if name not in STORIES:
        return None
    rows = [dataclasses.asdict(row) for row in rows_of(name)]
    described = dict(SPACES[STORIES[name].space])
    return hashlib.sha256(json.dumps([described, rows]).encode()).hexdigest()[:10]
