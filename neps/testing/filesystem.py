"""Is a filesystem fit for neps? A test suite over two views (mounts) of one folder; `neps check` runs it.

The views are one folder as seen by two mounts or, at least, by one. Real processes race on the primitives of
`neps._ledger.exclusive`, on which all correctness rests. On a cluster each view should be another client's: mount
twice, or give the same folder twice on one node first. All that is written lies in a folder of its own and is removed.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import multiprocessing
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import MappingProxyType
from typing import Self

from neps._ledger.exclusive import make_folder, move_away, publish
from neps._ledger.foreign import END_MARKER, is_complete, read
from neps.errors import ArgumentError

__all__ = ["CHECKS", "FilesystemContract", "Finding", "Probe", "shown_winners"]

_PATIENCE = 60.0  # the longest time for which clients of network filesystems keep what they know, by default
_PAD = 20_000
_VARIABLE = "NEPS_TEST_DIRECTORIES"
_NO_LINKS = (
    "hard links are not supported ({error}). neps publishes each document by a hard link; FAT, exFAT, most mounted "
    "object stores (s3fs, gcsfuse) and some FUSE filesystems have none. Choose a root_directory on another filesystem."
)

Job = Callable[[str, str, int], object]
"""What one process does in a race: called with its view of the folder, the race's name, and its own index."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What came of racing on one primitive: `winners` maps a number of winners to the races that had so many."""

    primitive: str
    winners: Mapping[int, int]
    problem: str | None = None


class Probe:
    """Processes that alternate between two views of one folder, as a context manager.

    Args:
        first: an existing folder.
        second: the same folder, seen by another mount (or by the same).
        rounds: races for each primitive, at least 1.
        processes: how many take part in a race, at least 2.

    Raises:
        ArgumentError: if these are not two views of one folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, Probe(folder, folder, rounds=2, processes=2) as probe:
        ...     CHECKS["mkdir"](probe)
        Finding(primitive='mkdir', winners={1: 2}, problem=None)
    """

    def __init__(self, first: str | Path, second: str | Path, *, rounds: int = 50, processes: int = 4) -> None:
        self.rounds = rounds
        self.hangs = False
        """Whether a process didn't come back; no race begins after that."""
        name = f".neps-filesystem-test-{uuid.uuid4().hex[:8]}"
        self.places = [f"{os.fspath(path)}/{name}" for path in (first, second)]
        self._size = processes
        self._numbers = itertools.count(1)
        self._crew: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []

    def __enter__(self) -> Self:
        os.mkdir(self.places[0])  # noqa: PTH102
        try:
            _require_one_folder(*self.places)
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process, connection in self._crew:
            connection.close()
            process.join(1)
            process.kill()
        self._crew.clear()
        shutil.rmtree(self.places[0], ignore_errors=True)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier = context.Barrier(self._size)  # which ends with the last reference to it in this process
        for index in range(self._size):
            ours, theirs = context.Pipe()
            place = self.places[index % 2]
            process = context.Process(target=_serve, args=(theirs, self._barrier, place, index), daemon=True)
            process.start()
            theirs.close()
            self._crew.append((process, ours))

    def races(self, job: Job, prepare: Callable[[str], object] = lambda _: None) -> Iterator[tuple[str, list[object]]]:
        """Race again and again: the name of each race, and what came of it for each process (an OSError: that)."""
        for _ in range(self.rounds):
            name = f"{job.__name__.strip('_')}-{next(self._numbers)}"
            prepare(f"{self.places[0]}/{name}")
            for _, connection in self._crew:
                connection.send((job, name))
            yield name, [self._answer(connection) for _, connection in self._crew]
            if self.hangs:
                return

    def _answer(self, connection: Connection) -> object:
        if self.hangs or not connection.poll(2 * _PATIENCE):
            self.hangs = True
            return OSError(f"no answer for {2 * _PATIENCE:g} s: the filesystem hangs")
        return _received(connection)


