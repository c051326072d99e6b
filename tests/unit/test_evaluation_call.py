"""evaluate: results, failures and interruptions, in the main thread and in others, with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, NoReturn

import pytest

from neps._evaluation import (
    Evaluated,
    Fence,
    Fenced,
    Interrupted,
    Interruption,
    PendingType,
    Signals,
    TimeOver,
    check,
    evaluate,
    report,
)
from neps._outcome import Outcome
from neps.errors import TakenOverError


class OwnBaseError(BaseException):
    pass


@pytest.fixture
def signals() -> Iterator[Signals]:
    with Signals() as active:
        yield active


def kill(signum: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), signum)


def raising(error: BaseException, *, after: int | None = None) -> Callable[..., NoReturn]:
    """A run_pipeline that raises, where `after` is given on catching the interruption by that signal."""

    def run_pipeline() -> NoReturn:
        try:
            if after is not None:
                kill(after)
        except BaseException as interruption:
            raise error from interruption
        raise error

    return run_pipeline


def test_a_value_is_an_outcome(signals: Signals) -> None:
    assert evaluate(lambda x: {"loss": x, "cost": 2}, {"x": 1}, signals) == Evaluated(
        Outcome(success=True, loss=1.0, cost=2.0)
    )


def test_a_bad_value_is_a_failure(signals: Signals) -> None:
    evaluated = evaluate(lambda: "0.5", {}, signals)
    assert isinstance(evaluated, Evaluated)
    assert not evaluated.outcome.success
    assert evaluated.outcome.error is not None
    assert evaluated.outcome.error.startswith("ReturnValueError: run_pipeline returned '0.5' (str)")


@pytest.mark.parametrize(
    "error", [ValueError("x"), GeneratorExit(), OwnBaseError("x"), MemoryError(), StopIteration(1)]
)
def test_exceptions_are_failures(signals: Signals, error: BaseException) -> None:
    evaluated = evaluate(raising(error), {}, signals)
    assert isinstance(evaluated, Evaluated)
    assert not evaluated.outcome.success
    assert evaluated.exception is error


def test_the_stored_traceback_begins_in_run_pipeline(signals: Signals) -> None:
    evaluated = evaluate(raising(ValueError("x")), {}, signals)
    assert isinstance(evaluated, Evaluated)
    lines = str(evaluated.outcome.error).splitlines()
    assert lines[:3] == ["ValueError: x", "", "Traceback (most recent call last):"]
    assert lines[3].endswith("in run_pipeline")


@pytest.mark.parametrize(
    ("error", "reason", "death"),
    [(KeyboardInterrupt(), "keyboard", False), (SystemExit(1), "exit", True), (SystemExit(0), "exit", True)],
)
def test_exits_are_no_failures(signals: Signals, error: BaseException, reason: str, *, death: bool) -> None:
    ended = evaluate(raising(error), {}, signals)
    assert isinstance(ended, Interrupted)
    assert (ended.reason, ended.exception, ended.signum, ended.counts_as_death) == (reason, error, None, death)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGXCPU])
def test_a_signal_interrupts(signals: Signals, signum: int) -> None:
    def run_pipeline() -> NoReturn:
        kill(signum)
        while True:
            pass

    ended = evaluate(run_pipeline, {}, signals)
    assert isinstance(ended, Interrupted)
    assert (ended.reason, ended.signum, ended.counts_as_death) == ("signal", signum, False)
    expected = KeyboardInterrupt if signum == signal.SIGINT else Interruption
    assert type(ended.exception) is expected


@pytest.mark.parametrize("error", [RuntimeError("DataLoader worker died"), SystemExit(1), KeyboardInterrupt()])
def test_whatever_is_raised_after_a_signal_is_its_doing(signals: Signals, error: BaseException) -> None:
    ended = evaluate(raising(error, after=signal.SIGTERM), {}, signals)
    assert ended == Interrupted(reason="signal", exception=error, signum=signal.SIGTERM)
    assert isinstance(error.__cause__, Interruption)


def test_a_value_wins_over_a_swallowed_signal(signals: Signals) -> None:
    def run_pipeline() -> float:
        try:
            kill()
        except BaseException:  # noqa: BLE001
            return 0.25
        return 0.5

    assert evaluate(run_pipeline, {}, signals) == Evaluated(Outcome(success=True, loss=0.25))
    assert signals.received == signal.SIGTERM


def test_no_evaluation_begins_after_a_signal(signals: Signals) -> None:
    kill()
    assert signals.received == signal.SIGTERM
    ended = evaluate(pytest.fail, {"reason": "called"}, signals)
    assert isinstance(ended, Interrupted)
    assert ended.reason == "signal"


def test_the_same_signal_at_once_again_does_not_disturb_cleaning_up(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    seen = []

    def run_pipeline() -> None:
        try:
            kill()
        except Interruption:
            kill()
            seen.append("undisturbed")
            now[0] += 2
            try:
                kill()
            except Interruption:
                seen.append("again")
        try:
            kill(signal.SIGUSR1)
        finally:
            seen.append("another")

    ended = evaluate(run_pipeline, {}, signals)
    assert isinstance(ended, Interrupted)
    assert ended.signum == signal.SIGTERM
    assert seen == ["undisturbed", "again", "another"]


def test_waiting_ends_with_a_signal(signals: Signals) -> None:
    signals.wait(0.001)
    awake = threading.Event()

    def insist() -> None:
        while not awake.wait(0.01):  # more than once: Python handles a signal just before a sleep after it
            kill()

    thread = threading.Thread(target=insist)
    thread.start()
    signals.wait(600)
    awake.set()
    thread.join()
    assert signals.received == signal.SIGTERM
    signals.wait(600)


def test_other_code_is_not_interrupted(signals: Signals) -> None:
    signals.interruptible(len, "")
    for signum in (signal.SIGINT, signal.SIGTERM):
        kill(signum)
    assert signals.received == signal.SIGINT
    with pytest.raises(KeyboardInterrupt):
        signals.interruptible(pytest.fail, "called")


# ------------------------------------------------------------------------------------------------------- handlers


@pytest.fixture
def handler() -> Iterator[Callable[[int, Any], None]]:
    """Installs handlers of a user's, and puts everything back."""
    before: dict[int, Any] = {}

    def install(signum: int, action: Any) -> None:
        before.setdefault(signum, signal.getsignal(signum))
        signal.signal(signum, action)

    yield install
    for signum, action in before.items():
        signal.signal(signum, action)


