"""The server process of `rigs.faultfs`: passes a folder through, except where a rule says otherwise.

Files are known by open descriptors rather than by paths, so that a file that was renamed or removed behaves as it does
on a real filesystem; one that another mount removed is ESTALE, as on NFS. Locks (flock, lockf) stay local to a mount.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import json
import os
import resource
import stat
import sys
import threading
import time
import traceback
from pathlib import Path

from rigs import mounts
from rigs.fault_rules import OPERATIONS, Rule, RuleBook
from rigs.fuse_wire import BUFFER_BYTES, OPCODES, Forget, Request, SetAttr, Validity, pack
from rigs.write_log import WriteLog

__all__ = ["main"]

_THREADS = 64  # as many operations can hang or wait at the same time
_ROOT = 1
_INIT_FLAGS = 1 << 0 | 1 << 5 | 1 << 12 | 1 << 18  # async reads, big writes, fresh pages, parallel directory operations
_MINOR = 31
_NAMES_AT = {"lookup": 0, "unlink": 0, "rmdir": 0, "symlink": 0, "mkdir": 8, "link": 8, "rename": 8, "create": 16}
_NOT_PASSED_ON = os.O_APPEND | os.O_DIRECT | os.O_NOFOLLOW  # the kernel gives the offset; links are its own business
_SIGKILL_BIT = 1 << 8


class Nodes:
    """The files that the kernel knows, each held by a descriptor that only names it (O_PATH)."""

    def __init__(self, root: str) -> None:
        self._lock = threading.Lock()
        self._root = os.path.realpath(root)
        self._descriptors = {_ROOT: os.open(root, os.O_PATH)}
        self._known: dict[tuple[int, int], int] = {}
        self._identities: dict[int, tuple[int, int]] = {}
        self._lookups: dict[int, int] = {}
        self._handles: collections.Counter[int] = collections.Counter()
        self._last = _ROOT

    def descriptor(self, node: int) -> int:
        """The descriptor of a node."""
        return self._descriptors[node]

    def living(self, node: int) -> int:
        """The same, or ESTALE if the file has no name left and nobody here has it open."""
        descriptor = self._descriptors[node]
        if os.fstat(descriptor).st_nlink == 0 and not self._handles[node]:
            raise OSError(errno.ESTALE, "removed")
        return descriptor

    def link(self, node: int) -> Path:
        """A path that leads to the node itself, whatever its name is by now."""
        return Path(f"/proc/self/fd/{self.living(node)}")

    def path(self, node: int) -> str:
        """The path below the mount, for rules."""
        path = str(Path(f"/proc/self/fd/{self._descriptors[node]}").readlink()).removesuffix(" (deleted)")
        return path.removeprefix(self._root).lstrip("/")

    def find(self, parent: int, name: str) -> tuple[int, os.stat_result]:
        """Looks the name up, and counts one more reference of the kernel's to the node."""
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self.living(parent))
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        with self._lock:
            node = self._known.get(identity, 0)
            if node:
                os.close(descriptor)
            else:
                self._last += 1
                node = self._known[identity] = self._last
                self._descriptors[node], self._identities[node], self._lookups[node] = descriptor, identity, 0
            self._lookups[node] += 1
        return node, status

    def count_handles(self, node: int, change: int) -> None:
        """Notes that a handle of the node was opened (1) or closed (-1)."""
        with self._lock:
            self._handles[node] += change

    def forget(self, node: int, count: int) -> None:
        """Takes references back; a node without any is closed."""
        with self._lock:
            if node == _ROOT:
                return
            self._lookups[node] -= count
            if self._lookups[node] == 0:
                del self._lookups[node], self._known[self._identities.pop(node)]
                os.close(self._descriptors.pop(node))


