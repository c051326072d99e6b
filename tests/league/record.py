"""What was recorded of a league, and the section of docs/reliability.md that is made of it.

Called by `__main__`, and by the test that the two agree.
"""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.driving.environments import interpreter
from league.contest import LIBRARIES

__all__ = ["PAGE", "RECORDED", "merged", "section", "versions", "write", "written", "wrong"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
RECORDED = Path(__file__).resolve().parent / "recorded.json"
_BEGIN, _END = "<!-- league: begin -->", "<!-- league: end -->"
_NAMES = {"neps": "neps", "neps017": "NePS", "optuna": "Optuna", "smac": "SMAC"}
_PACKAGES = {"neps": "neps", "neps017": "neural-pipeline-search", "optuna": "optuna", "smac": "smac"}
_FAULTS = ("lost", "doubled", "stuck", "overspent", "short", "crashed", "hung")
_WIDE = 120

_BEFORE = """
The same faults for neps and for other libraries, used as their documentation says, with random search, by a script of
ours (`tests/league`). An evaluation writes evidence that no library knows of. *Lost* evaluations have ended, and the
library has no result of them; *doubled* ones are recorded twice. *Stuck* trials are neither ended nor taken up by
anybody, even though one more worker was started in the end. *Overspent* and *short* are results beyond the budget, and
missing from it. *Crashed* workers ended by an error, and *hung* ones never; we killed none of these. *Repeated*
evaluations were finished again, although a result was there.
"""

_AFTER = """
What was done: *8 starts at once*: eight starts of the script on a root that isn't there, budget 24. *Budget*: 8
workers, budget 20. *SIGKILL* to one of 4 workers in mid-evaluation. *Torn record*: all is killed, and what was
written last ends in its middle (for neps and NePS the cache beside it, too), as after a power failure. Any library
loses that one result; neps says so, and counts the trial as failed. *Freeze*: SIGSTOP for 35 s, longer than neps's
lease in this test (5 s) and Optuna's grace for a lock (30 s). *Restart*: SIGKILL to all 4 workers, then 4 new ones.
*Join*: seconds from the start of a worker to its first evaluation, with 2,000 results; imports included. *Full disk*:
8 s without room.

How each was used: NePS with `total_evaluations_to_spend` and `continue_until_max_evaluation_completed`. Optuna with
`JournalStorage`, `JournalFileBackend` and `MaxTrialsCallback`, as its FAQ has it; its heartbeat, which would free
killed trials, is there for databases only. SMAC isn't made for several processes on one directory, so its workers are
those of one process (`n_workers`, by Dask) in all scenarios but the first, and the process that evaluates is killed
or frozen.

Where a library can't read its own files any more, all its results count as lost, though somebody who repairs the file
by hand may get most of them back.
"""


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of each library, the version that is installed in its environment."""
    return {library: _version(library) for library in libraries}


def _version(library: str) -> str:
    ask = f"import importlib.metadata as m; print(m.version({_PACKAGES[library]!r}))"
    command = [str(interpreter(LIBRARIES[library])), "-c", ask]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def wrong(outcome: Mapping[str, Any]) -> str:
    """What went wrong, in words; empty where nothing did.

    A torn record is lost in any case: then it must be said, be used up, and stop nobody.
    """
    forgiven = {"lost": 1, "short": 1} if outcome["scenario"] == "torn record" else {}
    return ", ".join(f"{outcome[name]} {name}" for name in _FAULTS if outcome[name] > forgiven.get(name, 0))


def merged(before: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A record with what was tried anew in the place of what was found before."""
    again = {(each["scenario"], each["library"]) for each in new["outcomes"]}
    kept = [each for each in before.get("outcomes", []) if (each["scenario"], each["library"]) not in again]
    found = {**before.get("versions", {}), **new["versions"]}
    return {
        **new,
        "versions": {library: found[library] for library in LIBRARIES if library in found},
        "outcomes": [*kept, *new["outcomes"]],
    }


def section(record: Mapping[str, Any]) -> str:
    """What the page shows between its marks."""
    when = (
        f"Recorded on {record['date']}, on {record['cores']} cores that were busy with other things (load "
        f"{record['load']:.0f}), so compare seconds only within their row. The command is `PYTHONPATH=tests python -m "
        "league --write`; it makes the libraries' environments in `.peers`."
    )
    parts = [*map(_wrapped, (_BEFORE, when)), "\n".join(_table(record)), *map(_wrapped, _AFTER.split("\n\n"))]
    parts += map(_wrapped, record.get("notes", ()))
    return "\n\n".join(parts)


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _WIDE, break_long_words=False, break_on_hyphens=False)


def _table(record: Mapping[str, Any]) -> list[str]:
    """A row a scenario, a column a library."""
    by_place = {(each["scenario"], each["library"]): each for each in record["outcomes"]}
    libraries = list(record["versions"])
    heads = [f"{_NAMES[library]} {record['versions'][library]}" for library in libraries]
    lines = [f"| scenario | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for scenario in record["scenarios"]:
        cells = [_cell(by_place.get((scenario, library))) for library in libraries]
        lines.append(f"| {scenario} | {' | '.join(cells)} |")
    return lines


def _cell(outcome: Mapping[str, Any] | None) -> str:
    if outcome is None:
        return "not tried"
    faults = ", ".join(f"{outcome[name]} {name}" for name in (*_FAULTS, "repeated") if outcome[name])
    took = f"{outcome['seconds']:g} s" if outcome["seconds"] is not None else ""
    if took and outcome["detail"].startswith("at "):
        took += f" ({outcome['detail']})"
    return ", ".join(filter(None, [took, faults])) or "nothing wrong"


def written(page: str, record: Mapping[str, Any]) -> str:
    """The page with the record between its marks.

    Raises:
        ValueError: if the marks are missing.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        message = f"the page has no {_BEGIN} and {_END}"
        raise ValueError(message)
    return f"{before}{_BEGIN}\n\n{section(record)}\n\n{_END}{after}"


def write(record: Mapping[str, Any]) -> None:
    """Record it, beside what was found before of other scenarios and libraries, and write the page."""
    before = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    now = merged(before, record)
    RECORDED.write_text(json.dumps(now, indent=1) + "\n")
    PAGE.write_text(written(PAGE.read_text(), now))
