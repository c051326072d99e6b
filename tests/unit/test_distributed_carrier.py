"""Messages between ranks, in a store of torch's that lies beside whatever else is in it."""

from __future__ import annotations

import collections
import itertools
import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

import neps
from neps._distributed import joining, rendezvous
from neps._distributed.carrier import Carrier, Host
from neps._distributed.histories import history_as_message, read_message
from neps._distributed.launched import Group
from neps.errors import ArgumentError, LaunchError, RankError


def group(port: int, rank: int = 0, size: int = 2) -> Group:
    return Group(rank=rank, size=size, run="r", address="localhost", port=port, agent_hosts=True)


def test_messages_of_any_size_reach_the_other_rank_and_no_other_call() -> None:
    host = Host()
    here, there, other = (Carrier(group(host.port, rank), call) for rank, call in ((0, "0"), (1, "0"), (0, "1")))
    here.put("step/0", {"kind": "trial", "x": float("inf")})
    assert there.await_("step/0", time.sleep) == {"kind": "trial", "x": float("inf")}
    assert other.find("step/0") is None
    assert here.put_first("stop", "a")
    assert not there.put_first("stop", "b")
    assert there.put_first("stop", "a") is True  # the same words, from two ranks at once
    assert [there.count("n", 1), here.count("n", 1), here.count("n")] == [1, 2, 2]
    large = [os.urandom(8).hex() for _ in range(300_000)]  # more than the store takes at once
    here.put_large("history", large)
    assert there.await_large("history", time.sleep) == large


def test_a_store_that_is_gone_is_said() -> None:
    host = Host()
    carrier = Carrier(group(host.port), "0")
    carrier.put("a", 1)
    del host
    with pytest.raises(RankError, match="can't reach each other any more"):
        carrier.find("a")


IDENTITY = {"host": "elsewhere", "worker": "w", "boot": "", "pid_namespace": "", "pid": 1, "process_started": 0}
MINE = {"root_directory": "/a", "max_evaluations_total": "5"}


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Group, Group]]:
    """Two ranks of one torchrun, as which this process has called nothing yet."""
    host = Host()
    monkeypatch.setattr(joining, "_starts", collections.defaultdict(joining._Start))
    monkeypatch.setenv(joining._VARIABLE, "")
    yield group(host.port), group(host.port, 1)
    del host  # its store has lived until here


def joined(there: Group, name: str, arguments: dict[str, str]) -> None:
    """The other rank has called."""
    Carrier(there, name).put("joined/1", {"identity": IDENTITY, "arguments": arguments})


def test_ranks_find_each_other_though_others_were_there_before_them(ranks: tuple[Group, Group]) -> None:
    """Torchrun starts all ranks anew, on one host as a restart and on the other as none: its store stays."""
    first, second = ranks
    deadline = time.monotonic() + 60

    def wait(pause: float) -> None:
        assert time.monotonic() < deadline, "they don't find each other"
        time.sleep(pause)

    for _ in range(3):
        joining._starts.clear()
        os.environ[joining._VARIABLE] = ""
        Carrier(second, "lobby").put("asks/1", "a ticket of a rank that has died")
        with ThreadPoolExecutor() as pool:
            for _ in range(2):
                calls = [pool.submit(joining.join, each, MINE, wait) for each in (second, first)]
                here, there = (call.result()[0] for call in calls)
                here.put("step/0", "a")
                assert there.await_("step/0", wait) == "a"


def test_ranks_that_were_called_differently_are_refused(ranks: tuple[Group, Group]) -> None:
    first, second = ranks
    joining._starts[first].name = "start"
    joined(second, "start/0", MINE | {"root_directory": "/mounted/elsewhere"})
    assert joining.join(first, MINE, time.sleep)[1][1].host == "elsewhere"
    joined(second, "start/1", MINE | {"max_evaluations_total": "6"})
    with pytest.raises(ArgumentError, match="max_evaluations_total=5, and rank 1 with 6"):
        joining.join(first, MINE, time.sleep)


def test_of_long_arguments_the_difference_is_shown(ranks: tuple[Group, Group]) -> None:
    first, second = ranks
    spaces = [neps.SearchSpace({f"x{n}": neps.Float(0, 1 + (n == 7) * upper) for n in range(20)}) for upper in (1, 2)]
    texts = [json.dumps(space.definition()) for space in spaces]
    joining._starts[first].name = "start"
    joined(second, "start/0", {"pipeline_space": texts[1]})
    with pytest.raises(ArgumentError, match=r'"x7": .*upper": 2.*, and rank 1 with .*"x7": .*upper": 3') as raised:
        joining.join(first, {"pipeline_space": texts[0]}, time.sleep)
    assert len(str(raised.value)) < 700


