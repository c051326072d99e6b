"""`neps clean`: deletes earlier runs, and says of each what it was. Which there are is the ledger's to say."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from neps._cli.roots import one_root
from neps._ledger.earlier import EarlierRun, confirming, delete, find_runs
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.reading import no_run, root_of
from neps._ledger.storage import shown_size
from neps._listing import counted
from neps.errors import ArgumentError, DirectoryError

__all__ = ["clean"]


@click.command()
@one_root
@click.argument("more", metavar="[RUN]...", nargs=-1)
@click.option("--run", "names", metavar="RUN", multiple=True, help="The same as RUN.")
@click.option("--keep", metavar="N", type=click.IntRange(min=0), help="Keep the N latest ones.")
@click.option("--dry-run", "dry", is_flag=True, help="Only print what would be deleted.")
def clean(root: str, more: tuple[str, ...], names: tuple[str, ...], keep: int | None, *, dry: bool) -> int:
    """Delete earlier runs.

    Deletes the runs that overwrite_working_directory has moved aside: all of them, or those of the names RUN in
    ROOT/overwritten. It is safe at any time, and the run in ROOT itself stays as it is.
    """
    if keep is not None and (names or more):
        raise ArgumentError(f"Both the names of runs and --keep {keep} are given: give one or the other.")
    return _clean(root, [*names, *more], keep=keep or 0, dry=dry)


def _clean(root_directory: str, names: Sequence[str], *, keep: int, dry: bool) -> int:
    """Delete the earlier runs of these names, or all but the `keep` latest; if `dry`, only say which."""
    layout = _layout_of(root_directory)
    place = find_runs(layout.root)
    all_known = _say_unknown(names, place.runs, layout)
    chosen = [run for run in place.runs if run.name in names] if names else place.runs[keep:]
    _say_kept([run for run in place.runs if run not in chosen], place.others)
    if dry:
        _say_chosen(chosen)
    done = dry or _delete_all(layout, chosen, place.remains, kept=bool(place.runs))
    return 0 if done and all_known else 1


def _layout_of(root_directory: str) -> Layout:
    """The paths of a root that holds a run, or an earlier one."""
    layout = Layout(root_of(root_directory))
    if not any(map(os.path.lexists, (layout.definition, layout.overwritten))):
        raise no_run(layout.root, f"holds no run, and no earlier one in {layout.overwritten}")
    return layout


def _say_unknown(names: Sequence[str], runs: Sequence[EarlierRun], layout: Layout) -> bool:
    """Say which names are no run's; whether all are."""
    unknown = [name for name in names if name not in {run.name for run in runs}]
    for name in unknown:
        print(f"{name}: there is no such run in {layout.overwritten}", file=sys.stderr)
    return not unknown


def _say_kept(runs: Sequence[EarlierRun], others: Sequence[str]) -> None:
    for run in runs:
        print(f"kept {_described(run)}")
    for path in others:
        print(f"left alone {path}: it is not a complete earlier run")


def _say_chosen(runs: Sequence[EarlierRun]) -> None:
    for run in runs:
        print(f"would delete {_described(run)}")
    print(f"{shown_size(sum(run.size for run in runs))} would be free")


def _delete_all(layout: Layout, runs: Sequence[EarlierRun], remains: Sequence[str], *, kept: bool) -> bool:
    """Delete, and say what was; whether all of it was. `kept`: there are runs, which the caller has named."""
    left = "{}, which was left by an earlier `neps clean`"
    freed = [_delete(layout.root, path, left.format(path)) for path in remains]
    me = Identity.mine()
    freed += [_delete_run(layout.root, run, me) for run in runs]
    nothing = "Nothing deleted." if kept else f"No earlier run to delete in {layout.overwritten}."
    print(f"{shown_size(sum(filter(None, freed)))} freed" if freed else nothing)
    return None not in freed


def _delete_run(root: str, run: EarlierRun, me: Identity) -> int | None:
    """Delete a run, unless somebody confirms its best trials: the bytes; None where that can't be done."""
    try:
        if (who := confirming(root, run.run, me)) is None:
            return _delete(root, run.path, _described(run), run.size)
        why = f"worker {who.worker} confirms its best trials, in {Layout(root, run.run).confirmation}"
        print(f"{run.path}: not deleted, since {why}. Run `neps clean` again once it has left.", file=sys.stderr)
    except (OSError, DirectoryError) as error:
        print(f"{run.path}: can't be deleted: {error}. Fix that, and run `neps clean` again.", file=sys.stderr)
    return None


def _delete(root: str, path: str, what: str, size: int = 0) -> int | None:
    """Delete a run, or what is left of one, and say so: its `size` in bytes; None where that can't be done."""
    try:
        if not delete(root, path):
            print(f"{path}: another process is deleting it")
            return 0
    except OSError as error:
        print(f"{path}: can't be deleted: {error}. Fix that, and run `neps clean` again.", file=sys.stderr)
        return None
    print(f"deleted {what}")
    return size


def _described(run: EarlierRun) -> str:
    begun = f", started {run.created:%Y-%m-%d %H:%M} UTC" if run.created else ""
    return f"{run.path}: {counted(run.trials, 'trial')}, {shown_size(run.size)}{begun}"
