"""`neps best`: the incumbent's configuration, to be read by a program or pasted into a command."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping

import click

from neps._cli.failing import each
from neps._cli.roots import several_roots
from neps._ledger.reading import read_history, root_of
from neps._listing import beyond_words
from neps._tables import printable
from neps._trial import Trial, Value
from neps.errors import DirectoryError

__all__ = ["best"]


@click.command()
@several_roots
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json", "args"]),
    default="yaml",
    show_default=True,
    help="args: --name=value …, quoted for a shell.",
)
def best(roots: tuple[str, ...], form: str) -> int:
    """Print the best configuration so far.

    With a fidelity, only trials at the highest fidelity with a finite loss count. Of several roots, YAML is a document
    each, and JSON and arguments are a line each.

    To train with it: eval "python train.py $(neps best ROOT --format args)"
    """
    return each(roots, lambda root: _print_best(root, form, several=len(roots) > 1))


def _print_best(root: str, form: str, *, several: bool) -> None:
    path = root_of(root)
    history = read_history(path)
    trial = history.best
    if trial is None:
        raise DirectoryError(f"{path} has no best configuration yet: no trial has ended with a finite loss.")
    if words := beyond_words(history.trials, history.imported):
        print(f"{printable(path)}: {words}", file=sys.stderr)
    if form == "args":
        arguments = as_arguments(trial.config)
        print(printable(arguments) if sys.stdout.isatty() else arguments)
    elif form == "json":
        print(json.dumps(dict(trial.config)))
    else:
        print(("---\n" if several else "") + _as_yaml(path, trial), end="")


def as_arguments(config: Mapping[str, Value]) -> str:
    """A configuration as arguments of a command.

    >>> as_arguments({"learning_rate": 0.01, "kind": "a b", "nesterov": True})
    "--learning_rate=0.01 '--kind=a b' --nesterov=True"
    """
    return " ".join(shlex.quote(f"--{name}={value}") for name, value in config.items())


def _as_yaml(root: str, trial: Trial) -> str:
    import yaml

    text = yaml.safe_dump(dict(trial.config), sort_keys=False, allow_unicode=True)
    return f"# trial {trial.number} of {root!r}, loss {trial.loss}\n{text}"
