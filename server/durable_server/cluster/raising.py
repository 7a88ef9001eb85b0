"""The raising of the system's format level, when every node agrees to a higher one.

One process raises the level when all live members agree to a higher one and their names and levels have
been the same for SETTLE_SECONDS: so long that a node that is restarted in between is back. It is the
first member by name, so that not all try at once; that this is only a matter of manners is what
follows.

**An old node that joins at the same moment.** The raiser asks the stream of the records for its last
sequence, reads all records of members, and writes the metadata record under the condition that this is
still the last sequence *of the stream*. A node that joins publishes its own record first, and reads the
metadata after that. Both are writes to one stream, so one comes first: if it is the node's, the raiser
has read it or its condition fails; if it is the raiser's, the node reads the new level and does not
join.

**A member that is not live** was not heard for a lease. It does not count, or a node that never comes
back would keep the level down for ever. If it comes back as a process that ran on, it hears or reads
the level and ends; if it is started, it is refused. A record that this node has never heard may be of
a member that others hear, so nothing is raised before it is clear.

**If all this fails**, as when an old NATS leader that is cut off answers the joining node, nothing is
misread: a record of a higher level is refused by who cannot read it (`log.batch`), and that node ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from .. import __version__
from ..core.levels import FORMAT_LEVEL
from ..log.preflight import with_connection
from ..nats import api
from ..nats.api import ApiError
from ..nats.connection import Connection
from ..nats.endpoint import Endpoint, EndpointSource
from . import metadata
from .level import SystemLevel
from .member import Member, MemberRecordError, decode
from .records import read_standing

SETTLE_SECONDS = 30.0
"""How long the members must be the same before the level rises: longer than the restart of a node."""
_CONNECTION = "durable level"
_TRIES = 50
"""How often the writing is tried at once, because members publish a record each second."""

logger = logging.getLogger("durable.cluster")


class MembersPort(Protocol):
    """What is needed of `members.Members`."""

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

    def last(self, name: str) -> Member | None:
        """Returns the last record of another node that came."""
        ...

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when the members have changed."""
        ...


async def raise_alone(source: EndpointSource, level: SystemLevel, agreed: int) -> None:
    """Raises the level for a process that is the only one of its system.

    Raises what `with_connection` raises.
    """

    async def use(connection: Connection, _endpoint: Endpoint) -> None:
        while not await _try(connection, level, lambda _: agreed):
            pass

    if agreed > level.now:
        await with_connection(source, _CONNECTION, use)


class LevelRaiser:
    """Raises the level while this node is a member."""

    def __init__(
        self,
        source: EndpointSource,
        members: MembersPort,
        partitions: int,
        level: SystemLevel,
        *,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        """`partitions` is their number in the system; `settle` is in seconds."""
        self._source = source
        self._partitions = partitions
        self._members = members
        self._level = level
        self._settle = settle
        self._seen: tuple[tuple[str, int], ...] = ()
        self._told: set[str] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._end: Callable[[], None] | None = None

    def start(self) -> None:
        """Begins; this node has joined."""
        self._end = self._members.listen(self._changed)
        self._changed()

    async def close(self) -> None:
        """Ends, also in the middle."""
        if self._end is not None:
            self._end()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _changed(self) -> None:
        live = self._members.live
        self._explain(live)
        seen = tuple(sorted((name, it.agreed_level) for name, it in live.items()))
        if seen == self._seen:
            return
        self._seen = seen
        self._settle_again()

    def _settle_again(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._wanted() > self._level.now:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(self._settle, self._settled)

    def _wanted(self) -> int:
        return min(level for _, level in self._seen)

    def _settled(self) -> None:
        # Should the member whose turn it is go away, the members have changed.
        if self._members.name == self._seen[0][0] and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._raise(), name="durable-level")

    async def _raise(self) -> None:
        async def use(connection: Connection, _endpoint: Endpoint) -> bool:
            for _ in range(_TRIES):
                if await _try(connection, self._level, self._agreed):
                    return True
            return False

        try:
            if self._members.current and not await with_connection(self._source, _CONNECTION, use):
                logger.warning("the format level cannot be raised yet: members write all the time")
        except Exception as error:  # noqa: BLE001  # it is tried again, and what is fatal shows elsewhere
            logger.warning("the format level cannot be raised yet: %s", error)
        self._settle_again()

    def _agreed(self, records: Iterable[bytes]) -> int:
        """Returns the level to which all members agree; 0 while it is not clear who they are."""
        level = self._wanted()
        for data in records:
            try:
                member = decode(data, self._partitions)
            except MemberRecordError:
                return 0
            if member.name in self._members.live:
                level = min(level, member.agreed_level)
            elif not member.left and not self._is_gone(member):
                return 0
        return level

    def _is_gone(self, member: Member) -> bool:
        """Returns whether a record is the last one that was heard of a node that is not live."""
        known = self._members.last(member.name)
        return known is not None and (known.incarnation, known.renewal) == (
            member.incarnation,
            member.renewal,
        )

    def _explain(self, live: Mapping[str, Member]) -> None:
        """Logs who keeps the level from rising, each node once."""
        newest = max(it.format_level for it in live.values())
        if newest <= self._level.now:
            return
        for name, member in sorted(live.items()):
            if member.agreed_level == newest:
                continue
            if member.format_level < newest:
                why = f"reads up to {member.format_level}"
            else:
                why = f"is held at {member.agreed_level} by --format-level"
            told = f"node {name} (version {member.version}) {why}"
            if told not in self._told:
                self._told.add(told)
                logger.warning(
                    "some nodes can read format level %d, and the level of the system stays %d: %s",
                    *(newest, self._level.now, told),
                )


async def _try(
    connection: Connection, level: SystemLevel, agreed: Callable[[Iterable[bytes]], int]
) -> bool:
    """Raises the level to what is agreed; returns False if something was written meanwhile.

    `agreed` gets the standing records of the members.
    """
    standing = await read_standing(connection)
    found = await metadata.read(connection)
    assert found is not None, "a system that runs has its metadata"
    wanted = min(FORMAT_LEVEL, agreed([it.data for it in standing.records.values()]))
    if wanted > found.format_level:
        try:
            await metadata.write_level(connection, wanted, __version__, standing.last_sequence)
        except ApiError as error:
            if error.number != api.WRONG_LAST_SEQUENCE:
                raise
            return False
        logger.info(
            "the format level of the system rises from %d to %d", found.format_level, wanted
        )
    level.reached(max(wanted, found.format_level))
    return True