Install = Callable[[int, Any], None]


def actions() -> dict[int, Any]:
    return {signum: signal.getsignal(signum) for signum in signal.valid_signals()}


def test_handlers_are_restored(handler: Install) -> None:
    handler(signal.SIGUSR2, signal.SIG_IGN)
    handler(signal.SIGTERM, lambda *_: None)
    before = actions()
    with Signals() as signals:
        assert {signum for signum, action in actions().items() if action == signals._handle} == {
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGUSR1,
            signal.SIGHUP,
            signal.SIGXCPU,
        }
    assert actions() == before
    assert not signals.active


def test_handlers_of_c_code_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda _: None)
        with Signals() as signals:
            assert signals._previous == {}


def test_the_users_handler_comes_first(signals: Signals, handler: Install) -> None:
    called = []
    handler(signal.SIGTERM, lambda signum, frame: called.append((signum, frame is not None)))
    with Signals() as inner:
        ended = evaluate(raising(ValueError()), {}, inner)
        assert isinstance(ended, Evaluated)
        ended = evaluate(kill, {}, inner)
    assert isinstance(ended, Interrupted)
    assert isinstance(ended.exception, Interruption)
    assert called == [(signal.SIGTERM, True)]


@pytest.mark.parametrize("inside", [True, False])
def test_what_the_users_handler_raises_is_the_interruption(handler: Install, *, inside: bool) -> None:
    error = SystemExit(7)

    def action(*_: object) -> NoReturn:
        raise error

    handler(signal.SIGTERM, action)
    with Signals() as signals:
        if not inside:
            kill()
        ended = evaluate(kill, {}, signals)
    assert ended == Interrupted(reason="signal", exception=error, signum=signal.SIGTERM)
    assert not ended.counts_as_death
    with pytest.raises(SystemExit) as raised:
        signals.leave()
    assert raised.value is error


