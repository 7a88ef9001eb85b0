"""The members of a cluster: this node's record in NATS, and what it hears of the other nodes.

Each node publishes its record (`member`) to `durable.cluster.members.<name>`, five times in its lease.
One message has two kinds of readers: the stream keeps the last record of each name for nodes that come
later, and all members hear it at once by a subscription of core NATS, even while the stream has no
leader. Who lives follows from that by the rules of `membership`.

**Silence.** Core NATS passes a message on to the servers next to it only. Where two servers of a NATS
cluster have lost each other and a third one has both, nodes do not hear each other, and the stream has
the renewals of both. So before a node finds another one gone, it reads that one's record: if it is not
the one that was heard last, the other one lives.

**One process of a name.** Each renewal states which record of its name it follows. A process that finds
a record of another process of its name waits a lease for the next one; if it comes, this one does not
join. A process that was silent for a lease, as in a suspended virtual machine, and whose name is taken
since, fails with the same error.

**Interruptions.** A lost connection is opened anew until NATS is back; meanwhile the view of the others
stays as it was, and `current` tells that it is old. What has no answer is sent again on the same
connection, because what is sent while the stream elects a leader is lost, and the members are heard
meanwhile. If a renewal has landed and its ack is lost, the next one is refused; the record in the
stream then shows that it has landed. After a lease without an ack, another server may be the better
one.

**Format level.** A record tells the system's level as its node knows it. So all learn a rise at once,
and a node that cannot read the new level ends. A node that joins reads the level after its own record
stands in the stream; `raising` says why. When it joins it also compares its clock with those of the
others (`clocks`).

What the members know is a hint: only the fence of a log decides who leads (`log.fenced`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from ..core.levels import FORMAT_LEVEL
from ..log.interface import LogError
from ..log.jetstream import ACK_TIMEOUT
from ..log.preflight import with_connection
from ..nats import api
from ..nats.api import ApiError, call_api
from ..nats.backoff import Backoff
from ..nats.connection import Connection
from ..nats.endpoint import Endpoint, EndpointSource
from ..nats.parser import Message
from . import metadata
from .clocks import ClockWatch, check_clock, wall_ms
from .level import SystemLevel
from .member import Member, MemberRecordError, check_name, decode, encode
from .membership import Membership
from .records import (
    MEMBER_PREFIX,
    MEMBER_SUBJECTS,
    STREAM,
    Record,
    Standing,
    read_record,
    read_standing,
    write_record,
)

_CONNECTION = "durable members"
_FIRST_PAUSE = 0.05
RENEWALS = 5
"""How often a node renews its record during its lease."""
_TICK = 0.001
"""How much later than the end of the lease its timer is set, because a timer may fire early."""

T = TypeVar("T")

logger = logging.getLogger("durable.cluster")


class MemberNameTakenError(LogError):
    """Another live node has the name of this one; the message says which, and what to do."""


class MembersLiveError(LogError):
    """Nodes of a cluster lead the partitions; the message names them, and what to do."""


class Members:
    """The members as this node knows them; belongs to the event loop that runs when it is made.

    `own` returns this node's record as it is now; its name, incarnation and lease never change.
    `partitions` is the number of partitions of the system, `level` learns its format level, and `wall`
    returns the time in milliseconds since 1970.
    """

    def __init__(
        self,
        source: EndpointSource,
        own: Callable[[], Member],
        partitions: int,
        *,
        level: SystemLevel | None = None,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        """Raises ValueError when a node cannot have this name."""
        member = own()
        check_name(member.name)
        self.name = member.name
        """The name of this node."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when this node cannot be a member any more: with MemberNameTakenError when another
        process has its name. Else it stays pending.
        """
        self._source = source
        self._own = own
        self._partitions = partitions
        self._level = level or SystemLevel()
        self._level.listen(self.renew_now)
        self._too_new = False
        """Whether a member tells a level that this version cannot read."""
        self._wall = wall
        self._clocks = ClockWatch()
        self._lease = member.lease
        self._renew_seconds = member.lease / RENEWALS
        self._answer_seconds = member.lease / 2
        """How long to wait for an answer. What is asked while the stream elects a leader is lost, so it
        is asked again each time after `_renew_seconds`.
        """
        self._incarnation = member.incarnation
        self._subject = MEMBER_PREFIX + member.name
        self._membership = Membership(member)
        self._changed: list[Callable[[], None]] = []
        self._heard: list[Callable[[Member], None]] = []
        self._returning: list[Callable[[], None]] = []
        self._damaged: set[str] = set()
        """The subjects whose last record could not be read."""
        self._renewals = 0
        """How many records were published, or tried to be."""
        self._sent_at = 0.0
        """When the last of them was sent."""
        self._was_current = False
        self._lapse: asyncio.TimerHandle | None = None
        self._problem = "no answer"
        """Why the last renewal failed."""
        self._wake = asyncio.Event()
        self._leaving = False
        self._task: asyncio.Task[None] | None = None

    # ---- what is known

    @property
    def live(self) -> Mapping[str, Member]:
        """The live members by name, this node included, as they are now."""
        return self._membership.live

    @property
    def current(self) -> bool:
        """Whether the other nodes find this one live, for all that it can know.

        A node that is not current must not answer reads of its partitions: another one may lead them.
        """
        return self._membership.counts(_now())

    def may_serve(self, partition: int) -> bool:
        """Whether no other node may answer for a partition that this node has taken over."""
        return self._membership.may_serve(partition, _now())

    def leader(self, partition: int) -> Member | None:
        """Returns the live member that leads a partition, this node included; None if there is none.

        Of several that claim it, as during a takeover, it is the one with the highest epoch.
        """
        return self._membership.leader(partition)

    def last(self, name: str) -> Member | None:
        """Returns the last record of another node that came, live or not; None if there is none."""
        return self._membership.last(name)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when it has changed who lives, leads, follows, drains or has which address, or
        whether this node is current.

        The callback must not raise. Returns the function that ends it.
        """
        return _add(self._changed, callback)

    def heard(self, callback: Callable[[Member], None]) -> Callable[[], None]:
        """Calls back with each record of another member that comes, so also with new positions.

        The callback must not raise. Returns the function that ends it.
        """
        return _add(self._heard, callback)

    def returning(self, callback: Callable[[], None]) -> None:
        """Calls back when this node was not current, and is about to be: right before `current`.

        Until then another node may have led what this one leads, and may have left since, so that no
        record tells of it. The callback must not raise.
        """
        self._returning.append(callback)

    # ---- join, renew, leave

    async def join(self) -> None:
        """Reads who is there and publishes the own record, which is renewed from then on.

        Takes a lease when a process of this name has ended without leaving. Raises
        MemberNameTakenError; ClockDiffersError; MetadataError when the system's format level is too
        new; NatsUnsuitableError and LogUnavailableError as a log does.
        """
        await with_connection(self._source, _CONNECTION, self._enter)
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def renew_now(self) -> None:
        """Publishes the own record at once. To be called when a role of this node has changed."""
        self._refresh()
        self._wake.set()

    async def leave(self) -> None:
        """Publishes that this node has left, so that nobody waits a lease for it, and stops.

        Gives up after a lease when NATS does not take it. Does nothing if the node has not joined.
        """
        task = self._task
        if task is None:
            return
        self._leaving = True
        self._wake.set()
        await asyncio.wait([task], timeout=self._lease)
        if not task.done():
            logger.warning(
                "node %s: NATS does not take that this node leaves (%s); the others notice in %g s",
                *(self.name, self._problem, self._lease),
            )
            task.cancel()
            await asyncio.wait([task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._lapse is not None:
            self._lapse.cancel()
        self._membership.stop()
        self._report(changed=False)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed.set_exception(error)

    async def _enter(self, connection: Connection, _endpoint: Endpoint) -> None:
        """Publishes the first record, unless another process of this name lives."""
        check_clock(self._ahead(await self._listen_and_read(connection)))
        while True:
            sequence, holder = await self._read_own(connection)
            if holder is not None:
                await asyncio.sleep(holder.lease)
                before = sequence
                sequence, holder = await self._read_own(connection)
                if holder is not None and sequence != before:
                    raise self._taken(holder)
            try:
                sequence = await self._publish(connection, sequence)
                break
            except ApiError as error:
                if error.number not in (api.WRONG_LAST_SEQUENCE, api.SUBJECT_IN_FLIGHT):
                    raise
                # Another process of this name was faster, or a try of this one has landed.
                await asyncio.sleep(_FIRST_PAUSE)
        try:
            await self._read_level(connection)
        except metadata.MetadataError:
            await self._remove(connection, sequence)
            raise

    async def _run(self) -> None:
        """Renews the record until the node leaves or its name is taken."""
        backoff = Backoff(_FIRST_PAUSE, self._renew_seconds, None)
        while True:
            try:
                connection = await Connection.open(await self._source(), name=_CONNECTION)
                try:
                    await self._listen_and_read(connection)
                    await self._renew(connection, backoff)
                    return
                finally:
                    connection.abort()
            except (OSError, ApiError) as error:
                self._problem = str(error) or "no answer"
            await backoff.pause()

    async def _renew(self, connection: Connection, backoff: Backoff) -> None:
        """Renews the record on one connection; returns when the node has left."""
        sequence: int | None = None
        while True:
            self._wake.clear()
            leaving = self._leaving
            try:
                if self._too_new:
                    await self._read_level(connection)
                if sequence is None:
                    sequence, holder = await self._read_own(connection)
                    if holder is not None:
                        raise self._taken(holder)
                sequence = await self._publish(connection, sequence, leaving=leaving)
                backoff.progress()
                if leaving:
                    await self._remove(connection, sequence)
                    return
            except (TimeoutError, ApiError) as error:
                if not self.current:
                    raise
                self._problem = str(error)
                sequence = None  # this renewal, or one before it, may have landed
                await backoff.pause()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._renew_seconds):
                    await self._wake.wait()

    # ---- one record

    async def _publish(
        self, connection: Connection, sequence: int, *, leaving: bool = False
    ) -> int:
        """Publishes the own record after the one of this sequence; returns its sequence."""
        member = self._refresh()
        if leaving:
            member = member.gone()
        data = encode(
            replace(
                member,
                renewal=self._renewals,
                system_level=self._level.now,
                time_ms=self._wall(),
            )
        )
        sent = self._sent_at = _now()
        self._renewals += 1
        sequence = await write_record(
            connection,
            self._subject,
            data,
            expected=sequence,
            timeout_seconds=self._answer_seconds,
            again_seconds=self._renew_seconds,
        )
        await self._acknowledged(connection, member, sent)
        return sequence

    async def _acknowledged(self, connection: Connection, member: Member, sent: float) -> None:
        """Takes that the stream has the renewal that was sent at this time, with this record."""
        changed = False
        if not self.current:
            for callback in self._returning:
                callback()
        if self._membership.must_read(member, _now()):
            since = _now()
            standing = await self._read_standing(connection)
            changed = self._membership.read(self._others(standing), since, _now())
        await self._read_silent(connection, sent)
        for gone in self._membership.silent(sent):
            logger.warning(
                "node %s was not heard for %g s and counts as gone: others lead its partitions",
                *(gone.name, gone.lease),
            )
        changed |= self._membership.acknowledged(sent)
        changed |= self._membership.confirm(member)
        if self._lapse is not None:
            self._lapse.cancel()
        self._lapse = asyncio.get_running_loop().call_at(sent + self._lease + _TICK, self._lapsed)
        self._report(changed=changed)

    async def _remove(self, connection: Connection, sequence: int) -> None:
        """Removes the last record, of this sequence, so that the stream has none of names long gone.

        Who is connected has heard it. If it stays, because NATS is away, it says that it was the last.
        """
        purge = {"filter": self._subject, "seq": sequence + 1}
        with contextlib.suppress(OSError, ApiError):
            await call_api(connection, f"STREAM.PURGE.{STREAM}", purge, self._answer_seconds)

    async def _read_own(self, connection: Connection) -> tuple[int, Member | None]:
        """Returns the sequence of the record of this name, and the other process that has written it.

        There is no other process if it has left, or if its record cannot be read.
        """
        record = await self._read(connection, self._subject)
        if record is None:
            return 0, None
        found = self._decode(self._subject, record.data)
        own = found is not None and found.incarnation == self._incarnation
        if own and found is not None and found.renewal == self._renewals - 1:
            # The last renewal has landed, and its ack was lost.
            await self._acknowledged(connection, found, self._sent_at)
        return record.sequence, None if found is None or found.left or own else found

    async def _read_standing(self, connection: Connection) -> Standing:
        return await read_standing(
            connection, self._answer_seconds, again_seconds=self._renew_seconds
        )

    async def _read(self, connection: Connection, subject: str) -> Record | None:
        return await read_record(
            connection, subject, self._answer_seconds, again_seconds=self._renew_seconds
        )

    def _taken(self, holder: Member) -> MemberNameTakenError:
        return MemberNameTakenError(
            f"a node of the name {self.name} runs already and is reached by the others at"
            f" {holder.internal_address}: give this one another name with --node, or stop that one"
        )

    def _refresh(self) -> Member:
        """Takes the own record as it is now."""
        member = self._own()
        self._report(changed=self._membership.set_own(member))
        return member

    # ---- the other nodes

    async def _listen_and_read(self, connection: Connection) -> Standing:
        """Hears what is published from now on; reads what was published before, and returns it."""
        since = _now()
        connection.subscribe(self._hear, MEMBER_SUBJECTS.encode())
        await self._read_level(connection)
        standing = await self._read_standing(connection)
        members = self._others(standing)
        changed = self._membership.resume(members, since, _now())
        for member in self.live.values():
            if member.name != self.name:
                self._tell(member)
        self._report(changed=changed)
        return standing

    async def _read_level(self, connection: Connection) -> None:
        """Learns the system's format level. Raises MetadataError if this version cannot read it."""
        found = await metadata.read(
            connection, self._answer_seconds, again_seconds=self._renew_seconds
        )
        if found is not None:
            self._level.reached(found.format_level)

    def _ahead(self, standing: Standing) -> dict[str, int]:
        """Returns by how many ms this clock is ahead of those of the nodes whose records are fresh."""
        now_ms = self._wall()
        found: dict[str, int] = {}
        for record in standing.records.values():
            age_ms = standing.time_ms - record.time_ms
            with contextlib.suppress(MemberRecordError):
                member = decode(record.data, self._partitions)
                others = member.name != self.name and not member.left and member.time_ms
                # Else it is of a node that is gone, or another server with another clock leads the
                # stream.
                if others and abs(age_ms) < member.lease * 1000:
                    found[member.name] = now_ms - member.time_ms - age_ms
        return found

    def _others(self, standing: Standing) -> list[Member]:
        """Returns the other nodes, as their records stand in the stream."""
        return [
            member
            for subject, record in standing.records.items()
            if subject != self._subject
            and (member := self._decode(subject, record.data)) is not None
        ]

    def _hear(self, message: Message) -> None:
        if message.status:  # the connection is lost
            self._wake.set()
            return
        member = self._decode(message.subject.decode(), message.payload)
        if member is not None and member.name != self.name:
            # Else this process may have stood still, with the message in its socket.
            if self.current:
                self._clocks.heard(member, self._wall())
            self._take(member)

    async def _read_silent(self, connection: Connection, sent: float) -> None:
        """Reads the records of those who are about to be found gone; takes those that are new."""
        for known in self._membership.silent(sent):
            subject = MEMBER_PREFIX + known.name
            record = await self._read(connection, subject)
            member = None if record is None else self._decode(subject, record.data)
            if member is not None and (
                member.incarnation != known.incarnation or member.renewal > known.renewal
            ):
                self._take(member)

    def _take(self, member: Member) -> None:
        if member.system_level <= FORMAT_LEVEL:
            self._level.reached(member.system_level)
        else:
            self._too_new = True
            self._wake.set()
        if member.left and member.name in self.live:
            logger.info("node %s has left", member.name)
        elif not member.left and member.name not in self.live:
            logger.info("node %s at %s is live", member.name, member.address)
        changed = self._membership.hear(member, _now())
        self._tell(member)
        self._report(changed=changed)

    def _decode(self, subject: str, data: bytes) -> Member | None:
        """Reads a record; None, with one warning in a row, if that is not possible."""
        try:
            member = decode(data, self._partitions)
            if MEMBER_PREFIX + member.name != subject:
                raise MemberRecordError(f"it names the node {member.name}")
        except MemberRecordError as error:
            if subject not in self._damaged:
                self._damaged.add(subject)
                logger.warning("the record %s is damaged and ignored: %s", subject, error)
            return None
        self._damaged.discard(subject)
        return member

    # ---- who listens

    def _lapsed(self) -> None:
        if not self.current:
            logger.warning(
                "node %s: no renewal of its record was acknowledged for %g s (%s); it answers no reads"
                " of its partitions until one is",
                *(self.name, self._lease, self._problem),
            )
            self._report(changed=False)

    def _tell(self, member: Member) -> None:
        for callback in tuple(self._heard):
            callback(member)

    def _report(self, *, changed: bool) -> None:
        current = self.current
        if changed or current != self._was_current:
            self._was_current = current
            for callback in tuple(self._changed):
                callback()


async def check_no_members(source: EndpointSource, partitions: int) -> None:
    """Checks that no node of a cluster lives in this NATS system, for a process that leads everything.

    It would take their partitions from them, and they would take them back. Takes a lease when there
    are nodes that have ended without leaving. Raises MembersLiveError, and what `with_connection`
    raises.
    """

    async def use(connection: Connection, _endpoint: Endpoint) -> None:
        before = await _standing(connection, partitions)
        if not before:
            return
        lease = max(it.lease for it in before.values())
        logger.info("looking for %g s whether nodes of a cluster live here", lease)
        await asyncio.sleep(lease)
        after = await _standing(connection, partitions)
        live = sorted(name for name, it in after.items() if it != before.get(name))
        if live:
            raise MembersLiveError(
                f"the partitions of this system are led by the nodes {', '.join(live)}: make this"
                " process one of them with --node NAME, or stop them"
            )

    await with_connection(source, _CONNECTION, use)


async def forget_members(source: EndpointSource) -> None:
    """Removes the records of all nodes, none of which lives any more.

    For the parent of the processes of a machine, so that they wait for nobody. Raises what
    `with_connection` raises.
    """

    async def use(connection: Connection, _endpoint: Endpoint) -> None:
        await call_api(
            connection, f"STREAM.PURGE.{STREAM}", {"filter": MEMBER_SUBJECTS}, ACK_TIMEOUT
        )

    await with_connection(source, _CONNECTION, use)


async def tell_gone(source: EndpointSource, name: str, partitions: int) -> None:
    """Publishes that a node has left whose process has ended, so that nobody waits a lease for it.

    For the parent of that process, which knows. Does nothing if the node has left, or if another
    process of its name has written a record meanwhile. Raises what `with_connection` raises.
    """
    subject = MEMBER_PREFIX + name

    async def use(connection: Connection, _endpoint: Endpoint) -> None:
        record = await read_record(connection, subject)
        if record is None:
            return
        with contextlib.suppress(MemberRecordError):
            member = decode(record.data, partitions)
            if not member.left:
                gone = encode(replace(member.gone(), renewal=member.renewal + 1))
                await write_record(connection, subject, gone, expected=record.sequence)

    await with_connection(source, _CONNECTION, use)


class _Standing(NamedTuple):
    """The record of a node as it stands in the stream."""

    sequence: int
    lease: float


async def _standing(connection: Connection, partitions: int) -> dict[str, _Standing]:
    """Returns the record of each node that has not left, by its name."""
    found: dict[str, _Standing] = {}
    for record in (await read_standing(connection)).records.values():
        with contextlib.suppress(MemberRecordError):
            member = decode(record.data, partitions)
            if not member.left:
                found[member.name] = _Standing(record.sequence, member.lease)
    return found


def _now() -> float:
    return asyncio.get_running_loop().time()


def _add(callbacks: list[T], callback: T) -> Callable[[], None]:
    callbacks.append(callback)

    def end() -> None:
        with contextlib.suppress(ValueError):
            callbacks.remove(callback)

    return end
