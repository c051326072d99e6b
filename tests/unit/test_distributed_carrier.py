"""Messages between ranks, in a store of torch's that lies beside whatever else is in it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import neps
from neps._distributed import joining, rendezvous
from neps._distributed.carrier import Carrier, Host
from neps._distributed.histories import read_trials, trials_as_message
from neps._distributed.launched import Group
from neps.errors import ArgumentError, LaunchError, RankError


def group(port: int, rank: int = 0, size: int = 2) -> Group:
    return Group(rank=rank, size=size, run="r", address="localhost", port=port, agent_hosts=True, restarts=0)


def test_messages_of_any_size_reach_the_other_rank_and_no_other_call() -> None:
    host = Host()
    here, there, other = (Carrier(group(host.port, rank), call) for rank, call in ((0, 0), (1, 0), (0, 1)))
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
    carrier = Carrier(group(host.port), 0)
    carrier.put("a", 1)
    del host
    with pytest.raises(RankError, match="can't reach each other any more"):
        carrier.find("a")


def test_ranks_that_were_called_differently_and_ranks_that_are_there_twice_are_refused() -> None:
    host = Host()
    first, second = group(host.port), group(host.port, 1)
    mine = {"root_directory": "/a", "max_evaluations_total": "5"}
    identity = {"host": "elsewhere", "worker": "w", "boot": "", "pid_namespace": "", "pid": 1, "process_started": 0}
    there = Carrier(second, 0)
    there.put_first("joined/1", {"identity": identity, "arguments": mine | {"root_directory": "/mounted/elsewhere"}})
    joined = joining.join(Carrier(first, 0), first, mine, time.sleep)
    assert joined[1].host == "elsewhere"
    with pytest.raises(LaunchError, match="another process is rank 0"):
        joining.join(Carrier(first, 0), first, mine, time.sleep)
    Carrier(second, 1).put_first("joined/1", {"identity": identity, "arguments": mine | {"max_evaluations_total": "6"}})
    with pytest.raises(ArgumentError, match="max_evaluations_total=5, and rank 1 with 6"):
        joining.join(Carrier(first, 1), first, mine, time.sleep)


def test_a_history_arrives_as_it_was(tmp_path: Path) -> None:
    def run_pipeline(x: float, layers: int) -> dict[str, object]:
        if layers == 2:
            raise ValueError("two")
        neps.report(1, float("nan"))
        return {"loss": x, "cost": 2, "info_dict": {1: "a key that is no text", "when": [1, None, "ä"]}}

    space = {"x": neps.Float(0, 1), "layers": neps.Integer(1, 3)}
    history = neps.run(run_pipeline, tmp_path, space, max_evaluations_total=8, seed=1, ignore_errors=True)
    read = read_trials(trials_as_message(history))
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
