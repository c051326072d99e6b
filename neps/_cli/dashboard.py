"""`neps dashboard`: optuna-dashboard on runs, until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import click

from neps._cli.roots import several_roots
from neps._views.dashboard import DEFAULT_HOST, DEFAULT_PORT, application, server

__all__ = ["dashboard", "serve_dashboard"]


def serve_dashboard(roots: Sequence[str], host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> None:
    """Print the address, and answer there until a KeyboardInterrupt.

    Raises:
        neps.errors.NepsError: if one of `roots` is no run, optuna-dashboard is missing, or the port can't be had.
    """
    with server(application(roots, [host, socket.gethostname()]), host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        shown = roots[0] if len(roots) == 1 else f"{len(roots)} runs"
        print(f"Dashboard of {shown}: http://{name}:{listening.server_port}/ (Ctrl-C ends it)", flush=True)
        try:
            listening.serve_forever()
        except KeyboardInterrupt:
            return


@click.command()
@several_roots
@click.option(
    "--host", default=DEFAULT_HOST, show_default=True, help="Where to listen: a name or address of this machine."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Where to listen; 0 is any free port.",
)
def dashboard(roots: tuple[str, ...], host: str, port: int) -> None:
    """Show runs in optuna-dashboard, in a browser.

    ROOT is the root_directory of a run. It may be read-only, and workers may go on: the page follows them. The page
    has no password: whoever reaches the address sees the runs. Needs optuna-dashboard: pip install 'neps[optuna]'.
    """
    serve_dashboard(roots, host, port)