def test_what_a_handler_of_an_unhandled_signal_raises_goes_through_waiting(handler: Install) -> None:
    timer = threading.Timer(0.01, kill, [signal.SIGALRM])

    def action(*_: object) -> NoReturn:
        raise OwnBaseError

    def wait_for_ever(signals: Signals) -> NoReturn:
        while True:
            signals.wait(0.01)

    handler(signal.SIGALRM, action)
    with Signals() as signals:
        timer.start()
        with pytest.raises(OwnBaseError):
            wait_for_ever(signals)


def test_leaving_after_sigint_raises_and_without_a_signal_returns() -> None:
    with Signals() as signals:
        pass
    signals.leave()
    with Signals() as signals:
        kill(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signals.leave()


def test_a_run_inside_run_pipeline_passes_the_signal_on(signals: Signals) -> None:
    ended: list[object] = []

    def run_pipeline() -> None:
        with Signals() as inner:
            kill()  # outside the inner evaluation: must only be remembered
            ended.append(evaluate(pytest.fail, {"reason": "called"}, inner))
        inner.leave()

    outer = evaluate(run_pipeline, {}, signals)
    assert isinstance(outer, Interrupted)
    assert isinstance(outer.exception, Interruption)
    assert [type(end) for end in ended] == [Interrupted]


def test_in_other_threads_signals_are_left_to_python() -> None:
    before, results = actions(), list[Any]()

    def work() -> None:
        with Signals() as signals:
            results.append((signals.active, actions() == before, evaluate(lambda: 1, {}, signals)))
            signals.wait(0.001)
            results.append(evaluate(raising(SystemExit(1)), {}, signals))
        signals.leave()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results[0] == (False, True, Evaluated(Outcome(success=True, loss=1.0)))
    assert isinstance(results[1], Interrupted)


# --------------------------------------------------------------------------------------------------------- fences


def ended(evaluated: Evaluated | Interrupted | PendingType) -> Evaluated | Interrupted:
    assert not isinstance(evaluated, PendingType)
    return evaluated


def fenced_evaluation(signals: Signals, swallow: type[BaseException] | tuple[()]) -> Evaluated | Interrupted:
    fence, running = Fence(), SimpleQueue[bool]()

    def heartbeat() -> None:
        running.get()
        fence.interrupt()

    def run_pipeline() -> float:
        running.put(True)
        try:
            while True:
                check()
        except swallow:
            return 0.5

    thread = threading.Thread(target=heartbeat)
    thread.start()
    try:
        return ended(evaluate(run_pipeline, {}, signals, fence))
    finally:
        thread.join()


def test_a_fence_interrupts(signals: Signals) -> None:
    ended = fenced_evaluation(signals, ())
    assert isinstance(ended, Interrupted)
    assert isinstance(ended.exception, Fenced)
    assert (ended.reason, ended.signum, ended.counts_as_death) == ("fenced", None, False)


def test_a_value_wins_over_a_swallowed_fence(signals: Signals) -> None:
    assert fenced_evaluation(signals, Fenced) == Evaluated(Outcome(success=True, loss=0.5))


def test_a_fence_works_in_any_thread() -> None:
    results: list[Evaluated | Interrupted] = []
    thread = threading.Thread(target=lambda: results.append(fenced_evaluation(Signals(), ())))
    thread.start()
    thread.join()
    assert isinstance(results[0], Interrupted)


def test_a_fence_that_broke_before_the_call_prevents_it(signals: Signals) -> None:
    fence = Fence()
    fence.interrupt()
    ended = evaluate(pytest.fail, {"reason": "called"}, signals, fence)
    assert isinstance(ended, Interrupted)
    assert ended.reason == "fenced"


def test_a_fence_does_nothing_after_the_call(signals: Signals) -> None:
    fence = Fence()
    evaluate(lambda: 1, {}, signals, fence)
    fence.interrupt()
    assert not fence.broken


def broken_within(run_pipeline: Callable[[], Any]) -> Evaluated | Interrupted:
    """What comes of an evaluation whose attempt is taken over as it begins."""
    fence = Fence()

    def broken() -> Any:
        fence.interrupt()
        return run_pipeline()

    return ended(evaluate(broken, {}, Signals(), fence))


def test_a_fence_raises_at_each_report_and_nowhere_else() -> None:
    struck = []

    def run_pipeline() -> float:
        sum(range(10_000))
        for _ in range(2):
            try:
                report(1, 0.5)
            except Fenced:
                struck.append(True)
        return 0.5

    assert broken_within(run_pipeline) == Evaluated(Outcome(success=True, loss=0.5))
    assert struck == [True, True]


def test_where_no_thread_can_start_it_still_ends_at_a_report(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    fence = Fence(lambda: pytest.fail("no thread"))

    def run_pipeline() -> None:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(threading.Thread, "start", start)
            fence.interrupt()
        report(1, 0.5)

    with pytest.raises(Fenced):
        fence.call(run_pipeline)
    assert "because no thread can be started: can't start new thread" in caplog.text


def test_in_other_threads_of_the_evaluation_a_report_is_an_error() -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            report(1, 0.5)
        except BaseException as error:  # noqa: BLE001 - which it is, is the question
            raised.append(error)

    def run_pipeline() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        raise raised[0]

    ended = broken_within(run_pipeline)
    assert isinstance(ended, Interrupted)
    assert ended.reason == "fenced"
    assert isinstance(ended.exception, TakenOverError)
    assert "longer lease_seconds" in str(ended.exception)


def test_a_fence_says_nothing_to_a_forked_child() -> None:
    def run_pipeline() -> float:
        child = os.fork()
        if child == 0:
            report(1, 0.5)
            os._exit(7)
        return float(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    assert broken_within(run_pipeline) == Evaluated(Outcome(success=True, loss=7.0))


@pytest.mark.parametrize("ends", [True, False], ids=["in time", "later"])
def test_what_goes_on_for_the_grace_is_abandoned_and_does_not_end_meanwhile(*, ends: bool) -> None:
    abandoned, told = threading.Event(), list[str]()

    def abandon() -> None:
        abandoned.set()
        time.sleep(0.1)  # the call comes to its end meanwhile
        told.append("abandoned")

    fence = Fence(abandon, grace=600 if ends else 0)

    def run_pipeline() -> None:
        fence.interrupt()
        fence.interrupt()
        assert ends or abandoned.wait(60)

    fence.call(run_pipeline)
    assert told == [] if ends else ["abandoned"]


@pytest.mark.parametrize("raised", [Fenced(), TimeOver(Fence()), Interruption(15)], ids=lambda it: type(it).__name__)
def test_what_ends_the_evaluation_around_it_ends_it(signals: Signals, raised: BaseException) -> None:
    ended = evaluate(raising(raised), {}, signals)
    assert isinstance(ended, Interrupted)
    assert (ended.reason, ended.exception, ended.counts_as_death) == ("around", raised, False)


def test_a_run_inside_of_one_that_is_asked_to_leave_need_not_begin(signals: Signals) -> None:
    signals.stop()
    with Signals() as inside:
        assert inside.leaving


# ------------------------------------------------------------------------------------------------- forked children

FORKING = """
import os, sys
from neps._evaluation import Signals, evaluate

def run_pipeline():
    if os.fork() == 0:
        {child}
    status = os.wait()[1]
    return os.waitstatus_to_exitcode(status)

with Signals() as signals:
    print(evaluate(run_pipeline, dict(), signals).outcome.loss)
"""


@pytest.mark.parametrize(
    ("child", "status", "words"),
    [
        ("return 99", 0, ""),
        ("raise ValueError('in the child')", 1, "ValueError: in the child"),
        ("sys.exit()", 0, ""),
        ("sys.exit(5)", 5, ""),
        ("sys.exit('told')", 1, ""),
    ],
)
def test_a_forked_child_never_comes_back_as_the_worker(child: str, status: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING.format(child=child)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"{float(status)}\n"
    assert words in done.stderr
