"""Calls of a client over the generated stub, and the typed reason of a refusal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, payload_pb2, worker_pb2
from durable_server.config import Config
from durable_server.log_reader import Bounds, open_log
from tests.support.manual_worker import ManualWorker, message_about, open_entry

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

COMPLETED = invocation_pb2.INVOCATION_STATE_COMPLETED
FAILED = invocation_pb2.INVOCATION_STATE_FAILED
PAUSED = invocation_pb2.INVOCATION_STATE_PAUSED
PENDING = invocation_pb2.INVOCATION_STATE_PENDING
SUSPENDED = invocation_pb2.INVOCATION_STATE_SUSPENDED


async def invoke(control: Control, handler: str = "three", **more: object) -> str:
    """Starts an invocation and returns its id."""
    request = control_pb2.InvokeRequest(
        handler=handler,
        input=payload_pb2.Payload(data=b'"in"'),
        **more,  # type: ignore[arg-type]  # any field of the message
    )
    return (await control.Invoke(request)).invocation_id


async def result(control: Control, invocation_id: str) -> control_pb2.GetResultResponse:
    """Waits for the result, and returns it with the journal."""
    return await control.GetResult(
        control_pb2.GetResultRequest(
            invocation_id=invocation_id, wait_timeout=Duration(seconds=20), include_journal=True
        )
    )


async def state_of(control: Control, invocation_id: str) -> invocation_pb2.Invocation:
    """Returns the invocation as it is now."""
    request = control_pb2.GetInvocationRequest(invocation_id=invocation_id)
    return (await control.GetInvocation(request)).invocation


async def reached(control: Control, invocation_id: str, state: int) -> invocation_pb2.Invocation:
    """Watches the invocation until it is in `state`."""
    async with asyncio.timeout(20):
        request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
        async for response in control.WatchInvocation(request):
            if response.invocation.state == state:
                return response.invocation
    raise AssertionError(f"the watch ended before that state: {response.invocation}")


async def suspend(
    control: Control, worker: ManualWorker, start: worker_pb2.ServerMessage, index: int = 0
) -> None:
    """Waits in the log for a signal, after `index` entries that are complete."""
    asked = message_about(start)
    asked.suspend.completion_number = index
    await worker.send(open_entry(start, index, "SIGNAL", "go"))
    await worker.receive("ack")
    await worker.send(asked)
    await worker.receive("suspended")
    await reached(control, start.invocation_id, SUSPENDED)


async def wake(control: Control, invocation_id: str) -> None:
    """Sends the signal for which a suspended invocation waits."""
    request = control_pb2.SignalRequest(invocation_id=invocation_id, name="go")
    request.outcome.value.data = b"1"
    await control.Signal(request)


async def log_bounds(config: Config) -> Bounds:
    """Returns the first and the last sequence of the log, as `durable log` reads them."""
    async with open_log(config.data_dir) as reader:
        return await reader.bounds()


async def finish_one(control: Control, worker: ManualWorker, size: int = 1) -> str:
    """Invokes with an input of `size` bytes, lets the worker finish, and waits for the result."""
    payload = payload_pb2.Payload(data=b"x" * size)
    request = control_pb2.InvokeRequest(handler="three", input=payload)
    invocation_id = (await control.Invoke(request)).invocation_id
    await worker.finish(await worker.receive("start"))
    ended = control_pb2.GetResultRequest(
        invocation_id=invocation_id, wait_timeout=Duration(seconds=20)
    )
    await control.GetResult(ended)
    return invocation_id


def reason(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str]]:
    """Returns the reason and the metadata of an error, having checked its form."""
    trailer = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailer["grpc-status-details-bin"])  # type: ignore[arg-type]  # binary metadata is bytes
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    (detail,) = status.details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert info.domain == "durable.v1"
    return info.reason, dict(info.metadata)