def test_a_process_that_has_inherited_the_variables_of_a_rank_is_refused(ranks: tuple[Group, Group]) -> None:
    first, second = ranks
    joining._starts[first].name = "start"
    joined(second, "start/0", MINE)
    joining.join(first, MINE, time.sleep)
    os.environ[joining._VARIABLE] = os.environ[joining._VARIABLE].replace(str(os.getpid()), "1")
    with pytest.raises(LaunchError, match="another process is rank 0"):
        joining.join(first, MINE, time.sleep)


def test_who_waits_says_for_whom_again_and_again_and_gives_up(
    ranks: tuple[Group, Group], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = itertools.count()
    monkeypatch.setattr(joining, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    with pytest.raises(
        LaunchError, match=r"^rank 1 did not call neps.run within 600 s of another one\. Under torchrun"
    ):
        joining.join(ranks[0], MINE, lambda _: None)
    said = [record.getMessage() for record in caplog.records]
    assert [re.findall(r"waited for (\d+) s", line)[0] for line in said] == [
        "11",
        "21",
        "41",
        "81",
        "161",
        "321",
        "641",
    ][: len(said)]
    assert len(said) >= 6
    assert said[0].startswith("Rank 0 has waited for 11 s for rank 1 to call neps.run. It gives up after 600 s.")
    assert "outside of any `if rank == 0:`" in said[0]


def test_a_store_that_is_gone_is_not_waited_for_once_more(ranks: tuple[Group, Group]) -> None:
    """A second thread would try to connect for two minutes."""
    carrier = Carrier(group(1), "topic")
    carrier._gone = OSError("gone")
    with pytest.raises(RankError, match="doesn't answer"):
        carrier.find("a")


def test_a_history_arrives_as_it_was(tmp_path: Path) -> None:
    def run_pipeline(x: float, layers: int) -> dict[str, object]:
        if layers == 2:
            raise ValueError("two")
        neps.report(1, float("nan"))
        return {"loss": x, "cost": 2, "info_dict": {1: "a key that is no text", "when": [1, None, "ä"]}}

    space = {"x": neps.Float(0, 1), "layers": neps.Integer(1, 3)}
    neps.run(run_pipeline, tmp_path, space, max_evaluations_total=8, seed=1, ignore_errors=True)
    neps.import_trials(tmp_path, [{"config": {"x": 0.5, "layers": 1}, "loss": 0.5}])
    history = neps.load(tmp_path)
    received = read_message(history_as_message(history), history.space)
    read = received.by_number
    assert received.imported == history.imported
    assert len(history.imported) == 1
    assert len({trial.status for trial in history}) == 2
    assert str(read) == str(history.by_number)
    assert [repr(read[trial.number].result) for trial in history] == [repr(trial.result) for trial in history]
    assert [read[trial.number].decision for trial in history] == [trial.decision for trial in history]


def test_the_variables_of_torchrun_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    with rendezvous.restored():
        rendezvous.at(None)
        assert os.environ["MASTER_PORT"] == "1"
        rendezvous.at(2)
        assert (os.environ["MASTER_PORT"], os.environ["TORCHELASTIC_USE_AGENT_STORE"]) == ("2", "True")
    assert os.environ["MASTER_PORT"] == "1"
    assert "TORCHELASTIC_USE_AGENT_STORE" not in os.environ


def test_each_trial_without_a_group_gets_a_store_of_its_own() -> None:
    stores = rendezvous.Rendezvous()
    assert stores.port() != stores.port()
    assert not rendezvous.is_grouped()
    assert rendezvous.anew()["MASTER_PORT"].isdecimal()


def test_a_name_with_rank_is_each_ranks_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert neps.checkpoint.save(tmp_path, {"a": 0}, "part-{rank}.pt").name == "part-0.pt"
    monkeypatch.setenv("RANK", "3")  # of something else than torchrun
    assert neps.checkpoint.load(tmp_path, name="part-{rank}.pt") == {"a": 0}
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert neps.checkpoint.load(tmp_path, name="part-{rank}.pt") is None
    assert neps.checkpoint.save(tmp_path, {"a": 3}, "part-{rank}.pt").name == "part-3.pt"
