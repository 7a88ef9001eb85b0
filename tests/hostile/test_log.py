"""The decoders of the log: what no version has written is refused by name, and by nothing else."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_server.core.limits import Limits
from durable_server.core.records import NUMBERS, EntryRecorded, EpochStarted, Finished
from durable_server.log import frame
from durable_server.log.batch import Batch, UndecodableBatchError, decode, encode
from durable_server.log.frame import CorruptFrameError
from durable_server.log.interface import Position
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.log.message_codec import decode_message
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.workers import Workers
from durable_server.store.sqlite import SqliteStore

VALID = encode(
    Batch(1, [EpochStarted(1, "a"), EntryRecorded("id", 1, 0, 1, "n"), Finished("i", 1, b"")])
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
)
packed = st.recursive(
    scalars, lambda it: st.lists(it, max_size=6) | st.dictionaries(st.text(), it, max_size=3)
)


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(data)


def test_frames(fuzz: settings) -> None:
    valid = frame.encode(2, 0, 1, 5, 77, VALID)

    @fuzz
    @given(st.binary(max_size=80) | damaged(valid))
    def bombard(data: bytes) -> None:
        try:
            found = frame.decode(data)
        except CorruptFrameError:
            return
        assert frame.encode(*found) == data

    bombard()


def test_bodies(fuzz: settings) -> None:
    records = st.tuples(st.sampled_from([*NUMBERS.values(), 999]), st.lists(packed, max_size=14))
    bodies = st.tuples(st.integers(-1, 2**40), st.lists(records, max_size=3)).map(
        msgspec.msgpack.encode
    )

    @fuzz
    @given(st.binary(max_size=60) | damaged(VALID) | bodies)
    def bombard(data: bytes) -> None:
        try:
            found = decode(data, 7)
        except UndecodableBatchError as error:
            said = str(error)
        else:
            assert decode(encode(found)) == found
            return
        assert said.startswith(f"sequence 7: cannot read a batch of {len(data)} bytes (")

    bombard()


def test_messages_between_partitions(fuzz: settings) -> None:
    @fuzz
    @given(
        st.binary(max_size=60) | st.tuples(st.integers(0, 30), packed).map(msgspec.msgpack.encode)
    )
    def bombard(data: bytes) -> None:
        with suppress(msgspec.MsgspecError, KeyError):
            decode_message(data)

    bombard()


async def _pass_over(_position: Position, _body: bytes) -> None:
    pass


@pytest.mark.parametrize("body", [b"\xc1", msgspec.msgpack.encode((1, [(5, ["x"])]))])
async def test_a_leader_names_the_bad_record_and_does_not_start(body: bytes) -> None:
    stream = MemoryStream()
    writer, store = MemoryLog(stream), SqliteStore(":memory:")
    await writer.take_over(
        Position(), _pass_over, lambda epoch: encode(Batch(1, [EpochStarted(epoch, "a")]))
    )
    bad = await writer.append(body)
    processor = build_processor(MemoryLog(stream), store, Limits(), WallClock(), Workers())
    with pytest.raises(
        UndecodableBatchError, match=f"^sequence {bad.sequence}: cannot read a batch"
    ):
        await processor.start("b")
    store.close()
