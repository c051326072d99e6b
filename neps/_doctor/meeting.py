"""Two hosts that run `neps doctor ROOT --together` at once: they find each other, and measure what lies between them.

Each has a folder of its own in `.neps/doctor/`, and writes only there, but for the names that they race for. What one
changes the other looks for as workers do, and answers with a change of the same kind: how long that takes, there and
back, bounds how late either sees the other. Clocks are compared by what is written in messages. Called by the command.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

from neps._doctor.finding import Finding, Kind
from neps._ledger import documents
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import make_folder, publish
from neps._ledger.foreign import change_mark, read
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import parsed
from neps._ledger.whole_files import Staged
from neps.errors import DirectoryError

__all__ = ["Between", "Meeting", "between_findings"]

_POLL = 0.02
_RACES = 20
_RACE_SECONDS = 0.05
_LEAD_SECONDS = 1.0
_LEASES = 3
_TOUCHED = 1_000_000_000
_HEARTBEAT = "time of change"


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """What was measured between this host and `other`.

    `late` are the seconds, there and back, until a change was answered, by its kind (infinite: not within the
    patience); `ahead` by how many seconds this host's clock is, give or take `give`; `races` how many names both raced
    for, and `problems` what was wrong with them.
    """

    other: str
    late: Mapping[str, float]
    ahead: float
    give: float
    races: int
    problems: list[str]

    @property
    def lease_seconds(self) -> float:
        """What the lease must be at least: three times as long as a heartbeat may be seen late.

        All else that is seen late costs time only: nothing is concluded from a name that isn't there.
        """
        return _LEASES * self.late[_HEARTBEAT]


class Meeting:
    """One side of a meeting; as a context manager, it removes its folder in the end.

    Args:
        layout: the run's.
        wait: seconds to wait for the other.
        patience: seconds to wait for each of its answers: longer than any client keeps what it knows.
    """

    def __init__(self, layout: Layout, *, wait: float = 600.0, patience: float = 90.0) -> None:
        self.me = Identity.mine()
        self._place = f"{layout.hidden}/doctor"
        self._own = f"{self._place}/{self.me.worker}"
        self._wait, self._patience = wait, patience

    def __enter__(self) -> Self:
        os.makedirs(self._own, exist_ok=True)  # noqa: PTH103
        self._tell("hello.yaml", self.me.to_document())
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._own, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(self._place)  # noqa: PTH106

    def measure(self) -> Between:
        """Find the other, and measure.

        Raises:
            DirectoryError: if nobody came, or the other has left.
        """
        other = self._find()
        theirs = f"{self._place}/{other.worker}"
        leads = self.me.worker < other.worker
        late = {kind: self._ping(theirs, kind, leads=leads) for kind in _CHANGES}
        ahead, give = self._compare_clocks(theirs, leads=leads)
        won = self._race(theirs, ahead, leads=leads)
        self._tell("won.yaml", {"links": won[0], "folders": won[1], "late": _finite(late)})
        told = self._hear(theirs, "won.yaml")
        late = {kind: max(late[kind], _infinite(told["late"][kind])) for kind in late}
        problems = _problems("link", won[0], told["links"]) + _problems("mkdir", won[1], told["folders"])
        self._tell("bye.yaml", {"done": True})
        with contextlib.suppress(DirectoryError):  # it has left already: it has heard all
            self._hear(theirs, "bye.yaml", gone=theirs)
        return Between(other.host, late, ahead, give, _RACES, problems)

    def _find(self) -> Identity:
        """Of those who show life, the first that names this one as its partner, as this one has named it."""
        partner, first = "", dict[str, int | None]()
        deadline = time.monotonic() + self._wait
        while time.monotonic() < deadline:
            os.utime(f"{self._own}/hello.yaml")
            for name in self._others():
                hello = f"{self._place}/{name}/hello.yaml"
                mark = _mark(hello)
                if first.setdefault(name, mark) == mark:  # as one that died leaves it
                    continue
                if not partner:
                    partner = name
                    self._tell("partner.yaml", {"partner": name})
                named, identity = self._read(f"{self._place}/{name}/partner.yaml"), self._read(hello)
                if name == partner and named and identity and named.get("partner") == self.me.worker:
                    return parsed(hello, functools.partial(Identity.from_document, identity))
            time.sleep(5 * _POLL)
        raise DirectoryError(
            f"No other host has answered in {self._place} for {self._wait:g} s. Start `neps doctor ROOT --together` on "
            "two hosts, with the same root_directory, within that time."
        )

    def _others(self) -> list[str]:
        with contextlib.suppress(OSError):
            return sorted(name for name in os.listdir(self._place) if name != self.me.worker)  # noqa: PTH208
        return []

    # How late

    def _ping(self, theirs: str, kind: str, *, leads: bool) -> float:
        """One change of that kind, and its answer: how long that took for the one who leads, 0 for the other."""
        change, is_seen = _CHANGES[kind]
        name = f"ping_{list(_CHANGES).index(kind)}"
        change(self._own, name, 0)
        self._tell(f"ready_{name}.yaml", {"ready": True})
        self._hear(theirs, f"ready_{name}.yaml")
        is_seen(theirs, name)  # a client may now remember what it has seen
        began = time.monotonic()
        if leads:
            change(self._own, name, 1)
            return self._await(lambda: is_seen(theirs, name), began)
        self._await(lambda: is_seen(theirs, name), began)
        change(self._own, name, 1)
        return 0.0

    def _await(self, holds: Callable[[], bool], began: float) -> float:
        while not holds():
            if time.monotonic() - began > self._patience:
                return float("inf")
            time.sleep(_POLL)
        return time.monotonic() - began

    def _compare_clocks(self, theirs: str, *, leads: bool) -> tuple[float, float]:
        """By how much this clock is ahead: both say when they have written and heard, in one exchange."""
        if leads:
            sent = time.time()
            self._tell("asked.yaml", {"sent": sent})
            answer = self._hear(theirs, "answered.yaml")
            heard = time.time()
            trip = (heard - sent) - (answer["sent"] - answer["heard"])
            ahead = ((sent - answer["heard"]) + (heard - answer["sent"])) / 2
            self._tell("clocks.yaml", {"ahead": ahead, "give": max(0.0, trip / 2)})
            return ahead, max(0.0, trip / 2)
        self._hear(theirs, "asked.yaml")
        heard = time.time()
        self._tell("answered.yaml", {"heard": heard, "sent": time.time()})
        told = self._hear(theirs, "clocks.yaml")
        return -told["ahead"], told["give"]

    # Races

    def _race(self, theirs: str, ahead: float, *, leads: bool) -> tuple[list[int], list[int]]:
        """Race for names at moments that both know: the numbers of those that this one has won."""
        place = f"{self._place}/{min(self.me.worker, os.path.basename(theirs))}"  # noqa: PTH119
        if leads:
            self._tell("race.yaml", {"at": time.time() + _LEAD_SECONDS})
            at = time.time() + _LEAD_SECONDS
        else:
            at = self._hear(theirs, "race.yaml")["at"] + ahead
        links, folders = [], []
        for number in range(_RACES):
            _sleep_until(at + 2 * number * _RACE_SECONDS)
            content = documents.encode({"number": number, "by": self.me.worker})
            if publish(place, f"raced_{number}.yaml", content, self.me.token):
                links.append(number)
            _sleep_until(at + (2 * number + 1) * _RACE_SECONDS)
            if make_folder(f"{place}/raced_{number}"):
                folders.append(number)
        return links, folders

    # Messages

    def _tell(self, name: str, fields: Mapping[str, Any]) -> None:
        publish(self._own, name, documents.encode(fields), self.me.token)

    def _hear(self, theirs: str, name: str, gone: str | None = None) -> dict[str, Any]:
        """A message of the other; listing its folder first makes a client look again that remembers an absence."""
        deadline = time.monotonic() + 2 * self._patience
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                os.listdir(theirs)  # noqa: PTH208
            if (fields := self._read(f"{theirs}/{name}")) is not None:
                return fields
            if gone is not None and not os.path.lexists(gone):
                break
            time.sleep(_POLL)
        raise DirectoryError(f"The other host has said nothing more in {theirs} for {2 * self._patience:g} s.")

    def _read(self, path: str) -> dict[str, Any] | None:
        with contextlib.suppress(UnreadableDocumentError, OSError):
            return documents.load(path)
        return None


def _sleep_until(moment: float) -> None:
    time.sleep(min(max(0.0, moment - time.time()), 2 * _LEAD_SECONDS))


def _finite(late: Mapping[str, float]) -> dict[str, float]:
    return {kind: -1.0 if seconds == float("inf") else seconds for kind, seconds in late.items()}


def _infinite(seconds: float) -> float:
    return float("inf") if seconds < 0 else seconds


def _problems(what: str, mine: list[int], theirs: list[int]) -> list[str]:
    both = sorted({*mine} & {*theirs})
    nobody = sorted({*range(_RACES)} - {*mine} - {*theirs})
    said = [f"{what}: both hosts have won {len(both)} of {_RACES} races"] if both else []
    return said + ([f"{what}: neither host has won {len(nobody)} of {_RACES} races"] if nobody else [])


# Changes, and how each is looked for


def _make(folder: str, name: str, turn: int) -> None:
    if turn:
        os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))


def _touch(folder: str, name: str, turn: int) -> None:
    path = f"{folder}/{name}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
    if turn:
        os.utime(path, (_TOUCHED, _TOUCHED))


def _replace(folder: str, name: str, turn: int) -> None:
    with Staged(f"{folder}/.{name}.{turn}") as staged:
        staged.write(b"%d" % turn, durable=True)
        staged.replace(f"{folder}/{name}")


def _is_there(folder: str, name: str) -> bool:
    return os.path.lexists(f"{folder}/{name}")


def _is_listed(folder: str, name: str) -> bool:
    with contextlib.suppress(OSError):
        return name in os.listdir(folder)  # noqa: PTH208
    return False


def _is_touched(folder: str, name: str) -> bool:
    return _mark(f"{folder}/{name}") == _TOUCHED * 10**9


def _is_replaced(folder: str, name: str) -> bool:
    with contextlib.suppress(OSError):
        return read(f"{folder}/{name}") == b"1"
    return False


def _mark(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return change_mark(path)
    return None


_CHANGES: Mapping[str, tuple[Callable[[str, str, int], None], Callable[[str, str], bool]]] = MappingProxyType(
    {
        "new name": (_make, _is_there),
        "new name in a listing": (_make, _is_listed),
        _HEARTBEAT: (_touch, _is_touched),
        "content": (_replace, _is_replaced),
    }
)


def between_findings(between: Between, lease: float, root: str) -> Iterator[Finding]:
    """What of it is wrong for a run with this lease."""
    for problem in between.problems:
        yield Finding(
            kind=Kind.FILESYSTEM,
            what=f"between this host and {between.other}: {problem}",
            optimizer="It relies on one winner: a trial may be decided twice, or a result be lost.",
            advice="Choose a root_directory on another filesystem.",
            path=root,
        )
    if between.lease_seconds > lease:
        worst = between.late[_HEARTBEAT]
        seen = "missed" if worst == float("inf") else f"seen {worst:.1f} s late"
        mount = "have the mount keep attributes for less long (NFS: actimeo)."
        longer = f"Start runs with lease_seconds={between.lease_seconds:.0f} or more here, or {mount}"
        yield Finding(
            kind=Kind.FILESYSTEM,
            what=f"between this host and {between.other} a heartbeat may be {seen}, and lease_seconds is {lease:g}",
            optimizer="Workers that live may be taken for dead: then their trials are evaluated twice. No result is "
            "lost or counted twice.",
            advice=f"H{mount[1:]}" if worst == float("inf") else longer,
            path=root,
        )