class Passthrough:
    """One method for each request that can be answered; it returns the payload or raises OSError."""

    def __init__(self, backing: str, valid: Validity) -> None:
        self.nodes = Nodes(backing)
        self._valid = valid
        self._listings: dict[int, list[tuple[str, int, int]]] = {}

    def forget(self, request: Request) -> None:
        """Both kinds of it."""
        if request.opcode == Forget.ONE:
            self.nodes.forget(request.node, request.unpack("Q")[0])
            return
        numbers = request.unpack(f"II{2 * request.unpack('I')[0]}Q")[2:]
        for node, count in zip(numbers[::2], numbers[1::2], strict=True):
            self.nodes.forget(node, count)

    def init(self, request: Request) -> bytes:
        return pack.init(min(_MINOR, request.unpack("II")[1]), request.unpack("IIII")[3] & _INIT_FLAGS)

    def lookup(self, request: Request) -> bytes:
        try:
            return self._entry(request, request.texts(0)[0])
        except FileNotFoundError:
            if self._valid.absences:
                return pack.absence(self._valid)
            raise

    def getattr(self, request: Request) -> bytes:
        return pack.attribute_reply(os.fstat(self.nodes.living(request.node)), self._valid)

    def setattr(self, request: Request) -> bytes:
        bits, _, _, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, uid, gid = request.unpack(
            "IIQQQqqqIIIIIII"
        )
        link, what = self.nodes.link(request.node), SetAttr(bits)
        if what & SetAttr.MODE:
            link.chmod(stat.S_IMODE(mode))
        if what & (SetAttr.UID | SetAttr.GID):
            os.chown(link, uid if what & SetAttr.UID else -1, gid if what & SetAttr.GID else -1)
        if what & SetAttr.SIZE:
            os.truncate(link, size)
        if what & (SetAttr.ATIME | SetAttr.MTIME):
            self._set_times(link, what, atime * 10**9 + atime_ns, mtime * 10**9 + mtime_ns)
        return pack.attribute_reply(link.stat(), self._valid)

    @staticmethod
    def _set_times(link: Path, what: SetAttr, atime_ns: int, mtime_ns: int) -> None:
        if what & SetAttr.ATIME_NOW and what & SetAttr.MTIME_NOW:
            os.utime(link)  # in the clock of the backing filesystem, which is a tick behind time.time
            return
        before = link.stat()
        os.utime(
            link,
            ns=(
                atime_ns if what & SetAttr.ATIME else before.st_atime_ns,
                mtime_ns if what & SetAttr.MTIME else before.st_mtime_ns,
            ),
        )

    def readlink(self, request: Request) -> bytes:
        return os.fsencode(os.readlink("", dir_fd=self.nodes.living(request.node)))

    def symlink(self, request: Request) -> bytes:
        name, target = request.texts(0)
        os.symlink(target, name, dir_fd=self.nodes.living(request.node))
        return self._entry(request, name)

    def mkdir(self, request: Request) -> bytes:
        (name,) = request.texts(8)
        os.mkdir(name, request.unpack("I")[0], dir_fd=self.nodes.living(request.node))
        return self._entry(request, name)

    def unlink(self, request: Request) -> bytes:
        os.unlink(request.texts(0)[0], dir_fd=self.nodes.living(request.node))
        return b""

    def rmdir(self, request: Request) -> bytes:
        os.rmdir(request.texts(0)[0], dir_fd=self.nodes.living(request.node))
        return b""

    def rename(self, request: Request) -> bytes:
        old, new = request.texts(8)
        parent, new_parent = self.nodes.living(request.node), self.nodes.living(request.unpack("Q")[0])
        os.rename(old, new, src_dir_fd=parent, dst_dir_fd=new_parent)
        return b""

    def link(self, request: Request) -> bytes:
        (name,) = request.texts(8)
        source = self.nodes.link(request.unpack("Q")[0])
        os.link(source, name, dst_dir_fd=self.nodes.living(request.node), follow_symlinks=True)
        return self._entry(request, name)

    def open(self, request: Request) -> bytes:
        flags = request.unpack("I")[0] & ~(_NOT_PASSED_ON | os.O_CREAT | os.O_EXCL)
        return self._opened(request.node, flags)

    def create(self, request: Request) -> bytes:
        flags, mode = request.unpack("II")
        (name,) = request.texts(16)
        flags = flags & ~_NOT_PASSED_ON | os.O_CREAT
        handle = os.open(name, flags, stat.S_IMODE(mode), dir_fd=self.nodes.living(request.node))
        node, status = self.nodes.find(request.node, name)
        self.nodes.count_handles(node, 1)
        return pack.entry(node, status, self._valid) + pack.opened(handle)

    def read(self, request: Request) -> bytes:
        handle, offset, size = request.unpack("QQI")
        return os.pread(handle, size, offset)

    def write(self, request: Request, share: int = 1) -> bytes:
        """Writes the first of `share` equal shares of the data."""
        handle, offset, size = request.unpack("QQI")
        data = request.body[40 : 40 + max(1, size // share)]
        return pack.written(os.pwrite(handle, data, offset))

    def fsync(self, request: Request) -> bytes:
        os.fsync(request.unpack("Q")[0])
        return b""

    def flush(self, request: Request) -> bytes:
        os.close(os.dup(request.unpack("Q")[0]))
        return b""

    def release(self, request: Request) -> bytes:
        os.close(request.unpack("Q")[0])
        self.nodes.count_handles(request.node, -1)
        return b""

    def opendir(self, request: Request) -> bytes:
        return self._opened(request.node, os.O_RDONLY | os.O_DIRECTORY)

    def readdir(self, request: Request) -> bytes:
        handle, offset, size = request.unpack("QQI")
        if offset == 0:
            with os.scandir(handle) as entries:
                listed = [
                    (e.name, e.inode(), stat.S_IFMT(e.stat(follow_symlinks=False).st_mode) >> 12) for e in entries
                ]
            self._listings[handle] = listed
        return pack.listing(self._listings[handle], offset, size)

    def releasedir(self, request: Request) -> bytes:
        self._listings.pop(request.unpack("Q")[0], None)
        return self.release(request)

    fsyncdir = fsync

    def statfs(self, request: Request) -> bytes:
        return pack.statfs(os.statvfs(self.nodes.descriptor(request.node)))

    def _opened(self, node: int, flags: int) -> bytes:
        handle = os.open(self.nodes.link(node), flags)
        self.nodes.count_handles(node, 1)
        return pack.opened(handle)

    def _entry(self, request: Request, name: str) -> bytes:
        node, status = self.nodes.find(request.node, name)
        return pack.entry(node, status, self._valid)


class LoggedPassthrough(Passthrough):
    """One that logs what is written, and when something is synced; each is logged before it is answered."""

    def __init__(self, backing: str, valid: Validity, log: str) -> None:
        super().__init__(backing, valid)
        self._log = WriteLog(Path(log))
        self._one_at_a_time = threading.Lock()

    def write(self, request: Request, share: int = 1) -> bytes:
        with self._one_at_a_time:
            done = super().write(request, share)
            _, offset, size = request.unpack("QQI")
            self._log.written(offset, request.body[40 : 40 + size])
        return done

    def fsync(self, request: Request) -> bytes:  # noqa: ARG002 - as the others have it
        with self._one_at_a_time:
            self._log.synced()
        return b""


class Server:
    """Answers the kernel by many threads, of which each serves one request at a time."""

    def __init__(self, device: int, files: Passthrough, rules: RuleBook) -> None:
        self._device = device
        self._files = files
        self._rules = rules

    def serve(self) -> None:
        """Returns when the filesystem is unmounted."""
        while True:
            try:
                request = Request.parse(os.read(self._device, BUFFER_BYTES))
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                continue  # ENOENT: whoever asked was killed before we read it
            if request.opcode in {Forget.ONE, Forget.MANY}:
                self._files.forget(request)
                continue
            with contextlib.suppress(FileNotFoundError):  # whoever asked was killed meanwhile
                os.write(self._device, self._answer(request))

    def _answer(self, request: Request) -> bytes:
        method = OPCODES.get(request.opcode)
        if method is None:
            return pack.reply(request.unique, error=errno.ENOSYS)
        try:
            return pack.reply(request.unique, self._perform(request, method))
        except OSError as error:
            return pack.reply(request.unique, error=error.errno or errno.EIO)
        except Exception:  # noqa: BLE001 - a fault of this server is EIO for the test, and its traceback
            traceback.print_exc()
            return pack.reply(request.unique, error=errno.EIO)

    def _perform(self, request: Request, method: str) -> bytes:
        operation = _operation(request, method)
        rule = self._rules.decide(operation, self._paths(request, method)) if operation in OPERATIONS else None
        if rule is None:
            return bytes(getattr(self._files, method)(request))
        self._wait(rule, request.thread)
        if rule.error_number and not rule.is_late:
            raise OSError(rule.error_number, "by rule")
        done = self._files.write(request, 2) if rule.action == "short" else getattr(self._files, method)(request)
        if rule.is_late:
            raise OSError(rule.error_number, "by rule, although done")
        return bytes(done)

    def _wait(self, rule: Rule, thread: int) -> None:
        """Waits as long as the rule says; a process that is being killed goes at once (EINTR), as on NFS."""
        end = time.monotonic() + rule.delay_seconds
        while time.monotonic() < end or (rule.action == "hang" and self._rules.holds(rule)):
            if _is_being_killed(thread):
                raise InterruptedError(errno.EINTR, "killed")
            time.sleep(0.01)

    def _paths(self, request: Request, method: str) -> tuple[str, ...]:
        nodes = self._files.nodes
        here = nodes.path(request.node)
        if method not in _NAMES_AT:
            return (here,)
        name, *others = request.texts(_NAMES_AT[method])
        path = f"{here}/{name}".lstrip("/")
        if method == "rename":
            return path, f"{nodes.path(request.unpack('Q')[0])}/{others[0]}".lstrip("/")
        return (nodes.path(request.unpack("Q")[0]), path) if method == "link" else (path,)


def _operation(request: Request, method: str) -> str:
    """The name by which rules call it."""
    if method != "setattr":
        return method
    what = SetAttr(request.unpack("I")[0])
    if what & SetAttr.SIZE:
        return "truncate"
    if what & (SetAttr.ATIME | SetAttr.MTIME):
        return "utime"
    return "chmod" if what & SetAttr.MODE else "chown"


def _is_being_killed(thread: int) -> bool:
    """True if SIGKILL is pending for the thread. The kernel tells a filesystem of signals, but not of which."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{thread}/status").read_text().splitlines():
            if line.startswith(("SigPnd:", "ShdPnd:")) and int(line.split()[1], 16) & _SIGKILL_BIT:
                return True
    return False


def main() -> None:
    """Entry: arguments are backing folder, mount, rules file, log file, cache times in JSON, and the log of writes.

    Says `ready` when mounted. Ends, and unmounts, when its standard input is closed, so also when its test dies.
    """
    backing, target, rules, log, times, writes = sys.argv[1:]
    os.umask(0)  # the kernel has applied the caller's
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    valid = Validity(**json.loads(times))
    files = LoggedPassthrough(backing, valid, writes) if writes else Passthrough(backing, valid)
    device = os.open("/dev/fuse", os.O_RDWR)
    server = Server(device, files, RuleBook(Path(rules), Path(log)))
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    mounts.mount("faultfs", target, "fuse", options=options)
    for _ in range(_THREADS):
        threading.Thread(target=server.serve, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    mounts.detach(target)
    os._exit(0)  # threads may hang by rule; the kernel fails their callers when the device closes
