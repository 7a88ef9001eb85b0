"""The roles of a node: makes each partition here what the placement says, and keeps it so.

    members ──► plan ──► for each partition a wanted role ──► its host, one step at a time
       ▲                                                         │
       └──────────── the node's own record: what it leads and follows

Whenever the members change, or one of them has told new positions, the plan is made anew
(`cluster.placement`). Each partition has a task that makes its role the wanted one, so a partition that
takes long delays no other.

A partition whose leadership ends goes back to the plan: another node has taken over, or the log was
away for too long. An error that no later try mends, such as a log that has lost what was acknowledged,
ends the node.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from ..cluster.member import Member
from ..cluster.placement import View, plan
from ..log.interface import DeposedError, LogDataLostError, LogUnavailableError
from ..nats.backoff import Backoff
from ..snapshots.place import PlaceError
from .host import PartitionHost, Role

SETTLE_SECONDS = 1.0
"""How long the live members must stay the same before partitions move among them."""
_FIRST_PAUSE = 0.05
"""Seconds before an attempt that failed for lack of NATS, or of the place of the snapshots, is
repeated; doubles from there.
"""
_LONGEST_PAUSE = 2.0

logger = logging.getLogger("durable.node")


class MembersPort(Protocol):
    """What the roles need of `cluster.members.Members`."""

    @property
    def name(self) -> str:
        """This node."""
        ...

    @property
    def live(self) -> Mapping[str, Member]:
        """The live members by name, this node included."""
        ...

    @property
    def current(self) -> bool:
        """Whether the others find this node live."""
        ...

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when the members have changed."""
        ...

    def heard(self, callback: Callable[[Member], None]) -> Callable[[], None]:
        """Calls back with each record of another member."""
        ...

    def renew_now(self) -> None:
        """Publishes the own record at once."""
        ...


