"""Single workers, each with a share of its own: killed, frozen, woken, on this host or on another. Called by tests."""

from __future__ import annotations

import json
from pathlib import Path

from rigs.processes import Fleet, Host, Worker
from rigs.waiting import wait_until
from stress.objective import Entry, Event, journal
from stress.share import Share

__all__ = ["END", "await_entry", "await_path", "await_waiting", "nursery", "solo"]

END = 120.0
"""A deadline in seconds for what should take a few, however busy the machine is; only a failure needs it."""


def solo(fleet: Fleet, share: Share, host: Host | None = None) -> Worker:
    """Starts a worker that does its share once."""
    return fleet.start(Path(__file__).with_name("solo.py"), json.dumps(share.to_plan()), host=host)


def nursery(fleet: Fleet, share: Share, size: int) -> Worker:
    """Starts so many workers that are started again whenever they end badly."""
    program = Path(__file__).with_name("nursery.py")
    return fleet.start(program, json.dumps(share.to_plan()), str(size))


def await_entry(root: Path, event: Event, number: int, step: int = 0, times: int = 1) -> Entry:
    """Waits until the journal says this (from that step on) for so many times, and returns the last of them."""

    def found() -> list[Entry]:
        return [entry for entry in journal(root, number) if entry.event == event and entry.step >= step]

    wait_until(lambda: len(found()) >= times, END, f"{event} {number} {step} in the journal, {times} times")
    return found()[times - 1]


def await_waiting(worker: Worker) -> None:
    """Waits until a worker says that it waits."""
    wait_until(lambda: "Waiting for" in worker.stderr, END, f"{worker} to say that it waits")


def await_path(path: Path) -> None:
    """Waits until there is something at a path."""
    wait_until(path.exists, END, f"{path}")
