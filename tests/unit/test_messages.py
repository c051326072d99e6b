"""The list of the package's messages is the reviewed one, and its script finds them in argparse and click alike."""

from __future__ import annotations

import difflib

import pytest

from messages import REVIEWED, listed, messages_in, package_messages


def test_each_message_has_been_reviewed() -> None:
    """Read each new line aloud (CONTRIBUTING.md, Words), and then run `scripts/messages --write`."""
    reviewed, today = REVIEWED.read_text("utf-8"), listed(package_messages())
    changed = "".join(difflib.unified_diff(reviewed.splitlines(True), today.splitlines(True), "reviewed", "today", n=0))
    assert not changed, f"{changed}\nRead the new messages aloud, then run scripts/messages --write."


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ('raise ValueError("broken")', "error", "broken"),
        ('def f():\n    message = f"x is {x!r}: change it"\n    raise E(message)', "error", "x is {x}: change it"),
        ('def f():\n    return DirectoryError("no such " "folder")', "error", "no such folder"),
        ('parser.error("give one")', "error", "give one"),
        ('_logger.warning("Trial %d failed", n)', "log", "Trial %d failed"),
        ('self._logger.log(level, f"{len(a)} left")', "log", "{…} left"),
        ('warnings.warn("old name", stacklevel=2)', "warning", "old name"),
        ('parser.add_argument("--x", help="the value")', "help", "the value"),
        ('click.echo(f"deleted {path}\\n")', "output", r"deleted {path}\n"),
        ('@click.option("--x", help="the value")\ndef f(): ...', "help", "the value"),
        ('@main.command()\ndef f():\n    """Show a run."""', "help", "Show a run."),
        ('raise click.UsageError("no such trial")', "error", "no such trial"),
        ('return_value = Pause("running trials to end")', "text", "running trials to end"),
    ],
)
def test_what_is_found(source: str, kind: str, text: str) -> None:
    assert [(found.kind, found.text) for found in messages_in(source, "a.py")] == [(kind, text)]


@pytest.mark.parametrize(
    "source",
    [
        '"""A module, documented."""',
        'def f():\n    """A function, documented."""',
        'class A:\n    x = 1\n    """An attribute, documented."""',
        're.compile("one two")',
        'fields["one two"]',
        'name = "word"',
    ],
)
def test_what_is_no_message(source: str) -> None:
    assert messages_in(source, "a.py") == []


def test_the_list_has_no_line_numbers_and_no_line_twice() -> None:
    source = 'print("one")\nprint("two")\nprint("one")'
    assert listed(messages_in(source, "a.py")) == "a.py\n    output  one\n    output  two\n"
