"""The owner of limits: divides `max_concurrent` of each handler of one home partition among the nodes.

The home partition of a handler is that of its name by a hash, and the node that leads it owns the
handler's limit. The other nodes that lead something, and this one, hold units of it: each may run as
many invocations as it has units (see `processor.shares`).

An owner begins with nothing: it learns from each holder what that has. It grants nothing until every
partition of the system is led by a holder that has come, because invocations may run in a partition
that it has not heard of. The same holds when a holder's link breaks: nobody knows what runs there until
the holder is back, or others lead its partitions and have told what runs in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..processor.shares import Shares
from .messages import Claim, Grants, Update


class Holder:
    """A node as the owner knows it, from its claim until its link ends."""

    def __init__(self, claim: Claim, send: Callable[[Grants], None]) -> None:
        self.node = claim.node
        self.leads = claim.leads
        self.send = send


class LimitOwner:
    """The limits of the handlers of one home partition."""

    def __init__(self, partitions: int, limit_of: Callable[[str], int]) -> None:
        """`partitions` is the number in the system; `limit_of` returns the limit of a handler now."""
        self._all = frozenset(range(partitions))
        self._limit_of = limit_of
        self._holders: dict[str, Holder] = {}
        self._shares: dict[str, Shares] = {}

    def attach(self, claim: Claim, send: Callable[[Grants], None]) -> Holder:
        """Adds a holder. It takes the place of one with the same name, whose link must have ended."""
        holder = self._holders[claim.node] = Holder(claim, send)
        for handler in {*self._shares, *claim.held}:
            self._of(handler).add(holder.node, claim.held.get(handler, 0))
        self.settle()
        return holder

    def update(self, holder: Holder, update: Update) -> None:
        """Takes what has changed at a holder; does nothing if another one has taken its place."""
        if self._holders.get(holder.node) is not holder:
            return
        moved = holder.leads != update.leads
        holder.leads = update.leads
        for handler, report in update.reports.items():
            self._of(handler).report(holder.node, report)
        self.settle(None if moved else update.reports)

    def detach(self, holder: Holder) -> None:
        """Removes a holder whose link has ended."""
        if self._holders.get(holder.node) is holder:
            del self._holders[holder.node]
            for shares in self._shares.values():
                shares.remove(holder.node)
            self.settle()

    def settle(self, handlers: Iterable[str] | None = None) -> None:
        """Sends the grants that are due for some handlers, or for all when a limit may be another."""
        if frozenset().union(*(it.leads for it in self._holders.values())) != self._all:
            return
        due: dict[str, Grants] = {}
        for handler in self._shares if handlers is None else handlers:
            shares = self._shares[handler]
            shares.capacity = self._limit_of(handler)
            for node, grant in shares.settle():
                due.setdefault(node, {})[handler] = grant
        for node, grants in due.items():
            self._holders[node].send(grants)

    def _of(self, handler: str) -> Shares:
        shares = self._shares.get(handler)
        if shares is None:
            shares = self._shares[handler] = Shares(self._limit_of(handler))
            for node in self._holders:
                shares.add(node, 0)
        return shares
