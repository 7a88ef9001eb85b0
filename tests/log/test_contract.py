"""The log's contract: the same tests over memory and over a real nats-server."""

from __future__ import annotations

import asyncio

import pytest

from durable_server.log.frame import Chain, CorruptFrameError, decode, encode
from durable_server.log.interface import (
    DeposedError,
    FrameTooLargeError,
    LogDataLostError,
    LogUnavailableError,
    Position,
)

from .worlds import World, lead


async def test_what_was_appended_is_replayed_from_any_position(world: World) -> None:
    log = world.leader()
    first = await lead(log)
    assert first.seen == [(Position(1, 1, 0), b"fence 1")]
    bodies = [b"", b"x", b"\r\n", bytes(range(256)) * 300]
    positions = [first.last, *[await log.append(body) for body in bodies]]
    assert positions == [Position(1 + n, 1, n) for n in range(5)]
    for epoch, applied in enumerate([Position(), *positions], 2):
        reader = await lead(world.leader(), applied)
        everything = [b"fence 1", *bodies, *[b"fence %d" % n for n in range(2, epoch + 1)]]
        assert reader.bodies == everything[applied.sequence :]
        assert reader.last == Position(3 + epoch + 1, epoch, 0)


async def test_nothing_is_appended_before_taking_over(world: World) -> None:
    log = world.leader()
    with pytest.raises(LogUnavailableError, match="take_over comes before append"):
        await log.append(b"x")
    assert await world.messages() == {}


async def test_a_deposed_leader_stays_deposed(world: World) -> None:
    old, new = world.leader(), world.leader()
    await lead(old)
    before = await old.append(b"a")
    await lead(new)
    for _ in range(2):
        with pytest.raises(DeposedError, match=r"epoch 2 has taken over at sequence 3.*epoch 1"):
            await old.append(b"lost")
    with pytest.raises(DeposedError):
        await old.trim(before.sequence)
    await new.append(b"b")
    # It may lead again, and then the other one is deposed.
    assert (await lead(old, before)).bodies == [b"fence 2", b"b", b"fence 3"]
    await old.append(b"c")
    with pytest.raises(DeposedError, match="epoch 3"):
        await new.append(b"lost")
    assert b"lost" not in (await lead(world.leader())).bodies


async def test_gap_fill_never_enters_the_state(world: World) -> None:
    """Law 3: two appends in flight, the new leader's fence first, the second lands behind it."""
    old = world.leader()
    await lead(old)
    tail = await old.append(b"before")
    # By hand, what a leader with two appends in flight would have sent.
    writer = decode((await world.messages())[tail.sequence]).writer
    chain = Chain(tail.epoch, tail.number)
    a = chain.next(writer, b"a")
    chain.admit(decode(a))
    b = chain.next(writer, b"b")

    new = world.leader()
    fence = (await lead(new, tail)).last
    assert fence.sequence == tail.sequence + 1
    assert not await world.put(a, tail.sequence)
    assert await world.put(b, tail.sequence + 1)

    # Another frame is where the new leader appends; it is dead, so the leader skips it.
    assert await new.append(b"c") == Position(fence.sequence + 2, 2, 1)
    with pytest.raises(DeposedError):
        await old.append(b"d")
    reader = await lead(world.leader())
    assert reader.bodies == [b"fence 1", b"before", b"fence 2", b"c", b"fence 3"]
    assert len(await world.messages()) == 6


async def test_several_dead_frames_in_a_row_and_at_the_end(world: World) -> None:
    log = world.leader()
    await lead(log)
    dead = encode(1, 7, 1, 6, 1, b"dead")
    for sequence in (1, 2, 3):
        assert await world.put(dead, sequence)
    assert await log.append(b"a") == Position(5, 1, 1)
    for sequence in (5, 6):
        assert await world.put(dead, sequence)
    reader = await lead(world.leader())
    assert reader.seen == [
        (Position(1, 1, 0), b"fence 1"),
        (Position(5, 1, 1), b"a"),
        (Position(8, 2, 0), b"fence 2"),
    ]


async def test_a_long_tail_with_dead_frames_in_it(world: World) -> None:
    log = world.leader()
    await lead(log)
    dead = encode(1, 700, 1, 600, 1, b"dead")
    expected = [b"fence 1"]
    for number in range(120):
        body = b"%d" % number
        if number % 10 == 0:
            count = 1 + number + number // 10
            assert await world.put(dead, count)
        await log.append(body)
        expected.append(body)
    reader = await lead(world.leader())
    assert reader.bodies == [*expected, b"fence 2"]
    middle = reader.seen[60][0]
    assert (await lead(world.leader(), middle)).bodies == [*expected[61:], b"fence 2", b"fence 3"]


async def test_a_log_that_ends_too_early_is_refused(world: World) -> None:
    log = world.leader()
    await lead(log)
    await log.append(b"a")
    with pytest.raises(LogDataLostError, match=r"ends at sequence 2, but 7 was ack.* 3 to 7 are"):
        await lead(world.leader(), Position(7, 1, 6))
    # Refused means untouched: the leader goes on.
    assert await log.append(b"b") == Position(3, 1, 2)


async def test_an_empty_log_under_a_full_store_is_refused(world: World) -> None:
    with pytest.raises(LogDataLostError, match="ends at sequence 0, but 5 was acknowledged"):
        await lead(world.leader(), Position(5, 1, 4))


