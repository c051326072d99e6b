"""The rigs do what they promise: a test on a rig that injects nothing would prove nothing."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rigs.faultfs import Fault, Mount, Rule, Validity, faultfs
from rigs.hosts import as_host, hosts_available
from rigs.processes import Fleet, Host
from rigs.requirements import require
from rigs.smallfs import Kind, smallfs, smallfs_available
from rigs.waiting import wait_until

DEADLINE = 60.0
"""Seconds for what takes a moment, however busy the machine is."""
SAY_WHERE = "hostname; cat /proc/sys/kernel/random/boot_id; readlink /proc/self/ns/pid; echo $$"


def output_of(argv: list[str]) -> list[str]:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=DEADLINE).stdout.split()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def sleepers(seconds: str) -> list[str]:
    return [path for path in map(str, Path("/proc").glob("[0-9]*")) if command_line(path) == f"sleep {seconds} "]


def command_line(process: str) -> str:
    try:
        return Path(process, "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.mark.usefixtures("hosts")
class TestHosts:
    def test_identity_follows_from_name_and_boot(self) -> None:
        name, boot_id, namespace, pid = output_of(as_host("alpha", ["sh", "-c", SAY_WHERE]))
        _, boot_id_again, _, _ = output_of(as_host("alpha", ["sh", "-c", SAY_WHERE]))
        _, boot_id_after_reboot, _, _ = output_of(as_host("alpha", ["sh", "-c", SAY_WHERE], boot=1))
        other_name, other_boot_id, _, _ = output_of(as_host("beta", ["sh", "-c", SAY_WHERE]))
        assert (name, other_name, pid) == ("alpha", "beta", "2")
        assert boot_id == boot_id_again
        assert namespace != str(Path("/proc/self/ns/pid").readlink())
        here = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert len({boot_id, boot_id_after_reboot, other_boot_id, here}) == 4

    def test_sees_only_its_own_processes(self) -> None:
        program = "import os; print(*[name for name in os.listdir('/proc') if name.isdigit()])"
        assert output_of(as_host("alpha", [sys.executable, "-c", program])) == ["1", "2"]

    def test_binds_one_folder_at_another(self, tmp_path: Path) -> None:
        (tmp_path / "here").mkdir()
        (tmp_path / "there").mkdir()
        (tmp_path / "here" / "file").write_text("content")
        cat = ["cat", str(tmp_path / "there" / "file")]
        assert output_of(as_host("alpha", cat, binds={tmp_path / "here": tmp_path / "there"})) == ["content"]
        assert not (tmp_path / "there" / "file").exists()

    @pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("exec no-such-program", 127)])
    def test_passes_the_exit_status_on(self, script: str, status: int) -> None:
        ended = subprocess.run(
            as_host("alpha", ["sh", "-c", script]), check=False, capture_output=True, timeout=DEADLINE
        )
        assert ended.returncode == status

    def test_says_why_it_could_not_be_made(self, tmp_path: Path) -> None:
        argv = as_host("alpha", ["true"], binds={tmp_path / "missing": tmp_path})
        ended = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=DEADLINE)
        assert ended.returncode == 125
        assert "No such file or directory" in ended.stderr

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
    def test_hands_signals_on(self, fleet: Fleet, number: signal.Signals) -> None:
        program = (
            "import signal, sys\n"
            f"signal.signal({int(number)}, lambda number, frame: sys.exit(40 + number))\n"
            "print('armed', flush=True)\n"
            "while True: signal.pause()\n"
        )
        worker = fleet.start(program, host=Host("alpha"))
        wait_until(lambda: worker.stdout, DEADLINE, "the handler")
        worker.signal(number)
        assert worker.wait(DEADLINE) == 40 + number

    def test_power_failure_ends_all_in_it(self) -> None:
        seconds = f"{os.getpid()}.5"  # that nobody else sleeps for
        argv = as_host("alpha", ["sh", "-c", f"setsid sleep {seconds} & sleep {seconds}; true"])
        with subprocess.Popen(argv) as host:
            try:
                wait_until(lambda: len(sleepers(seconds)) == 2, DEADLINE, "both sleepers")
            finally:
                host.kill()
        wait_until(lambda: not sleepers(seconds), DEADLINE, "their end")


class TestFaults:
    def test_passes_through_without_rules(self, faulty: Mount) -> None:
        data = random.Random(0).randbytes(300_000)
        (faulty.path / "folder").mkdir()
        (faulty.path / "folder" / "file").write_bytes(data)
        with (faulty.path / "folder" / "file").open("ab") as file:
            file.write(b"more")
        (faulty.path / "folder" / "file").rename(faulty.path / "moved")
        os.link(faulty.path / "moved", faulty.path / "linked")
        (faulty.path / "symbolic").symlink_to("linked")
        os.utime(faulty.path / "moved", ns=(10**18 + 1, 10**18 + 2))
        assert (faulty.backing / "moved").read_bytes() == data + b"more" == (faulty.path / "symbolic").read_bytes()
        assert names_in(faulty.path) == {"folder", "moved", "linked", "symbolic"}
        status = (faulty.path / "linked").stat()
        assert (status.st_nlink, status.st_mtime_ns) == (2, 10**18 + 2)
        assert faulty.faults() == []

    def test_lists_large_folders(self, faulty: Mount) -> None:
        names = {f"a-file-with-a-longer-name-{number}" for number in range(500)}
        for name in names:
            (faulty.backing / name).touch()
        assert names_in(faulty.path) == names

    def test_exclusive_creation_loses_a_race(self, faulty: Mount, fleet: Fleet) -> None:
        faulty.rules([Rule("create", "name", "hang")])
        worker = fleet.start("import sys; open(sys.argv[1], 'x')", faulty.path / "name")
        wait_until(faulty.faults, DEADLINE, "the request to be on its way")
        (faulty.backing / "name").write_text("of the winner")
        faulty.rules([])
        assert worker.wait(DEADLINE) == 1
        assert "FileExistsError" in worker.stderr
        assert (faulty.path / "name").read_text() == "of the winner"

    def test_a_removed_file_stays_readable_where_it_is_open(self, faulty: Mount) -> None:
        (faulty.path / "file").write_text("content")
        with (faulty.path / "file").open() as file:
            (faulty.path / "file").unlink()
            assert os.fstat(file.fileno()).st_nlink == 0
            assert file.read() == "content"

    def test_error_so_many_times_after_so_many(self, faulty: Mount) -> None:
        faulty.rules([Rule("mkdir", "run/config_*", "EDQUOT", times=2, skip=1)])
        (faulty.path / "run").mkdir()
        outcomes = []
        for number in range(4):
            try:
                (faulty.path / "run" / f"config_{number}").mkdir()
                outcomes.append(0)
            except OSError as error:
                outcomes.append(error.errno or 0)
        assert outcomes == [0, errno.EDQUOT, errno.EDQUOT, 0]
        assert faulty.faults() == [Fault("mkdir", (f"run/config_{number}",), "EDQUOT") for number in (1, 2)]

    def test_done_but_reported_as_failed(self, faulty: Mount) -> None:
        (faulty.path / "file").touch()
        faulty.rules([Rule("link", "trial.yaml", "after:EIO")])
        with pytest.raises(OSError, match="Input/output error"):
            os.link(faulty.path / "file", faulty.path / "trial.yaml")
        assert (faulty.path / "trial.yaml").exists()
        assert faulty.faults() == [Fault("link", ("file", "trial.yaml"), "after:EIO")]

    def test_short_write(self, faulty: Mount) -> None:
        faulty.rules([Rule("write", "file", "short", times=1)])
        with (faulty.path / "file").open("wb", buffering=0) as file:
            assert file.write(b"0123456789") == 5
            assert file.write(b"56789") == 5
        assert (faulty.backing / "file").read_bytes() == b"0123456789"

    @pytest.mark.parametrize(
        ("operation", "use"),
        [
            ("open", lambda path: path.read_text()),
            ("read", lambda path: path.read_text()),
            ("create", lambda path: path.with_name("new").touch()),
            ("flush", lambda path: path.write_text("x")),
            ("truncate", lambda path: os.truncate(path, 1)),
            ("utime", os.utime),
            ("chmod", lambda path: path.chmod(0o600)),
            ("getattr", lambda path: path.stat()),
            ("lookup", lambda path: path.stat()),
            ("unlink", lambda path: path.unlink()),
            ("rename", lambda path: path.rename(path.with_name("new"))),
            ("readdir", lambda path: names_in(path.parent)),
        ],
    )
    def test_every_operation_can_fail(self, faulty: Mount, operation: str, use: Callable[[Path], object]) -> None:
        (faulty.backing / "folder").mkdir()
        (faulty.backing / "folder" / "file").write_text("content")
        path = faulty.path / "folder" / "file"
        if operation == "getattr":  # of a file just looked up the attributes are known
            faulty.rules([Rule("getattr", "*", "ESTALE")])
            with pytest.raises(OSError, match="Stale"), path.open() as file:
                os.fstat(file.fileno())
            return
        faulty.rules([Rule(operation, "folder*", "EIO")])
        with pytest.raises(OSError, match="Input/output error"):
            use(path)
        assert {fault.operation for fault in faulty.faults()} == {operation}

    @pytest.mark.parametrize("opened", ["file", "."])
    def test_fsync_fails_on_files_and_folders(self, faulty: Mount, opened: str) -> None:
        (faulty.path / "file").touch()
        faulty.rules([Rule("fsync,fsyncdir", "*", "ENOSPC")])
        descriptor = os.open(faulty.path / opened, os.O_RDONLY)
        try:
            with pytest.raises(OSError, match="No space"):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def test_delay(self, faulty: Mount) -> None:
        faulty.rules([Rule("mkdir", "*", "delay:0.2")])
        start = time.monotonic()
        (faulty.path / "folder").mkdir()
        assert time.monotonic() - start >= 0.2

    def test_hang_ends_with_its_rule_or_its_process(self, faulty: Mount, fleet: Fleet) -> None:
        program = "import os, sys; os.mkdir(sys.argv[1])"
        for name in ("one", "two"):  # Linux creates in one folder by one process at a time
            (faulty.path / name).mkdir()
        faulty.rules([Rule("mkdir", "*", "hang")])
        killed = fleet.start(program, faulty.path / "one" / "never")
        patient = fleet.start(program, faulty.path / "two" / "late")
        wait_until(lambda: len(faulty.faults()) == 2, DEADLINE, "both hanging")
        killed.kill()
        assert patient.exit_code is None
        faulty.rules([])
        assert patient.wait(DEADLINE) == 0
        assert [names_in(faulty.backing / name) for name in ("one", "two")] == [set(), {"late"}]

    def test_fleet_ends_although_it_hangs_in_a_queue(self, faulty: Mount, tmp_path: Path, rng: random.Random) -> None:
        faulty.rules([Rule("mkdir", "*", "hang")])
        with Fleet(tmp_path, rng) as fleet:
            for number in range(3):
                fleet.start("import os, sys; os.mkdir(sys.argv[1])", faulty.path / str(number))
            wait_until(faulty.faults, DEADLINE, "the first to hang")
        assert names_in(faulty.backing) == set()

    def test_unmounts_under_a_hanging_process(self, tmp_path: Path, fleet: Fleet) -> None:
        with faultfs(tmp_path) as mount:
            mount.rules([Rule("mkdir", "*", "hang")])
            worker = fleet.start("import os, sys; os.mkdir(sys.argv[1])", mount.path / "never")
            wait_until(mount.faults, DEADLINE, "it to hang")
        assert worker.wait(DEADLINE) == 1
        assert "ConnectionAbortedError" in worker.stderr
        assert not mount.path.exists()

    def test_stale_second_client(self, faulty: Mount) -> None:
        (faulty.path / "old").write_text("1")
        with faultfs(faulty.backing, Validity(attributes=60, entries=60, absences=60)) as stale:
            assert (stale.path / "old").stat().st_size == 1
            assert not (stale.path / "new").exists()
            (faulty.path / "old").write_text("longer")
            (faulty.path / "new").touch()
            assert (stale.path / "old").stat().st_size == 1
            assert not (stale.path / "new").exists()
            assert names_in(stale.path) == {"old", "new"}
        assert (faulty.path / "old").stat().st_size == len("longer")

    @pytest.mark.parametrize(
        ("operations", "action", "message"),
        [
            ("fsink", "EIO", "unknown operations"),
            ("fsync", "EOI", "unknown action"),
            ("fsync", "short", "only a write"),
        ],
    )
    def test_refuses_rules_that_never_apply(self, operations: str, action: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Rule(operations, "*", action)


class TestSmall:
    def test_runs_out_of_space(self, small: Path) -> None:
        with pytest.raises(OSError, match="No space left on device"):
            (small / "file").write_bytes(bytes(2**21))
        assert small.is_mount()

    @pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
    def test_runs_out_of_inodes(self, kind: Kind) -> None:
        require(smallfs_available(kind))

        def make_folders(parent: Path) -> None:
            for number in range(20):
                (parent / str(number)).mkdir()

        with smallfs(kind, inodes=16) as full, pytest.raises(OSError, match="No space left on device"):
            make_folders(full)


STARTED_AT = """
import sys, time
from rigs.barrier import await_start
print("up", flush=True)
await_start()
print(time.monotonic())
"""
SLEEPER = """
import subprocess, sys, time
subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True)
print("up", flush=True)
time.sleep(600)
"""


HERE_AND_ON_A_HOST = pytest.mark.parametrize("host", [None, Host("alpha")], ids=["here", "host"])


class TestFleet:
    def test_nobody_starts_before_all_are_ready(self, fleet: Fleet) -> None:
        for _ in range(4):
            fleet.start(STARTED_AT)
        wait_until(lambda: all(worker.stdout for worker in fleet.workers), DEADLINE, "all to be up")
        released = time.monotonic()
        fleet.release()
        assert fleet.wait_all(DEADLINE) == [0, 0, 0, 0]
        assert min(float(worker.stdout.split()[1]) for worker in fleet.workers) > released

    @pytest.mark.usefixtures("hosts")
    def test_starts_on_hosts_at_once(self, fleet: Fleet) -> None:
        for name in ("alpha", "beta"):
            fleet.start(STARTED_AT + "import socket; print(socket.gethostname())", host=Host(name))
        fleet.release()
        assert fleet.wait_all(DEADLINE) == [0, 0]
        assert [worker.stdout.split()[2] for worker in fleet.workers] == ["alpha", "beta"]

    def test_release_names_who_failed_before(self, fleet: Fleet) -> None:
        fleet.start("raise SystemExit('no such module')")
        with pytest.raises(AssertionError, match="no such module"):
            fleet.release()

    def test_arguments_and_environment(self, fleet: Fleet, tmp_path: Path) -> None:
        program = tmp_path / "program.py"
        program.write_text("import os, sys; print(sys.argv[1:], os.environ['WORD'])")
        worker = fleet.start(program, "one", tmp_path, environment={"WORD": "two"})
        assert worker.wait(DEADLINE) == 0
        assert worker.stdout == f"['one', '{tmp_path}'] two\n"

    @HERE_AND_ON_A_HOST
    def test_freezes_and_thaws(self, fleet: Fleet, host: Host | None) -> None:
        require(hosts_available() if host else None)
        worker = fleet.start("import itertools\nfor n in itertools.count(): print(n, flush=True)", host=host)
        wait_until(lambda: worker.stdout, DEADLINE, "the first number")
        worker.freeze()
        frozen_at = worker.stdout
        with pytest.raises(AssertionError, match="in vain"):
            wait_until(lambda: worker.stdout != frozen_at, 0.2, "a number from a frozen worker")
        worker.thaw()
        wait_until(lambda: worker.stdout != frozen_at, DEADLINE, "the next number")

    def test_kill_and_wait(self, fleet: Fleet) -> None:
        worker = fleet.start("import time; time.sleep(600)")
        worker.kill()
        assert worker.wait(0) == -signal.SIGKILL

    @HERE_AND_ON_A_HOST
    def test_too_late_shows_where_it_was(self, fleet: Fleet, host: Host | None) -> None:
        require(hosts_available() if host else None)
        worker = fleet.start("import time\ndef stuck(): print(1, flush=True); time.sleep(600)\nstuck()", host=host)
        wait_until(lambda: worker.stdout, DEADLINE, "it to be stuck")
        with pytest.raises(AssertionError, match=r"(?s)still ran after 0 s.*in stuck"):
            worker.wait(0)

    @HERE_AND_ON_A_HOST
    def test_leaves_no_process_behind(self, tmp_path: Path, rng: random.Random, host: Host | None) -> None:
        require(None if sys.platform == "linux" else "finds orphans by /proc, which only Linux has")
        require(hosts_available() if host else None)
        seconds = f"{os.getpid()}.25"

        def failing_test() -> None:
            with Fleet(tmp_path, rng) as fleet:
                orphaned, frozen = fleet.start(SLEEPER, seconds, host=host), fleet.start(SLEEPER, seconds, host=host)
                wait_until(lambda: len(sleepers(seconds)) == 2, DEADLINE, "their children")
                frozen.freeze()
                orphaned.kill()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            failing_test()
        assert not sleepers(seconds)

    def test_disturbs_until_the_work_is_done(self, fleet: Fleet, tmp_path: Path) -> None:
        counter = tmp_path / "counter"
        counter.touch()
        program = "import sys, time\nwhile True:\n  open(sys.argv[1], 'a').write('x'); time.sleep(0.01)"
        for _ in range(2):
            fleet.start(program, counter)
        done = fleet.disturb(
            lambda: len(fleet.workers) >= 4 and counter.read_text(), DEADLINE, seconds_between=(0.01, 0.05)
        )
        killed = [line.split()[1] for line in done if line.startswith("kill")]
        assert len(fleet.workers) == 2 + len(killed) >= 4
        assert {worker.name for worker in fleet.workers if worker.exit_code == -signal.SIGKILL} == set(killed)

    def test_disturbs_no_longer_than_allowed(self, fleet: Fleet) -> None:
        with pytest.raises(AssertionError, match=r"not finished after 0\.1 s"):
            fleet.disturb(lambda: False, 0.1, seconds_between=(0.01, 0.02))
