"""Virtual time for code that blocks: threads of which exactly one runs, until it sleeps. Deterministic.

Called by the simulation; what sleeps and for how long is not known here.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable

__all__ = ["Clock"]

_STACK_BYTES = 1 << 19


class Clock:
    """Runs activities, each in a thread of its own, in the order of virtual time; equal times in the order of asking.

    Args:
        until: when all are ended, whatever they do.

    Example:
        >>> clock, seen = Clock(), []
        >>> def activity(name, pause):
        ...     for _ in range(2):
        ...         clock.sleep(pause)
        ...         seen.append((name, clock.now))
        >>> clock.run([lambda: activity("a", 2.0), lambda: activity("b", 3.0)])
        >>> seen
        [('a', 2.0), ('b', 3.0), ('a', 4.0), ('b', 6.0)]
    """

    def __init__(self, until: float = math.inf) -> None:
        self.now = 0.0
        self._until = until
        self.failure: BaseException | None = None
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, threading.Lock]] = []
        self._over = threading.Lock()
        self._running = 0
        self._members: dict[int, int] = {}

    @property
    def activity(self) -> int | None:
        """Which activity the calling thread is, counted from 0; None for any other thread."""
        return self._members.get(threading.get_ident())

    def sleep(self, seconds: float) -> None:
        """Let so much virtual time pass for the calling activity."""
        turn = threading.Lock()
        turn.acquire()
        mine = (self.now + max(0.0, seconds), next(self._order), turn)
        if mine[0] > self._until:
            self.failure = self.failure or SystemExit()
        if self.failure is not None:
            raise SystemExit
        if not self._waiting or mine < self._waiting[0]:
            self.now = mine[0]
            return
        heapq.heappush(self._waiting, mine)
        self._next()
        turn.acquire()
        if self.failure is not None:
            raise SystemExit

    def run(self, activities: list[Callable[[], object]]) -> None:
        """Run all to their ends.

        Raises:
            BaseException: what the first one raised; the others are ended then.
        """
        self._over.acquire()
        self._running = len(activities)
        size = threading.stack_size(_STACK_BYTES)
        try:
            threads = [
                threading.Thread(target=self._run, args=(index, activity), daemon=True)
                for index, activity in enumerate(activities)
            ]
            for index, thread in enumerate(threads):
                turn = threading.Lock()
                turn.acquire()
                heapq.heappush(self._waiting, (0.0, index - len(activities), turn))
                thread.start_turn = turn  # type: ignore[attr-defined]
                thread.start()
        finally:
            threading.stack_size(size)
        self._next()
        self._over.acquire()
        for thread in threads:
            thread.join()
        if self.failure is not None and not isinstance(self.failure, SystemExit):
            raise self.failure

    def _run(self, index: int, activity: Callable[[], object]) -> None:
        threading.current_thread().start_turn.acquire()  # type: ignore[attr-defined]
        self._members[threading.get_ident()] = index
        try:
            if self.failure is None:
                activity()
        except BaseException as error:  # noqa: BLE001 - it is raised by `run`
            if self.failure is None or not isinstance(error, SystemExit):
                self.failure = error
        finally:
            del self._members[threading.get_ident()]
            self._running -= 1
            if self._running:
                self._next()
            else:
                self._over.release()

    def _next(self) -> None:
        """Hand over to whoever is due first."""
        moment, _, turn = heapq.heappop(self._waiting)
        self.now = max(self.now, moment)
        turn.release()
