"""The body of a frame: what this version cannot read is refused by name."""

from __future__ import annotations

import msgspec
import pytest

from durable_server.core.entry_kinds import KINDS
from durable_server.core.limits import Limits
from durable_server.core.records import EntryRecorded, EpochStarted
from durable_server.log.batch import Batch, UndecodableBatchError, decode, encode
from durable_server.log.interface import Position
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.workers import Workers
from durable_server.store.sqlite import SqliteStore

NEWER_KIND = max(KINDS) + 1
NEWER_RECORD = msgspec.msgpack.encode((1, [(99, ["a newer record"])]))
NEWER_ENTRY = encode(Batch(1, [EntryRecorded("id", 1, 0, NEWER_KIND, "name")]))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (NEWER_RECORD, "unknown record 99"),
        (NEWER_ENTRY, f"unknown entry kind {NEWER_KIND}"),
        (encode(Batch(1, []))[:-1], "truncated"),
        (msgspec.msgpack.encode((1, [(1, ["one", "leader"])])), "Expected `int`"),
    ],
)
def test_what_a_newer_version_wrote_is_refused_by_name(body: bytes, problem: str) -> None:
    pattern = rf"cannot read a batch of \d+ bytes \(.*{problem}.*\): .* newer version\?"
    with pytest.raises(UndecodableBatchError, match=pattern):
        decode(body)


def test_every_kind_of_this_version_is_read() -> None:
    batch = Batch(1, [EntryRecorded("id", 1, kind, kind, "name") for kind in KINDS])
    assert decode(encode(batch)) == batch


async def _pass_over(_position: Position, _body: bytes) -> None:
    pass


async def test_a_leader_does_not_start_over_a_log_with_a_kind_that_it_does_not_know() -> None:
    stream = MemoryStream()
    newer, store = MemoryLog(stream), SqliteStore(":memory:")
    await newer.take_over(
        Position(), _pass_over, lambda epoch: encode(Batch(1, [EpochStarted(epoch, "newer")]))
    )
    await newer.append(NEWER_ENTRY)
    processor = build_processor(MemoryLog(stream), store, Limits(), WallClock(), Workers())
    with pytest.raises(UndecodableBatchError, match=f"unknown entry kind {NEWER_KIND}"):
        await processor.start("older")
    store.close()
