"""libfaketime, by which one host's clock can be wrong while the others' are right: where it is. Called by `chaos`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["faketime_available", "libfaketime"]

_PLACES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib64/faketime/libfaketime.so.1")


def libfaketime() -> str:
    """The library's path; "" where there is none."""
    return next((str(path) for place in _PLACES for path in sorted(Path("/").glob(place.lstrip("/")))), "")


def faketime_available() -> str | None:
    """Why clocks can't be wrong on this machine, or None."""
    return None if libfaketime() else "faketime: no libfaketime (apt install faketime)"
