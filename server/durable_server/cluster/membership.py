"""The membership as one node sees it: which nodes live, who leads what, and whether this node counts.

It has no I/O and no clock: whoever calls it says what time it is on this node's steady clock, in
seconds. `members` feeds it with what comes from NATS.

**Who lives.** A member lives while it was heard within the last `lease` seconds. The hearing node
judges that only while NATS works for it: a member is gone when an own renewal was acknowledged that was
*sent* a lease or more after the member was last heard. So a node that is cut off, or whose NATS
restarts, finds nobody gone. After such an interruption everybody who lived has a new lease. Before a
member that is silent is found gone, its record is read (`silent`), because it may write and be heard by
others: then it still counts for itself.

**Whether this node counts.** It does for a lease after the last acknowledged renewal was *sent*. The
others hear a renewal later than it was sent, so this ends before one of them finds this node gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .member import Member, leaders


class Membership:
    """Methods that take something in return whether it has changed who lives, leads, drains or has
    which address.
    """

    def __init__(self, own: Member, lease: float) -> None:
        self._name = own.name
        self._lease = lease
        self._live = {own.name: own}
        self._leaders = leaders(self._live)
        self._known: dict[str, Member] = {}
        """The last record of each other name, live or not."""
        self._heard: dict[str, float] = {}
        """When each of these came."""
        self._sent: float | None = None
        """When the last acknowledged renewal was sent."""

    @property
    def live(self) -> Mapping[str, Member]:
        """The live members by name, this node included, as they are now."""
        return MappingProxyType(self._live)

    def leader(self, partition: int) -> Member | None:
        """Returns the live member that leads a partition, by the claim of the highest epoch."""
        name = self._leaders.get(partition)
        return None if name is None else self._live[name]

    def counts(self, now: float) -> bool:
        """Whether, for all that it can know, the other nodes find this one live."""
        return self._sent is not None and now < self._sent + self._lease

    def set_own(self, own: Member) -> bool:
        """Takes this node's own record."""
        return self._set_live({**self._live, self._name: own})

    def hear(self, member: Member, now: float) -> bool:
        """Takes a record that another member has published."""
        self._known[member.name] = member
        self._heard[member.name] = now
        live = {name: it for name, it in self._live.items() if name != member.name}
        if not member.left:
            live[member.name] = member
        return self._set_live(live)

    def resume(self, records: Iterable[Member], since: float, now: float) -> bool:
        """Takes the records that stand in the stream when this node hears again, from `since` on.

        Everybody who lived has a new lease, and also who has written since: not who was gone before.
        """
        changed = False
        for member in records:
            name = member.name
            # What was heard since is newer than what was read.
            if self._heard.get(name, -1.0) < since and self._known.get(name) != member:
                changed |= self.hear(member, now)
        self._renew_all(now)
        return changed

    def silent(self, sent: float) -> list[Member]:
        """Returns who is found gone when a renewal is acknowledged that was sent at this time."""
        if not self._judges(sent):
            return []
        return [
            member
            for name, member in self._live.items()
            if name != self._name and self._heard[name] + self._lease <= sent
        ]

    def acknowledged(self, sent: float) -> bool:
        """Takes that a renewal was acknowledged which was sent at this time."""
        judges, gone = self._judges(sent), {it.name for it in self.silent(sent)}
        self._sent = sent
        if not judges:
            self._renew_all(sent)
            return False
        return self._set_live({name: it for name, it in self._live.items() if name not in gone})

    def _judges(self, sent: float) -> bool:
        """Whether NATS has worked for this node since its last renewal."""
        return self._sent is not None and sent - self._sent <= self._lease

    def stop(self) -> None:
        """Takes that this node has left, or is not a member any more."""
        self._sent = None

    def _renew_all(self, now: float) -> None:
        for name in self._live.keys() - {self._name}:
            self._heard[name] = max(self._heard[name], now)

    def _set_live(self, live: dict[str, Member]) -> bool:
        before, self._live = self._live, live
        if {it: _outline(live[it]) for it in live} == {it: _outline(before[it]) for it in before}:
            return False
        self._leaders = leaders(live)
        return True


def _outline(member: Member) -> tuple[object, ...]:
    """Returns all of a record but the positions, which change all the time."""
    return (
        member.incarnation,
        member.address,
        member.internal_address,
        member.version,
        member.format_level,
        member.draining,
        {partition: epoch for partition, (epoch, _) in member.leads.items()},
        member.follows.keys(),
    )
