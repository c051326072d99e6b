"""`neps retry`: `neps.retry`, and says of each trial what was done or why not."""

from __future__ import annotations

import click

from neps._cli.roots import TRIAL_NUMBER, one_root

__all__ = ["retry"]


@click.command()
@one_root
@click.argument("numbers", metavar="[N]...", nargs=-1, type=TRIAL_NUMBER)
@click.option("--trial", "more", metavar="N", type=TRIAL_NUMBER, multiple=True, help="The same as N.")
@click.option("--failed", is_flag=True, help="All failed trials.")
def retry(root: str, numbers: tuple[int, ...], more: tuple[int, ...], *, failed: bool) -> int:
    """Reopen failed trials.

    Reopens the trials N, or all that failed, in place: any worker evaluates them again, in their folders. With neither,
    says which trials have failed.
    """
    from neps._api.retrying import Retrying  # which imports all that a worker needs

    retrying = Retrying(root)
    chosen = retrying.chosen([*more, *numbers], failed=failed)
    if not chosen:
        print(f"No trial has failed in {retrying.root}.")
    done = []
    for number in chosen:
        done.append(outcome := retrying.retry(number))
        print("\n".join(outcome.said))
    if any(outcome.done for outcome in done):
        print("A running worker evaluates what was reopened once it has nothing new to claim. If none runs, start one.")
    return 0 if failed or all(outcome.done for outcome in done) else 1
