"""The stream of a worker: any messages in any order, about attempts that it owns and others."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Iterator
from typing import Any

import grpc
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_proto.v1 import control_pb2, worker_pb2

from .conftest import Plane, check_error
from .messages import Messages

SECONDS = 20
NUMBERS = itertools.count()


class Session:
    """One session of a worker that has a slot for one attempt."""

    def __init__(self, plane: Plane, handler: str) -> None:
        self._frames: queue.Queue[worker_pb2.SessionRequest | None] = queue.Queue()
        self._call: Any = plane.channel.stream_stream(
            "/durable.v1.DurableWorker/Session",
            request_serializer=worker_pb2.SessionRequest.SerializeToString,
            response_deserializer=worker_pb2.SessionResponse.FromString,
        )(self._sent(), timeout=SECONDS)
        hello = worker_pb2.Hello(protocol_version=1, worker_id=handler, slot_count=1)
        hello.handlers.add(name=handler, version="v1")
        self.send(worker_pb2.WorkerMessage(hello=hello))

    def _sent(self) -> Iterator[worker_pb2.SessionRequest]:
        while (frame := self._frames.get()) is not None:
            yield frame

    def send(self, *messages: worker_pb2.WorkerMessage) -> None:
        self._frames.put(worker_pb2.SessionRequest(messages=messages))

    def receive(self, kind: str) -> worker_pb2.ServerMessage:
        """Returns the next message of a kind."""
        while True:
            for message in next(self._call).messages:
                if message.WhichOneof("message") == kind:
                    found: worker_pb2.ServerMessage = message
                    return found

    def end(self) -> None:
        """Sends no more, and waits for the end of the session."""
        self._frames.put(None)
        try:
            for _ in self._call:
                pass
        except grpc.RpcError as error:
            check_error(error)


def test_any_messages_in_any_order(plane: Plane, fuzz: settings) -> None:
    @fuzz
    @given(st.data())
    def bombard(data: st.DataObject) -> None:
        handler = f"fuzzed-{next(NUMBERS)}"
        session = Session(plane, handler)
        session.receive("welcome")
        request = control_pb2.InvokeRequest(handler=handler)
        invocation = plane.control.Invoke(request, timeout=SECONDS).invocation_id
        start = session.receive("start")
        drawn = Messages([invocation, handler]).of(worker_pb2.WorkerMessage.DESCRIPTOR)
        for message in data.draw(st.lists(drawn, max_size=12)):
            if data.draw(st.booleans()):
                message.invocation_id, message.attempt = invocation, start.attempt
            if message.HasField("entry") and data.draw(st.booleans()):
                message.entry.index = data.draw(st.integers(0, 2))
            session.send(message)
        session.end()
        plane.control.GetInvocation(
            control_pb2.GetInvocationRequest(invocation_id=invocation, include_journal=True),
            timeout=SECONDS,
        )

    bombard()
    plane.check()
