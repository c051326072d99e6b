"""Who is dead, for certain, and who only might be."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from neps._ledger import identity as module
from neps._ledger.identity import Identity
from rigs.hosts import as_host
from rigs.waiting import wait_until

ALIVE = (
    "import json, sys; from neps._ledger.identity import Identity;"
    "print(json.dumps(Identity.mine().to_document()), flush=True)"
)


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[bytes], Identity]]:
    """Another process, which waits for its standard input to end, and its identity."""
    program = [sys.executable, "-c", f"{ALIVE}; sys.stdin.read()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process, Identity.from_document(json.loads(process.stdout.readline()))
        process.kill()


Other = tuple[subprocess.Popen[bytes], Identity]


class TestDocument:
    def test_round_trip(self) -> None:
        mine = Identity.mine()
        assert Identity.from_document(mine.to_document()) == mine

    @pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Identity)])
    def test_each_field_is_needed(self, field: str) -> None:
        document = Identity.mine().to_document()
        del document[field]
        with pytest.raises(KeyError, match=field):
            Identity.from_document(document)

    def test_each_is_new(self) -> None:
        assert Identity.mine().worker != Identity.mine().worker

    @pytest.mark.parametrize("host", ["node.example.org", "möb ius/..", "", "a" * 64])
    def test_token_is_a_file_name_without_a_dot(self, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: host)
        mine = Identity.mine()
        assert re.fullmatch(r"[A-Za-z0-9_-]+", mine.token)
        assert mine.host == host


class TestProvenDead:
    def test_not_this_process(self) -> None:
        assert not Identity.mine().proven_dead()

    def test_ended(self, other: Other) -> None:
        process, identity = other
        assert not identity.proven_dead()
        process.kill()
        process.wait()
        assert identity.proven_dead()

    def test_zombie_process(self, other: Other) -> None:
        """Killed, and not yet waited for: it will never write again."""
        process, identity = other
        process.kill()
        wait_until(identity.proven_dead, 10, "the process to be a zombie")
        assert process.returncode is None

    def test_stopped_is_not_dead(self, other: Other) -> None:
        process, identity = other
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: module.process_state(process.pid)[0] == "T", 10, "the process to stop")
        assert not identity.proven_dead()

    def test_reused_pid(self, other: Other) -> None:
        _, identity = other
        assert dataclasses.replace(identity, process_started=identity.process_started - 1).proven_dead()

    def test_start_time_unknown(self, other: Other) -> None:
        _, identity = other
        assert not dataclasses.replace(identity, process_started=0).proven_dead()

    @pytest.mark.parametrize("field", ["boot", "pid_namespace"])
    @pytest.mark.parametrize("value", ["another", ""])
    def test_elsewhere_is_unknown(self, other: Other, field: str, value: str) -> None:
        process, identity = other
        process.kill()
        process.wait()
        elsewhere = dataclasses.replace(identity, **{field: value})  # type: ignore[arg-type]
        assert not elsewhere.proven_dead()

    def test_unknown_boot_here_too(self, other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
        process, identity = other
        process.kill()
        process.wait()
        monkeypatch.setattr(module, "_boot", lambda: "")
        assert not dataclasses.replace(identity, boot="").proven_dead()

    def test_process_of_another_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(pid: int, number: int) -> None:
            raise PermissionError

        mine = Identity.mine()
        monkeypatch.setattr(os, "kill", refuse)
        assert not mine.proven_dead()
        assert dataclasses.replace(mine, process_started=1).proven_dead()

    def test_hidden_process(self, other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
        """A /proc that shows only one's own."""
        _, identity = other
        monkeypatch.setattr(module, "process_state", lambda _: ("", 0))
        assert not identity.proven_dead()

    @pytest.mark.usefixtures("hosts")
    @pytest.mark.parametrize(("name", "boot"), [("b", 0), ("a", 1)])
    def test_other_hosts_and_boots_prove_nothing(self, name: str, boot: int) -> None:
        done = subprocess.run(as_host("a", [sys.executable, "-c", ALIVE]), capture_output=True, check=True, timeout=30)
        program = (
            "import json, sys; from neps._ledger.identity import Identity;"
            "sys.exit(Identity.from_document(json.loads(sys.argv[1])).proven_dead())"
        )
        argv = [sys.executable, "-c", program, done.stdout.decode()]
        assert subprocess.run(as_host(name, argv, boot), check=False, timeout=30).returncode == 0


def test_name_of_a_process_may_hold_anything() -> None:
    line = b"7 (a) R (b\n) S 1 7 7 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 4242 9 9"
    match = module._AFTER_NAME.match(line)
    assert match is not None
    assert (match[1], match[2]) == (b"S", b"4242")


def test_proc_of_another_pid_namespace_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bare `unshare --pid`: what is there under this number is another process, which may end at any time."""
    monkeypatch.setattr(module, "_sees_own_processes", lambda: False)
    other = dataclasses.replace(Identity.mine(), process_started=1)
    assert Identity.mine().process_started == 0
    assert not other.proven_dead()
    monkeypatch.undo()
    assert other.proven_dead()
