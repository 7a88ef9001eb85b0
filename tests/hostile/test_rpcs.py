"""Every RPC, with messages that no client sends and with bytes that are none."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_proto.v1 import access_pb2, control_pb2, payload_pb2, worker_pb2

from .conftest import Plane, check_error
from .messages import Messages

SERVICES = [
    service
    for file in (control_pb2, access_pb2, worker_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
]
METHODS = [method for service in SERVICES for method in service.methods]
METHODS_BY_NAME = {it.name: it for it in METHODS}
SECONDS = 20
"""How long a call may take: none of them waits for a result."""


@pytest.fixture(scope="module")
def messages(plane: Plane) -> Messages:
    """Messages with the names and ids that exist."""
    hello = worker_pb2.Hello(protocol_version=1, worker_id="w", slot_count=1)
    hello.handlers.add(name="fuzzed", version="v1")
    hello.handlers.add(name="cart.add", version="v1", kind=2)
    frame = worker_pb2.SessionRequest(messages=[worker_pb2.WorkerMessage(hello=hello)])
    session = plane.channel.stream_stream(
        "/durable.v1.DurableWorker/Session",
        request_serializer=worker_pb2.SessionRequest.SerializeToString,
        response_deserializer=worker_pb2.SessionResponse.FromString,
    )(iter([frame]))
    next(session)
    session.cancel()
    given = payload_pb2.Payload(data=b"1")
    ids = [
        plane.control.Invoke(
            control_pb2.InvokeRequest(handler="fuzzed", input=given, request_id=f"r{number}")
        ).invocation_id
        for number in range(3)
    ]
    return Messages([*ids, "fuzzed", "cart", "cart.add", "k0", "w", "admin", "read:*"])


def ask(plane: Plane, method: MethodDescriptor, body: bytes) -> Any:
    """Makes a call with some bytes as its request; returns the first response."""
    name = f"/{method.containing_service.full_name}/{method.name}"
    parse = message_factory.GetMessageClass(method.output_type).FromString
    try:
        if not method.server_streaming:
            return plane.channel.unary_unary(name, response_deserializer=parse)(
                body, timeout=SECONDS
            )
        if method.client_streaming:
            stream = plane.channel.stream_stream(name, response_deserializer=parse)(
                iter([body]), timeout=SECONDS
            )
        else:
            stream = plane.channel.unary_stream(name, response_deserializer=parse)(
                body, timeout=SECONDS
            )
        try:
            return next(stream)
        except StopIteration:
            return None
        finally:
            stream.cancel()
    except grpc.RpcError as error:
        check_error(error)
        return None


@pytest.mark.parametrize("method", METHODS, ids=lambda it: it.name)
def test_messages_and_bytes(
    plane: Plane, messages: Messages, fuzz: settings, method: MethodDescriptor
) -> None:
    valid = messages.of(method.input_type)

    @st.composite
    def damaged(draw: st.DrawFn) -> bytes:
        data = bytearray(as_bytes(draw(valid)))
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, len(data)))
            data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
        return bytes(data)

    @fuzz
    @given(valid.map(as_bytes) | damaged() | st.binary(max_size=60))
    def bombard(body: bytes) -> None:
        ask(plane, method, without_wait(method, body))

    bombard()
    plane.check()


def as_bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def without_wait(method: MethodDescriptor, body: bytes) -> bytes:
    """Returns a request that does not wait, or the bytes as they are if they are no request."""
    if "wait_timeout" not in method.input_type.fields_by_name:
        return body
    try:
        message: Any = message_factory.GetMessageClass(method.input_type).FromString(body)
    except DecodeError:
        return body
    message.ClearField("wait_timeout")
    return as_bytes(message)


def test_page_tokens(plane: Plane, messages: Messages, fuzz: settings) -> None:
    """One that was given out, damaged: it is refused, or it leads to some page."""
    first = plane.control.Query(control_pb2.QueryRequest(page_size=1), timeout=SECONDS)
    assert first.next_page_token

    @fuzz
    @given(st.data())
    def bombard(data: st.DataObject) -> None:
        token = list(first.next_page_token)
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(token)))
            token[at : at + data.draw(st.integers(0, 2))] = data.draw(
                st.text("AZaz09-_=.:/é", max_size=2)
            )
        query = control_pb2.QueryRequest(page_size=1, page_token="".join(token))
        ask(plane, METHODS_BY_NAME["Query"], query.SerializeToString())

    bombard()
    plane.check()
