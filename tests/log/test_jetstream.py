"""The JetStream log under faults that need a real server: lost acks, killed servers, foreign
changes.
"""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from durable_server.log.fenced import FencedLog
from durable_server.log.frame import decode
from durable_server.log.interface import LogDataLostError, LogUnavailableError, Position
from durable_server.log.stream_creation import StreamConfigError
from durable_server.nats.embedded import EmbeddedNats
from durable_server.nats.endpoint import Endpoint, fixed

from ..support.waiting import eventually
from .proxy import Proxy, ProxyFault
from .worlds import STREAM, SUBJECT, JetStreamWorld, lead


def kill(server: EmbeddedNats) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "fault",
    [ProxyFault.CUT_ACK, ProxyFault.CUT_APPEND, ProxyFault.MUTE_ACK, ProxyFault.HOLD_APPEND],
)
async def test_an_append_succeeds_exactly_once_whatever_gets_lost(
    jetstream: JetStreamWorld, fault: ProxyFault
) -> None:
    async with Proxy(jetstream.server.endpoint) as proxy:
        log = jetstream.leader(source=proxy.endpoint, ack_timeout=0.5)
        await lead(log)
        await log.append(b"before")
        proxy.fault = fault
        assert await log.append(b"it") == Position(3, 1, 2)
        assert proxy.injected == [fault]
        assert proxy.connections == 2
        assert await log.append(b"after") == Position(4, 1, 3)
        if fault is ProxyFault.HOLD_APPEND:
            # The first try arrives now, long after the second one: too late.
            assert b"wrong last sequence: 4" in await proxy.release()
            await log.append(b"at last")
    bodies = [decode(data).body for data in (await jetstream.messages()).values()]
    assert bodies[:4] == [b"fence 1", b"before", b"it", b"after"]
    assert bodies.count(b"it") == 1


@pytest.mark.parametrize("fault", [ProxyFault.CUT_ACK, ProxyFault.CUT_APPEND])
async def test_a_fence_lands_exactly_once_too(jetstream: JetStreamWorld, fault: ProxyFault) -> None:
    async with Proxy(jetstream.server.endpoint) as proxy:
        await lead(jetstream.leader())
        log = jetstream.leader(source=proxy.endpoint)
        proxy.fault = fault
        reader = await lead(log, Position(1, 1, 0))
        assert proxy.injected == [fault]
        assert reader.bodies == [b"fence 2"]
        await log.append(b"x")
    assert len(await jetstream.messages()) == 3


async def test_a_held_append_cannot_pass_a_new_leader(jetstream: JetStreamWorld) -> None:
    """The old leader's append is stuck in the network while a new one takes over."""
    async with Proxy(jetstream.server.endpoint) as proxy:
        old = jetstream.leader(source=proxy.endpoint)
        await lead(old)
        proxy.fault = ProxyFault.HOLD_APPEND
        append = asyncio.create_task(old.append(b"late"))
        await proxy.injection.wait()
        await lead(jetstream.leader())
        assert b"wrong last sequence: 2" in await proxy.release()
        append.cancel()
        await asyncio.wait({append})
    assert b"late" not in (await lead(jetstream.leader())).bodies


async def test_frames_survive_sigkill_of_the_server(jetstream: JetStreamWorld) -> None:
    """Every acknowledged append is there, once, in order; the leader goes on by itself."""
    server, log = jetstream.server, jetstream.leader()
    await lead(log)
    bodies = [b"%d" % number for number in range(150)]
    for number, body in enumerate(bodies):
        if number in (20, 90):
            kill(server)  # the next append finds out, or is under way
        assert await log.append(body) == Position(number + 2, 1, number + 1)
    assert server.restarts == 2
    assert (await lead(jetstream.leader())).bodies == [b"fence 1", *bodies, b"fence 2"]


async def test_a_restart_changes_port_and_password_and_nothing_else(
    jetstream: JetStreamWorld,
) -> None:
    server, log = jetstream.server, jetstream.leader()
    await lead(log)
    await log.append(b"a")
    await log.trim(2)
    before = await server.endpoint()
    await server.stop()
    append = asyncio.create_task(log.append(b"b"))
    await server.start()
    assert (await server.endpoint())[:3] != before[:3]
    assert await append == Position(3, 1, 2)
    assert (await lead(jetstream.leader(), Position(2, 1, 1))).bodies == [b"b", b"fence 2"]


async def test_a_trimmed_log_keeps_its_numbering_over_sigkill(jetstream: JetStreamWorld) -> None:
    log = jetstream.leader()
    await lead(log)
    for _ in range(5):
        last = await log.append(b"x")
        await log.trim(last.sequence)
    await log.close()
    assert list(await jetstream.messages()) == [6]
    kill(jetstream.server)
    reader = await lead(jetstream.leader(), Position(6, 1, 5))
    assert reader.seen == [(Position(7, 2, 0), b"fence 2")]


async def test_without_a_server_the_budget_ends_it(jetstream: JetStreamWorld) -> None:
    log = jetstream.leader(budget=0.3)
    reader = await lead(log)
    await log.append(b"a")
    await jetstream.server.stop()
    with pytest.raises(LogUnavailableError, match=r"no progress within 0\.3 s .*is stopped"):
        await log.append(b"b")
    with pytest.raises(LogUnavailableError, match=r"no progress within 0\.3 s"):
        await lead(log, reader.last)
    await jetstream.server.start()
    # Back, but what became of b only reading the log can tell.
    with pytest.raises(LogUnavailableError):
        await log.append(b"c")
    assert (await lead(log, reader.last)).bodies == [b"a", b"fence 2"]


