"""The roles of a node: makes each partition here what the placement says, and keeps it so.

    members ──► plan ──► for each partition a wanted role ──► its host, one step at a time
       ▲                                                         │
       └──────────── the node's own record: what it leads and follows

Whenever the members change, or one of them has told new positions, the plan is made anew
(`cluster.placement`). Each partition has a task that makes its role the wanted one, so a partition that
takes long delays no other.

A partition whose leadership ends goes back to the plan: another node has taken over, or the log was
away for too long. A node that was deposed waits before it leads the partition again, longer each time.
An error that no later try mends, such as a log that has lost what was acknowledged, ends the node.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from ..cluster.member import Member
from ..cluster.placement import View, plan
from ..futures import fail
from ..log.interface import (
    DeposedError,
    LogDataLostError,
    LogTrimmedError,
    LogUnavailableError,
)
from ..metrics.histogram import SECONDS, Histogram
from ..nats.backoff import Backoff
from ..snapshots.place import PlaceError
from .host import PartitionHost, Role
from .store_lock import StoreHeldError

SETTLE_SECONDS = 1.0
"""How long the live members must stay the same before partitions move among them."""
_FIRST_PAUSE = 0.05
"""Seconds before an attempt that failed for lack of NATS, or of the place of the snapshots, is
repeated; doubles from there.
"""
_LONGEST_PAUSE = 2.0
_FIRST_DEPOSED_PAUSE = 0.5
"""Seconds for which a node that was deposed does not lead the partition again; doubles from there."""
_LONGEST_DEPOSED_PAUSE = 15.0
_FIRST_STUCK_PAUSE = 1.0
"""Seconds for which a partition that cannot be followed here is left alone; doubles from there. A
snapshot may come: the leader of a system that has just been restored makes its first one.
"""
_LONGEST_STUCK_PAUSE = 60.0
_STABLE_SECONDS = 60.0
"""After leading for so long, these pauses begin anew."""
_HELD_ATTEMPTS = 8
"""How often a store is held by another process, in about 5 s, before that process is ended."""

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

    def returning(self, callback: Callable[[], None]) -> None:
        """Calls back right before `current` becomes true again."""
        ...

    def may_serve(self, partition: int) -> bool:
        """Whether no other node may answer for a partition that this node has taken over."""
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
        shared_stores: bool = False,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        """`standbys` is how many nodes should follow each partition; `shared_stores` says that all
        nodes have the same stores; `settle` is in seconds.
        """
        self.drained = False
        """Whether this node leads nothing by command; see `set_drained`."""
        self.takeover_seconds = Histogram(SECONDS)
        """How long takeovers took, from the decision on."""
        self.leaderships_ended = dict.fromkeys(("released", "deposed", "log_unavailable"), 0)
        """How often this node has stopped leading a partition, by reason."""
        self._hurried = False
        """Whether the drain before a stop ends at once."""
        self.stopping = False
        """Whether this node gives its partitions away because it stops."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with an error that no later try mends."""
        self._hosts = hosts
        self._joined: MembersPort | None = None
        self._standbys = standbys
        self._shared_stores = shared_stores
        self._settle = settle
        self._settled = False
        """Whether the live members have been the same for so long."""
        self._names: tuple[str, ...] = ()
        self._settled_once = False
        """Whether the live members have been settled since this node has joined."""
        self._alarm: asyncio.TimerHandle | None = None
        self._released: set[int] = set()
        self._keepers = [_RoleKeeper(it, self) for it in hosts]
        self._ends: list[Callable[[], None]] = []
        self._moved = asyncio.Event()

    @property
    def partition_count(self) -> int:
        """The number of partitions of the system."""
        return len(self._hosts)

    @property
    def draining(self) -> bool:
        """Whether this node gives its partitions away and takes none."""
        return self.drained or self.stopping

    @property
    def leads(self) -> dict[int, tuple[int, int]]:
        """The epoch and the sequence of each partition that is led here, for the own record."""
        return {
            it.partition: (it.position.epoch, it.position.sequence)
            for it in self._hosts
            if it.role is Role.LEADING
        }

    @property
    def takes(self) -> dict[int, int]:
        """The epoch of each partition that this node takes over, for the own record."""
        return {it.partition: it.position.epoch for it in self._hosts if it.role is Role.TAKING}

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
        members.returning(self._doubt)
        for keeper in self._keepers:
            keeper.start()
        self._plan()

    def set_drained(self, drained: bool) -> None:
        """Makes this node give all its partitions to other nodes and take none, or its share again."""
        if drained != self.drained:
            self.drained = drained
            logger.info(
                "this node gives its partitions to other nodes, by command"
                if drained
                else "this node takes partitions again, by command"
            )
            if self._joined is not None:  # else its first record says so
                self._joined.renew_now()
                self._plan()

    async def drain(self, seconds: float) -> None:
        """Gives all partitions to other nodes, because this one stops; returns when that is done or
        cannot be done in time.

        It cannot be done without a lease: then the others take over on their own.
        """
        self.stopping = True
        self._members.renew_now()
        self._plan()
        try:
            async with asyncio.timeout(seconds):
                while self._can_release() and not self._hurried:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            logger.warning(
                "after %g s this node still leads %s; the next leaders take over when it has stopped",
                *(seconds, ", ".join(map(str, self.leads))),
            )

    def hurry(self) -> None:
        """Ends a drain at once; what is still led here goes to others when this node has stopped."""
        if self.stopping and not self._hurried:
            self._hurried = True
            self._moved.set()
            if self.leads:
                logger.warning(
                    "a second signal: this node stops without waiting for the next leaders of %s",
                    ", ".join(map(str, self.leads)),
                )

    def hold(self) -> None:
        """Leaves the roles as they are, because the whole system stops."""
        self.stopping = True
        for end in self._ends:
            end()
        if self._alarm is not None:
            self._alarm.cancel()

    async def close(self) -> None:
        """Ends all roles; what is still led here is released."""
        self.hold()
        await asyncio.gather(*(it.close() for it in self._keepers))

    def _can_release(self) -> bool:
        """Whether another node can take over something that is led here."""
        if not (self.leads and self._members.current):
            return False
        live = self._members.live
        return any(not it.stopping for name, it in live.items() if name != self._members.name)

    def _doubt(self) -> None:
        """Takes that other nodes may have led what is led here, and may be gone again."""
        for host in self._hosts:
            host.doubt()

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
            shared_stores=self._shared_stores,
        )
        planned = plan(view)
        # A node that has just joined may not have heard yet who is taking what over.
        may_lead = self._settled_once or view.settled
        self._settled_once = may_lead
        served = False
        for keeper in self._keepers:
            partition = keeper.host.partition
            if partition in planned.lead and may_lead:
                keeper.want(Role.LEADING)
            elif partition in planned.release:
                self._released.add(partition)
                if partition in planned.deposed:
                    keeper.host.withdraw()
                keeper.want(Role.FOLLOWING if partition in planned.follow else Role.IDLE)
            elif keeper.host.role is Role.TAKING:
                if members.may_serve(partition) and keeper.serve():
                    self._released.discard(partition)
                    served = True
            elif keeper.host.role is not Role.LEADING:
                keeper.want(Role.FOLLOWING if partition in planned.follow else Role.IDLE)
        if served:
            members.renew_now()

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

    def role_changed(self) -> None:
        """Takes that a partition has another role here."""
        self._members.renew_now()
        self._plan()

    def fail(self, error: Exception) -> None:
        """Ends this node with an error."""
        fail(self.failed, error)


