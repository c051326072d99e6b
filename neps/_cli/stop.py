"""`neps stop`: `neps.stop`, and says how many were asked and what follows."""

from __future__ import annotations

import click

from neps._cli.failing import each
from neps._cli.roots import several_roots

__all__ = ["stop"]


@click.command()
@several_roots
@click.option("--after-trial", is_flag=True, help="Let each worker finish the trial that it evaluates.")
def stop(roots: tuple[str, ...], *, after_trial: bool) -> int:
    """Ask all workers to leave.

    Workers on all machines hand their trials back, and leave. A later start resumes these trials. Returns at once:
    `neps status` shows who has not left yet.
    """
    return each(roots, lambda root: _stop(root, after_trial=after_trial))


def _stop(root_directory: str, *, after_trial: bool) -> None:
    from neps._api.stopping import ask_to_stop
    from neps._ledger.layout import Layout
    from neps._ledger.reading import read_definition, root_of
    from neps._ledger.stopping import asked_now
    from neps._listing import counted

    root = root_of(root_directory)
    names = ask_to_stop(root, after_trial=after_trial)
    if not names:
        print(f"{root}: no worker shows that it runs. If one does, it leaves once it sees the request.")
        return
    definition = read_definition(root)
    lease, asked = definition.lease_seconds, f"{root}: {counted(len(names), 'worker')} asked to leave"
    if after_trial:
        if now := asked_now(Layout(root, definition.run)) & set(names):
            print(
                f"{asked}, each after its trial, but {len(now)} of them had been asked to leave now. That holds, so "
                "these hand their trials back: no request takes back an earlier one."
            )
            return
        print(f"{asked}, each after its trial. To make them leave now, run `neps stop {root_directory}`.")
        return
    print(f"{asked} now. Who evaluates sees it within {lease / 3:g} s, and hands its trial back.")
