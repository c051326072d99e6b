"""What follows a script on the command line goes to the script; the command's own options come before it."""

from __future__ import annotations

import click

__all__ = ["for_the_script"]


def for_the_script(arguments: tuple[str, ...]) -> list[str]:
    """The arguments of a script, without a `--` in front of them.

    Raises:
        click.UsageError: if one is an option of the command, and there is no such `--`: the script would get it, and
            the command go on with its default, which nobody would notice.
    """
    if arguments[:1] == ("--",):
        return list(arguments[1:])
    command = click.get_current_context().command
    own = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
    for argument in arguments:
        if (name := argument.partition("=")[0]) in own:
            raise click.UsageError(
                f"{name} comes after the script. If it is meant for neps {command.name}, write it before all other "
                f"arguments. If it is the script's, write -- before the script's arguments, as in: -- {name} …"
            )
    return list(arguments)