def _received(connection: Connection) -> object:
    try:
        return connection.recv()
    except (EOFError, OSError) as error:
        return OSError(f"a process ended: {error!r}")


def _serve(connection: Connection, barrier: Barrier, place: str, index: int) -> None:
    """The life of one process of a probe."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            job, name = connection.recv()
            os.path.lexists(f"{place}/{name}")  # a client may now remember that it isn't there
            barrier.wait(_PATIENCE)
            try:
                outcome = job(place, name, index)
            except OSError as error:
                outcome = error
            connection.send(outcome)


def _require_one_folder(first: str, second: str) -> None:
    """The folder was made through the first view. That mkdir fails through the second can't be a stale answer."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(second)  # noqa: PTH102
        os.rmdir(second)  # noqa: PTH106
        views = [os.path.dirname(path) for path in (first, second)]  # noqa: PTH120
        raise ArgumentError(
            f"{views[0]} and {views[1]} are different folders: what was made in the first isn't in the second. "
            "Give two mounts of the same folder, or one folder twice."
        )


# What the processes do


def _mkdir(place: str, name: str, index: int) -> bool:  # noqa: ARG001
    return make_folder(f"{place}/{name}")


def _publish(place: str, name: str, index: int) -> tuple[bool, str]:
    """Whether it won, and whose document is there then."""
    won = publish(place, name, _document(f"p{index}"), f"p{index}", patience=_PATIENCE)
    return won, _author(f"{place}/{name}")


def _move_away(place: str, name: str, index: int) -> bool:
    return move_away(f"{place}/{name}", f"{place}/{name}.{index}")


def _rename_onto_full(place: str, name: str, index: int) -> tuple[bool, str]:
    """Whether the rename succeeded, which it must not, and who has filled what is there then."""
    own = f"{place}/{name}.{index}"
    os.mkdir(own)  # noqa: PTH102
    Path(own, "file").write_bytes(_document(f"p{index}"))
    return move_away(own, f"{place}/{name}"), _author(f"{place}/{name}/file")


def _publish_under_readers(place: str, name: str, index: int) -> tuple[bool, str]:
    """The first publishes; the others read as fast as they can until they see a document that they may trust."""
    won = index == 0 and publish(place, name, _document("p0"), "p0", patience=_PATIENCE)
    return won, _author(f"{place}/{name}")


def _document(author: str) -> bytes:
    """Long enough for several blocks, and without anything that another author's has."""
    return f"author: {author}\npad: {author * _PAD}".encode() + END_MARKER


def _author(path: str) -> str:
    """Who has written the first document that may be trusted (as `is_complete` says) at a path."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        content = read(path)
        if content is not None and is_complete(content):
            author = content.partition(b"\n")[0].decode(errors="replace").removeprefix("author: ")
            return author if content == _document(author) else f"torn, {len(content)} bytes"
    return f"nobody's for {_PATIENCE:g} s"


# What must come of it


def _links(probe: Probe) -> Finding:
    for place in probe.places:
        source = f"{place}/linked.{uuid.uuid4().hex}"
        try:
            Path(source).touch()
            os.link(source, f"{source}.link")
        except OSError as error:
            return Finding("hard links", {}, _NO_LINKS.format(error=error))
    return Finding("hard links", {})


def _a_file(path: str) -> None:
    Path(path).write_bytes(_document("first"))


def _a_full_folder(path: str) -> None:
    os.mkdir(path)  # noqa: PTH102
    _a_file(f"{path}/file")


@dataclasses.dataclass(frozen=True, slots=True)
class _Race:
    """A check by races: each must have as many winners as are expected, and all must see the winner's document."""

    primitive: str
    job: Job
    prepare: Callable[[str], object] = lambda _: None
    winners: int = 1

    def __call__(self, probe: Probe) -> Finding:
        counts: collections.Counter[int] = collections.Counter()
        problems = []
        for name, outcomes in probe.races(self.job, self.prepare):
            winners = [f"p{index}" for index, outcome in enumerate(outcomes) if _has_won(outcome)]
            counts[len(winners)] += 1
            problems += [f"{name}: {problem}" for problem in _problems(self.winners, winners, outcomes)]
        return Finding(self.primitive, dict(counts), problems[0] if problems else None)


