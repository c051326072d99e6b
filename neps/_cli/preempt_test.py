"""`neps preempt-test`: whether a script survives preemption. The rehearsal itself is in `neps._preempting`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neps._cli.scripts import for_the_script
from neps.errors import ArgumentError

if TYPE_CHECKING:
    from neps._preempting.interrupting import Case, Plan
    from neps._preempting.rehearsing import Script

__all__ = ["preempt_test"]

_SIGNALS = {"TERM": signal.SIGTERM, "INT": signal.SIGINT, "USR1": signal.SIGUSR1, "USR2": signal.SIGUSR2}
_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command("preempt-test", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("script", metavar="SCRIPT.py", type=click.Path(exists=True, dir_okay=False))
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--signal",
    "polite",
    type=click.Choice(list(_SIGNALS), case_sensitive=False),
    default="TERM",
    show_default=True,
    help="The polite signal.",
)
@click.option(
    "--wait", type=_SECONDS, default=60, show_default=True, help="Seconds to wait for a checkpoint, then interrupt."
)
@click.option("--grace", type=_SECONDS, default=30, show_default=True, help="Seconds that the worker has to leave.")
@click.option(
    "--ranks", metavar="N", type=int, help="Start it as N ranks, by torchrun; `neps launch --ranks N` does, too."
)
@click.option(
    "--limit", type=_SECONDS, default=300, show_default=True, help="Seconds to wait for the killed trial to end."
)
def preempt_test(script: str, arguments: tuple[str, ...], *, polite: str, ranks: int | None, **seconds: float) -> int:
    """Test whether a script survives preemption.

    Runs SCRIPT.py with its arguments in a rehearsal: each neps.run in it works in a temporary folder in place of its
    root_directory, which is not touched. In mid-evaluation the script is interrupted politely, started again, killed,
    and started again. Then it is told whether the trial went on from its checkpoint, and what was lost. Options of this
    command come before SCRIPT.py. Exits with 1 if preemption would lose more than what came after the last checkpoint.
    """
    from neps._preempting.interrupting import Plan
    from neps._preempting.rehearsing import Script

    plan = Plan(signum=_SIGNALS[polite.upper()], **seconds)
    _check_signal(plan.signum, ranks)
    folder = Path(tempfile.mkdtemp(prefix="neps-preempt-test-"))
    with Script([script, *for_the_script(arguments)], folder, ranks) as rehearsed:
        fit = _rehearse(rehearsed, plan)
    if fit:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"What it printed is in {rehearsed.output}, its trials beside it. Remove {folder} when you are done.")
    return 0 if fit else 1


def _check_signal(signum: int, ranks: int | None) -> None:
    from neps._distributed.starting import handed_on

    name = next(name for name, number in _SIGNALS.items() if number == signum)
    if handed_on(signum, ranks) != signum:
        raise ArgumentError(
            f"--signal is {name}, which torchrun does not hand on to its "
            "ranks, but dies of. With --ranks it must be TERM or INT: have your scheduler send SIGTERM "
            "(#SBATCH --signal=B:TERM@120)."
        )


def _rehearse(script: Script, plan: Plan) -> bool:
    from neps._preempting.interrupting import RehearsalError, rehearse
    from neps._preempting.verdict import problems, shown, went_on

    cases: list[Case] = []

    def say(case: Case) -> None:
        cases.append(case)
        for line in shown(case):
            print(line, flush=True)

    failed = None
    try:
        rehearse(script, plan, say)
    except RehearsalError as error:
        failed = error
    found = list(dict.fromkeys(problem for case in cases for problem in problems(case, grace=plan.grace)))
    if found:
        print("NOT fit for preemption:")
        print(*(f"  - {problem}" for problem in found), sep=os.linesep)
    elif failed is not None:
        print(f"neps: {failed} The last that the script printed:\n{script.last_lines()}", file=sys.stderr)
    else:
        _say_fit(seen=all(went_on(case) is not None for case in cases))
    return not found and failed is None


def _say_fit(*, seen: bool) -> None:
    if seen:
        print("Fit for preemption: each time, only what came after the last checkpoint was lost.")
    else:
        print("It left and went on as it should. Whether from its checkpoint can't be seen here: call neps.report.")