class Roles:
    """The roles of all partitions on one node."""

    def __init__(
        self,
        hosts: Sequence[PartitionHost],
        *,
        standbys: int,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        """`standbys` is how many nodes should follow each partition; `settle` is in seconds."""
        self.draining = False
        """Whether this node gives its partitions away."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with an error that no later try mends."""
        self._hosts = hosts
        self._joined: MembersPort | None = None
        self._standbys = standbys
        self._settle = settle
        self._settled = False
        """Whether the live members have been the same for so long."""
        self._names: tuple[str, ...] = ()
        self._settled_once = False
        """Whether the live members have been settled since this node has joined."""
        self._alarm: asyncio.TimerHandle | None = None
        self._released: set[int] = set()
        self._keepers = [_RoleKeeper(it, self._role_changed, self._fail) for it in hosts]
        self._ends: list[Callable[[], None]] = []
        self._moved = asyncio.Event()

    @property
    def leads(self) -> dict[int, tuple[int, int]]:
        """The epoch and the sequence of each partition that is led here, for the own record."""
        return {
            it.partition: (it.position.epoch, it.position.sequence)
            for it in self._hosts
            if it.role is Role.LEADING
        }

    @property
    def follows(self) -> dict[int, int]:
        """The applied sequence of each partition that is followed here, for the own record."""
        return {
            it.partition: it.position.sequence for it in self._hosts if it.role is Role.FOLLOWING
        }

    @property
    def _members(self) -> MembersPort:
        assert self._joined is not None
        return self._joined

    def start(self, members: MembersPort) -> None:
        """Begins; this node has joined."""
        self._joined = members
        self._ends = [members.listen(self._plan), members.heard(self._heard)]
        for keeper in self._keepers:
            keeper.start()
        self._plan()

    async def drain(self, seconds: float) -> None:
        """Gives all partitions to other nodes; returns when that is done or cannot be done in time.

        It cannot be done without a lease: then the others take over on their own.
        """
        self.draining = True
        self._members.renew_now()
        self._plan()
        try:
            async with asyncio.timeout(seconds):
                while self.leads and self._members.current and self._successors():
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            logger.warning(
                "after %g s this node still leads %s; the next leaders take over when it has stopped",
                *(seconds, ", ".join(map(str, self.leads))),
            )

    async def close(self) -> None:
        """Ends all roles; what is still led here is released."""
        for end in self._ends:
            end()
        if self._alarm is not None:
            self._alarm.cancel()
        await asyncio.gather(*(it.close() for it in self._keepers))

    def _successors(self) -> bool:
        live = self._members.live
        return any(not it.draining for name, it in live.items() if name != self._members.name)

    # ---- the plan

    def _heard(self, member: Member) -> None:
        for partition, (_, sequence) in member.leads.items():
            keeper = self._keepers[partition]
            if keeper.wanted is Role.FOLLOWING and sequence > keeper.host.position.sequence:
                keeper.wake()
        self._plan()

    def _plan(self) -> None:
        """Sets the wanted roles anew."""
        self._moved.set()
        members = self._members
        live = members.live
        if not members.current:
            # Others may have taken over what this node leads, without it having heard so.
            return
        self._watch_names(tuple(sorted(live)))
        view = View(
            members.name,
            live,
            len(self._hosts),
            self._standbys,
            self._settled,
            self._released,
        )
        planned = plan(view)
        # A node that has just joined may not have heard yet who is taking what over.
        may_lead = self._settled_once or view.settled
        self._settled_once = may_lead
        for keeper in self._keepers:
            partition = keeper.host.partition
            if partition in planned.lead and may_lead:
                keeper.want(Role.LEADING)
            elif partition in planned.release:
                self._released.add(partition)
                keeper.want(Role.FOLLOWING if partition in planned.follow else Role.IDLE)
            elif keeper.host.role is not Role.LEADING:
                keeper.want(Role.FOLLOWING if partition in planned.follow else Role.IDLE)

    def _watch_names(self, names: tuple[str, ...]) -> None:
        """Notes who lives now; plans again when that has been the same for a while."""
        if names != self._names:
            self._names = names
            self._settled = False
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = asyncio.get_running_loop().call_later(self._settle, self._has_settled)

    def _has_settled(self) -> None:
        self._settled = True
        self._plan()

    def _role_changed(self, host: PartitionHost) -> None:
        if host.role is Role.LEADING:
            self._released.discard(host.partition)
        self._members.renew_now()
        self._plan()

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
            # Marks the exception as retrieved, because the reason may stay unread.
            self.failed.exception()


class _RoleKeeper:
    """The task that makes the role of one partition the wanted one."""

    def __init__(
        self,
        host: PartitionHost,
        changed: Callable[[PartitionHost], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.host = host
        self.wanted = Role.IDLE
        self._changed = changed
        self._failed = failed
        self._awake = asyncio.Event()
        self._backoff = _new_backoff()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(
            self._run(), name=f"durable-partition-{self.host.partition}"
        )

    def want(self, role: Role) -> None:
        if role is not self.wanted:
            self.wanted = role
            self.wake()

    def wake(self) -> None:
        self._awake.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.host.close()

    async def _run(self) -> None:
        try:
            while True:
                self._awake.clear()
                try:
                    await self._become(self.wanted)
                except (LogUnavailableError, PlaceError) as error:
                    if self._backoff.attempts == 0:
                        logger.warning("partition %d: %s", self.host.partition, error)
                    await self._backoff.pause()
                    continue
                if self._backoff.attempts:
                    self._backoff = _new_backoff()
                await self._awake.wait()
        except Exception as error:  # noqa: BLE001  # whoever started the node decides what it means
            self._failed(error)

    async def _become(self, wanted: Role) -> None:
        """Makes the role this one, and a follower catch up."""
        host = self.host
        processor = host.processor
        if processor is not None and (wanted is not Role.LEADING or processor.ended.done()):
            await host.release()
            if wanted is Role.LEADING:
                # The plan decides anew, perhaps when this node has heard who leads now.
                self.wanted = wanted = Role.IDLE
            self._explain_end(processor.ended)
            self._changed(host)
        if wanted is Role.IDLE:
            had_role = host.role is not Role.IDLE
            await host.close()
            if had_role:
                self._changed(host)
        elif wanted is Role.FOLLOWING:
            if host.role is not Role.FOLLOWING:
                await host.follow()
                self._changed(host)
            await self._with_snapshot(self._catch_up)
        elif processor is None:
            await self._with_snapshot(self._lead)
            self._changed(host)

    async def _lead(self) -> None:
        processor = await self.host.lead()
        processor.ended.add_done_callback(lambda _: self.wake())
        logger.info("this node leads partition %d, epoch %d", self.host.partition, processor.epoch)

    async def _catch_up(self) -> None:
        if self.host.role is not Role.FOLLOWING:
            await self.host.follow()
        await self.host.catch_up()

    async def _with_snapshot(self, action: Callable[[], Awaitable[None]]) -> None:
        """Does something with the store; once more if the log does not suffice for the store.

        Then the log was trimmed beyond what the store has, and a snapshot is fetched when the store is
        opened again. If it was anything else, that shows then.
        """
        try:
            await action()
        except LogDataLostError as error:
            logger.warning("partition %d: the store is opened anew: %s", self.host.partition, error)
            await self.host.close()
            await action()

    def _explain_end(self, ended: asyncio.Future[None]) -> None:
        """Logs why this node leads no more; raises an error that no later try mends."""
        error = ended.exception() if ended.done() and not ended.cancelled() else None
        partition = self.host.partition
        if error is None:
            logger.info("this node has released partition %d", partition)
        elif isinstance(error, DeposedError):
            logger.warning("partition %d has another leader: %s", partition, error)
        elif isinstance(error, LogUnavailableError):
            logger.warning("this node gives partition %d up: %s", partition, error)
        else:
            with self.host.explained():
                raise error


def _new_backoff() -> Backoff:
    return Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, None)
