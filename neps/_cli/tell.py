"""`neps tell`: `neps.tell`, with the result as options or as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from neps._cli.failing import failed
from neps._cli.roots import one_root
from neps.errors import NotPendingError

__all__ = ["tell"]


@click.command(short_help="Publish what came of a trial that waits for it.")
@one_root
@click.argument("number", metavar="N")
@click.option("--loss", type=float, help="The loss.")
@click.option("--cost", type=float, help="The cost, beside --loss.")
@click.option("--failed", "why", metavar="TEXT", help="The evaluation failed, and why.")
@click.option(
    "--json", "document", metavar="JSON", help='What run_pipeline may return, such as {"loss": 0.5}; -: stdin.'
)
@click.option("--attempt", help="The value of NEPS_ATTEMPT in run_pipeline, or the attempt's number.")
def tell(root: str, number: str, attempt: str | None, **told: Any) -> int:
    """Publish what came of trial N (or config_N), whose run_pipeline has returned neps.PENDING.

    Give one of --loss, --failed and --json. In a job of the trial, NEPS_ATTEMPT in the environment says which attempt
    is told of.
    """
    from neps._api.tell import tell as publish  # which imports all that a worker needs

    result = _result(**told)
    meant = int(attempt) if attempt is not None and attempt.isdecimal() else attempt
    trial_number = int(number) if number.isdecimal() else number
    try:
        trial = publish(root, trial_number, result, attempt=meant)
    except NotPendingError as error:
        failed(error)
        return 1
    print(f"trial {trial.number}: {trial.status}" + ("" if trial.loss is None else f", loss {trial.loss:g}"))
    return 0


def _result(loss: float | None, cost: float | None, why: str | None, document: str | None) -> Any:
    if sum(each is not None for each in (loss, why, document)) != 1 or (cost is not None and loss is None):
        raise click.UsageError("Give one of --loss (with --cost, if there is one), --failed and --json.")
    if document is not None:
        return _read(document)
    return {"loss": loss, "cost": cost} if why is None else why


def _read(document: str) -> Any:
    try:
        value = json.loads(sys.stdin.read() if document == "-" else document)
    except ValueError as error:
        raise click.UsageError(f"--json is no JSON: {error}") from error
    if isinstance(value, str):
        raise click.UsageError("--json is a text; it must be a number, or an object with a loss. See --failed.")
    return value
