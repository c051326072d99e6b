"""Kills, signals and fails ranks at random until so many have been struck, and says what was wrong.

python -m ranks_storm --times 50 --seed 1 --json FILE
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ranks_storm.launching import environment, evidence_of, order, torchrun, training
from ranks_storm.verdict import strikes_of, wrong_with
from rigs.waiting import wait_until

_WHAT = ("sudden", "sudden", "sudden", "kill", "kill", "term", "usr1", "raise", "exit")
"""SIGKILL more often than all else: at any moment, or at the beginning of an epoch."""
_EPOCHS = 6
_SECONDS = 600.0


@dataclasses.dataclass
class Tally:
    """What has happened so far."""

    strikes: collections.Counter[tuple[int, str]] = dataclasses.field(default_factory=collections.Counter)
    """By the number of ranks, and what."""
    slowest: float = 0.0
    """Seconds from a misfortune until the next evaluation began on some rank, a restart of all ranks included."""
    wrong: list[str] = dataclasses.field(default_factory=list)


def storm(folder: Path, size: int, strikes: int, generator: random.Random, tally: Tally, *, other: bool) -> None:
    """One search, in which so many misfortunes strike; restarts of torchrun, or another worker, carry on.

    Args:
        folder: for all that it writes.
        size: how many ranks there are.
        strikes: how many misfortunes.
        generator: what is random is drawn from it.
        tally: what happened is added to it.
        other: whether torchrun restarts nothing, and a worker by itself ends the search.
    """
    root, evidence = folder / "root", folder / "evidence"
    evidence.mkdir(parents=True)
    trials = 3 * strikes + 2
    script = training(root, evidence, f"--trials={trials}", f"--epochs={_EPOCHS}", "--seconds=0.02")
    print(f"{size} ranks, {strikes} misfortunes, {'another worker' if other else 'restarts'}", flush=True)
    options = [] if other else [f"--max-restarts={strikes + 3}"]
    with torchrun(size, script, folder / "log", *options) as agent:
        for _ in range(strikes):
            _strike(evidence, size, generator, agent)
        status = agent.wait(_SECONDS)
    if other:
        alone = [sys.executable, *script]
        with (folder / "log").open("ab") as log:
            status = subprocess.run(
                alone, env=environment(), stdout=log, stderr=log, timeout=_SECONDS, check=False
            ).returncode
    entries = evidence_of(evidence)
    tally.slowest = max([tally.slowest, *_pauses(entries)])
    tally.strikes.update((size, what) for _, _, what in strikes_of(entries))
    wrong = wrong_with(root, entries, trials, size)
    if status != 0:
        wrong.append(f"the last process ended with status {status}")
    tally.wrong += [f"{size} ranks in {folder}: {line}" for line in wrong]


def _strike(evidence: Path, size: int, generator: random.Random, agent: subprocess.Popen[bytes]) -> None:
    """Have one misfortune strike, and wait until training goes on."""
    what, rank = generator.choice(_WHAT), generator.randrange(size)
    epoch = generator.randrange(1, _EPOCHS + 1)
    placed = order(evidence, what, rank=rank, epoch=epoch)
    wait_until(lambda: not placed.exists() or agent.poll() is not None, _SECONDS, f"{placed} to be done")
    struck = time.monotonic()

    def goes_on() -> bool:
        begun = (entry for entry in evidence_of(evidence) if entry["event"] == "begins")
        return agent.poll() is not None or any(entry["moment"] > struck for entry in begun)

    wait_until(goes_on, _SECONDS, f"training to go on after {placed.name}", poll_seconds=0.2)


def _pauses(entries: list[dict[str, Any]]) -> list[float]:
    struck = [entry["moment"] for entry in entries if entry["event"] == "struck"]
    begins = [entry["moment"] for entry in entries if entry["event"] == "begins"]
    return [min((moment - at for moment in begins if moment > at), default=0.0) for at in struck]


def main() -> int:
    """Rounds until enough has struck."""
    parser = argparse.ArgumentParser(prog="python -m ranks_storm", description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="how many misfortunes in all")
    parser.add_argument("--a-round", type=int, default=9, help="at most so many of them strike one search")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    began, generator, tally, left = time.monotonic(), random.Random(options.seed), Tally(), options.times
    for round_, size in enumerate(itertools.cycle((2, 4))):
        if left <= 0 or tally.wrong:
            break
        other = round_ % 4 >= 2
        strikes = 1 if other else min(options.a_round, left)  # without restarts, the first ends all ranks but `raise`
        storm(Path(tempfile.mkdtemp(prefix="ranks-")), size, strikes, generator, tally, other=other)
        left -= strikes
        print(f"{options.times - left} of {options.times}; {dict(tally.strikes)}; wrong: {tally.wrong}", flush=True)
    seconds = round(time.monotonic() - began, 1)
    result = _as_json(tally, options.seed, seconds)
    print(json.dumps(result, indent=2))
    if options.json is not None:
        options.json.write_text(json.dumps(result))
    return 1 if tally.wrong else 0


def _as_json(tally: Tally, seed: int, seconds: float) -> dict[str, Any]:
    names = {
        "sudden": "SIGKILL at any moment of one rank",
        "kill": "SIGKILL in an epoch of one rank",
        "term": "SIGTERM to one rank",
        "usr1": "SIGUSR1 to one rank",
        "raise": "an exception on one rank",
        "exit": "sys.exit on one rank",
    }
    survived = not tally.wrong
    rows = [
        {
            "scenario": f"{names[what]} of {size}",
            "faults": count,
            "survived": count if survived else 0,
            "detail": "restarted by torchrun, or carried on by another worker",
        }
        for (size, what), count in sorted(tally.strikes.items())
    ]
    what = (
        "Ranks of one torchrun that call neps.run together are killed, signalled, and fail at random. The next "
        f"evaluation began at most {tally.slowest:.0f} s after a misfortune, a restart of all ranks included."
    )
    return {
        "proof": "ranks",
        "what": what,
        "rows": rows,
        "wrong": tally.wrong,
        "seed": seed,
        "seconds": seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
