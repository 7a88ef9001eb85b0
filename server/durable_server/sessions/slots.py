"""The slots of one worker, divided among the nodes that give it invocations.

The owner is the node that the worker has dialled. It divides the slots for one session; the next
session divides them anew. `processor.shares` has the rules, and this module joins them with the worker
on this node and with the links to the other nodes:

    entry node                                          another node, which leads partitions
    owner = SlotOwner(capacity, used, send)
    hello with slot_count=owner.share(node)  ─────────► session = await sessions.open(hello, stream)
                                                        slots = demand.divide(session.worker, send)
    send(node, grant)                        ─────────► slots.granted(grant)
    owner.report(node, report)              ◄─────────  send(report)

What the entry node leads itself is one more such node, without a link: `owner.own`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..processor.demand import Demand, DividedSlots
from ..processor.shares import Grant, Report, Shares
from ..processor.workers import Worker


class SlotOwner:
    """The slots of a worker during one session, on its entry node."""

    def __init__(
        self, capacity: int, used: Mapping[str, int], send: Callable[[str, Grant], None]
    ) -> None:
        """Divides `capacity` slots equally; the first nodes of `used` get the remainder.

        `used` says for each node how many attempts of its partitions the worker holds already. So many
        slots it gets at least. `send` sends a grant to another node.
        """
        self._shares = Shares(capacity)
        for node, held in used.items():
            self._shares.add(node, held)
        self._shares.spread()
        self._send = send
        self._own = ""
        self._own_slots: DividedSlots | None = None

    def share(self, node: str) -> int:
        """Returns how many slots a node has; at first what goes into the hello to it."""
        return self._shares.held(node)

    def own(self, node: str, demand: Demand, worker: Worker) -> None:
        """Joins the worker's part on this node, once its session is open here with its share."""
        self._own = node
        self._own_slots = demand.divide(worker, lambda report: self.report(node, report))

    def lost(self, node: str) -> None:
        """Notes that a node is away: it gets no more slots, and those that it has stay with it.

        How many of them are in use is known when the worker names its attempts again.
        """
        self._shares.report(node, Report())

    def report(self, node: str, report: Report) -> None:
        """Takes a report of a node."""
        self._shares.report(node, report)
        for node, grant in self._shares.settle():
            if self._own_slots is not None and node == self._own:
                self._own_slots.granted(grant)
            else:
                self._send(node, grant)
