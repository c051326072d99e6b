"""optuna-dashboard on runs: its pages, served from here, and read-only. Needs optuna-dashboard; called by `neps._cli`.

Whatever would write is refused before the dashboard sees it, with a reason in the form that its pages expect.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import socket
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from neps._views.optuna_study import run_storage
from neps.errors import ArgumentError, NepsError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "application", "server"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
_READING = ("GET", "HEAD", "OPTIONS")
_OTHER_NAME = "This dashboard answers to addresses, localhost and its --host only."
_REASON = "The dashboard of a run is read-only: nothing was changed."


def application(root_directories: Sequence[str | Path], names: Collection[str] | None = None) -> WSGIApplication:
    """The dashboard of runs as a WSGI application, for a server of your own.

    Args:
        root_directories: of the runs.
        names: by which browsers may ask for it, beside addresses and localhost: a web page of somebody else could have
            its own name lead here (DNS rebinding). None: any.

    Raises:
        neps.errors.DirectoryError: if one of them is no run.
        neps.errors.NepsError: if optuna-dashboard is not installed.
    """
    try:
        import optuna_dashboard
    except ImportError as error:
        message = "The dashboard needs optuna-dashboard, which is not installed: pip install 'neps[optuna]'"
        raise NepsError(message) from error
    return _reading_only(optuna_dashboard.wsgi(run_storage(root_directories)), names)


def _reading_only(app: WSGIApplication, names: Collection[str] | None) -> WSGIApplication:
    def refusing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        named = names is None or _is_named(environ.get("HTTP_HOST", ""), names)
        if named and environ["REQUEST_METHOD"] in _READING:
            return app(environ, start_response)
        body = json.dumps({"reason": _REASON if named else _OTHER_NAME}).encode()
        start_response("403 Forbidden", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return refusing


def _is_named(host: str, names: Collection[str]) -> bool:
    """Whether a Host header has an address, localhost, or one of these names."""
    name = urlsplit(f"//{host}").hostname or ""
    if name in {"localhost", *(each.lower() for each in names)}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request, none of which outlives the program."""

    daemon_threads = True

    def __init__(self, family: socket.AddressFamily, address: tuple[Any, ...]) -> None:
        self.address_family = family
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without asking for the host's full name, which takes seconds where no name server answers."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def server(app: WSGIApplication, host: str, port: int) -> WSGIServer:
    """A server of `app` that listens already: `serve_forever` answers, `server_port` is the port.

    Args:
        app: the application.
        host: a name or an address of this machine.
        port: where to listen; 0 is any port that is free.

    Raises:
        neps.errors.ArgumentError: if it can't listen there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listening = _Server(family, address)
    except (OSError, UnicodeError) as error:  # a name that no name server could have is a UnicodeError
        raise ArgumentError(_why_not(host, port, error)) from error
    listening.set_app(app)
    return listening


def _why_not(host: str, port: int, error: Exception) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        why = "it is taken, perhaps by another dashboard. Choose another with --port N, or any free one with --port 0"
    elif code == errno.EACCES:
        why = "only root may use ports below 1024. Choose another with --port N"
    else:
        reason = getattr(error, "strerror", None) or error
        why = f"{reason}. --host must be a name or an address of this machine, such as {DEFAULT_HOST}"
    return f"The dashboard can't listen at {host!r}, port {port}: {why}."
