"""HelloService in the test's process: it counts its calls, and can hold one."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType

import grpc

from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc


class Hello(hello_pb2_grpc.HelloServiceServicer):
    """A gRPC server that records each call."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}
        self.address = ""
        self.held_name = ""
        self.held = asyncio.Event()
        self.open = asyncio.Event()
        self._server = grpc.aio.server()

    def hold(self, name: str) -> None:
        """Makes calls with this name wait until `open` is set; `held` is set when one has come."""
        self.held_name = name
        self.held.clear()
        self.open.clear()

    async def SayHello(
        self,
        request: hello_pb2.HelloRequest,
        context: grpc.aio.ServicerContext[hello_pb2.HelloRequest, hello_pb2.HelloResponse],
    ) -> hello_pb2.HelloResponse:
        metadata = dict(context.invocation_metadata() or ())
        key = str(metadata["durable-idempotency-key"])
        self.calls[request.name] += 1
        self.keys.setdefault(request.name, set()).add(key)
        if request.name == self.held_name:
            self.held.set()
            await self.open.wait()
        return hello_pb2.HelloResponse(message=f"Hello, {request.name}!")

    async def __aenter__(self) -> Hello:
        hello_pb2_grpc.add_HelloServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open.set()
        await self._server.stop(None)
