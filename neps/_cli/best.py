"""`neps best`: the incumbent's configuration, to be read by a program or pasted into a command."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from neps._cli.failing import each
from neps._cli.roots import several_roots
from neps._ledger.reading import read_definition, read_history, root_of
from neps._listing import beyond_words
from neps._tables import printable
from neps._trial import Trial, Value
from neps.errors import DirectoryError

if TYPE_CHECKING:
    from neps._history import History
    from neps._ledger.definition import Definition

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

    With a fidelity, only trials at the highest fidelity with a finite loss count. Losses are those of the search: where
    another trial was better with other seeds, in `neps confirm`, a line on standard error says so. Of several roots,
    YAML is a document each, and JSON and arguments are a line each.

    To train with it: eval "python train.py $(neps best ROOT --format args)"
    """
    return each(roots, lambda root: _print_best(root, form, several=len(roots) > 1))


def _print_best(root: str, form: str, *, several: bool) -> None:
    path = root_of(root)
    definition = read_definition(path)
    history = read_history(path, definition)
    trial = history.best
    if trial is None:
        raise DirectoryError(f"{path} has no best configuration yet: no trial has ended with a finite loss.")
    for words in (beyond_words(history.trials, history.imported), _confirmed_words(path, definition, history, trial)):
        if words:
            print(f"{printable(path)}: {words}", file=sys.stderr)
    if form == "args":
        arguments = as_arguments(trial.config)
        print(printable(arguments) if sys.stdout.isatty() else arguments)
    elif form == "json":
        print(json.dumps(dict(trial.config)))
    else:
        print(("---\n" if several else "") + _as_yaml(path, trial), end="")


def _confirmed_words(root: str, definition: Definition, history: History, trial: Trial) -> str:
    """That another trial is better with other seeds; empty where none is, or this one wasn't confirmed."""
    from neps._views.overview import find_confirmation

    confirmed = find_confirmation(root, definition, history)
    if confirmed is None or (best := confirmed.best) is None or best.number == trial.number:
        return ""
    if trial.number not in {each.number for each in confirmed.finalists}:
        return ""
    return (
        f"trial {trial.number} has the lowest loss of the search, but with other seeds trial {best.number} is better: "
        f"`neps confirm {shlex.quote(root)}` shows both"
    )


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
