"""Frames and the validity rule, against a model that states the rule in another way."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from durable_server.log.frame import HEADER_SIZE, Chain, CorruptFrameError, Frame, decode, encode

U64 = st.integers(0, 2**64 - 1)


@given(U64, U64, U64, U64, U64, st.binary(max_size=300))
def test_a_frame_reads_as_it_was_written(
    epoch: int, number: int, prev_epoch: int, prev_number: int, writer: int, body: bytes
) -> None:
    data = encode(epoch, number, prev_epoch, prev_number, writer, body)
    assert len(data) == HEADER_SIZE + len(body)
    assert decode(data) == (epoch, number, prev_epoch, prev_number, writer, body)


@given(st.binary(max_size=80), st.data())
def test_any_flipped_bit_is_noticed(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(encode(3, 7, 3, 6, 99, body))
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CorruptFrameError):
        decode(bytes(frame))


@given(st.binary(max_size=80), st.data())
def test_a_cut_frame_is_noticed(body: bytes, data: st.DataObject) -> None:
    frame = encode(3, 7, 3, 6, 99, body)
    with pytest.raises(CorruptFrameError):
        decode(frame[: data.draw(st.integers(0, len(frame) - 1))])


def test_the_errors_say_what_is_there() -> None:
    frame = encode(1, 0, 0, 0, 5, b"body")
    with pytest.raises(CorruptFrameError, match="3 bytes are too few"):
        decode(b"abc")
    with pytest.raises(CorruptFrameError, match="starts with b'XX'"):
        decode(b"XX" + frame[2:])
    with pytest.raises(CorruptFrameError, match=r"format 2\.0 is not known.*newer version"):
        decode(frame[:2] + b"\x02" + frame[3:])
    with pytest.raises(CorruptFrameError, match="checksum"):
        decode(frame[:-1] + b"Y")


def frame(epoch: int, number: int, prev_epoch: int, prev_number: int) -> Frame:
    return Frame(epoch, number, prev_epoch, prev_number, 0, b"")


NUMBER = st.integers(0, 3)
FRAMES = st.lists(st.builds(frame, NUMBER, NUMBER, NUMBER, NUMBER), max_size=30)


def model(frames: list[Frame]) -> list[int]:
    """The valid frames: for each link that is waited for, the first later frame that may follow it."""
    valid: list[int] = []
    link, start = (0, 0), 0
    while True:
        followers = {(link[0], link[1] + 1)} if link[0] else set()
        followers |= {(epoch, 0) for epoch in range(link[0] + 1, 10)}
        hits = [
            index
            for index in range(start, len(frames))
            if frames[index][2:4] == link and frames[index][:2] in followers
        ]
        if not hits:
            return valid
        valid.append(hits[0])
        link, start = frames[hits[0]][:2], hits[0] + 1


@given(FRAMES)
@example([frame(0, 1, 0, 0)])
@example([frame(1, 0, 0, 0), frame(1, 1, 1, 0), frame(2, 0, 1, 1), frame(1, 2, 1, 1)])
def test_the_chain_agrees_with_the_model(frames: list[Frame]) -> None:
    chain = Chain()
    valid = [index for index, frame in enumerate(frames) if chain.admit(frame)]
    assert valid == model(frames)
    # Whatever the frames, the valid ones are a sequence of epochs, each numbered from its fence.
    last = (0, -1)
    for index in valid:
        epoch, number = frames[index][:2]
        assert (epoch == last[0] and number == last[1] + 1) or (epoch > last[0] and number == 0)
        last = (epoch, number)


@given(FRAMES, st.integers(0, 30))
def test_a_chain_can_go_on_from_a_saved_link(frames: list[Frame], cut: int) -> None:
    whole, first = Chain(), Chain()
    expected = [whole.admit(frame) for frame in frames]
    found = [first.admit(frame) for frame in frames[:cut]]
    second = Chain(first.epoch, first.number)
    assert found + [second.admit(frame) for frame in frames[cut:]] == expected


def test_the_gap_fill_of_law_3() -> None:
    old, new = Chain(), Chain()
    fence_1 = decode(old.fence(1, 10, b""))
    assert old.admit(fence_1)
    assert new.admit(fence_1)
    a = decode(old.next(10, b"a"))
    assert old.admit(a)
    b = decode(old.next(10, b"b"))
    fence_2 = decode(new.fence(2, 20, b""))
    # The new leader's fence was faster, a was refused, b landed behind the fence.
    reader = Chain()
    assert [reader.admit(frame) for frame in (fence_1, fence_2, b)] == [True, True, False]
    assert reader.admit(decode(Chain(2, 0).next(20, b"c")))
