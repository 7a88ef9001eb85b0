"""Calls and streams between two nodes over gRPC, on a link that holds."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from durable_server.peers.interface import PeerRefusedError, PeerStream, PeerUnavailableError
from durable_server.peers.limits import LinkLimits
from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer

from .methods import RecordedMethods, refusal


async def rest_of(stream: PeerStream) -> list[bytes]:
    parts = []
    while (part := await stream.receive()) is not None:
        parts.append(part)
    return parts


def reason_of(error: PeerRefusedError) -> tuple[int, str, dict[str, str]]:
    """The code, the reason and the metadata of a refusal, which has exactly one ErrorInfo."""
    status = status_pb2.Status.FromString(error.status)
    info = error_details_pb2.ErrorInfo()
    assert len(status.details) == 1
    assert status.details[0].Unpack(info)
    assert info.domain == "durable.v1"
    assert "\n" not in status.message
    return status.code, info.reason, dict(info.metadata)


async def test_a_call_is_answered(links: Links) -> None:
    assert await links.call("b", "Echo", b"body", 30) == b"body"
    assert await links.call("b", "Echo", b"", None) == b""


async def test_a_thousand_calls_at_once_get_their_own_answers(links: Links) -> None:
    bodies = [b"%d" % number for number in range(1000)]
    assert await asyncio.gather(*(links.call("b", "Echo", it, 60) for it in bodies)) == bodies


async def test_bodies_larger_than_a_frame_arrive_whole_among_small_ones(links: Links) -> None:
    rng = random.Random(7)
    sizes = (0, 2**20 - 1, 2**20, 2**20 + 1, 5, 3 * 2**20, 64 * 2**20, 17)
    bodies = [rng.randbytes(size) for size in sizes]
    assert await asyncio.gather(*(links.call("b", "Echo", it, 60) for it in bodies)) == bodies


async def test_parts_of_streams_arrive_in_order(links: Links) -> None:
    streams = [links.open("b", "Double", b"first") for _ in range(10)]
    for number in range(100):
        for stream in streams:
            stream.send(b"%d" % number)
    for stream in streams:
        stream.close()
    expected = [b"first", *(b"%d" % number * 2 for number in range(100))]
    assert [await rest_of(it) for it in streams] == [expected] * 10


async def test_a_part_of_a_stream_may_be_empty_or_large(links: Links) -> None:
    stream = links.open("b", "Double", b"")
    large = random.Random(8).randbytes(3 * 2**20)
    for part in (b"", large, b"x"):
        stream.send(part)
    stream.close()
    assert await rest_of(stream) == [b"", b"", large * 2, b"xx"]


async def test_each_side_closes_its_half(links: Links, methods: RecordedMethods) -> None:
    stream = links.open("b", "Count", b"3")
    assert await rest_of(stream) == [b"0", b"1", b"2"]
    stream.send(b"still")
    stream.send(b"open")
    stream.close()
    stream.send(b"after the end")
    await methods.collected_all.wait()
    assert methods.collected == [b"still", b"open"]
    assert await stream.receive() is None


async def test_the_end_of_the_method_ends_the_stream(
    links: Links, methods: RecordedMethods
) -> None:
    stream = links.open("b", "Ignore", b"")
    methods.let_go.set()
    assert await stream.receive() is None
    stream.send(b"to nobody")
    stream.close()
    stream.cancel()
    assert await links.call("b", "Echo", b"the link holds", 30) == b"the link holds"


async def test_a_refusal_arrives_as_it_was_made(links: Links) -> None:
    with pytest.raises(PeerRefusedError) as caught:
        await links.call("b", "Refuse", b"not now", 30)
    assert caught.value.status == refusal("not now")
    assert str(caught.value) == "not now"
    stream = links.open("b", "RefuseStream", b"a part before")
    assert await stream.receive() == b"a part before"
    for _ in range(2):
        with pytest.raises(PeerRefusedError) as caught:
            await stream.receive()
        assert caught.value.status == refusal("after a part")


async def test_an_unknown_method_is_refused(links: Links) -> None:
    with pytest.raises(PeerRefusedError) as called:
        await links.call("b", "Unknown", b"", 30)
    with pytest.raises(PeerRefusedError) as opened:
        await links.open("b", "Unknown", b"").receive()
    expected = (code_pb2.UNIMPLEMENTED, "UNIMPLEMENTED", {"operation": "Unknown"})
    assert reason_of(called.value) == reason_of(opened.value) == expected


async def test_a_defect_is_logged_here_and_has_only_a_number_there(
    links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PeerRefusedError) as caught:
        await links.call("b", "Fail", b"private", 30)
    code, reason, metadata = reason_of(caught.value)
    assert (code, reason) == (code_pb2.INTERNAL, "INTERNAL")
    assert b"private" not in caught.value.status
    (record,) = [it for it in caplog.records if it.levelno == logging.ERROR]
    assert metadata["incident"] in record.getMessage()
    assert "method Fail" in record.getMessage()
    assert record.exc_info is not None
    assert "private" in str(record.exc_info[1])


@pytest.mark.parametrize("body", [b"\xff", b"no number"], ids=["message", "text"])
async def test_a_body_that_the_method_cannot_read_is_no_defect(
    links: Links, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    with pytest.raises(
        PeerRefusedError, match="the body of a call of Parse cannot be read"
    ) as caught:
        await links.call("b", "Parse", body, 30)
    code, reason, _ = reason_of(caught.value)
    assert (code, reason) == (code_pb2.INVALID_ARGUMENT, "INVALID_FIELD")
    (record,) = [it for it in caplog.records if it.levelno >= logging.WARNING]
    assert record.levelno == logging.WARNING
    assert record.exc_info is None


async def test_a_method_that_is_cancelled_over_there_gives_the_call_up(links: Links) -> None:
    with pytest.raises(PeerUnavailableError, match="node b has given the call up"):
        await links.call("b", "Vanish", b"", 30)


async def test_cancelling_a_call_cancels_its_method(links: Links, methods: RecordedMethods) -> None:
    call = asyncio.create_task(links.call("b", "Wait", b"", 60))
    await methods.waiting.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await methods.cancelled.wait()


async def test_a_call_without_an_answer_in_time_is_cancelled(
    links: Links, methods: RecordedMethods
) -> None:
    with pytest.raises(PeerUnavailableError, match=r"node b has not answered within 0\.05 s"):
        await links.call("b", "Wait", b"", 0.05)
    assert await links.call("b", "Echo", b"the link holds", 30) == b"the link holds"
    assert methods.cancelled.is_set() or not methods.waiting.is_set()


async def test_the_opener_gives_a_stream_up(links: Links, methods: RecordedMethods) -> None:
    stream = links.open("b", "Collect", b"a")
    stream.send(b"b")
    assert await links.call("b", "Echo", b"all has arrived", 30) == b"all has arrived"
    stream.cancel()
    await methods.cancelled.wait()
    assert methods.collected == [b"a", b"b"]
    with pytest.raises(PeerUnavailableError, match="given up by this node"):
        await stream.receive()


async def test_giving_up_wakes_the_own_receiver(links: Links, methods: RecordedMethods) -> None:
    stream = links.open("b", "Ignore", b"")
    receiving = asyncio.create_task(stream.receive())
    await methods.waiting.wait()
    stream.cancel()
    with pytest.raises(PeerUnavailableError):
        await receiving


async def test_the_method_gives_a_stream_up(links: Links, methods: RecordedMethods) -> None:
    stream = links.open("b", "GiveUp", b"a part before")
    assert await stream.receive() == b"a part before"
    with pytest.raises(PeerUnavailableError, match="node b has given the stream up"):
        await stream.receive()
    await methods.collected_all.wait()


@pytest.mark.parametrize("limits", [LinkLimits(open_calls=3)])
async def test_calls_over_the_limit_are_refused_until_others_end(
    links: Links, methods: RecordedMethods
) -> None:
    calls = [asyncio.create_task(links.call("b", "Wait", b"", 60)) for _ in range(2)]
    stream = links.open("b", "Ignore", b"")
    await methods.waiting.wait()
    with pytest.raises(PeerRefusedError) as caught:
        await links.call("b", "Echo", b"", 30)
    expected = (code_pb2.RESOURCE_EXHAUSTED, "LIMIT_REACHED", {"limit": "open_calls", "value": "3"})
    assert reason_of(caught.value) == expected
    with pytest.raises(PeerRefusedError):
        await links.open("b", "Ignore", b"").receive()
    methods.let_go.set()
    await asyncio.gather(*calls, stream.receive())
    for _ in range(10):
        assert await links.call("b", "Echo", b"1", 30) == b"1"


@pytest.mark.parametrize("limits", [LinkLimits(unread_bytes=100_000)])
async def test_a_stream_whose_method_reads_nothing_is_given_up(
    links: Links, methods: RecordedMethods
) -> None:
    stream = links.open("b", "Ignore", b"")
    await methods.waiting.wait()
    for _ in range(11):
        stream.send(bytes(10_000))
    with pytest.raises(PeerUnavailableError, match="node b has given the stream up"):
        await stream.receive()
    await methods.cancelled.wait()
    assert await links.call("b", "Echo", b"the link holds", 30) == b"the link holds"


@pytest.mark.parametrize("limits", [LinkLimits(unread_bytes=100_000)])
async def test_a_stream_that_the_opener_does_not_read_is_given_up(
    links: Links, methods: RecordedMethods
) -> None:
    stream = links.open("b", "Ignore", bytes(10_000))
    await methods.cancelled.wait()
    with pytest.raises(PeerUnavailableError, match="more than the limit unread_bytes"):
        await stream.receive()


async def test_a_server_that_stops_lets_calls_end(
    links: Links, server: PeerServer, methods: RecordedMethods
) -> None:
    call = asyncio.create_task(links.call("b", "Wait", b"in time", 60))
    await methods.waiting.wait()
    stopping = asyncio.create_task(server.stop(60))
    await asyncio.sleep(0)
    with pytest.raises(PeerUnavailableError):
        await links.call("b", "Echo", b"too late", 30)
    stream = links.open("b", "Ignore", b"")
    methods.let_go.set()
    assert await call == b"in time"
    await stopping
    with pytest.raises(PeerUnavailableError):
        await stream.receive()


async def test_a_server_that_stops_waits_for_nobody_beyond_its_grace(
    links: Links, server: PeerServer, methods: RecordedMethods
) -> None:
    call = asyncio.create_task(links.call("b", "Wait", b"", 60))
    stream = links.open("b", "Collect", b"")
    await methods.waiting.wait()
    await server.stop(0.01)
    with pytest.raises(PeerUnavailableError, match="node b has ended the link: it stops"):
        await call
    with pytest.raises(PeerUnavailableError):
        await stream.receive()
    await methods.cancelled.wait()
