"""The inside of `rigs.hosts`: makes the namespaces, becomes their init, and runs the command in them.

Two processes: the outer one stays on the real host, where the test signals and awaits it; its child is pid 1 of the
new host, and ends with it. Run by the command lines of `as_host` only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import tempfile
import uuid
from types import FrameType
from typing import NoReturn

from rigs import mounts

__all__ = ["main"]

_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000  # mount, UTS, IPC, PID
_SET_PARENT_DEATH_SIGNAL = 1
_RELAYED = [
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
]
_SETUP_FAILED = 125
_COMMAND_NOT_FOUND = 127
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def main() -> None:
    """Entry: `sys.argv` is the host as JSON, then the command."""
    host, command = json.loads(sys.argv[1]), sys.argv[2:]
    signal.pthread_sigmask(signal.SIG_BLOCK, _RELAYED)  # one that comes before the relays stand waits for them
    try:
        mounts.call("unshare", _NEW_NAMESPACES)
    except OSError as error:
        sys.stderr.write(f"as_host: {error}\n")
        sys.exit(_SETUP_FAILED)
    parent_lives, _held_open = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(_held_open)
        _run_init(host, command, parent_lives)
    sys.exit(_relay_until_exit(init))


def _run_init(host: dict[str, object], command: list[str], parent_lives: int) -> NoReturn:
    """Never returns: a forked child must not fall back into its parent's code."""
    try:
        mounts.call("prctl", _SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        parent_died_before = select.select([parent_lives], [], [], 0)[0]
        if not parent_died_before:
            _set_up(host)
            child = os.fork()
            if child == 0:
                _execute(command)
            os._exit(_relay_until_exit(child))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the outer process gets to know by the exit code
        sys.stderr.write(f"as_host: {error!r}\n")
    os._exit(_SETUP_FAILED)


def _set_up(host: dict[str, object]) -> None:
    name = str(host["name"]).encode()
    mounts.call("sethostname", name, len(name))
    mounts.mount("none", "/", flags=mounts.RECURSIVE | mounts.SLAVE)  # nothing mounted in here reaches the real host
    mounts.mount("proc", "/proc", "proc")
    boot_id = uuid.uuid5(uuid.NAMESPACE_DNS, f"{host['boot']}.{host['name']}")
    with tempfile.NamedTemporaryFile("w") as file:  # the mount keeps the file after its name is gone
        file.write(f"{boot_id}\n")
        file.flush()
        mounts.mount(file.name, _BOOT_ID, flags=mounts.BIND)
    binds = host["binds"]
    assert isinstance(binds, dict)
    for source, target in binds.items():
        mounts.mount(source, target, flags=mounts.BIND | mounts.RECURSIVE)


def _execute(command: list[str]) -> NoReturn:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program would inherit that
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _RELAYED)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"as_host: {command[0]}: {error.strerror}\n")
    os._exit(_COMMAND_NOT_FOUND)


def _relay_until_exit(child: int) -> int:
    """Hands signals to `child`, reaps all that ends (an init inherits orphans), returns the child's exit status."""

    def hand_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _RELAYED:
        signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _RELAYED)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
