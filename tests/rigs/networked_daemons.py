"""The servers and clients of a networked filesystem that is mounted twice. See `rigs.networked`.

The mounts are seen by the whole machine; everything else is this process's own, and ends with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rigs import mounts
from rigs.hosts import as_host
from rigs.service import await_true, keep, refuse, serve

__all__ = ["main"]

_NEW_NETWORK = 0x40000000
_SET_FLAGS, _IS_UP = 0x8914, 1
_SECONDS = 60.0
_SERVER = "127.0.0.2"
_STATE_FOLDERS = {"state": "/var/lib/glusterd", "log": "/var/log/glusterfs", "run": "/run/gluster"}
_SFTP_SERVERS = ("usr/lib/openssh/sftp-server", "usr/libexec/openssh/sftp-server", "usr/lib/ssh/sftp-server")
_GSYNCD = ("usr/lib/*/glusterfs/gsyncd", "usr/libexec/glusterfs/gsyncd")
"""Of another feature; glusterd runs it a dozen times as it starts, which takes up to half a minute."""
_GLUSTERD = """\
volume management
    type mgmt/glusterd
    option working-directory /var/lib/glusterd
    option glusterd-sockfile {folder}/glusterd.socket
    option transport-type socket
    option transport.address-family inet
    option ping-timeout 0
    option event-threads 1
    option max-port 60999
end-volume
"""


def main() -> None:
    """Entry: `sys.argv` is the kind, the rig's folder, then options of the clients."""
    kind, folder, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    clients: dict[str, subprocess.Popen[bytes]] = {}
    try:
        command = {"gluster": _gluster, "sshfs": _sshfs}[kind](folder, options)
        for name in ("a", "b"):
            clients[name] = keep([*command, str(folder / name)], folder / "log" / f"client-{name}.out")
        await_true(lambda: all(_is_mounted(folder / name) for name in clients), _SECONDS, "the mounts")
        _await_common(folder)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test gets to know it
        refuse(f"{error!r}\n{_said(folder)}")
    else:
        serve({"pid": lambda name: clients[name].pid})
    finally:
        _unmount(folder, clients)


def _gluster(folder: Path, options: Sequence[str]) -> list[str]:
    """Starts a volume of one brick, in a network that nobody else is in; the command that mounts it."""
    mounts.call("unshare", _NEW_NETWORK)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _IS_UP))
    for name, path in _STATE_FOLDERS.items():
        Path(path).mkdir(parents=True, exist_ok=True)
        (folder / name).mkdir(exist_ok=True)
    (folder / "log" / "bricks").mkdir()
    (folder / "glusterd.vol").write_text(_GLUSTERD.format(folder=folder))
    binds: dict[str | Path, str | Path] = {folder / name: path for name, path in _STATE_FOLDERS.items()}
    binds[_program(folder / "no-gsyncd", "echo gsyncd")] = _found(_GSYNCD)
    keep(
        as_host("gluster", ["glusterd", "-N", "-f", str(folder / "glusterd.vol")], binds=binds), folder / "log" / "out"
    )

    def ask(*command: str) -> str:
        options = [f"--glusterd-sock={folder}/glusterd.socket", f"--log-file={folder}/log/cli.log", "--mode=script"]
        done = subprocess.run(["gluster", *options, *command], capture_output=True, text=True, check=False, timeout=60)
        return done.stdout if done.returncode == 0 else ""

    await_true(lambda: ask("pool", "list"), _SECONDS, "glusterd")
    await_true(lambda: ask("volume", "create", "rig", f"{_SERVER}:{folder}/brick", "force"), _SECONDS, "the volume")
    await_true(lambda: ask("volume", "start", "rig"), _SECONDS, "its start")
    await_true(lambda: "\nOnline               : Y" in ask("volume", "status", "rig", "detail"), _SECONDS, "its brick")
    return ["glusterfs", "--no-daemon", f"--volfile-server={_SERVER}", "--volfile-id=rig", *options]


def _sshfs(folder: Path, options: Sequence[str]) -> list[str]:
    """The command that mounts a folder by an sftp-server of its own."""
    (folder / "served").mkdir()
    server = _program(folder / "instead-of-ssh", f"exec {_found(_SFTP_SERVERS)}")
    return ["sshfs", "-f", "-o", f"ssh_command={server}", *options, f"rig:{folder}/served"]


def _program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def _found(patterns: Sequence[str]) -> Path:
    found = [path for pattern in patterns for path in sorted(Path("/").glob(pattern))]
    if not found:
        raise FileNotFoundError(f"none of {', '.join(patterns)} is in /; scripts/install-test-rigs installs one")
    return found[0]


def _await_common(folder: Path) -> None:
    """Each sees what the other makes."""
    for one, other in (("a", "b"), ("b", "a")):
        name = f"made-by-{one}"
        (folder / one / name).mkdir()
        await_true((folder / other / name).exists, _SECONDS, f"{name} on {other}")
    for name in ("a", "b"):
        (folder / name / f"made-by-{name}").rmdir()


def _unmount(folder: Path, clients: dict[str, subprocess.Popen[bytes]]) -> None:
    for name, client in clients.items():
        client.send_signal(signal.SIGCONT)
        mounts.detach(str(folder / name))
    for client in clients.values():
        client.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(5)


def _is_mounted(path: Path) -> bool:
    return os.stat(path).st_dev != os.stat(path.parent).st_dev  # noqa: PTH116 - and not by a file's name


def _said(folder: Path) -> str:
    texts = [path.read_text(errors="replace")[-2000:] for path in sorted((folder / "log").glob("*")) if path.is_file()]
    return "\n".join(text for text in texts if text)
