"""The calling side of a link in memory: an answer and a timeout in the same turn of the event loop."""

from __future__ import annotations

import asyncio

import pytest

from durable_proto.node_v1 import node_pb2
from durable_server.peers.caller import Caller
from durable_server.peers.frames import DONE, FrameWriter
from durable_server.peers.limits import LinkLimits


@pytest.fixture
def caller() -> Caller:
    limits = LinkLimits()
    frames = FrameWriter(node_pb2.LinkRequest, limits.unwritten_bytes, pytest.fail)
    return Caller("b", frames, limits)


async def test_an_answer_in_the_turn_in_which_the_time_is_over_is_the_answer(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    call = asyncio.create_task(caller.call("Echo", b"", 0))
    await asyncio.sleep(0)
    # The call has begun and its timer is due in the next turn, after what is called soon.
    answer = node_pb2.LinkResponse(parts=[node_pb2.Part(call=1, body=b"answer", end=DONE)])
    asyncio.get_running_loop().call_soon(caller.received, answer)
    assert await call == b"answer"
    assert not caplog.records  # the event loop would log what the timer raises
