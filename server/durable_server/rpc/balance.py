"""The balance of the workers over the entry nodes, so that a node which comes back gets some again.

A worker stays at the node that it has dialled. After a rolling restart all workers would be at the
nodes that were restarted first. So a node that has more workers than its share asks one to go
elsewhere, when another node has fewer; then it looks again, until that is no longer so.

Each node knows where all workers are from the sessions that are relayed to it. One that leads nothing
knows only of its own, and asks nobody.

Rules.
- One worker at a time, and the next one only after a pause, because each has to reconnect.
- A worker that has been asked and came back is not asked again, until nodes have come or gone: it may
  know no other node, or may not understand.
- Nothing runs while the workers are balanced: only a change of nodes or of sessions makes a node look.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

SETTLE_SECONDS = 5.0
"""How long a node waits after a change before it looks: workers that have lost theirs find another."""
PAUSE_SECONDS = 1.0
"""How long it waits between two workers."""


class Balance:
    """The decisions of one node.

    `counts` returns how many workers have dialled each node that lives and does not stop; None when
    that is not known here. `here` returns the ids of the workers that have dialled this node, and
    `move` asks one of them to go elsewhere.
    """

    def __init__(
        self,
        node: str,
        counts: Callable[[], Mapping[str, int] | None],
        here: Callable[[], Iterable[str]],
        move: Callable[[str], None],
    ) -> None:
        self.settle_seconds = SETTLE_SECONDS
        self._node = node
        self._counts = counts
        self._here = here
        self._move = move
        self._nodes: frozenset[str] = frozenset()
        self._asked: set[str] = set()
        """The workers that were asked since nodes have come or gone."""
        self._timer: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Takes that nodes or workers have come or gone: looks again in a while."""
        if self._timer is None:
            self._look_after(self.settle_seconds)

    def close(self) -> None:
        """Looks no more, until something changes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_after(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        counts = self._counts()
        if counts is None:
            return
        if counts.keys() != self._nodes:
            self._nodes = frozenset(counts)
            self._asked.clear()
        if not has_too_many(self._node, counts):
            return
        for worker_id in self._here():
            if worker_id not in self._asked:
                self._asked.add(worker_id)
                self._move(worker_id)
                self._look_after(PAUSE_SECONDS)
                return


def has_too_many(node: str, counts: Mapping[str, int]) -> bool:
    """Returns whether a node has more workers than its share while another one has fewer.

    Shares differ by one at most, so two nodes that differ by one are balanced.
    """
    return counts.get(node, 0) > min(counts.values(), default=0) + 1


def count_by_node(nodes: Iterable[str], workers: Iterable[str]) -> Mapping[str, int]:
    """Returns how many workers each of some nodes has; `workers` names the node of each worker."""
    found = Counter(workers)
    return {node: found[node] for node in nodes}
