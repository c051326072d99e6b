"""What ranks tell each other: small JSON messages under names, in torch's key-value store (TCPStore).

torchrun has set that store up, for `init_process_group`. Here it is used beside that, under names of our own, by
connections of our own: the default process group, NCCL and gloo learn nothing of it. Who writes what, and when, is in
`leading` and `following`.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from neps._distributed.launched import Group
from neps.errors import RankError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

__all__ = ["Carrier", "Host"]

_PATIENCE = timedelta(seconds=120)
_LARGEST = 1 << 20
"""The store refuses values of 8 MiB."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


class Carrier:
    """Messages under names of their own: those of one call of `neps.run`, say.

    All threads share one connection, which serves one operation at a time. Once it has failed, all that comes later
    fails at once: whoever ends by that would else try for minutes to reach a host that is gone.

    Args:
        group: the ranks, and where their store is.
        topic: whose messages these are, among those of this torchrun.
    """

    def __init__(self, group: Group, topic: str) -> None:
        self._group = group
        self._prefix = f"neps/{group.run}/{topic}"
        self._store: Store | None = None
        self._gone: Exception | None = None
        self._lock = threading.Lock()

    def put(self, name: str, message: Any) -> None:
        """Publish a message: it is on its way now, and arrives after all that this carrier has sent before.

        Raises:
            RankError: if the store is gone; so does everything else here.
        """
        self._do(lambda store: store.set(name, json.dumps(message)))

    def put_first(self, name: str, message: Any) -> bool:
        """Publish a message unless there is one of that name: whether this is the one."""
        text = json.dumps(message)
        found = self._do(lambda store: store.compare_set(name, "", text))
        return bool(found == text.encode())

    def find(self, name: str) -> Any:
        """The message of that name; None if there is none yet."""

        def look(store: Store) -> Any:
            return json.loads(store.get(name)) if store.check([name]) else None

        return self._do(look)

    def count(self, name: str, by: int = 0) -> int:
        """Add to a counter: its new value."""
        return int(self._do(lambda store: store.add(name, by)))

    def forget(self, names: Iterable[str]) -> None:
        """Delete messages that everybody has read."""

        def delete(store: Store) -> None:
            for name in names:
                store.delete_key(name)

        self._do(delete)

    def await_(self, name: str, go_on: Callable[[float], object]) -> Any:
        """The message of that name, once it is there.

        Args:
            name: the message's.
            go_on: called between two looks with the seconds to pause; raises to give up.
        """
        pause = _FIRST_PAUSE
        while (message := self.find(name)) is None:
            go_on(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return message

    def put_large(self, name: str, message: Any) -> None:
        """Publish a message of any size."""
        packed = zlib.compress(json.dumps(message).encode())
        parts = [packed[first : first + _LARGEST] for first in range(0, len(packed), _LARGEST)]
        for place, part in enumerate(parts):
            self.put(f"{name}/{place}", part.hex())
        self.put(name, len(parts))

    def await_large(self, name: str, go_on: Callable[[float], object]) -> Any:
        """The same as `await_`, of what `put_large` has published."""
        count = self.await_(name, go_on)
        parts = [self.find(f"{name}/{place}") for place in range(count)]
        return json.loads(zlib.decompress(b"".join(map(bytes.fromhex, parts))))

    def _do(self, operation: Callable[[Store], Any]) -> Any:
        from torch.distributed import DistError

        with self._lock:
            if self._gone is None:
                try:
                    self._store = self._store or _connected(self._group, self._prefix)
                    return operation(self._store)
                except (DistError, OSError) as error:
                    self._gone = error
            gone = self._gone
        raise RankError(
            f"the ranks of torchrun can't reach each other any more: their store at {self._group.address}:"
            f"{self._group.port} doesn't answer ({type(gone).__name__}: {str(gone).splitlines()[0][:200]}). "
            "It ends with torchrun, or with rank 0. Its trial is resumed by whoever comes next."
        ) from gone


def _connected(group: Group, prefix: str) -> Store:
    """As `init_process_group` connects; where rank 0 is the host, its process has one server for both."""
    from torch._C._distributed_c10d import PrefixStore, TCPStore

    hosts = not group.agent_hosts and group.rank == 0
    store = TCPStore(
        group.address,
        group.port,
        is_master=hosts,
        timeout=_PATIENCE,
        wait_for_workers=False,
        multi_tenant=True,
    )
    return PrefixStore(prefix, store)


class Host:
    """A store of rank 0's own, at a port that was free: for `init_process_group` in run_pipeline.

    In torchrun's store, the addresses that an earlier process group has left would be read by the next one.
    """

    def __init__(self) -> None:
        from torch._C._distributed_c10d import TCPStore

        self._server = TCPStore("localhost", 0, is_master=True, timeout=_PATIENCE, wait_for_workers=False)

    @property
    def port(self) -> int:
        """Where it is."""
        return int(self._server.port)