async def test_a_log_that_begins_too_late_is_refused(world: World) -> None:
    log = world.leader()
    await lead(log)
    positions = [await log.append(b"x") for _ in range(6)]
    await log.trim(positions[4].sequence)
    assert min(await world.messages()) == 6
    with pytest.raises(LogDataLostError, match=r"begins at sequence 6.* 1 was applied: 2 to 5"):
        await lead(world.leader(), Position(1, 1, 0))
    with pytest.raises(LogDataLostError, match="begins at sequence 6"):
        await lead(world.leader())
    # The frame before the first one is enough to go on from, the one before that is not.
    assert (await lead(world.leader(), positions[3])).bodies == [b"x", b"x", b"fence 2"]


async def test_another_log_than_the_store_was_built_from_is_refused(world: World) -> None:
    log = world.leader()
    await lead(log)
    await log.append(b"x")
    with pytest.raises(LogDataLostError, match=r"holds frame 1/1, but frame 3/9 was applied"):
        await lead(world.leader(), Position(2, 3, 9))


async def test_a_corrupt_frame_stops_the_replay_and_names_its_place(world: World) -> None:
    log = world.leader()
    await lead(log)
    good = await log.append(b"good")
    bad = bytearray(Chain(1, 1).next(1, b"frame"))
    bad[-1] ^= 1
    assert await world.put(bytes(bad), good.sequence)
    with pytest.raises(CorruptFrameError, match=r"sequence 3 is corrupt: its checksum"):
        await lead(world.leader())
    with pytest.raises(CorruptFrameError, match="sequence 3"):
        await log.append(b"behind it")


async def test_trim_keeps_the_last_valid_frame_and_the_numbering(world: World) -> None:
    log = world.leader()
    await lead(log)
    last = [await log.append(b"x") for _ in range(4)][-1]
    await world.put(encode(1, 70, 1, 60, 1, b"dead"), last.sequence)
    await log.trim(10**9)
    assert sorted(await world.messages()) == [last.sequence, last.sequence + 1]
    await log.trim(1)
    await log.trim(0)
    assert await log.append(b"y") == Position(last.sequence + 2, 1, last.number + 1)
    assert (await lead(world.leader(), last)).bodies == [b"y", b"fence 2"]


async def test_a_frame_that_is_too_large_harms_nothing(world: World) -> None:
    log = world.leader()
    await lead(log)
    limit = (8 << 20) - 512 if "DURABLE" in log.name else 1 << 20
    with pytest.raises(FrameTooLargeError, match=rf"limit is {limit}; write smaller batches"):
        await log.append(bytes(limit))
    largest = bytes(limit - 48)
    assert await log.append(largest) == Position(2, 1, 1)
    assert (await lead(world.leader())).bodies[1] == largest


async def test_one_append_at_a_time(world: World) -> None:
    log = world.leader()
    await lead(log)
    first, second = await asyncio.gather(log.append(b"a"), log.append(b"b"), return_exceptions=True)
    assert first == Position(2, 1, 1)
    assert isinstance(second, RuntimeError)
    assert str(second).endswith("one append or take_over at a time")
    assert await log.append(b"c") == Position(3, 1, 2)


async def test_after_a_cancelled_append_only_taking_over_helps(world: World) -> None:
    log = world.leader()
    reader = await lead(log)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):  # cancels at the first wait
            await log.append(b"a")
    for _ in range(2):
        with pytest.raises(LogUnavailableError, match=r"append 1/1 was given up.*take over again"):
            await log.append(b"b")
    again = await lead(log, reader.last)
    assert again.bodies in ([b"fence 2"], [b"a", b"fence 2"])
    await log.append(b"c")


async def test_a_leader_that_never_pauses_can_be_deposed(world: World) -> None:
    """The fence has to hit the moment between two appends; what was acknowledged before it is kept."""
    old = world.leader()
    await lead(old)
    acknowledged: list[bytes] = []
    under_way = asyncio.Event()

    async def busy() -> None:
        while True:
            body = b"%d" % len(acknowledged)
            await old.append(body)
            acknowledged.append(body)
            under_way.set()

    task = asyncio.create_task(busy())
    await under_way.wait()
    reader = await lead(world.leader())
    with pytest.raises(DeposedError):
        await task
    assert reader.bodies == [b"fence 1", *acknowledged, b"fence 2"]


async def test_errors_of_the_caller_pass_through_taking_over(world: World) -> None:
    log = world.leader()

    def broken(epoch: int) -> bytes:
        raise ZeroDivisionError(epoch)

    with pytest.raises(ZeroDivisionError):
        await lead(log, make_fence=broken)
    with pytest.raises(LogUnavailableError, match="taking over did not finish"):
        await log.append(b"x")
    assert (await lead(log)).bodies == [b"fence 1"]


async def test_a_closed_log_says_so(world: World) -> None:
    log = world.leader()
    await lead(log)
    await log.close()
    with pytest.raises(LogUnavailableError, match="closed"):
        await log.append(b"x")


async def test_closing_ends_an_append_that_waits_for_better_times(world: World) -> None:
    log = world.leader()
    await lead(log)
    async with world.away():
        append = asyncio.create_task(log.append(b"x"))
        with pytest.raises(RuntimeError):  # the first one is under way
            await asyncio.create_task(log.append(b"y"))
        assert not append.done()
        await log.close()
        with pytest.raises(LogUnavailableError, match="closed"):
            await append
