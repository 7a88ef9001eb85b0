"""Misbehaving clients: the control plane survives, keeps its memory bounded, and serves the others.

It runs as a process, so that its memory can be measured.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import grpc
import psutil
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from tests.support.manual_worker import ManualWorker
from tests.support.processes import Child, durable, running, until

Invoke = control_pb2.InvokeRequest
Watch = control_pb2.WatchInvocationRequest

NOISE = random.Random(1)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ENHANCE_YOUR_CALM = 11
GROWTH_BYTES = 64 * 1024 * 1024
"""How much a stranger may cost: less than the message that one sends, more than noise."""


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Child, str]]:
    """A control plane for the whole module: what one stranger breaks, the next test sees."""
    folder = tmp_path_factory.mktemp("strangers")
    ready = folder / "ready"
    command = durable(
        "server", "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data"),
        "--ready-file", str(ready),
    )  # fmt: skip
    with running(command, folder / "log") as started:
        until(ready.exists, "ready file", started)
        yield started, json.loads(ready.read_text())["address"]


@asynccontextmanager
async def unharmed(child: tuple[Child, str]) -> AsyncIterator[str]:
    """Gives the address; others are served during the block and after it, in bounded memory."""
    process, address = psutil.Process(child[0].pid), child[1]
    async with grpc.aio.insecure_channel(address) as channel:
        other = control_pb2_grpc.DurableControlStub(channel)
        await other.GetStats(control_pb2.GetStatsRequest())
        before = process.memory_info().rss
        yield address
        await other.GetStats(control_pb2.GetStatsRequest())
        async with ManualWorker(channel, handlers=("other",)) as worker:
            started = await other.Invoke(Invoke(handler="other"))
            await worker.finish(await worker.receive("start"))
            asked = control_pb2.GetResultRequest(invocation_id=started.invocation_id)
            asked.wait_timeout.FromSeconds(20)
            assert (await other.GetResult(asked)).state == invocation_pb2.INVOCATION_STATE_COMPLETED
        assert process.memory_info().rss - before < GROWTH_BYTES


def frame(kind: int, payload: bytes = b"", stream: int = 0) -> bytes:
    """An HTTP/2 frame without flags."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, 0, stream) + payload


async def answer(address: str, *parts: bytes, end: bool = False) -> bytes:
    """Sends bytes, and with `end` no more; returns what comes until the server hangs up."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    received = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if end:
            writer.write_eof()
        async with asyncio.timeout(20):
            while data := await reader.read(65536):
                received += data
    except OSError:
        pass
    finally:
        writer.transport.abort()
    return received


def frames(received: bytes) -> list[tuple[int, bytes]]:
    """The kinds and payloads of whole frames."""
    found = []
    while len(received) >= 9:
        length = int.from_bytes(received[:3], "big")
        found.append((received[3], received[9 : 9 + length]))
        received = received[9 + length :]
    return found


async def test_one_that_pings_all_the_time(child: tuple[Child, str]) -> None:
    async with unharmed(child) as address:
        ping = frame(PING, b"12345678")
        said = frames(await answer(address, PREFACE, frame(SETTINGS), ping * 10))
        (goodbye,) = [payload for kind, payload in said if kind == GOAWAY]
        assert int.from_bytes(goodbye[4:8], "big") == ENHANCE_YOUR_CALM
        assert goodbye[8:] == b"too_many_pings"


@pytest.mark.parametrize(
    "garbage",
    [
        NOISE.randbytes(100_000),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        PREFACE + NOISE.randbytes(100_000),
        PREFACE + frame(SETTINGS) + frame(PING, b"short"),
        PREFACE + frame(SETTINGS) + frame(1, NOISE.randbytes(5_000), stream=1),
        PREFACE + frame(SETTINGS) + b"\xff\xff\xff" + bytes(6) + bytes(100_000),
    ],
    ids=["noise", "http1", "tls", "noise-later", "short-ping", "bad-headers", "huge-frame"],
)
async def test_one_that_sends_garbage(child: tuple[Child, str], garbage: bytes) -> None:
    async with unharmed(child) as address:
        await answer(address, garbage, end=True)


async def test_a_message_of_100_megabytes(child: tuple[Child, str]) -> None:
    async with (
        unharmed(child) as address,
        grpc.aio.insecure_channel(
            address, options=[("grpc.max_send_message_length", -1)]
        ) as channel,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        request = Invoke(handler="other")
        request.input.data = bytes(100 * 1024 * 1024)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await control.Invoke(request)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in (refused.value.details() or "")


async def test_metadata_without_measure(child: tuple[Child, str]) -> None:
    async with (
        unharmed(child) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await control.GetStats(
                control_pb2.GetStatsRequest(), metadata=[("x-much", "x" * 1_000_000)]
            )
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_workers_that_leave_at_once_hear_the_end(child: tuple[Child, str]) -> None:
    """Though a session may end before the server has seen that its welcome was written."""

    async def come_and_go(channel: grpc.aio.Channel, name: str) -> None:
        async with ManualWorker(channel, name) as worker:
            await worker.half_close()

    async with unharmed(child) as address, grpc.aio.insecure_channel(address) as channel:
        async with asyncio.timeout(20):
            await asyncio.gather(*(come_and_go(channel, f"brief-{n}") for n in range(300)))


async def test_one_that_never_reads_its_watch(child: tuple[Child, str]) -> None:
    """50 watches of a journal of 8 MB: messages are made only as they are read."""
    slow = [("grpc.http2.bdp_probe", 0)]
    async with (
        unharmed(child) as address,
        grpc.aio.insecure_channel(address) as channel,
        grpc.aio.insecure_channel(address, options=slow) as lazy,
        ManualWorker(channel, "writes", handlers=("long",)) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        invocation = (await control.Invoke(Invoke(handler="long"))).invocation_id
        start = await worker.receive("start")
        asked = Watch(invocation_id=invocation, include_journal=True)
        watches = [
            control_pb2_grpc.DurableControlStub(lazy).WatchInvocation(asked) for _ in range(50)
        ]
        for index in range(160):
            await worker.step(start, index, b'"' + b"x" * 50_000 + b'"')
        await worker.finish(start)
        # It was slow, and not lost: the journal is whole and the last message is the end.
        shown = [message.invocation async for message in watches[0]]
        assert max(it.ByteSize() for it in shown) < 512 * 1024
        assert shown[-1].state == invocation_pb2.INVOCATION_STATE_COMPLETED
        assert sorted(entry.index for it in shown for entry in it.journal) == list(range(160))
        for watch in watches:
            watch.cancel()