async def test_nobody_at_the_address(jetstream: JetStreamWorld) -> None:
    nowhere = fixed(Endpoint((("127.0.0.1", 1),)))
    with pytest.raises(LogUnavailableError, match=r"cannot connect to NATS at 127\.0\.0\.1:1: "):
        await lead(jetstream.leader(source=nowhere, budget=0.1))


async def test_wrong_credentials_are_named(jetstream: JetStreamWorld) -> None:
    endpoint = (await jetstream.server.endpoint())._replace(password="wrong")
    with pytest.raises(LogUnavailableError, match="Authorization Violation") as caught:
        await lead(jetstream.leader(source=fixed(endpoint), budget=0.1))
    assert "wrong" not in str(caught.value)


async def test_a_stream_that_vanishes_is_lost_data(jetstream: JetStreamWorld) -> None:
    log = jetstream.leader()
    await lead(log)
    await log.append(b"a")
    js = (await jetstream.client()).jetstream()
    await js.delete_stream(STREAM)
    with pytest.raises(LogDataLostError, match="the stream is gone, with sequences up to 2"):
        await log.append(b"b")


@pytest.mark.parametrize("reconnect", [False, True])
async def test_a_stream_made_anew_is_lost_data(jetstream: JetStreamWorld, reconnect: bool) -> None:
    log = jetstream.leader()
    await lead(log)
    await log.append(b"a")
    js = (await jetstream.client()).jetstream()
    config = (await js.stream_info(STREAM)).config
    await js.delete_stream(STREAM)
    await js.add_stream(config)
    if reconnect:
        for _ in range(5):
            await js.publish(SUBJECT, b"foreign")
        kill(jetstream.server)
    with pytest.raises(LogDataLostError, match="deleted and made again"):
        await log.append(b"b")


async def test_the_streams_options(jetstream: JetStreamWorld) -> None:
    await lead(jetstream.leader())
    config = (await (await jetstream.client()).jetstream().stream_info(STREAM)).config
    assert config.subjects == [SUBJECT]
    assert config.retention == RetentionPolicy.LIMITS
    assert config.discard == DiscardPolicy.NEW
    assert config.storage == StorageType.FILE
    assert (config.max_msgs, config.max_age, config.max_bytes) == (-1, 0, 1 << 30)
    assert (config.deny_delete, config.deny_purge, config.allow_direct) == (True, False, False)
    assert config.num_replicas == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"max_age": 60}, "max_age=60000000000"),
        ({"max_msgs": 1000}, "max_msgs=1000"),
        ({"discard": DiscardPolicy.OLD}, 'discard="old"'),
        ({"retention": RetentionPolicy.WORK_QUEUE}, 'retention="workqueue"'),
        ({"subjects": [SUBJECT, "more"]}, r'subjects=\["durable.log.0", "more"\]'),
    ],
)
async def test_a_stream_that_would_lose_frames_is_refused(
    jetstream: JetStreamWorld, change: dict[str, object], named: str
) -> None:
    config = StreamConfig(
        name=STREAM, subjects=[SUBJECT], discard=DiscardPolicy.NEW, storage=StorageType.FILE
    )
    await (await jetstream.client()).jetstream().add_stream(config.evolve(**change))
    with pytest.raises(StreamConfigError, match=f"options under which a log loses.*{named}"):
        await lead(jetstream.leader())


async def test_a_full_stream_refuses_instead_of_forgetting(jetstream: JetStreamWorld) -> None:
    log = jetstream.leader(budget=0.3)
    await lead(log)
    js = (await jetstream.client()).jetstream()
    config = (await js.stream_info(STREAM)).config
    await js.update_stream(config.evolve(max_bytes=200_000))
    written: list[bytes] = []
    with pytest.raises(LogUnavailableError, match="maximum bytes exceeded"):
        await _fill(log, written)
    await js.update_stream(config)
    assert (await lead(log)).bodies == [b"fence 1", *written, b"fence 2"]


async def _fill(log: FencedLog, written: list[bytes]) -> None:
    while len(written) < 100:
        body = b"%d" % len(written) * 5000
        await log.append(body)
        written.append(body)


async def test_reading_a_long_log_keeps_order_and_size(jetstream: JetStreamWorld) -> None:
    """Several pulls, some ended by the count and some by the bytes."""
    log = jetstream.leader()
    await lead(log)
    bodies = [b"%d" % number for number in range(1100)]
    bodies += [bytes([number]) * (6 << 20) for number in range(8)]
    for body in bodies:
        await log.append(body)
    assert (await lead(jetstream.leader())).bodies == [b"fence 1", *bodies, b"fence 2"]
    js = (await jetstream.client()).jetstream()

    async def no_consumer() -> bool:
        return (await js.stream_info(STREAM)).state.consumer_count == 0

    await eventually(no_consumer)


async def test_a_takeover_that_is_cancelled_in_a_long_read_ends_at_once(
    jetstream: JetStreamWorld,
) -> None:
    """No answer of the server is waited for, because it may have died."""
    log = jetstream.leader()
    await lead(log)
    for number in range(100):
        await log.append(b"%d" % number)
    reading = asyncio.Event()

    async def deliver(_position: Position, _body: bytes) -> None:
        reading.set()
        await asyncio.Event().wait()

    next_leader = jetstream.leader()
    task = asyncio.ensure_future(next_leader.take_over(Position(), deliver, lambda _: b"fence"))
    await reading.wait()
    task.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert task.done()
    await next_leader.close()
