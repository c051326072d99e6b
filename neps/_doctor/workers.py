"""Who works on a run now, as far as files tell: each worker's presence, and what it touched last.

And runs that never were: a worker that starts one is present before neps.yaml names it, and may die in between.

Ages are by the filesystem's own clock where this user may write, so other hosts' clocks don't matter. Called by the
examination.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence

from neps._doctor.finding import Finding, Kind, Mend
from neps._doctor.leftovers import removal
from neps._ledger import documents
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.earlier import earlier_run_ids
from neps._ledger.foreign import change_mark
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import parsed
from neps._listing import counted

__all__ = ["Presence", "find_workers", "is_alive", "unpublished_runs", "worker_findings"]


@dataclasses.dataclass(frozen=True, slots=True)
class Presence:
    """A worker's file in `.neps/RUN/workers`; `identity` is None if it can't be read, `age` is of the last touch."""

    path: str
    identity: Identity | None
    age: float


def find_workers(layout: Layout, now: float) -> list[Presence]:
    """The presences; `now` is the filesystem's time."""
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(layout.presence))  # noqa: PTH208
        return [found for name in names if (found := _presence(f"{layout.presence}/{name}", now)) is not None]
    return []


def _presence(path: str, now: float) -> Presence | None:
    identity: Identity | None = None
    with contextlib.suppress(UnreadableDocumentError, OSError):
        if (fields := documents.load(path)) is not None:
            identity = parsed(path, functools.partial(Identity.from_document, fields))
    with contextlib.suppress(OSError):
        if (mark := change_mark(path)) is not None:
            return Presence(path, identity, now - mark / 1e9)
    return None


def is_alive(identity: Identity, age: float, lease: float) -> bool:
    """Whether a worker lives, for all that can be seen: on this host by its process, elsewhere by its last touch."""
    if identity.is_neighbour_of(Identity.mine()):
        return not identity.proven_dead()
    return age <= lease


def worker_findings(present: list[Presence], lease: float) -> Iterator[Finding]:
    """Presences of workers that don't live any more."""
    for each in present:
        dead = each.identity is not None and each.identity.proven_dead()
        if dead or each.age > lease:
            name = os.path.basename(each.path).removesuffix(".yaml")  # noqa: PTH119
            why = "its process has ended" if dead else f"it was last touched {each.age:.0f} s ago"
            yield Finding(
                kind=Kind.STALE,
                what=f"worker {name} has left its presence behind: {why}",
                optimizer="Only overwrite_working_directory reads it, and waits up to a lease for a sign of life.",
                advice="Nothing has to be done.",
                path=each.path,
                wrong=False,
                mend=Mend("remove it", functools.partial(_remove, each.path)) if dead else None,
            )


def unpublished_runs(layout: Layout, now: float, lease: float) -> Iterator[Finding]:
    """Folders in `.neps/` that hold dead workers' presences and no more, of neither this run nor an earlier one."""
    found = [path for path in _presences_only(layout) if _is_left(layout, path, now, lease)]
    if found:
        yield Finding(
            kind=Kind.STALE,
            what=f"{counted(len(found), 'run')} that a worker began and never published, first {found[0]}: it died "
            "before that, or another worker was first",
            optimizer="It ignores that.",
            advice="`--mend` removes what is left.",
            path=layout.hidden,
            wrong=False,
            mend=Mend(f"remove {counted(len(found), 'folder')}", functools.partial(_remove_all, found)),
        )


def _is_left(layout: Layout, path: str, now: float, lease: float) -> bool:
    """Whether nobody has touched a folder of presences for a lease, and nobody who is present may live."""
    with contextlib.suppress(OSError):
        age = now - os.lstat(f"{path}/workers").st_mtime
        present = find_workers(Layout(layout.root, os.path.basename(path)), now)  # noqa: PTH119
        return age > lease and not any(_may_live(each, lease) for each in present)
    return False


def _may_live(presence: Presence, lease: float) -> bool:
    """Whether a worker lives; one whose presence can't be read, if it was touched lately."""
    who, age = presence.identity, presence.age
    return age <= lease if who is None else is_alive(who, age, lease)


def _presences_only(layout: Layout) -> Iterator[str]:
    known = {layout.run, *earlier_run_ids(layout.root)}
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(layout.hidden)):  # noqa: PTH208
            path = f"{layout.hidden}/{name}"
            with contextlib.suppress(OSError):
                if name not in known and os.listdir(path) == ["workers"]:  # noqa: PTH208
                    yield path


def _remove(path: str) -> str:
    os.unlink(path)  # noqa: PTH108
    return f"removed {path}"


def _remove_all(paths: Sequence[str]) -> str:
    return "\n".join(removal(path)() for path in paths)
