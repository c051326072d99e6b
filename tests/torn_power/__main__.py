"""The program: workers search on a disk, whose power is cut at many moments of that; each time a worker goes on."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from proofs.record import Record, Row, arguments
from rigs.write_log import Cut, Fate, cut_images
from stress.evidence import numbers
from system_calls.place import in_log, played
from torn_power.disk import Disk, disk_available
from torn_power.searching import SEARCHES, Powered, Search, work
from torn_power.verdict import beginnings, lost, wrong_in_the_end

_WHAT = (
    "Workers search on an ext4 whose writes and syncs are logged below the block layer. Then the power is cut at many "
    "moments of that log: in the moment of an announcement, at a sync, or anywhere. What was synced is on the disk; of "
    "the rest nothing, all, or a random part, down to a sector. The journal is replayed. All that was announced must "
    "be there and whole, checkpoints too, and a worker goes on to an exact budget."
)
_MODES = ("data=ordered", "data=writeback", "data=journal")
_TRIALS, _WORKERS, _DEADLINE = 8, 2, 300.0
_A_ROUND = 4  # so many cuts of a search at least
_FATES: tuple[Fate, ...] = ("nothing", "some", "everything")


def main() -> int:
    """Entry: 1 if anything is wrong."""
    options = arguments("torn_power", _WHAT, "how many power cuts (default: 60)").parse_args()
    if reason := disk_available():
        sys.exit(f"error: {reason}")
    began, rng = time.monotonic(), random.Random(options.seed)
    times = options.times or 60
    kinds = list(itertools.product(_MODES, SEARCHES))
    rounds = rng.sample(kinds, k=min(len(kinds), max(1, times // _A_ROUND)))
    print(f"{times} power cuts in {len(rounds)} searches; seed {options.seed}", flush=True)
    shares = [times // len(rounds) + (index < times % len(rounds)) for index in range(len(rounds))]
    played_rounds = [_round(mode, search, cuts, rng) for (mode, search), cuts in zip(rounds, shares, strict=True)]
    rows = tuple(sorted((row for row, _ in played_rounds), key=lambda row: row.scenario))
    bad = tuple(why for _, wrong in played_rounds for why in wrong)
    record = Record("torn power", _WHAT, rows, bad, options.seed, round(time.monotonic() - began, 1))
    print("\n".join(["nothing is wrong" if not bad else "this is wrong:", *bad]))
    if options.json:
        record.write(options.json)
    return 1 if bad else 0


def _round(mode: str, search: Search, cuts: int, rng: random.Random) -> tuple[Row, list[str]]:
    """One search, and its power cuts."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - where syncing is quick
    with tempfile.TemporaryDirectory(prefix="neps-power-", dir=memory) as name:
        folder = Path(name)
        disk = Disk(folder, mode)
        place = Powered(folder, disk.target, disk.log)
        with disk.mounted():
            _search_together(place, search)
        shutil.copy(place.evidence, folder / "all.jsonl")
        counts, wrong = Counter[str](), list[str]()
        for cut, image in cut_images(disk.log, disk.start, _cuts(place, cuts, rng), rng):
            found = _after(_Case(place, search, cut, counts), disk, image)
            counts["survived"] += not found
            if found:
                wrong.append(f"ext4, {mode}, {search.name}, {cut}: {'; '.join(found)}")
                print(wrong[-1], flush=True)
    detail = f"looked for {counts['results']:,} announced results"
    row = Row(f"ext4, `{mode}`, {search.name}", cuts, counts["survived"], detail)
    print(row, flush=True)
    return row, wrong


def _search_together(place: Powered, search: Search) -> None:
    """Workers, of which all must end well."""
    pids = []
    for _ in range(_WORKERS):
        sys.stdout.flush()
        if (pid := os.fork()) == 0:
            os._exit(abs(played(in_log(lambda _: work(place, search, _TRIALS), place), _DEADLINE)))
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert not any(codes), place.log.read_text()


def _cuts(place: Powered, count: int, rng: random.Random) -> list[Cut]:
    """In turn: in the moment of an announcement, right before it, and anywhere after the first trial's begin."""
    told = [entry.facts["position"] for entry in place.told()]
    ends = [entry.facts["position"] for entry in place.told() if entry.event in {"ended", "saved"}]
    first, last = min(told), place.log_of_disk.stat().st_size
    cuts = []
    for index in range(count):
        moment = [rng.choice(ends), rng.choice(ends) - 1, rng.randint(first, last)][index % 3]
        cuts.append(Cut(moment, rng.choice(_FATES)))
    return cuts


@dataclasses.dataclass(frozen=True)
class _Case:
    """A power cut of a search."""

    place: Powered
    search: Search
    cut: Cut
    counts: Counter[str]


def _after(case: _Case, disk: Disk, image: Path) -> list[str]:
    """Mount what is left, look, and let a worker go on: what is wrong."""
    place, root = case.place, case.place.root
    shutil.copy(place.folder / "all.jsonl", place.evidence)
    told = place.told_before(case.cut.position)
    lines = place.evidence.read_text().splitlines(keepends=True)
    place.evidence.write_text("".join(line for line, entry in zip(lines, place.told(), strict=True) if entry in told))
    case.counts["results"] += sum(entry.event == "ended" for entry in told)
    place.log.unlink(missing_ok=True)
    with disk.after_cut(image):
        found = list(lost(root, told, keeps=case.search.keeps))
        if found:
            return found
        began, trials = beginnings(root), min(_TRIALS, max(numbers(root), default=0) + 1)
        code = played(in_log(lambda _: work(place, case.search, trials), place), _DEADLINE)
        if code:
            return [f"the worker that goes on ended with {code}: {place.log.read_text()[-500:]}"]
        return list(wrong_in_the_end(place, trials, began, len(told)))


if __name__ == "__main__":
    sys.exit(main())
