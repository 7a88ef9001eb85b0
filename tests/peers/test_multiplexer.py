"""The multiplexer in memory, under drawn interleavings of calls, streams, ends and frames.

Both sides of a link run over two pipes, which pass on a frame when the drawn steps say so. Whatever the
order: each part arrives at most once and in order, nothing is missing from a stream that ended as it
should, each side sees one end, and nothing of a call is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_proto.node_v1 import node_pb2
from durable_server.peers import frames
from durable_server.peers.answerer import Answerer
from durable_server.peers.caller import Caller
from durable_server.peers.carrier import Carrier
from durable_server.peers.interface import (
    Answer,
    PeerRefusedError,
    PeerStream,
    PeerUnavailableError,
    Serve,
)
from durable_server.peers.limits import LinkLimits

F = TypeVar("F", node_pb2.LinkRequest, node_pb2.LinkResponse)

STEPS = 60


@pytest.fixture(scope="module", autouse=True)
def small_frames() -> Iterator[None]:
    """Frames and pieces of a few bytes, so that most bodies go in pieces and steps end in between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "PIECE_BYTES", 5)
        patch.setattr(frames, "FRAME_SOFT_BYTES", 100)
        yield


class Do(enum.Enum):
    """A step; its number says which call or stream, and how large a body is."""

    CALL = enum.auto()
    CANCEL_CALL = enum.auto()
    OPEN = enum.auto()
    SEND_UP = enum.auto()
    SEND_DOWN = enum.auto()
    CLOSE_UP = enum.auto()
    CLOSE_DOWN = enum.auto()
    CANCEL_UP = enum.auto()
    CANCEL_DOWN = enum.auto()
    RETURN = enum.auto()
    REFUSE = enum.auto()
    FRAME_UP = enum.auto()
    FRAME_DOWN = enum.auto()
    TURN = enum.auto()


class Step(NamedTuple):
    do: Do
    number: int


class Pipe(Generic[F]):
    """One direction of a link, which holds each frame until it has a credit."""

    def __init__(self, frame_type: type[F]) -> None:
        self._frame_type: type[F] = frame_type
        self._frames: asyncio.Queue[F] = asyncio.Queue()
        self.credit = asyncio.Semaphore(0)

    async def write(self, frame: F) -> None:
        await self.credit.acquire()
        self._frames.put_nowait(self._frame_type.FromString(frame.SerializeToString()))

    async def read(self) -> F:
        return await self._frames.get()


class Side:
    """One side of one stream, with all that happened to it."""

    def __init__(self) -> None:
        self.stream: PeerStream | None = None
        self.sent: list[bytes] = []
        """What the side has sent before it closed its half."""
        self.closed = False
        self.received: list[bytes] = []
        self.ends: list[type[Exception] | None] = []
        self.begun = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def begin(self, stream: PeerStream) -> None:
        self.stream = stream
        self.task = asyncio.create_task(self._receive(stream))
        self.begun.set()

    async def _receive(self, stream: PeerStream) -> None:
        try:
            while (part := await stream.receive()) is not None:
                self.received.append(part)
            self.ends.append(None)
        except (PeerRefusedError, PeerUnavailableError) as error:
            self.ends.append(type(error))

    def send(self, size: int) -> None:
        if self.stream is None or self.closed:
            return
        part = b"%d," % len(self.sent) + bytes(size)
        self.stream.send(part)
        self.sent.append(part)

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
            self.closed = True


@dataclasses.dataclass
class Conversation:
    """A stream between the two sides."""

    up: Side = dataclasses.field(default_factory=Side)
    down: Side = dataclasses.field(default_factory=Side)
    finish: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    refused: bool = False
    cancelled: bool = False
    finished_early: bool = False
    """Whether the method was told to return before the opener had closed its half."""


