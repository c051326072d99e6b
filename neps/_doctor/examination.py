"""The examination of a root: this host, then every trial, then the rest; all findings in the order of their weight.

Reads each folder and each file of the ledger in it once. It writes only to probe (a folder that it removes) and, when
told, to mend. Called by the command line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from neps._api.retrying import Retrying
from neps._doctor.finding import Finding, Kind, Standing
from neps._doctor.host import Host, host_findings, look_at_host, probe_findings
from neps._doctor.root_files import cache_findings, read_cache, root_findings
from neps._doctor.trials import Examined, Surroundings, examine_trial
from neps._doctor.workers import Presence, find_workers, is_alive, unpublished_runs, worker_findings
from neps._ledger.definition import Definition
from neps._ledger.layout import RESULT, TRIAL, Layout, end_name
from neps._ledger.reading import read_definition, root_of
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import trial_of
from neps._ledger.trust import Trust
from neps._listing import counted
from neps._trial import Decision, Trial
from neps.space import SearchSpace

__all__ = ["Report", "examine"]

_MOST = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What was found in a root; `standings` says where each trial stands, `workers` how many live."""

    root: str
    definition: Definition
    host: Host
    probed: bool
    workers: int
    standings: Mapping[int, Standing]
    findings: Sequence[Finding]

    @property
    def wrong(self) -> int:
        """How many findings somebody has to do something about."""
        return sum(finding.wrong for finding in self.findings)


def examine(root_directory: str | Path, *, probe: bool = True) -> Report:
    """Look at all of a root.

    Args:
        root_directory: where the run lies.
        probe: whether to race on the filesystem's primitives, too, if this user may write.

    Raises:
        neps.errors.DirectoryError: if there is no run, or neps.yaml can't be read.
    """
    root = root_of(root_directory)
    definition = read_definition(root)
    layout, host, lease = Layout(root, definition.run), look_at_host(root), definition.lease_seconds
    probed = probe and host.refused is None
    findings = [*host_findings(root, host), *(probe_findings(root) if probed else ())]
    present, cache = find_workers(layout, host.now), read_cache(layout)
    living = sum(each.identity is not None and is_alive(each.identity, each.age, lease) for each in present)
    around = _surroundings(layout, definition, host, present, frozenset(cache.payloads), busy=living > 0)
    examined = [examine_trial(TrialFolder(layout, number), around) for number in sorted(layout.numbers())]
    findings += [finding for each in examined for finding in each.findings]
    findings += [*worker_findings(present, lease), *unpublished_runs(layout, host.now, lease)]
    findings += cache_findings(layout, cache, _results(layout, examined))
    findings += root_findings(layout, around.authors, host.now)
    findings += [*_same_configurations(examined), *_copied(layout, examined), *_not_writable(layout, examined, host)]
    order = list(Kind)
    findings.sort(key=lambda finding: (not finding.wrong, order.index(finding.kind), finding.trial or 0))
    standings = {each.number: each.standing for each in examined}
    return Report(root, definition, host, probed, living, standings, findings)


def _surroundings(
    layout: Layout, definition: Definition, host: Host, present: list[Presence], cached: frozenset[int], *, busy: bool
) -> Surroundings:
    space = SearchSpace.from_definition(definition.space, definition.forbid)
    retrying = functools.cache(lambda: Retrying(layout.root))
    return Surroundings(
        root=layout.root,
        trust=Trust(layout, None, definition.lease_seconds, functools.partial(Decision.check, space=space)),
        now=host.now,
        cached=cached,
        authors={each.identity.worker: each.identity for each in present if each.identity is not None},
        busy=busy,
        refusal=lambda number: retrying().refusal(number),
        retry=lambda number: "; ".join(Retrying(layout.root).retry(number).said),
    )


def _results(layout: Layout, examined: Sequence[Examined]) -> dict[int, Trial]:
    """The trials whose folders tell a result."""
    found = {}
    for each in examined:
        if each.state is not None and each.state.result is not None:
            with contextlib.suppress(OSError):
                found[each.number] = trial_of(TrialFolder(layout, each.number), each.state)
    return found


# What takes several trials to see


