"""The async client: `AsyncClient`, on grpc.aio.

Rules.
- The channel is opened at the first call, because grpc.aio binds it to the running event loop; a
  client that is then used on another loop says so instead of hanging.
- The path of a call is lean: the stub's methods are bound once, and the operation runs inside the
  caller's own task: no thread, no task, no lock per call.
- A local client is the same client on another channel (`_local`); handlers that a client serves have
  a worker on the client's loop (`_hosting`).
- Cancelling a call stops the waiting, not the invocation.

What the methods do is written in `_requests` and `_steering`, once for this client and for `Client`;
how a call is retried, in `_operations`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, Unpack, overload

import grpc
import grpc.aio

from durable_proto.v1.control_pb2_grpc import DurableControlStub

from .._common.transport import open_async_channel, parse_address, translate
from .._definitions.workflow import Workflow, WorkflowRef
from .._engine.loop import refuse_client
from .._local.control_plane import ADDRESS as LOCAL_ADDRESS
from .._local.control_plane import LocalControlPlane
from .._worker.hosting import Dial, Hosting, ServeOptions
from . import requests
from .async_client_steering import AsyncSteeringClient
from .calls import Operation, Send
from .options import DEFAULT_TIMEOUT_SECONDS, UNSET, Unset, ViewOptions
from .overviews import Handler, InvocationPage, ServerInfo, Stats, WorkerInfo
from .requests import Filters
from .result import Result
from .views import Invocation
from .watching import Watching

if TYPE_CHECKING:
    from durable_proto.v1.control_pb2_grpc import DurableControlAsyncStub

    from .._definitions.objects import ObjectHandler, ObjectRef

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class _Connection:
    """The channel that a client and its views share; opened at the first call."""

    __slots__ = ("_channel", "_closed", "_loop", "_stub", "dial")

    def __init__(self, dial: Dial) -> None:
        self.dial: Final = dial
        self._channel: grpc.aio.Channel | None = None
        self._stub: DurableControlAsyncStub | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def stub(self) -> DurableControlAsyncStub:
        """Returns the stub for the running loop; raises RuntimeError on any other than the first."""
        loop = asyncio.get_running_loop()
        if self._stub is not None and loop is self._loop:
            return self._stub
        refuse_client()
        if self._closed:
            raise RuntimeError("this AsyncClient is closed")
        if self._stub is not None:
            raise RuntimeError(
                "this AsyncClient was first used on another event loop; make one for each loop"
            )
        self._loop = loop
        self._channel = self.dial.open()
        self._stub = DurableControlStub(self._channel)
        return self._stub

    async def close(self) -> None:
        """Closes the channel, if there is one."""
        self._closed = True
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            await channel.close()


class AsyncClient(AsyncSteeringClient):
    """Starts, watches and steers invocations from asyncio code.

    Arguments: `address` is `host:port`, `grpcs://host:port` for TLS, or None for the environment's
    `DURABLE_ADDRESS`, else `127.0.0.1:50051`. `timeout` bounds each call, in seconds or as a
    timedelta; None for no bound. `tls` is True for the system's roots, or credentials. `insecure`
    permits plain text to another machine. The connection is made at the first call. Raises ValueError
    for a bad address.

    Every method raises RpcError (or one of its subclasses) when the control plane refuses or cannot
    be reached within the timeout. Belongs to the event loop of its first call.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | timedelta | None = DEFAULT_TIMEOUT_SECONDS,
        tls: bool | grpc.ChannelCredentials | None = None,
        insecure: bool = False,
    ) -> None:
        parsed = parse_address(address, tls=tls, insecure=insecure)
        self._connect(Dial(parsed, lambda: open_async_channel(parsed)), None, timeout)

    def _connect(
        self, dial: Dial, local: LocalControlPlane | None, timeout: float | timedelta | None
    ) -> None:
        self._connection = _Connection(dial)
        self._hosting = Hosting(dial)
        self._local = local
        super().__init__(timeout)

    @classmethod
    def local(
        cls,
        *,
        timeout: float | timedelta | None = None,
        webhook_secrets: Mapping[str, str] | None = None,
    ) -> Self:
        """Returns a client with a control plane of its own, in this process and in memory.

        Nothing else needs to run: `register` workflows, `serve_handlers`, and call. It is the same
        client, worker and control plane without NATS and sockets; all is gone when it is closed.
        Without a `timeout` calls wait for ever, as one does at a breakpoint. The first webhook's URL
        opens a port of loopback; `webhook_secrets` holds the secrets, by name, that senders of webhooks
        sign with. Raises ServerNotInstalledError when the control plane is not installed, ValueError
        for a secret that is empty.
        """
        return cls._of(LocalControlPlane(webhook_secrets=webhook_secrets), timeout)

    @classmethod
    def _of(cls, local: LocalControlPlane, timeout: float | timedelta | None) -> Self:
        """Returns the client of a local control plane."""
        client = cls.__new__(cls)
        client._connect(Dial(LOCAL_ADDRESS, local.open), local, timeout)
        return client

    def register(self, *workflows: Workflow[..., Any] | type) -> None:
        """Adds workflows and object classes that `serve_handlers` serves in this process.

        Raises TypeError for what is neither, ValueError for a name that was registered before.
        """
        self._hosting.register(workflows)

    async def serve_handlers(self, **options: Unpack[ServeOptions]) -> None:
        """Begins to run what is registered in this process; returns when it can be invoked.

        It is served until the client is closed. For what is registered later, call it again. The
        options are those of `ServeOptions`. Raises ValueError when nothing is registered, RpcError
        when the control plane refuses the handlers.
        """
        self._connection.stub()  # binds the client to this loop
        await self._hosting.serve(options)

    if TYPE_CHECKING:
        # At run time it is `ClientBase.options`, which takes the mark for "not given" too.
        @overload  # type: ignore[override]  # nobody outside has that mark
        def options(self, *, key: str, **others: Unpack[ViewOptions]) -> KeyedAsyncClient: ...
        @overload
        def options(self, **others: Unpack[ViewOptions]) -> Self: ...
        def options(self, **options: Any) -> Any: ...

    async def _run(self, operation: Operation[T]) -> T:
        """Runs an operation: the one place where this client does anything."""
        stub = self._connection.stub()
        try:
            step = next(operation)
            while True:
                if not isinstance(step, Send):
                    await asyncio.sleep(step.seconds)
                    step = operation.send(None)
                    continue
                try:
                    answer = await getattr(stub, step.method)(step.request, timeout=step.timeout)
                except grpc.RpcError as error:
                    step = operation.throw(translate(error, self._connection.dial.address.target))
                else:
                    step = operation.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value

    @overload
    async def invoke(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...

    @overload
    async def invoke(self, workflow: str, arg: Any = ..., /) -> Result[Any]: ...

    async def invoke(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Starts an invocation and waits until it has ended.

        With a workflow, returns its value; with a name, the Result with its journal. Raises
        InvocationFailedError, InvocationCancelledError or InvocationPausedError when it did not
        complete (by name those are in the Result), WaitTimeoutError with its id when the timeout
        is over while it goes on, NotFoundError when no worker ever registered the handler.
        """
        return await self._run(requests.invoke(workflow, args, kwargs, self._options))

    @overload
    async def invoke_async(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> str: ...

    @overload
    async def invoke_async(self, workflow: str, arg: Any = ..., /) -> str: ...

    async def invoke_async(self, workflow: Any, /, *args: Any, **kwargs: Any) -> str:
        """Starts an invocation and returns its id as soon as it is in the log."""
        return await self._run(requests.start(workflow, args, kwargs, self._options))

    @overload
    async def get_result(
        self,
        invocation_id: str,
        workflow: Workflow[P, R] | WorkflowRef[P, R],
        *,
        timeout: float | timedelta | Unset | None = ...,  # noqa: ASYNC109  # the server waits
    ) -> Result[R]: ...

    @overload
    async def get_result(
        self,
        invocation_id: str,
        workflow: None = ...,
        *,
        timeout: float | timedelta | Unset | None = ...,  # noqa: ASYNC109  # the server waits
    ) -> Result[Any]: ...

    async def get_result(
        self,
        invocation_id: str,
        workflow: Workflow[Any, Any] | WorkflowRef[Any, Any] | None = None,
        *,
        timeout: float | timedelta | Unset | None = UNSET,  # noqa: ASYNC109  # the server waits
    ) -> Result[Any]:
        """Waits until an invocation has ended or is paused, or the timeout is over.

        `timeout` is in seconds or a timedelta, 0 to look without waiting, None for no bound; without
        it the client's. With `workflow` the value is decoded as its return type. The Result says where
        it stands; only its `value()` raises. Raises NotFoundError for an unknown id.
        """
        return await self._run(requests.get_result(invocation_id, workflow, self._seconds(timeout)))

    async def get(self, invocation_id: str) -> Invocation:
        """Returns what is known about an invocation, with journal. Raises NotFoundError."""
        return await self._run(requests.get(invocation_id, self._options.timeout))

    async def query(self, **filters: Unpack[Filters]) -> InvocationPage:
        """Returns a page of the invocations that match all filters, newest first.

        The filters are those of `Filters`; `status` is a word or several. Raises ValueError for an
        unknown status, InvalidArgumentError.
        """
        return await self._run(requests.query(filters, self._options.timeout))

    async def query_all(self, **filters: Unpack[Filters]) -> AsyncIterator[Invocation]:
        """Iterates over all invocations that match all filters, page by page as it is consumed.

        An invocation that is accepted meanwhile may be left out. Raises as `query` does.
        """
        following: Filters | None = filters
        while following is not None:
            page = await self.query(**following)
            for found in page.invocations:
                yield found
            following = requests.next_page(filters, page)

    async def watch(self, invocation_id: str) -> AsyncGenerator[Invocation, None]:
        """Iterates over an invocation as it changes: as it is now, then each change, until it ends.

        The journal of each holds only the entries that are new or changed since the one before. A
        broken connection is made anew and nothing is shown twice; the client's timeout bounds how
        long the control plane may be away. Raises NotFoundError.
        """
        watching = Watching(invocation_id, self._options.timeout)
        while True:
            stream = self._connection.stub().WatchInvocation(watching.request)
            error: grpc.RpcError | None = None
            try:
                async for message in stream:
                    found = watching.received(message)
                    if found is not None:
                        yield found
            except grpc.RpcError as broken:
                error = broken
            finally:
                stream.cancel()
            target = self._connection.dial.address.target
            delay = watching.ended(None if error is None else translate(error, target))
            if delay is None:
                return
            await asyncio.sleep(delay)

    async def list_handlers(self) -> list[Handler]:
        """Returns the handlers that workers have registered, by name."""
        return await self._run(requests.list_handlers(self._options.timeout))

    async def stats(self) -> Stats:
        """Counts invocations by status and by handler."""
        return await self._run(requests.stats(self._options.timeout))

    async def list_workers(self) -> list[WorkerInfo]:
        """Returns the workers that are connected now, by connect time."""
        return await self._run(requests.list_workers(self._options.timeout))

    async def server_info(self) -> ServerInfo:
        """Returns the control plane's version, limits and start."""
        return await self._run(requests.server_info(self._options.timeout))

    async def close(self) -> None:
        """Closes the connection; of a view, nothing. Calls under way end with an error.

        Handlers that it serves may end before, or are given to another worker; those of a local
        client are dropped with its control plane.
        """
        if self._owner:
            if self._local is not None:
                await self._local.halt()
            await self._hosting.close(gently=self._local is None)
            await self._connection.close()
            if self._local is not None:
                await self._local.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


if TYPE_CHECKING:

    class KeyedAsyncClient(AsyncClient):
        """What `options(key=...)` is to type checkers: it invokes handlers of objects too."""

        @overload
        async def invoke(
            self,
            workflow: ObjectHandler[P, R] | ObjectRef[P, R],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> R: ...
        @overload
        async def invoke(
            self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
        ) -> R: ...
        @overload
        async def invoke(self, workflow: str, arg: Any = ..., /) -> Result[Any]: ...
        async def invoke(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any: ...

        @overload
        async def invoke_async(
            self,
            workflow: ObjectHandler[P, R] | ObjectRef[P, R],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> str: ...
        @overload
        async def invoke_async(
            self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
        ) -> str: ...
        @overload
        async def invoke_async(self, workflow: str, arg: Any = ..., /) -> str: ...
        async def invoke_async(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any: ...

else:
    # At run time a view is a view, whatever its options are.
    KeyedAsyncClient = AsyncClient
