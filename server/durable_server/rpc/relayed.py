"""Relayed sessions, on the node that is asked: sessions of workers that have dialled another node.

The stream between the nodes takes the place of the worker's connection (`sessions.proto`). The session
itself is the same: it has its own attempts, those of the partitions led here, and its own slots, a
share of the worker's. The link between the nodes has heartbeats, so the session needs none.

If the stream ends without the worker having left, this is a broken connection: the worker keeps its
attempts for the grace period, and comes back through this entry node or another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from durable_proto.node_v1 import sessions_pb2
from durable_proto.v1 import worker_pb2

from ..core.limits import Limits
from ..peers.interface import Answer, PeerRefusedError, PeerStream, PeerUnavailableError, Serve
from ..processor.errors import RequestError
from ..processor.shares import Grant, Report
from ..sessions.sessions import Sessions
from ..sessions.times import SessionTimes
from .hello import read_hello
from .refusal import Refusal, refusal
from .session_reader import SessionReader
from .session_writer import SessionWriter

SESSION = "Session"
"""The method to which a relayed session is opened."""
REACH = "Reach"
"""The method that shows that this node can be reached, and says whether it can serve."""
SERVES = b"serves"
"""The answer to it of a node that NATS answers, so that it knows the other nodes."""


class RelayedSessions:
    """What this node answers to the entry nodes of workers: `peers.Methods`."""

    def __init__(self, sessions: Sessions, limits: Limits, times: SessionTimes) -> None:
        assert sessions.demand is not None
        self._sessions = sessions
        self._demand = sessions.demand
        self._limits = limits
        self._times = times
        self.calls: Mapping[str, Answer] = {REACH: self._reached}
        self.streams: Mapping[str, Serve] = {SESSION: self._serve}

    async def _reached(self, _: bytes) -> bytes:
        return SERVES if self._sessions.current else b""

    async def _serve(self, body: bytes, stream: PeerStream) -> None:
        opened = sessions_pb2.RelayedHello.FromString(body)
        message = worker_pb2.Hello.FromString(opened.hello)
        writer = _Writer(stream, self._limits, self._times)
        try:
            hello = read_hello(message, self._sessions, self._limits)
            hello = hello._replace(
                slot_count=opened.share,
                entry_node=opened.entry_node,
                epochs=dict(opened.epochs),
            )
            session = await self._sessions.open(hello, writer)
        except (Refusal, RequestError) as error:
            raise PeerRefusedError(refusal(error).status().SerializeToString()) from error
        reader = SessionReader(self._sessions, session)
        slots = self._demand.divide(session.worker, writer.report)
        writing = asyncio.create_task(writer.write(_Frames(stream)))
        left = False
        try:
            while (part := await stream.receive()) is not None:
                request = sessions_pb2.RelayedRequest.FromString(part)
                if request.frame:
                    await reader.receive(worker_pb2.SessionRequest.FromString(request.frame))
                if request.HasField("grant"):
                    slots.granted(_grant(request.grant))
                left = request.left
        except PeerUnavailableError:
            pass
        except (Refusal, RequestError) as error:
            raise PeerRefusedError(refusal(error).status().SerializeToString()) from error
        finally:
            writing.cancel()
            reader.close(left=left)


class _Writer(SessionWriter):
    """The writer of a relayed session: what concerns the connection goes to the entry node."""

    def __init__(self, stream: PeerStream, limits: Limits, times: SessionTimes) -> None:
        super().__init__(limits, times)
        self._stream = stream

    def welcome(self, epoch: int) -> None:
        """Tells the entry node that the session is open; it welcomes the worker itself."""
        self._stream.send(sessions_pb2.RelayedResponse(opened=True).SerializeToString())

    def drain(self, delay_seconds: float = 0.0, *, elsewhere: bool = False) -> None:
        """Does nothing: the worker stays at its entry node, which knows who leads what."""

    def report(self, report: Report) -> None:
        """Tells the entry node what it has to hear about the worker's slots."""
        told = sessions_pb2.SlotReport(
            returned=report.returned, wants=report.wants, received=report.received
        )
        self._stream.send(sessions_pb2.RelayedResponse(report=told).SerializeToString())

    def replaced(self) -> None:
        """Tells the entry node that the worker has come by way of another one."""
        self._stream.send(sessions_pb2.RelayedResponse(replaced=True).SerializeToString())


class _Frames:
    """Where the frames of a relayed session are written to; it never lets the writer wait."""

    def __init__(self, stream: PeerStream) -> None:
        self._stream = stream

    async def write(self, message: worker_pb2.SessionResponse, /) -> None:
        """Sends a frame to the entry node."""
        response = sessions_pb2.RelayedResponse(frame=message.SerializeToString())
        self._stream.send(response.SerializeToString())


def _grant(message: sessions_pb2.SlotGrant) -> Grant:
    return Grant(message.units, message.keep if message.HasField("keep") else None)
