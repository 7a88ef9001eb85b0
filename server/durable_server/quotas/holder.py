"""The holder of quotas: how many invocations of each handler with a limit may run on this node.

While the owner of a limit is not known or cannot be reached, what runs goes on, and nothing more of the
handler starts. When the node comes to an owner, the same or a new one, it claims a unit for each
invocation that runs here. So the owner misses nothing: each unit outside of its links is that of a
running invocation, and with it of a partition that the owner waits for.

Invocations that run move with their partition. The node that takes a partition over holds a unit for
each of them; the node that had led it holds as many less. Both are told to the owners in one message
with the partitions that the node leads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..core import ids
from ..processor.shares import Holding
from ..processor.sharing import Sharing
from .messages import Claim, Grants, Update


class _Owner:
    """An owner that has this node's claim."""

    def __init__(self, leads: frozenset[int], send: Callable[[Update], None]) -> None:
        self.leads = leads
        """What it has been told."""
        self.send = send


class HandlerQuotas:
    """This node's shares of all limits. Implements `processor.sharing.Quotas`."""

    def __init__(self, node: str, partitions: int, sharing: Sharing) -> None:
        """`node` is the name of this node, `partitions` how many the system has."""
        self._node = node
        self._partitions = partitions
        self._sharing = sharing
        self._holdings: dict[str, Holding] = {}
        self._owners: dict[int, _Owner] = {}
        """By home partition; none while it is not known or cannot be reached."""
        self.on_reported: Callable[[], None] = _nothing
        """Called after it has been looked at what waits."""

    @property
    def reached(self) -> frozenset[int]:
        """The home partitions whose owners have this node's claim."""
        return frozenset(self._owners)

    def allowed(self, handler: str) -> int:
        """See `Quotas.allowed`."""
        return self._of(handler).units

    def released(self, handler: str) -> None:
        """See `Quotas.released`."""
        holding = self._of(handler)
        if self._home(handler) not in self._owners:
            holding.lost(1)
        elif holding.released():
            self._sharing.changed()

    def taken_over(self) -> None:
        """See `Quotas.taken_over`."""
        for handler, running in self._sharing.running.items():
            self._of(handler).taken_over(len(running))

    def left(self, handler: str, count: int) -> None:
        """See `Quotas.left`."""
        self._of(handler).left(count)

    def report(self, waiting: Mapping[str, int]) -> None:
        """See `Quotas.report`."""
        leads = self._leads()
        updates = {home: Update(leads, {}) for home in self._owners}
        for handler, holding in self._holdings.items():
            update = updates.get(self._home(handler))
            if update is not None:
                report = holding.report(self._used(handler), waiting.get(handler, 0))
                if report is not None:
                    update.reports[handler] = report
        for home, update in updates.items():
            owner = self._owners[home]
            if update.reports or owner.leads != leads:
                owner.leads = leads
                owner.send(update)
        self.on_reported()

    def connect(self, home: int, send: Callable[[Update], None]) -> Claim:
        """Begins with the owner of a home partition; returns the claim, which goes before updates."""
        held: dict[str, int] = {}
        for handler, holding in self._holdings.items():
            if self._home(handler) == home:
                holding.restart()
                if holding.units:
                    held[handler] = holding.units
        leads = self._leads()
        self._owners[home] = _Owner(leads, send)
        # What waits asks the new owner.
        self._sharing.changed()
        return Claim(home, self._node, leads, held)

    def disconnect(self, home: int) -> None:
        """Notes that the owner of a home partition cannot be reached."""
        del self._owners[home]
        for handler, holding in self._holdings.items():
            if self._home(handler) == home:
                holding.lost(holding.units - self._used(handler))

    def granted(self, grants: Grants) -> None:
        """Takes what an owner has sent."""
        for handler, grant in grants.items():
            self._of(handler).granted(grant)
        self._sharing.slot_freed()
        self._sharing.changed()

    def _used(self, handler: str) -> int:
        return len(self._sharing.running.get(handler, ()))

    def _leads(self) -> frozenset[int]:
        return frozenset(it.index for it in self._sharing)

    def _home(self, handler: str) -> int:
        return ids.object_partition(handler, self._partitions)

    def _of(self, handler: str) -> Holding:
        holding = self._holdings.get(handler)
        if holding is None:
            holding = self._holdings[handler] = Holding()
        return holding


def _nothing() -> None:
    pass
