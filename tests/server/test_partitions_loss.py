"""A partition that has lost its log and its store: the start shows it, or the next message does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import grpc
import pytest

from durable_proto.v1 import control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.cluster.identity import FILE_NAME
from durable_server.cluster.metadata import MetadataError
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.core.messages import OutboxMessage, ReleaseAwakeable
from durable_server.core.records import Received, Record
from durable_server.core.replies import Reply
from durable_server.processor.errors import (
    MessagesLostError,
    ProcessorEndedError,
    RecordTooLargeError,
)
from durable_server.processor.outbox import Outbox
from durable_server.store.files import store_path
from tests.support.manual_worker import ManualWorker, open_entry
from tests.support.waiting import eventually

from .partitioned import KEYS, PARTITIONS, invoke_in
from .test_partitions_start import delete_stream


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, partitions=PARTITIONS)


async def send_until(plane: ControlPlane, count: int, condition: Callable[[], bool]) -> None:
    """Sends so many invocations from partition 0 to partition 1, and waits for a condition."""
    async with (
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel, f"worker-{count}") as worker,
    ):
        invocation_id = await invoke_in(control_pb2_grpc.DurableControlStub(channel), 0)
        start = await worker.receive("start")
        while start.invocation_id != invocation_id:  # It may also get what was sent before.
            start = await worker.receive("start")
        for index in range(count):
            entry = open_entry(start, index, "SEND", "three")
            entry.entry.partition_key = KEYS[1]
            await worker.send(entry)
        await eventually(condition)


async def lose(config: Config, partition: int) -> None:
    """Removes a partition after two messages from partition 0 to 1 that both sides have recorded."""
    async with ControlPlane(config) as plane:
        source, destination, _ = plane.router.all()

        def recorded() -> bool:
            seen = destination.partition.seen.get(0, 0)
            # The answers too, or the next start would send them before anything else.
            return seen == 2 and not any(it.store.recover().outbox for it in (source, destination))

        await send_until(plane, 2, recorded)
    await delete_stream(config, f"DURABLE_P{partition}")
    for path in config.data_dir.glob(f"{store_path(config.data_dir, partition).name}*"):
        path.unlink()


@pytest.mark.parametrize("partition", [0, 1])
async def test_a_data_dir_that_knows_its_system_is_refused(config: Config, partition: int) -> None:
    await lose(config, partition)
    with pytest.raises(MetadataError, match="this NATS system has 2 of its 3 logs: name the right"):
        async with ControlPlane(config):
            pass


@pytest.mark.parametrize(
    ("partition", "problem"),
    [
        (0, "it has sent 1 messages to partition 1, which has received 2"),
        (1, "it had received the messages of partition 0 up to 2, and has them up to 0"),
    ],
)
async def test_without_an_identity_the_next_message_shows_it(
    config: Config, partition: int, problem: str
) -> None:
    await lose(config, partition)
    (config.data_dir / FILE_NAME).unlink()
    async with ControlPlane(config) as plane:
        await send_until(plane, 1, plane.ended.done)
        says = (
            rf"the log of partition {partition} went back: {problem}; make a new system of a backup"
        )
        with pytest.raises(MessagesLostError, match=says):
            await asyncio.shield(plane.ended)


MESSAGE = OutboxMessage(1, 1, ReleaseAwakeable("door", "p"))


def never_read(_destination: int, _first: int, _size: int) -> list[OutboxMessage]:
    raise AssertionError("all messages are in memory")


def answered(reply: Reply | Exception) -> asyncio.Future[Reply]:
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    if isinstance(reply, Exception):
        future.set_exception(reply)
    else:
        future.set_result(reply)
    return future


async def test_an_error_of_a_delivery_that_no_retry_mends_ends_the_partition() -> None:
    ended: asyncio.Queue[Exception] = asyncio.Queue()
    outbox = Outbox(
        0, Limits(), never_read, lambda: None, ended.put_nowait, lambda _: answered(None)
    )

    async def refuse(_destination: int, received: Received) -> int:
        raise RecordTooLargeError(f"message {received.first}")

    outbox.connect(refuse)
    outbox.add([MESSAGE])
    assert isinstance(await ended.get(), RecordTooLargeError)
    assert outbox.waiting == 1
    outbox.close()


async def test_a_leader_that_was_replaced_does_not_take_what_its_successor_has_sent_for_a_loss() -> (
    None
):
    failures: list[Exception] = []
    asked: asyncio.Queue[Record] = asyncio.Queue()

    def propose(record: Record) -> asyncio.Future[Reply]:
        asked.put_nowait(record)
        return answered(ProcessorEndedError("another leader has taken over"))

    outbox = Outbox(0, Limits(), never_read, lambda: None, failures.append, propose)
    delivered = asyncio.Event()

    async def deliver(_destination: int, _received: Received) -> int:
        delivered.set()
        return 7

    outbox.connect(deliver)
    outbox.add([MESSAGE])
    await asyncio.wait_for(asked.get(), 20)
    await asyncio.sleep(0)  # the turn in which it would fail
    assert delivered.is_set()
    assert not failures
    outbox.close()
