"""The sync client alone, over the channel of grpcio-testing: no server, no socket.

What fits it: what the client makes of each answer, and what it sends when it tries again. What does
not: that channel ignores deadlines, and closing it ends nothing, so timeouts, interruption and lost
connections are tested with real servers; and it is sync, so `AsyncClient` is always tested so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import grpc_testing
import pytest
from google.rpc import status_pb2

import durable
from durable_proto.v1 import control_pb2, invocation_pb2

from .peers import BOUND, completed

SERVICE = control_pb2.DESCRIPTOR.services_by_name["DurableControl"]
OK = grpc.StatusCode.OK
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class Wires:
    """A client whose calls the test takes and ends one by one."""

    def __init__(self, client: durable.Client, channel: Any, threads: ThreadPoolExecutor) -> None:
        self.client, self._channel, self._threads = client, channel, threads

    def call(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begins what blocks in a thread."""
        return self._threads.submit(function, *arguments)

    def take(self, method: str) -> tuple[Any, Any]:
        """Returns the request of the next call of a unary method, and the call."""
        descriptor = SERVICE.methods_by_name[method]
        taken = self._threads.submit(self._channel.take_unary_unary, descriptor)
        _, request, call = taken.result(BOUND)
        return request, call

    def take_watch(self) -> Any:
        """Returns the next call of WatchInvocation."""
        descriptor = SERVICE.methods_by_name["WatchInvocation"]
        taken = self._threads.submit(self._channel.take_unary_stream, descriptor)
        return taken.result(BOUND)[2]


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wires]:
    channel = grpc_testing.channel([SERVICE], grpc_testing.strict_real_time())
    monkeypatch.setattr("durable._client.connection.open_channel", lambda address: channel)
    with durable.Client() as client, ThreadPoolExecutor(4) as threads:
        yield Wires(client, channel, threads)


def refuse(call: Any, code: grpc.StatusCode, trailers: Any = ()) -> None:
    call.terminate(None, trailers, code, "said so")


ERRORS: dict[grpc.StatusCode, type[durable.RpcError]] = {
    grpc.StatusCode.NOT_FOUND: durable.NotFoundError,
    grpc.StatusCode.INVALID_ARGUMENT: durable.InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: durable.InvalidArgumentError,
    grpc.StatusCode.FAILED_PRECONDITION: durable.PreconditionError,
    grpc.StatusCode.ALREADY_EXISTS: durable.AlreadyExistsError,
    grpc.StatusCode.UNAUTHENTICATED: durable.UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: durable.PermissionDeniedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: durable.LimitError,
    grpc.StatusCode.UNAVAILABLE: durable.UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: durable.UnavailableError,
}


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not OK])
def test_every_code_has_its_error(wires: Wires, code: grpc.StatusCode) -> None:
    once = wires.client.options(timeout=0)
    asked = wires.call(once.server_info)
    refuse(wires.take("GetServerInfo")[1], code)
    error = asked.exception(BOUND)
    assert type(error) is ERRORS.get(code, durable.RpcError)
    assert isinstance(error, durable.RpcError)
    assert error.code is code
    assert error.reason == ""


@pytest.mark.parametrize(
    "trailer",
    [b"", b"\xff\xff", status_pb2.Status(code=5, message="no details").SerializeToString()],
    ids=["empty", "garbage", "bare"],
)
def test_foreign_details_do_not_hide_the_code(wires: Wires, trailer: bytes) -> None:
    asked = wires.call(wires.client.get, "0" * 32)
    _, call = wires.take("GetInvocation")
    refuse(call, grpc.StatusCode.NOT_FOUND, (("grpc-status-details-bin", trailer),))
    with pytest.raises(durable.NotFoundError, match="said so"):
        asked.result(BOUND)


def test_a_retry_repeats_the_request(wires: Wires) -> None:
    asked = wires.call(wires.client.invoke_async, "hello", "you")
    first, call = wires.take("Invoke")
    sent = first.SerializeToString(deterministic=True)
    for code in (UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, UNAVAILABLE):
        refuse(call, code)
        request, call = wires.take("Invoke")
        assert request.SerializeToString(deterministic=True) == sent
    call.terminate(control_pb2.InvokeResponse(invocation_id="a" * 32), (), OK, "")
    assert asked.result(BOUND) == "a" * 32
    again = wires.call(wires.client.invoke_async, "hello", "you")
    other, call = wires.take("Invoke")
    assert other.request_id != first.request_id
    call.terminate(control_pb2.InvokeResponse(invocation_id="b" * 32), (), OK, "")
    assert again.result(BOUND) == "b" * 32


def test_a_wait_goes_on_where_the_invocation_is_known(wires: Wires) -> None:
    """An answer without an end is asked again by id, and nothing is started twice."""
    asked = wires.call(wires.client.invoke, "hello")
    request, call = wires.take("Invoke")
    assert request.wait_timeout.seconds > 0
    going_on = control_pb2.InvokeResponse(
        invocation_id="a" * 32, state=invocation_pb2.INVOCATION_STATE_RUNNING
    )
    call.terminate(going_on, (), OK, "")
    request, call = wires.take("GetResult")
    assert request.invocation_id == "a" * 32
    refuse(call, UNAVAILABLE)
    request, call = wires.take("GetResult")
    done = completed('"x"')
    call.terminate(
        control_pb2.GetResultResponse(state=done.state, outcome=done.outcome), (), OK, ""
    )
    assert asked.result(BOUND).value() == "x"


def change(*indexes: int, state: invocation_pb2.InvocationState) -> Any:
    found = invocation_pb2.Invocation(invocation_id="a" * 32, handler="hello", state=state)
    for index in indexes:
        found.journal.add(index=index, name=f"step {index}", completion_number=index + 1)
    return control_pb2.WatchInvocationResponse(invocation=found)


def test_a_watch_over_two_streams_shows_nothing_twice(wires: Wires) -> None:
    running = invocation_pb2.INVOCATION_STATE_RUNNING
    over = invocation_pb2.INVOCATION_STATE_COMPLETED

    def watch() -> list[list[str]]:
        return [[it.name for it in seen.journal] for seen in wires.client.watch("a" * 32)]

    seen = wires.call(watch)
    stream = wires.take_watch()
    stream.send_response(change(0, 1, state=running))
    stream.terminate((), UNAVAILABLE, "cut")
    stream = wires.take_watch()
    stream.send_response(change(0, 1, state=running))
    # What ended is told in several messages when its journal is long.
    stream.send_response(change(2, state=over))
    stream.send_response(change(3, state=over))
    stream.terminate((), OK, "")
    assert seen.result(BOUND) == [["step 0", "step 1"], ["step 2"], ["step 3"]]
