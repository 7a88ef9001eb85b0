"""The roles of one node: what goes wrong while it takes a partition over, leads or drains."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from durable_server.cluster.member import Member
from durable_server.log.memory import MemoryStream
from durable_server.node.host import Role
from durable_server.node.roles import Roles
from durable_server.processor.errors import ProcessorEndedError
from durable_server.snapshots.place import PlaceError
from durable_server.store.sqlite import SqliteStore, StoreUnusableError, explain_error
from tests.cluster.nodes import member
from tests.support.waiting import PATIENCE_SECONDS, eventually

from .test_host import HostedNode


class _Node(HostedNode):
    """A node whose snapshots cannot be read at the first time; with the members that it knows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, MemoryStream())
        self.name = "a"
        self.current = True
        self.others: dict[str, Member] = {}
        self.tries = 0

    @property
    def live(self) -> Mapping[str, Member]:
        own = member("a", leads=self.roles.leads, follows=self.roles.follows)
        return {"a": own, **self.others}

    def start(self) -> None:
        self.roles = Roles([self.host], standbys=1, settle=0.01)
        self.roles.start(self)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def heard(self, callback: Callable[[Member], None]) -> Callable[[], None]:
        return lambda: None

    def renew_now(self) -> None:
        pass

    async def open_store(self, partition: int) -> SqliteStore:
        self.tries += 1
        if self.tries == 1:
            raise PlaceError("the bucket does not answer")
        return await super().open_store(partition)

    @contextmanager
    def explained(self, partition: int) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain_error(self.path, error) from error


async def test_snapshots_that_cannot_be_read_now_are_tried_again(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.LEADING or node.roles.failed.done())
        assert not node.roles.failed.done()
        assert node.tries == 2
    finally:
        await node.roles.close()


async def test_a_store_that_fails_while_the_node_leads_is_named(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.LEADING)
        with sqlite3.connect(node.path) as damaged:
            damaged.execute("DROP TABLE handlers")
        damaged.close()
        with pytest.raises(ProcessorEndedError):
            await node.register()
        with pytest.raises(StoreUnusableError, match=r"partition-0\.db"):
            await asyncio.wait_for(node.roles.failed, PATIENCE_SECONDS)
    finally:
        await node.roles.close()


async def test_a_node_without_a_lease_does_not_wait_for_successors(tmp_path: Path) -> None:
    node = _Node(tmp_path / "a")
    node.start()
    try:
        await eventually(lambda: node.host.role is Role.LEADING)
        node.others["b"] = member("b")
        node.current = False
        await asyncio.wait_for(node.roles.drain(1000), PATIENCE_SECONDS)
        assert node.roles.leads
    finally:
        await node.roles.close()