class World:
    """A link in memory, and what was done on it."""

    def __init__(self) -> None:
        limits = LinkLimits(silence_seconds=600, open_calls=STEPS)
        self.limit = limits.open_calls
        self.calls: dict[str, Answer] = {"Echo": self._echo}
        self.streams: dict[str, Serve] = {"Talk": self._talk}
        self.asking = Carrier(node_pb2.LinkRequest, node_pb2.LinkResponse, limits)
        self.answering = Carrier(node_pb2.LinkResponse, node_pb2.LinkRequest, limits)
        self.caller = Caller("b", self.asking.frames, limits)
        self.answerer = Answerer("a", self, self.answering.frames, limits)
        self.pipe_up = Pipe(node_pb2.LinkRequest)
        self.pipe_down = Pipe(node_pb2.LinkResponse)
        self.made: list[tuple[bytes, asyncio.Task[bytes]]] = []
        self.cancelled: set[asyncio.Task[bytes]] = set()
        self.talks: list[Conversation] = []
        self.running = 0
        self.idle = asyncio.Event()
        """Whether no method runs."""
        self.idle.set()

    @contextlib.contextmanager
    def _method(self) -> Iterator[None]:
        self.running += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    async def _echo(self, body: bytes) -> bytes:
        with self._method():
            for _ in range(len(body) % 4):
                await asyncio.sleep(0)
            if len(body) % 5 == 0:
                raise PeerRefusedError(body)
            return body

    async def _talk(self, body: bytes, stream: PeerStream) -> None:
        talk = self.talks[int(body)]
        with self._method():
            talk.down.begin(stream)
            await talk.finish.wait()
            if talk.refused:
                raise PeerRefusedError(b"refused")

    def do(self, step: Step) -> None:
        do, number = step
        if do is Do.CALL:
            body = b"%d," % len(self.made) + bytes(number)
            self.made.append((body, asyncio.create_task(self.caller.call("Echo", body, None))))
        elif do is Do.CANCEL_CALL and self.made:
            task = self.made[number % len(self.made)][1]
            if task.cancel():
                self.cancelled.add(task)
        elif do is Do.OPEN:
            talk = Conversation()
            self.talks.append(talk)
            talk.up.begin(self.caller.open("Talk", b"%d" % (len(self.talks) - 1)))
        elif do is Do.FRAME_UP:
            self.pipe_up.credit.release()
        elif do is Do.FRAME_DOWN:
            self.pipe_down.credit.release()
        elif self.talks:
            self._talk_step(do, self.talks[number % len(self.talks)], number)

    def _talk_step(self, do: Do, talk: Conversation, number: int) -> None:
        if do is Do.SEND_UP:
            talk.up.send(number)
        elif do is Do.SEND_DOWN and not talk.finish.is_set():
            talk.down.send(number)
        elif do is Do.CLOSE_UP:
            talk.up.close()
        elif do is Do.CLOSE_DOWN:
            talk.down.close()
        elif do in (Do.CANCEL_UP, Do.CANCEL_DOWN):
            side = talk.up if do is Do.CANCEL_UP else talk.down
            if side.stream is not None:
                side.stream.cancel()
                talk.cancelled = True
        elif do in (Do.RETURN, Do.REFUSE) and not talk.finish.is_set():
            talk.finished_early = True
            talk.refused = do is Do.REFUSE
            talk.finish.set()

    async def run(self, steps: list[Step], broken: bool) -> None:
        ends = asyncio.gather(
            self._end(self.asking, self.pipe_down, self.pipe_up, self.caller),
            self._end(self.answering, self.pipe_up, self.pipe_down, self.answerer),
        )
        for step in steps:
            self.do(step)
            if step.do is Do.TURN:
                for _ in range(step.number):
                    await asyncio.sleep(0)
        if not broken:
            for pipe in (self.pipe_up, self.pipe_down):
                for _ in range(10_000):
                    pipe.credit.release()
            await self._finish()
            self.check()
            # As many calls as may be open at once: none that ended is counted.
            bodies = [b"%d end" % number for number in range(self.limit)]
            bodies = [it + b"." * (len(it) % 5 == 0) for it in bodies]
            calls = [self.caller.call("Echo", it, None) for it in bodies]
            assert await asyncio.gather(*calls) == bodies
        self.asking.end("broken")
        self.answering.end("broken")
        await ends
        await self._all_ended()
        if broken:
            self.check_broken()

    async def _end(
        self,
        carrier: Carrier[Any, Any],
        source: Pipe[Any],
        sink: Pipe[Any],
        side: Caller | Answerer,
    ) -> None:
        read: Callable[[], Awaitable[object]] = source.read
        side.end(await carrier.carry(read, sink.write, side.received))

    async def _finish(self) -> None:
        """Ends what the steps have left open, and waits until both sides have seen it."""
        for talk in self.talks:
            talk.up.close()
        for talk in self.talks:
            if not talk.cancelled and not talk.finish.is_set():
                await talk.down.begun.wait()
                assert talk.down.task is not None
                await talk.down.task
            talk.finish.set()
        await self._all_ended()

    async def _all_ended(self) -> None:
        for _, call in self.made:
            await asyncio.wait((call,))
        for talk in self.talks:
            for side in (talk.up, talk.down):
                if side.task is not None:
                    await side.task
        await self.idle.wait()

    def check(self) -> None:
        for body, call in self.made:
            if call.cancelled():
                assert call in self.cancelled
            elif len(body) % 5 == 0:
                error = call.exception()
                assert isinstance(error, PeerRefusedError)
                assert error.status == body
            else:
                assert call.result() == body
        for talk in self.talks:
            up, down = talk.up, talk.down
            assert down.received == up.sent[: len(down.received)]
            assert up.received == down.sent[: len(up.received)]
            assert len(up.ends) == 1
            assert len(down.ends) == (down.stream is not None)
            if talk.cancelled:
                continue
            assert up.received == down.sent
            if talk.finished_early:
                assert up.ends in ([PeerRefusedError if talk.refused else None], [None])
                assert down.ends in ([], [None])
            else:
                assert down.received == up.sent
                assert up.ends == down.ends == [None]

    def check_broken(self) -> None:
        for body, call in self.made:
            if not call.cancelled() and call.exception() is None:
                assert call.result() == body
        for talk in self.talks:
            up, down = talk.up, talk.down
            assert down.received == up.sent[: len(down.received)]
            assert up.received == down.sent[: len(up.received)]
            assert len(up.ends) == 1
            assert len(down.ends) == (down.stream is not None)


steps_strategy = st.lists(st.builds(Step, st.sampled_from(Do), st.integers(0, 12)), max_size=STEPS)


@settings(max_examples=250, deadline=None)
@given(steps_strategy, st.booleans())
def test_every_part_arrives_once_in_order_and_everything_ends_once(
    steps: list[Step], broken: bool
) -> None:
    problems: list[dict[str, Any]] = []

    async def one() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, it: problems.append(it))
        async with asyncio.timeout(30):
            await World().run(steps, broken)

    asyncio.run(one())
    assert not problems