class _RoleKeeper:
    """The task that makes the role of one partition the wanted one."""

    def __init__(
        self,
        host: PartitionHost,
        roles: Roles,
    ) -> None:
        self.host = host
        self.wanted = Role.IDLE
        self._roles = roles
        self._awake = asyncio.Event()
        self._backoff = _new_backoff()
        self._deposed_pause = _FIRST_DEPOSED_PAUSE
        self._stuck_pause = _FIRST_STUCK_PAUSE
        self._lead_from = self._follow_from = 0.0
        """The event loop's time before which this node does not lead or follow the partition again."""
        self._alarm: asyncio.TimerHandle | None = None
        self._began = 0.0
        """When the last takeover began."""
        self._catching_up: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(
            self._run(), name=f"durable-partition-{self.host.partition}"
        )

    def want(self, role: Role) -> None:
        if role is not self.wanted:
            self.wanted = role
            if self._catching_up is not None:
                # A server of NATS that has died may let it wait, and a leader reads on by itself.
                self._catching_up.cancel()
            self.wake()

    def wake(self) -> None:
        self._awake.set()

    def serve(self) -> bool:
        """Leads the partition that was taken over; returns whether that is still possible."""
        processor = self.host.processor
        if self.wanted is not Role.LEADING or processor is None or processor.ended.done():
            return False
        self.host.serve()
        # Another node may have taken over after the fence, and be gone again.
        self.host.doubt()
        self._roles.takeover_seconds.add(asyncio.get_running_loop().time() - self._began)
        logger.info("this node leads partition %d, epoch %d", self.host.partition, processor.epoch)
        return True

    async def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
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
                except StoreHeldError as error:
                    if self._backoff.attempts >= _HELD_ATTEMPTS and self.wanted is Role.LEADING:
                        # Nobody who lives leads the partition, so the holder hangs.
                        error.end_holder()
                    elif self._backoff.attempts == _HELD_ATTEMPTS:
                        # A process of an earlier start, when the data dir was shared.
                        logger.warning("partition %d: %s", self.host.partition, error)
                    await self._backoff.pause()
                    continue
                except (LogUnavailableError, PlaceError) as error:
                    if self._backoff.attempts == 0:
                        logger.warning("partition %d: %s", self.host.partition, error)
                    await self._backoff.pause()
                    continue
                except LogTrimmedError as error:
                    if self.wanted is Role.LEADING:
                        raise
                    await self._leave_alone(error)
                if self._backoff.attempts:
                    self._backoff = _new_backoff()
                await self._awake.wait()
        except Exception as error:  # noqa: BLE001  # whoever started the node decides what it means
            self._roles.fail(error)

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
            self._roles.role_changed()
        if wanted is Role.IDLE:
            await self._close_host()
        elif wanted is Role.FOLLOWING:
            if self._waits_until(self._follow_from):
                return
            if host.role is not Role.FOLLOWING:
                await host.follow()
                self._roles.role_changed()
            await self._with_snapshot(self._catch_up)
            self._stuck_pause = _FIRST_STUCK_PAUSE
        elif processor is None and not self._waits_until(self._lead_from):
            self._began = asyncio.get_running_loop().time()
            await self._with_snapshot(self._take_over)
            self._roles.role_changed()

    async def _take_over(self) -> None:
        processor = await self.host.take_over()
        processor.ended.add_done_callback(lambda _: self.wake())

    def _waits_until(self, time: float) -> bool:
        """Returns whether this time of the event loop is to come; it wakes then."""
        loop = asyncio.get_running_loop()
        if loop.time() >= time:
            return False
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = loop.call_at(time, self.wake)
        return True

    async def _leave_alone(self, error: LogTrimmedError) -> None:
        """Follows no more for a while: the store is too old, and no snapshot takes its place."""
        pause = self._stuck_pause
        logger.log(
            logging.WARNING if pause < _LONGEST_STUCK_PAUSE else logging.ERROR,
            "partition %d cannot be followed here, and is tried again in %g s: %s",
            *(self.host.partition, pause, error),
        )
        self._stuck_pause = min(2 * pause, _LONGEST_STUCK_PAUSE)
        self._follow_from = asyncio.get_running_loop().time() + pause
        self._waits_until(self._follow_from)
        await self._close_host()

    async def _close_host(self) -> None:
        """Ends the role of the partition here."""
        had_role = self.host.role is not Role.IDLE
        await self.host.close()
        if had_role:
            self._roles.role_changed()

    def _deposed(self) -> None:
        """Notes that another node has taken over, and waits before the next takeover.

        Nodes that do not hear of each other would depose each other without end, and nobody would get
        anything done between.
        """
        now = asyncio.get_running_loop().time()
        if now - self._began > _STABLE_SECONDS:
            self._deposed_pause = _FIRST_DEPOSED_PAUSE
        self._lead_from = now + self._deposed_pause * random.uniform(0.5, 1.0)
        self._deposed_pause = min(2 * self._deposed_pause, _LONGEST_DEPOSED_PAUSE)

    async def _catch_up(self) -> None:
        if self.host.role is not Role.FOLLOWING:
            await self.host.follow()
        if self.wanted is not Role.FOLLOWING:
            return
        task = self._catching_up = asyncio.create_task(self.host.catch_up())
        try:
            await asyncio.wait({task})
            if not task.cancelled():
                task.result()
        finally:
            self._catching_up = None
            if not task.done():  # this one was cancelled
                task.cancel()
                await asyncio.wait({task})

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
        partition, counts = self.host.partition, self._roles.leaderships_ended
        if error is None:
            counts["released"] += 1
            logger.info("this node has released partition %d", partition)
        elif isinstance(error, DeposedError):
            counts["deposed"] += 1
            logger.warning("partition %d has another leader: %s", partition, error)
            self._deposed()
        elif isinstance(error, LogUnavailableError):
            counts["log_unavailable"] += 1
            logger.warning("this node gives partition %d up: %s", partition, error)
        else:
            with self.host.explained():
                raise error


def _new_backoff() -> Backoff:
    return Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, None)
