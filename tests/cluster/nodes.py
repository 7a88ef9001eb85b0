"""Nodes for the tests of the membership: in this process, or one in a process of its own."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings

from durable_server.cluster.clocks import wall_ms
from durable_server.cluster.level import SystemLevel
from durable_server.cluster.member import Member, decode
from durable_server.cluster.members import Members
from durable_server.cluster.metadata import load_or_create
from durable_server.cluster.records import read_record
from durable_server.nats.api import ApiError
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import EndpointSource, fixed, parse_urls

from ..support.processes import Child, running
from ..support.waiting import PATIENCE_SECONDS, eventually

PARTITIONS = 12
PROPERTY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Of tests that draw: on a busy machine, neither a draw nor a test is too slow."""
LEASE = 1.0


def member(name: str, **fields: object) -> Member:
    """A member as a new process of this name describes itself."""
    new = Member(
        name=name,
        incarnation=secrets.token_hex(8),
        address=f"{name}:7233",
        internal_address=f"{name}:7234",
        version="1.2.3",
        format_level=1,
        lease=LEASE,
    )
    return replace(new, **fields)  # type: ignore[arg-type]  # each test names fields and values


class Node:
    """A node in this process."""

    def __init__(
        self,
        source: EndpointSource,
        own: Member,
        *,
        level: SystemLevel | None = None,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        self.own = own
        self.members = Members(source, lambda: self.own, PARTITIONS, level=level, wall=wall)
        self._changed = asyncio.Event()
        self.members.listen(self._changed.set)
        self.members.heard(lambda _: self._changed.set())

    async def __aenter__(self) -> Node:
        await self.members.join()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.members.leave()

    async def until(self, condition: Callable[[Members], object]) -> None:
        """Waits until the condition holds, which is asked again whenever a listener is called."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition(self.members):
                self._changed.clear()
                await self._changed.wait()

    async def until_live(self, *names: str) -> None:
        await self.until(lambda it: it.live.keys() == {*names})

    async def until_kept(self, url: str) -> None:
        """Waits until the stream has taken this node's own record as it is now.

        The other nodes hear a record even if the stream refuses it.
        """

        async def kept() -> bool:
            connection = await Connection.open(parse_urls(url), name="test")
            try:
                record = await read_record(
                    connection, f"durable.cluster.members.{self.own.name}", 1.0
                )
            except (TimeoutError, ApiError):  # as while the stream has no leader
                return False
            finally:
                connection.abort()
            return record is not None and decode(record.data, PARTITIONS) == self.own

        await eventually(kept)

    def now_has(self, **fields: object) -> None:
        """Changes this node's own record, as a role that has changed does."""
        self.own = replace(self.own, **fields)  # type: ignore[arg-type]  # as above
        self.members.renew_now()


async def with_nats(url: str, use: Callable[[Connection], Awaitable[None]]) -> None:
    """Calls `use` with a connection of its own."""
    connection = await Connection.open(parse_urls(url), name="test")
    try:
        await use(connection)
    finally:
        connection.abort()


def at(url: str) -> EndpointSource:
    return fixed(parse_urls(url))


async def make_system(url: str, replicas: int = 1) -> None:
    """Makes a new system, and with it the stream of the records."""
    await load_or_create(at(url), partitions=PARTITIONS, replicas=replicas)


_PROCESS = """
import asyncio, sys
from tests.cluster.nodes import Node, at, member

async def main():
    async with Node(at(sys.argv[2]), member(sys.argv[1], leads={3: (7, 70)})) as node:
        print("joined", flush=True)
        await node.members.failed

asyncio.run(main())
"""


@contextmanager
def node_process(folder: Path, name: str, url: str) -> Iterator[Child]:
    """A node in a process of its own, which leads partition 3; it prints `joined` when it has."""
    with running([sys.executable, "-c", _PROCESS, name, url], folder / f"{name}.log") as child:
        yield child