def _problems(expected: int, winners: list[str], outcomes: list[object]) -> Iterator[str]:
    for outcome in outcomes:
        if isinstance(outcome, OSError):
            yield repr(outcome)
    if len(winners) != expected:
        yield f"{len(winners)} processes succeeded, but exactly {expected} must"
    author = winners[0] if winners else "first"
    seen = {outcome[1] for outcome in outcomes if isinstance(outcome, tuple)}
    if seen - {author}:
        yield f"the document was written by {author}, but readers saw one by {sorted(seen)}"


def _has_won(outcome: object) -> bool:
    return outcome is True or (isinstance(outcome, tuple) and outcome[0] is True)


CHECKS: Mapping[str, Callable[[Probe], Finding]] = MappingProxyType(
    {
        "hard links": _links,
        "mkdir": _Race("mkdir", _mkdir),
        "link": _Race("link", _publish),
        "link under readers": _Race("link under readers", _publish_under_readers),
        "rename a file away": _Race("rename a file away", _move_away, _a_file),
        "rename a folder away": _Race("rename a folder away", _move_away, _a_full_folder),
        "rename onto a full folder": _Race("rename onto a full folder", _rename_onto_full, _a_full_folder, winners=0),
    }
)
"""What is checked, by primitive."""


class FilesystemContract:
    """What neps needs of a filesystem. Inherit from it, override `directories`, and begin the class's name with Test.

    `rounds` and `processes` are as in `Probe`.
    """

    rounds = 20
    processes = 4

    def directories(self) -> tuple[Path, Path]:
        """Two views of one existing folder; by default NEPS_TEST_DIRECTORIES="A:B".

        Raises:
            ArgumentError: if that isn't set so.
        """
        first, colon, second = os.environ.get(_VARIABLE, "").partition(":")
        if not (first and colon and second):
            raise ArgumentError(f'Set {_VARIABLE}="A:B", two views of one folder, or override directories().')
        return Path(first), Path(second)

    def check(self, primitive: str) -> None:
        """Race on one primitive.

        Raises:
            AssertionError: if it doesn't hold here; the message says what came of which race.
        """
        with Probe(*self.directories(), rounds=self.rounds, processes=self.processes) as probe:
            finding = CHECKS[primitive](probe)
        assert finding.problem is None, f"{primitive}: {finding.problem} (winners: {shown_winners(finding)})"

    def test_hard_links_are_supported(self) -> None:
        """Publishing is a hard link."""
        self.check("hard links")

    def test_mkdir_has_one_winner(self) -> None:
        """Reserving a number is a mkdir."""
        self.check("mkdir")

    def test_link_has_one_winner_whom_all_read(self) -> None:
        """What decides is a link, and those who lose it read the winner's document."""
        self.check("link")

    def test_readers_never_trust_a_torn_document(self) -> None:
        """A linked file may be seen short for a moment, but then not with its end."""
        self.check("link under readers")

    def test_rename_away_has_one_winner(self) -> None:
        """Taking a file or folder away is a rename to a name of one's own."""
        self.check("rename a file away")
        self.check("rename a folder away")

    def test_full_folder_is_not_replaced(self) -> None:
        """A rename onto a full folder fails, and loses nothing."""
        self.check("rename onto a full folder")


def shown_winners(finding: Finding) -> str:
    """How many winners there were in how many races, in words."""
    return ", ".join(f"{winners} in {races} races" for winners, races in sorted(finding.winners.items())) or "-"
