"""The sync client: `Client`, on sync stubs.

There is no event loop behind it and no thread of ours, unless it serves handlers: those need a loop,
which then runs in a thread (`_hosting.LoopThread`). In local mode the control plane is on it too,
and calls are made there, by an AsyncClient. A call blocks the calling thread, and only that.

One client may be used from any number of threads; they share its connection. `options` gives a view
with other options on the same connection; only the client that opened it closes it.

What the methods do is written in `_requests` and `_steering`, once for this client and for
`AsyncClient`; how a call is retried, in `_operations`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, Unpack, overload

import grpc

from durable_proto.v1.control_pb2_grpc import DurableControlStub

from .._common.transport import Address, open_async_channel, open_channel, parse_address, translate
from .._definitions.workflow import Workflow, WorkflowRef
from .._engine.loop import refuse_client
from .._worker.hosting import Dial, Hosting, LoopThread, ServeOptions
from . import requests
from .async_client import AsyncClient
from .calls import Operation, Send
from .client_steering import SteeringClient
from .options import DEFAULT_TIMEOUT_SECONDS, UNSET, Unset, ViewOptions
from .overviews import Handler, InvocationPage, ServerInfo, Stats, WorkerInfo
from .requests import Filters
from .result import Result
from .views import Invocation
from .watching import Watching

if TYPE_CHECKING:
    from .._definitions.objects import ObjectHandler, ObjectRef

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class _Connection:
    """The channel that a client and its views share."""

    def __init__(self, address: Address) -> None:
        self.channel: Final = open_channel(address)
        self.target: Final = address.target
        self.stub: Final = DurableControlStub(self.channel)


class _Host:
    """The event loop beside a client: its handlers, and for a local client all calls."""

    def __init__(self, hosting: Hosting, local: AsyncClient | None) -> None:
        self.hosting: Final = hosting
        self.local: Final = local
        self._lock: Final = threading.Lock()
        self._thread: LoopThread | None = None
        self._closed = False

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop, which starts at the first. Raises RuntimeError when closed."""
        with self._lock:
            if self._closed:
                main.close()
                raise RuntimeError("this Client is closed")
            thread = self._thread = self._thread or LoopThread()
        return thread.run(main)

    def close(self) -> None:
        """Ends the handlers and the loop."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is None:
            return
        if self.local is not None:
            thread.run(self.local.close())
        else:
            thread.run(self.hosting.close(gently=True))
        thread.stop()


class Client(SteeringClient):
    """Starts, watches and steers invocations; blocks the calling thread while it waits.

    Arguments: `address` is `host:port`, `grpcs://host:port` for TLS, or None for the environment's
    `DURABLE_ADDRESS`, else `127.0.0.1:50051`. `timeout` bounds each call, in seconds or as a
    timedelta; None for no bound. `tls` is True for the system's roots, or credentials. `insecure`
    permits plain text to another machine. The connection is made at the first call. Raises ValueError
    for a bad address.

    Every method raises RpcError (or one of its subclasses) when the control plane refuses or cannot
    be reached within the timeout. Thread-safe.
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
        self._connection: _Connection | None = _Connection(parsed)
        hosting = Hosting(Dial(parsed, lambda: open_async_channel(parsed)))
        self._host = _Host(hosting, None)
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
        local = AsyncClient.local(timeout=timeout, webhook_secrets=webhook_secrets)
        return cls._of(local, timeout)

    @classmethod
    def _of(cls, local: AsyncClient, timeout: float | timedelta | None) -> Self:
        """Returns the sync face of a local client."""
        client = cls.__new__(cls)
        client._connection = None
        client._host = _Host(local._hosting, local)
        SteeringClient.__init__(client, timeout)
        return client

    def register(self, *workflows: Workflow[..., Any] | type) -> None:
        """Adds workflows and object classes that `serve_handlers` serves in this process.

        Raises TypeError for what is neither, ValueError for a name that was registered before.
        """
        self._host.hosting.register(workflows)

    def serve_handlers(self, **options: Unpack[ServeOptions]) -> None:
        """Begins to run what is registered in this process; returns when it can be invoked.

        Handlers run on an event loop in a thread of this client, until the client is closed. For
        what is registered later, call it again. The options are those of `ServeOptions`. Raises
        ValueError when nothing is registered, RpcError when the control plane refuses the handlers.
        """
        refuse_client()
        if self._host.local is not None:
            self._host.run(self._host.local.serve_handlers(**options))
        else:
            self._host.run(self._host.hosting.serve(options))

    if TYPE_CHECKING:
        # At run time it is `ClientBase.options`, which takes the mark for "not given" too.
        @overload  # type: ignore[override]  # nobody outside has that mark
        def options(self, *, key: str, **others: Unpack[ViewOptions]) -> KeyedClient: ...
        @overload
        def options(self, **others: Unpack[ViewOptions]) -> Self: ...
        def options(self, **options: Any) -> Any: ...

    def _run(self, operation: Operation[T]) -> T:
        """Runs an operation: the one place where this client does anything."""
        refuse_client()
        connection, local = self._connection, self._host.local
        if connection is None:
            assert local is not None
            return self._host.run(local._run(operation))
        try:
            step = next(operation)
            while True:
                if not isinstance(step, Send):
                    time.sleep(step.seconds)
                    step = operation.send(None)
                    continue
                try:
                    answer = getattr(connection.stub, step.method)(
                        step.request, timeout=step.timeout
                    )
                except grpc.RpcError as error:
                    step = operation.throw(translate(error, connection.target))
                else:
                    step = operation.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value

    @overload
    def invoke(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...

    @overload
    def invoke(self, workflow: str, arg: Any = ..., /) -> Result[Any]: ...

    def invoke(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Starts an invocation and waits until it has ended.

        With a workflow, returns its value; with a name, the Result with its journal. Raises
        InvocationFailedError, InvocationCancelledError or InvocationPausedError when it did not
        complete (by name those are in the Result), WaitTimeoutError with its id when the timeout
        is over while it goes on, NotFoundError when no worker ever registered the handler.
        """
        return self._run(requests.invoke(workflow, args, kwargs, self._options))

    @overload
    def invoke_async(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> str: ...

    @overload
    def invoke_async(self, workflow: str, arg: Any = ..., /) -> str: ...

    def invoke_async(self, workflow: Any, /, *args: Any, **kwargs: Any) -> str:
        """Starts an invocation and returns its id as soon as it is in the log."""
        return self._run(requests.start(workflow, args, kwargs, self._options))

    @overload
    def get_result(
        self,
        invocation_id: str,
        workflow: Workflow[P, R] | WorkflowRef[P, R],
        *,
        timeout: float | timedelta | Unset | None = ...,
    ) -> Result[R]: ...

    @overload
    def get_result(
        self,
        invocation_id: str,
        workflow: None = ...,
        *,
        timeout: float | timedelta | Unset | None = ...,
    ) -> Result[Any]: ...

    def get_result(
        self,
        invocation_id: str,
        workflow: Workflow[Any, Any] | WorkflowRef[Any, Any] | None = None,
        *,
        timeout: float | timedelta | Unset | None = UNSET,
    ) -> Result[Any]:
        """Waits until an invocation has ended or is paused, or the timeout is over.

        `timeout` is in seconds or a timedelta, 0 to look without waiting, None for no bound; without
        it the client's. With `workflow` the value is decoded as its return type. The Result says where
        it stands; only its `value()` raises. Raises NotFoundError for an unknown id.
        """
        return self._run(requests.get_result(invocation_id, workflow, self._seconds(timeout)))

    def get(self, invocation_id: str) -> Invocation:
        """Returns what is known about an invocation, with journal. Raises NotFoundError."""
        return self._run(requests.get(invocation_id, self._options.timeout))

    def query(self, **filters: Unpack[Filters]) -> InvocationPage:
        """Returns a page of the invocations that match all filters, newest first.

        The filters are those of `Filters`; `status` is a word or several. Raises ValueError for an
        unknown status, InvalidArgumentError.
        """
        return self._run(requests.query(filters, self._options.timeout))

    def query_all(self, **filters: Unpack[Filters]) -> Iterator[Invocation]:
        """Iterates over all invocations that match all filters, page by page as it is consumed.

        An invocation that is accepted meanwhile may be left out. Raises as `query` does.
        """
        following: Filters | None = filters
        while following is not None:
            page = self.query(**following)
            yield from page.invocations
            following = requests.next_page(filters, page)

    def watch(self, invocation_id: str) -> Iterator[Invocation]:
        """Iterates over an invocation as it changes: as it is now, then each change, until it ends.

        The journal of each holds only the entries that are new or changed since the one before. A
        broken connection is made anew and nothing is shown twice; the client's timeout bounds how
        long the control plane may be away. Raises NotFoundError.
        """
        refuse_client()
        connection, local = self._connection, self._host.local
        if connection is None:
            assert local is not None
            changes = local.watch(invocation_id)

            async def following() -> Invocation | None:
                return await anext(changes, None)

            try:
                while (changed := self._host.run(following())) is not None:
                    yield changed
            finally:
                # A client that was closed meanwhile has ended it.
                with contextlib.suppress(RuntimeError):
                    self._host.run(changes.aclose())
            return
        watching = Watching(invocation_id, self._options.timeout)
        while True:
            stream = connection.stub.WatchInvocation(watching.request)
            error: grpc.RpcError | None = None
            try:
                for message in stream:
                    found = watching.received(message)
                    if found is not None:
                        yield found
            except grpc.RpcError as broken:
                error = broken
            finally:
                stream.cancel()
            broken_by = None if error is None else translate(error, connection.target)
            delay = watching.ended(broken_by)
            if delay is None:
                return
            time.sleep(delay)

    def list_handlers(self) -> list[Handler]:
        """Returns the handlers that workers have registered, by name."""
        return self._run(requests.list_handlers(self._options.timeout))

    def stats(self) -> Stats:
        """Counts invocations by status and by handler."""
        return self._run(requests.stats(self._options.timeout))

    def list_workers(self) -> list[WorkerInfo]:
        """Returns the workers that are connected now, by connect time."""
        return self._run(requests.list_workers(self._options.timeout))

    def server_info(self) -> ServerInfo:
        """Returns the control plane's version, limits and start."""
        return self._run(requests.server_info(self._options.timeout))

    def close(self) -> None:
        """Closes the connection; of a view, nothing. Calls under way end with an error.

        Handlers that it serves may end before, or are given to another worker; those of a local
        client are dropped with its control plane.
        """
        if self._owner:
            self._host.close()
            if self._connection is not None:
                self._connection.channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


if TYPE_CHECKING:

    class KeyedClient(Client):
        """What `options(key=...)` is to type checkers: it invokes handlers of objects too."""

        @overload
        def invoke(
            self,
            workflow: ObjectHandler[P, R] | ObjectRef[P, R],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> R: ...
        @overload
        def invoke(
            self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
        ) -> R: ...
        @overload
        def invoke(self, workflow: str, arg: Any = ..., /) -> Result[Any]: ...
        def invoke(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any: ...

        @overload
        def invoke_async(
            self,
            workflow: ObjectHandler[P, R] | ObjectRef[P, R],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> str: ...
        @overload
        def invoke_async(
            self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
        ) -> str: ...
        @overload
        def invoke_async(self, workflow: str, arg: Any = ..., /) -> str: ...
        def invoke_async(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any: ...

else:
    # At run time a view is a view, whatever its options are.
    KeyedClient = Client
