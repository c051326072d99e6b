"""Power cuts, played from a log of writes: what was synced lasts, and of the rest a part, down to a sector."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rigs.write_log import Cut, Fate, WriteLog, cut_images

SIZE = 16 * 1024
OLD, SYNCED, LATE = b"o", b"s", b"l"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(OLD * SIZE)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def written(log: Path) -> tuple[int, int]:
    """8 sectors that are synced, and 8 that are not: where the log was before, and in between."""
    recorder = WriteLog(log)
    recorder.written(0, SYNCED * 4096)
    before = log.stat().st_size
    recorder.synced()
    synced = log.stat().st_size
    recorder.written(8192, LATE * 4096)
    return before, synced


def image(log: Path, disk: Path, position: int, fate: Fate, seed: int = 1) -> bytes:
    (content,) = [path.read_bytes() for _, path in cut_images(log, disk, [Cut(position, fate)], random.Random(seed))]
    return content


def test_what_was_synced_is_there_and_what_was_not_may_be_missing(log: Path, disk: Path) -> None:
    written(log)
    end = log.stat().st_size
    assert image(log, disk, end, "nothing") == SYNCED * 4096 + OLD * (SIZE - 4096)


def test_everything_may_have_been_done(log: Path, disk: Path) -> None:
    written(log)
    whole = SYNCED * 4096 + OLD * 4096 + LATE * 4096 + OLD * 4096
    assert image(log, disk, log.stat().st_size, "everything") == whole


def test_some_of_it_are_whole_sectors(log: Path, disk: Path) -> None:
    written(log)
    late = {seed: image(log, disk, log.stat().st_size, "some", seed)[8192:12288] for seed in range(20)}
    sectors = {part[place : place + 512] for part in late.values() for place in range(0, 4096, 512)}
    assert sectors == {OLD * 512, LATE * 512}
    assert len(set(late.values())) > 10


def test_before_it_was_synced_it_need_not_last(log: Path, disk: Path) -> None:
    before, synced = written(log)
    assert image(log, disk, before, "nothing") == OLD * SIZE
    assert image(log, disk, synced, "nothing")[:4096] == SYNCED * 4096


def test_cuts_come_in_the_order_of_the_log(log: Path, disk: Path) -> None:
    before, synced = written(log)
    cuts = [Cut(synced, "nothing"), Cut(0, "everything"), Cut(before, "everything")]
    assert [cut.position for cut, _ in cut_images(log, disk, cuts, random.Random(1))] == [0, before, synced]