def _same_configurations(examined: Sequence[Examined]) -> Iterator[Finding]:
    groups = defaultdict(list)
    for each in examined:
        if each.state is not None:
            decision = each.state.decision
            key = json.dumps(
                [dict(decision.config), decision.fidelity, decision.previous], sort_keys=True, default=repr
            )
            groups[key].append(each.number)
    same = [numbers for numbers in groups.values() if len(numbers) > 1]
    if same:
        shown = "; ".join(", ".join(map(str, numbers[:_MOST])) for numbers in same[:_MOST])
        more = f" and {len(same) - _MOST} more" if len(same) > _MOST else ""
        yield Finding(
            kind=Kind.DUPLICATE,
            what=f"{counted(len(same), 'configuration')} several trials have: {shown}{more}",
            optimizer="Each is a trial of its own: evaluated, counted and learnt from.",
            advice="Nothing has to be done: a searcher may decide so, above all in a small space.",
            wrong=False,
        )


def _copied(layout: Layout, examined: Sequence[Examined]) -> Iterator[Finding]:
    """Files that are one, and lie here twice; or that have a name elsewhere, too."""
    read = [each for each in examined if each.state is not None]
    copied = [each.number for each in read if _is_copied(layout.trial(each.number), each)]
    linked = [each.number for each in read if _is_linked(layout.trial(each.number))]
    if copied:
        yield Finding(
            kind=Kind.DUPLICATE,
            what=f"{_shown(copied)}: {RESULT} is a copy of its attempt's end, so this root was copied",
            optimizer="It goes on here, and knows nothing of the root that this was copied from.",
            advice="Let workers run in one of the two: with the same seed, both decide the same.",
            path=layout.root,
            wrong=False,
        )
    if linked:
        yield Finding(
            kind=Kind.DUPLICATE,
            what=f"{_shown(linked)}: {TRIAL} has another name elsewhere (a copy by hard links, such as `cp -al`)",
            optimizer="It never edits a document in place, so neither copy changes the other's documents; reports are "
            "appended, and reach both.",
            advice="Don't start workers in both.",
            path=layout.root,
            wrong=False,
        )


def _is_copied(folder: str, trial: Examined) -> bool:
    """Whether result.yaml isn't the same file as the end that it was linked from, though both are whole."""
    if trial.state is None or any(finding.kind is Kind.TORN for finding in trial.findings):
        return False
    result, end = _status(f"{folder}/{RESULT}"), _status(f"{folder}/{end_name(trial.state.start.attempt)}")
    return result is not None and end is not None and result.st_ino != end.st_ino


def _is_linked(folder: str) -> bool:
    """Whether trial.yaml has a name elsewhere: a staged one, which has not gone, lies beside it."""
    decision = _status(f"{folder}/{TRIAL}")
    if decision is None or decision.st_nlink == 1:
        return False
    with contextlib.suppress(OSError):
        return not any(name.startswith(f".{TRIAL}.") for name in os.listdir(folder))  # noqa: PTH208
    return False


def _status(path: str) -> os.stat_result | None:
    with contextlib.suppress(OSError):
        return os.lstat(path)
    return None


def _shown(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _MOST} more" if len(numbers) > _MOST else ""
    return f"trial {', '.join(map(str, numbers[:_MOST]))}{more}"


def _not_writable(layout: Layout, examined: Sequence[Examined], host: Host) -> Iterator[Finding]:
    """Folders of unfinished trials that this user can't write to, though the root can be written."""
    if host.refused is not None:
        return
    ended = {Standing.SUCCESS, Standing.FAILED, Standing.DAMAGED}
    numbers = [
        each.number
        for each in examined
        if each.standing not in ended and not os.access(layout.trial(each.number), os.W_OK | os.X_OK)
    ]
    if numbers:
        yield Finding(
            kind=Kind.PERMISSION,
            what=f"{_shown(numbers)}: this user (uid {host.user}) can't write there",
            optimizer="Workers of this user can't resume these trials; those of their owner can.",
            advice=f"Have the owner allow it (`chmod -R g+rwX {layout.root}`, and umask 002 for all workers).",
            path=layout.root,
        )


def counted_standings(report: Report) -> str:
    """How many trials stand where, in words."""
    counts = Counter(report.standings.values())
    return ", ".join(f"{counts[standing]} {standing}" for standing in Standing if counts[standing]) or "none"
