"""Starts, waits for, steers and finds invocations with messages of betterproto2.

    python examples/clients/betterproto/main.py 127.0.0.1:50051

The messages are dataclasses; `bytes(message)` and `Message.parse` are all that gRPC needs of them, so
they go over an ordinary channel of grpcio, and no other gRPC library comes into the program.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from durable_betterproto.durable.v1 import (
    CancelRequest,
    CancelResponse,
    Failure,
    GetResultRequest,
    GetResultResponse,
    Invocation,
    InvocationState,
    InvokeRequest,
    InvokeResponse,
    Outcome,
    PauseRequest,
    PauseResponse,
    Payload,
    QueryRequest,
    QueryResponse,
    ResolveAwakeableRequest,
    ResolveAwakeableResponse,
    ResumeRequest,
    ResumeResponse,
    WatchInvocationRequest,
    WatchInvocationResponse,
)

R = TypeVar("R")
SERVICE = "/durable.v1.DurableControl"


class FailedError(Exception):
    """An invocation ended without a value."""


class Durable:
    """What a program wants of the control plane."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def call(self, request: Any, response: type[R]) -> R:
        """Makes the unary call that a request is for: InvokeRequest is the call Invoke's."""
        method = type(request).__name__.removesuffix("Request")
        parse = response.parse  # type: ignore[attr-defined]
        call = self._channel.unary_unary(f"{SERVICE}/{method}", bytes, parse)
        answer: R = await call(request, wait_for_ready=True, timeout=60)
        return answer

    async def start(self, handler: str, value: object) -> str:
        """Starts an invocation; returns its id."""
        request = InvokeRequest(handler=handler, input=payload(value), request_id=new_id())
        return (await self.call(request, InvokeResponse)).invocation_id

    async def wait(self, invocation_id: str) -> Any:
        """Waits for the end; returns the value, raises FailedError."""
        wait = timedelta(seconds=30)
        request = GetResultRequest(invocation_id=invocation_id, wait_timeout=wait)
        while True:
            result = await self.call(request, GetResultResponse)
            match result.outcome:
                case Outcome(value=Payload() as value):
                    return json.loads(value.data)
                case Outcome(failure=Failure() as failure):
                    raise FailedError(failure.message)

    async def settle(self, awakeable_id: str, outcome: Outcome) -> None:
        """Resolves an awakeable with a value, rejects it with a failure."""
        request = ResolveAwakeableRequest(
            awakeable_id=awakeable_id, outcome=outcome, request_id=new_id()
        )
        await self.call(request, ResolveAwakeableResponse)

    async def watch(self, invocation_id: str) -> AsyncIterator[Invocation]:
        """Yields an invocation as it changes, to its end."""
        parse = WatchInvocationResponse.parse
        call = self._channel.unary_stream(f"{SERVICE}/WatchInvocation", bytes, parse)
        async for change in call(WatchInvocationRequest(invocation_id=invocation_id)):
            assert change.invocation is not None
            yield change.invocation

    async def pages(self, query: QueryRequest) -> AsyncIterator[list[Invocation]]:
        """Yields what matches, page by page."""
        while True:
            page = await self.call(query, QueryResponse)
            yield page.invocations
            if not page.next_page_token:
                return
            query.page_token = page.next_page_token


def payload(value: object) -> Payload:
    """A value as JSON."""
    return Payload(data=json.dumps(value).encode())


def new_id() -> str:
    """A request id: a retry that carries it has no second effect."""
    return uuid.uuid4().hex


def refusal(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str]]:
    """Why a call was refused: the reason, and the facts that belong to it."""
    info = error_details_pb2.ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                detail.Unpack(info)
    return info.reason, dict(info.metadata)


async def tour(durable: Durable) -> None:
    """Uses each of these once."""
    greeting = await durable.wait(await durable.start("greet", {"name": "Ada"}))
    print("greeting:", greeting["message"], greeting["letters"])

    book = await durable.start("order", {"item": "book"})
    pause = PauseRequest(
        invocation_id=book, request_id=new_id(), wait_timeout=timedelta(seconds=10)
    )
    print("pause:", word((await durable.call(pause, PauseResponse)).state))
    resume = ResumeRequest(invocation_id=book, request_id=new_id())
    await durable.call(resume, ResumeResponse)

    await durable.settle(f"{book}.approval", Outcome(value=payload({"by": "Grace"})))
    ordered = await durable.wait(book)
    print(f"resolve: {ordered['item']}, approved by {ordered['approved_by']}")

    lamp = await durable.start("order", {"item": "lamp"})
    no = Failure(type="Rejected", message="out of stock", terminal=True)
    await durable.settle(f"{lamp}.approval", Outcome(failure=no))
    try:
        await durable.wait(lamp)
    except FailedError as failed:
        print("reject:", failed)

    pen = await durable.start("order", {"item": "pen"})
    await durable.call(CancelRequest(invocation_id=pen, request_id=new_id()), CancelResponse)
    last = [it.state async for it in durable.watch(pen)][-1]
    print("cancel:", word(last))

    query = QueryRequest(handler="order", page_size=2)
    pages = [page async for page in durable.pages(query)]
    print(f"query: {sum(map(len, pages))} orders on {len(pages)} pages")

    for refused, fact in (
        (durable.start("nobody", {}), "handler"),
        (durable.call(ResumeRequest(invocation_id=book), ResumeResponse), "operation"),
    ):
        try:
            await refused
        except grpc.aio.AioRpcError as error:
            reason, facts = refusal(error)
            print("refusal:", error.code().name, reason, facts[fact])


def word(state: InvocationState) -> str:
    """A state as people read it."""
    return (state.name or str(state)).lower()


async def main() -> None:
    """Runs the command line."""
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"
    async with grpc.aio.insecure_channel(address) as channel:
        await tour(Durable(channel))


if __name__ == "__main__":
    asyncio.run(main())
