"""The members as a node of the simulation sees them: the rules of the real membership, a bad network.

A record may be lost on its way to one node and arrive at another, and for some seconds one node may not
hear another one at all. So two nodes see different sets of members, and both lead what they believe to
be theirs. In a faithful world a node reads the record of one that is silent, as the real ones do, and
then no two nodes may answer reads of one partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from durable_server.cluster.member import Member
from durable_server.cluster.membership import Membership

if TYPE_CHECKING:
    from .node import SimNode
    from .world import World

RENEW_SECONDS = 0.5
LEASE_SECONDS = 2.0


class SimMembers:
    """The members that one node knows. Implements `node.roles.MembersPort`."""

    def __init__(self, world: World, node: SimNode) -> None:
        self.name = node.name
        self._world = world
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._membership = Membership(node.record())
        self._changed: list[Callable[[], None]] = []
        self._heard: list[Callable[[Member], None]] = []
        self._returning: list[Callable[[], None]] = []
        self._was_current = False
        self._wake = asyncio.Event()
        self._left = False
        self._renewals = 0

    @property
    def live(self) -> Mapping[str, Member]:
        """See `Members.live`."""
        return self._membership.live

    @property
    def current(self) -> bool:
        """See `Members.current`."""
        return self._membership.counts(self._loop.time())

    def leader(self, partition: int) -> Member | None:
        """See `Members.leader`."""
        return self._membership.leader(partition)

    def may_serve(self, partition: int) -> bool:
        """See `Members.may_serve`."""
        return self._membership.may_serve(partition, self._loop.time())

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `Members.listen`."""
        self._changed.append(callback)
        return lambda: self._changed.remove(callback)

    def heard(self, callback: Callable[[Member], None]) -> Callable[[], None]:
        """See `Members.heard`."""
        self._heard.append(callback)
        return lambda: self._heard.remove(callback)

    def returning(self, callback: Callable[[], None]) -> None:
        """See `Members.returning`."""
        self._returning.append(callback)

    def renew_now(self) -> None:
        """See `Members.renew_now`."""
        self._report(self._membership.set_own(self._node.record()))
        self._wake.set()

    async def run(self) -> None:
        """Joins, and renews the own record for as long as the process runs and has not left."""
        world, rng = self._world, self._world.rng
        before = world.records.get(self.name)
        if world.faithful and before is not None and not before.left:
            await asyncio.sleep(LEASE_SECONDS)
        now = self._loop.time()
        others = [it for it in world.records.values() if it.name != self.name and not it.left]
        self._report(self._membership.resume(others, now, now))
        while True:
            self._wake.clear()
            own = self._node.record()
            self._report(self._membership.set_own(own))
            if self._left:
                own = own.gone()
            own = replace(own, renewal=self._renewals)
            self._renewals += 1
            if rng.random() >= world.confusion:
                await self._publish(own)
                if self._left:
                    return
            wake = asyncio.ensure_future(self._wake.wait())
            await asyncio.wait({wake}, timeout=RENEW_SECONDS)
            wake.cancel()

    def leave(self) -> None:
        """Publishes that this node has left."""
        self._left = True
        self._wake.set()

    async def _publish(self, own: Member) -> None:
        world, rng = self._world, self._world.rng
        sent = self._loop.time()
        await asyncio.sleep(rng.random() * 0.05)
        world.records[self.name] = own
        for slot in world.slots:
            if slot.node is not self._node and not world.is_cut(self.name, slot.node.name):
                self._loop.call_later(rng.random() * 0.2, slot.node.members.hear, own)
        now = self._loop.time()
        changed = False
        if not self.current:
            for callback in self._returning:
                callback()
        if self._membership.must_read(own, now):
            others = [it for it in world.records.values() if it.name != self.name]
            changed = self._membership.read(others, now, now)
        if world.faithful:
            silent = {it.name for it in self._membership.silent(sent)}
            read = [it for name, it in world.records.items() if name in silent]
            changed |= self._membership.read(read, now, now)
        changed |= self._membership.acknowledged(sent)
        changed |= self._membership.confirm(own)
        self._report(changed)
        self._loop.call_at(sent + LEASE_SECONDS + 0.001, self._report, False)

    def hear(self, member: Member) -> None:
        """Takes a record of another node."""
        if not self._node.runs:
            return
        changed = self._membership.hear(member, self._loop.time())
        for callback in tuple(self._heard):
            callback(member)
        self._report(changed)

    def _report(self, changed: bool) -> None:
        current = self.current
        if changed or current != self._was_current:
            self._was_current = current
            for callback in tuple(self._changed):
                callback()
            self._world.check_serving()
