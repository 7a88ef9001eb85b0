"""The membership as one node sees it: which nodes live, who leads what, and whether this node counts.

It has no I/O and no clock: whoever calls it says what time it is on this node's steady clock, in
seconds. `members` feeds it with what comes from NATS.

**Who lives.** A member lives while it was heard within the lease that its record names. The hearing
node judges that only while NATS works for it: a member is gone when an own renewal was acknowledged
that was *sent* that lease or more after the member was last heard. So a node that is cut off, or whose
NATS restarts, finds nobody gone. After such an interruption everybody who lived has a new lease. Before
a member that is silent is found gone, its record is read (`silent`), because it may write and be heard
by others: then it still counts for itself.

**Whether this node counts.** It does for its own lease after the last acknowledged renewal was *sent*.
The others hear a renewal later than it was sent, and it names the lease, so this ends before one of
them finds this node gone. Once it has not counted, another node may have found it gone. So then it
counts again only when it has read all records after a renewal of its own was acknowledged
(`must_read`). Who has led meanwhile and has left is in no record; `processor.router` finds that out.

**When a partition is served.** Reads are answered without asking the log, so no two nodes may serve one
partition, though both have taken it over because they knew different things. A node that has written
its fence first claims the partition in its record. When that is acknowledged, it reads all records, and
serves the partition once no other live node claims it. Of two nodes, the one whose record comes second
in the stream reads that of the other. The one with the lower epoch stops serving when it hears of the
higher one, and the other one waits for its next record, or until it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .member import Member, leaders


class Membership:
    """Methods that take something in return whether it has changed who lives, leads, drains or has
    which address.
    """

    def __init__(self, own: Member) -> None:
        self._name = own.name
        self._lease = own.lease
        self._live = {own.name: own}
        self._leaders = leaders(self._live)
        self._known: dict[str, Member] = {}
        """The last record of each other name, live or not."""
        self._heard: dict[str, float] = {}
        """When each of these came."""
        self._sent: float | None = None
        """When the last acknowledged renewal was sent."""
        self._confirmed: Mapping[int, int] = {}
        """The claims of this node, epochs by partition, that were acknowledged before all records
        were read.
        """

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

    def must_read(self, own: Member, now: float) -> bool:
        """Whether all records must be read, now that a renewal with this record was acknowledged.

        They must for a new claim, and when this node has not counted until now.
        """
        return not (self.counts(now) and own.claims().items() <= self._confirmed.items())

    def may_serve(self, partition: int, now: float) -> bool:
        """Whether no other node may answer for a partition that this node has taken over."""
        epoch = self._live[self._name].claims().get(partition)
        if epoch is None or self._confirmed.get(partition) != epoch or not self.counts(now):
            return False
        return not any(
            partition in it.leads or partition in it.takes
            for name, it in self._live.items()
            if name != self._name
        )

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

    def last(self, name: str) -> Member | None:
        """Returns the last record of another name that came, live or not; None if there is none."""
        return self._known.get(name)

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

    def read(self, records: Iterable[Member], since: float, now: float) -> bool:
        """Takes the records that stand in the stream, read from `since` on, while this node hears."""
        changed = False
        for member in records:
            known = self._known.get(member.name)
            same = known is not None and known.incarnation == member.incarnation
            heard_since = self._heard.get(member.name, -1.0) >= since
            if known is None or (member.renewal > known.renewal if same else not heard_since):
                changed |= self.hear(member, now)
        return changed

    def silent(self, sent: float) -> list[Member]:
        """Returns who is found gone when a renewal is acknowledged that was sent at this time."""
        if not self._judges(sent):
            return []
        return [
            member
            for name, member in self._live.items()
            if name != self._name and self._heard[name] + member.lease <= sent
        ]

    def acknowledged(self, sent: float) -> bool:
        """Takes that a renewal was acknowledged which was sent at this time."""
        judges, gone = self._judges(sent), {it.name for it in self.silent(sent)}
        self._sent = sent
        if not judges:
            self._renew_all(sent)
            return False
        return self._set_live({name: it for name, it in self._live.items() if name not in gone})

    def confirm(self, own: Member) -> bool:
        """Takes that a renewal with this record was acknowledged, and that all records were read after
        that, if they must be.
        """
        before, self._confirmed = self._confirmed, own.claims()
        return self._confirmed != before

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
        member.level_hold,
        member.draining,
        member.stopping,
        member.claims(taking=False),
        member.takes,
        member.follows.keys(),
    )
