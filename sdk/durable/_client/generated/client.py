"""The sync client: `Client`, the typed methods over a `Connection`.

Made from `async_client.py` by `make gen`; edit that file instead.
"""

# ruff: noqa: UP028  # `yield from` where the source must have a loop

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack, overload

import grpc

from ..._common.addresses import parse_addresses
from ..._common.webhooks import Webhook, webhook_request
from ..._definitions.workflow import Workflow, WorkflowRef
from ..._worker.hosting import ServeOptions
from .. import control_requests, invoke_requests, query_requests
from ..cluster_views import Cluster
from ..connection import Connection, open_connection, open_local_connection
from ..control_requests import PAUSE_SECONDS, Resolution
from ..invocation_views import Invocation
from ..options import DEFAULT_TIMEOUT_SECONDS, UNSET, ClientBase, Unset, ViewOptions
from ..query_requests import Filters
from ..result import Result
from ..server_views import HandlerList, InvocationPage, ServerInfo, Stats, WorkerInfo

if TYPE_CHECKING:
    from ..._definitions.objects import ObjectHandler, ObjectRef

P = ParamSpec("P")
R = TypeVar("R")


class Client(ClientBase):
    """Starts, watches and controls invocations; a call blocks the calling thread.

    Arguments: `address` is `host:port`, `grpcs://host:port` for TLS, or None for the environment's
    `DURABLE_ADDRESS`, else `127.0.0.1:50051`. Of a control plane with several nodes it names all,
    as in `a:1,b:1,c:1` or `grpcs://a:1,b:1,c:1`: the client uses one of them, chosen at random, and
    goes to the next one when a call finds it unavailable. `timeout` bounds each call, in seconds or
    as a timedelta; None for no bound. `tls` is True for the system's roots, or credentials.
    `insecure` permits plain text to another machine. The connection is made at the first call.
    Raises ValueError for a bad address.

    Every method raises RpcError (or one of its subclasses) when the control plane refuses the
    request or cannot be reached within the timeout. Thread-safe.
    """

    _connection: Connection

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | timedelta | None = DEFAULT_TIMEOUT_SECONDS,
        tls: bool | grpc.ChannelCredentials | None = None,
        insecure: bool = False,
    ) -> None:
        parsed = parse_addresses(address, tls=tls, insecure=insecure)
        super().__init__(timeout)
        self._connection = open_connection(parsed)

    @classmethod
    def local(
        cls,
        *,
        timeout: float | timedelta | None = None,
        webhook_secrets: Mapping[str, str] | None = None,
    ) -> Self:
        """Returns a client with its own control plane, in this process and in memory.

        Nothing else needs to run: `register` workflows, `serve_handlers`, and invoke them. Client,
        worker and control plane are the usual ones without NATS and sockets; closing the client
        drops all data. Without a `timeout` calls have no time limit, which suits breakpoints. The
        first webhook opens a port on loopback; `webhook_secrets` holds the secrets, by name, that
        senders of webhooks sign with. Raises ServerNotInstalledError when the control plane is not
        installed, ValueError for a secret that is empty.
        """
        return cls._of(open_local_connection(webhook_secrets), timeout)

    @classmethod
    def _of(cls, connection: Connection, timeout: float | timedelta | None) -> Self:
        """Returns a client that owns a connection."""
        client = cls.__new__(cls)
        ClientBase.__init__(client, timeout)
        client._connection = connection
        return client

    def register(self, *workflows: Workflow[..., Any] | type) -> None:
        """Adds workflows and object classes that `serve_handlers` serves in this process.

        Raises TypeError for any other argument, ValueError for a name that is registered already.
        """
        self._connection.register(workflows)

    def serve_handlers(self, **options: Unpack[ServeOptions]) -> None:
        """Starts to serve the registered handlers; returns when they can be invoked.

        They run on a thread of this client until the client is closed. After a further `register`,
        call it again. The options are those of `ServeOptions`. Raises ValueError when nothing is
        registered, RpcError when the control plane refuses the handlers.
        """
        self._connection.serve(options)

    if TYPE_CHECKING:
        # At run time this is `ClientBase.options`, whose parameters may be UNSET too.
        @overload  # type: ignore[override]  # UNSET is not public
        def options(self, *, key: str, **others: Unpack[ViewOptions]) -> KeyedClient: ...
        @overload
        def options(self, **others: Unpack[ViewOptions]) -> Self: ...
        def options(self, **options: Any) -> Any: ...

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
        return self._connection.run(invoke_requests.invoke(workflow, args, kwargs, self._options))

    @overload
    def invoke_async(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> str: ...

    @overload
    def invoke_async(self, workflow: str, arg: Any = ..., /) -> str: ...

    def invoke_async(self, workflow: Any, /, *args: Any, **kwargs: Any) -> str:
        """Starts an invocation and returns its id as soon as it is in the log."""
        return self._connection.run(invoke_requests.start(workflow, args, kwargs, self._options))

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

        `timeout` is in seconds or a timedelta, 0 to look without waiting, None for no bound;
        without it the client's. With `workflow` the value is decoded as its return type. The Result
        says where it stands; only its `value()` raises. Raises NotFoundError for an unknown id.
        """
        return self._connection.run(
            invoke_requests.get_result(invocation_id, workflow, self._seconds(timeout))
        )

    def get(self, invocation_id: str) -> Invocation:
        """Returns what is known about an invocation, with journal. Raises NotFoundError."""
        return self._connection.run(query_requests.get(invocation_id, self._options.timeout))

    def query(self, **filters: Unpack[Filters]) -> InvocationPage:
        """Returns a page of the invocations that match all filters, newest first.

        The filters are those of `Filters`; `status` is a word or several. Raises ValueError for an
        unknown status, InvalidArgumentError.
        """
        return self._connection.run(query_requests.query(filters, self._options.timeout))

    def query_all(self, **filters: Unpack[Filters]) -> Iterator[Invocation]:
        """Iterates over all invocations that match all filters, page by page as it is consumed.

        An invocation that starts during the iteration may be left out, and so is what is in a
        partition that no node leads now; `query` names such partitions. Raises as `query` does.
        """
        following: Filters | None = filters
        while following is not None:
            page = self.query(**following)
            for found in page.invocations:
                yield found
            following = query_requests.next_page(filters, page)

    def watch(self, invocation_id: str) -> Iterator[Invocation]:
        """Iterates over the changes of an invocation: first as it is now, then each change, to its
        end.

        The journal of each item holds only the entries that are new or changed since the item
        before. A broken connection is replaced without repeating an item; the client's timeout
        bounds how long the control plane may be away. Raises NotFoundError.
        """
        timeout = self._options.timeout
        with closing(self._connection.watch(invocation_id, timeout)) as changes:
            for changed in changes:
                yield changed

    def pause(
        self,
        invocation_id: str,
        *,
        reason: str = "",
        identity: str = "",
        timeout: float | timedelta = PAUSE_SECONDS,
    ) -> str:
        """Pauses an invocation at its next journal boundary; returns its status after that.

        Waits up to `timeout` seconds (at most 50) for steps in flight, so the status is usually
        "paused". "running" means that a step still runs, and that the pause takes effect after it.
        Raises NotFoundError, PreconditionError when it has ended.
        """
        seconds = self._options.timeout
        return self._connection.run(
            control_requests.pause(invocation_id, reason, identity, timeout, seconds)
        )

    def resume(self, invocation_id: str, *, reason: str = "", identity: str = "") -> str:
        """Resumes a paused invocation from its journal; returns its status after that.

        An invocation that is "backing_off" starts its next attempt now; its failures still count.
        Raises NotFoundError, PreconditionError for any other status.
        """
        timeout = self._options.timeout
        return self._connection.run(
            control_requests.resume(invocation_id, reason, identity, timeout)
        )

    def cancel(
        self, invocation_id: str, *, reason: str = "", identity: str = "", force: bool = False
    ) -> str:
        """Cancels an invocation; returns its status after that.

        The handler gets an exception and may compensate; with `force` the invocation ends at once.
        Raises NotFoundError, PreconditionError when it has ended.
        """
        timeout = self._options.timeout
        return self._connection.run(
            control_requests.cancel(invocation_id, reason, identity, force, timeout)
        )

    def restart(
        self,
        invocation_id: str,
        *,
        from_index: int = 0,
        input: Any = UNSET,
        reason: str = "",
        identity: str = "",
    ) -> str:
        """Starts a copy of an invocation that has ended or is paused; returns the new id.

        The copy takes over the completed steps before `from_index` and does not run them again.
        `input` replaces the input, as one value (for several arguments a dict); it excludes
        `from_index`. Raises
        NotFoundError, PreconditionError, InvalidArgumentError.
        """
        timeout = self._options.timeout
        return self._connection.run(
            control_requests.restart(invocation_id, from_index, input, reason, identity, timeout)
        )

    def purge(self, invocation_id: str) -> None:
        """Removes an invocation that has ended, before its retention is over.

        Raises NotFoundError, PreconditionError when it has not ended.
        """
        self._connection.run(control_requests.purge(invocation_id, self._options.timeout))

    def signal(self, invocation_id: str, name: str, value: Any = None) -> None:
        """Delivers a named signal to an invocation, which keeps it until the handler awaits it.

        Raises NotFoundError, PreconditionError when it has ended, LimitError.
        """
        self._connection.run(
            control_requests.signal(invocation_id, name, value, self._options.timeout)
        )

    def resolve_awakeable(self, awakeable_id: str, value: Any = None) -> Resolution:
        """Resolves an awakeable with a value, even before the handler has created it.

        The first outcome counts. The same outcome again changes nothing, and the Resolution says
        so. Raises NotFoundError, AlreadyExistsError when the awakeable has another outcome already.
        """
        return self._connection.run(
            control_requests.resolve(awakeable_id, value, self._options.timeout)
        )

    def reject_awakeable(
        self,
        awakeable_id: str,
        message: str,
        *,
        code: int = 0,
        metadata: Mapping[str, str] | None = None,
    ) -> Resolution:
        """Rejects an awakeable: the handler that awaits it gets a terminal error with this message.

        The first outcome counts, as for `resolve_awakeable`. Raises NotFoundError,
        AlreadyExistsError when the awakeable has another outcome already.
        """
        timeout = self._options.timeout
        return self._connection.run(
            control_requests.reject(awakeable_id, message, code, metadata, timeout)
        )

    def create_webhook(
        self,
        awakeable_id: str,
        *,
        expires_in: float | timedelta | None = None,
        scheme: str = "",
        secret: str = "",
    ) -> Webhook:
        """Creates a URL that resolves an awakeable, for senders that can only POST to an address.

        `expires_in` is in seconds or a timedelta, 24 hours by default, a year at most. With a
        `scheme`, "stripe" or "github", the sender must sign with the webhook secret that the
        control plane knows by the name `secret`. The URL is itself a secret. Raises
        PreconditionError when the control plane serves no HTTP, InvalidArgumentError.
        """
        request = webhook_request(awakeable_id, expires_in, scheme, secret)
        return self._connection.run(control_requests.create_webhook(request, self._options.timeout))

    def resolve_promise(self, invocation_id: str, name: str, value: Any = None) -> Resolution:
        """Resolves a named promise of an invocation; otherwise as `resolve_awakeable`."""
        awakeable_id = control_requests.promise_id(invocation_id, name)
        return self._connection.run(
            control_requests.resolve(awakeable_id, value, self._options.timeout)
        )

    def reject_promise(
        self,
        invocation_id: str,
        name: str,
        message: str,
        *,
        code: int = 0,
        metadata: Mapping[str, str] | None = None,
    ) -> Resolution:
        """Rejects a named promise of an invocation; otherwise as `reject_awakeable`."""
        awakeable_id = control_requests.promise_id(invocation_id, name)
        timeout = self._options.timeout
        return self._connection.run(
            control_requests.reject(awakeable_id, message, code, metadata, timeout)
        )

    def get_state(
        self, *, object: str = "", key: str = "", invocation_id: str = ""
    ) -> dict[str, Any]:
        """Returns the state of an object's key, or of a workflow's invocation, by name.

        Give `object` and `key`, or `invocation_id`. Raises NotFoundError, InvalidArgumentError.
        """
        timeout = self._options.timeout
        return self._connection.run(control_requests.get_state(object, key, invocation_id, timeout))

    def set_state(
        self,
        *,
        object: str,
        key: str,
        values: Mapping[str, Any] | None = None,
        clear: Iterable[str] = (),
        clear_all: bool = False,
    ) -> None:
        """Changes the state of an object's key: removes all or some names, then sets values.

        Raises PreconditionError while an exclusive handler runs on the key,
        InvalidArgumentError.
        """
        timeout = self._options.timeout
        self._connection.run(
            control_requests.set_state(object, key, values or {}, clear, clear_all, timeout)
        )

    def list_handlers(self) -> HandlerList:
        """Returns the handlers that workers have registered, by name."""
        return self._connection.run(query_requests.list_handlers(self._options.timeout))

    def stats(self) -> Stats:
        """Counts invocations by status and by handler."""
        return self._connection.run(query_requests.stats(self._options.timeout))

    def list_workers(self) -> list[WorkerInfo]:
        """Returns the workers that are connected now, by connect time."""
        return self._connection.run(query_requests.list_workers(self._options.timeout))

    def server_info(self) -> ServerInfo:
        """Returns the control plane's version, limits and start time."""
        return self._connection.run(query_requests.server_info(self._options.timeout))

    def cluster(self) -> Cluster:
        """Returns the nodes of the control plane, and who leads and follows each partition.

        A control plane that is no cluster is one node, which leads all partitions.
        """
        return self._connection.run(query_requests.cluster(self._options.timeout))

    def close(self) -> None:
        """Closes the connection; does nothing on a view. Calls in flight end with an error.

        Attempts of handlers that it serves may end first, or go to another worker; a local client
        drops them with its control plane.
        """
        if self._owner:
            self._connection.close()

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
        """The type of `options(key=...)`, which can invoke handlers of objects too."""

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
    # Only types differ; at run time every view is an AsyncClient.
    KeyedClient = Client
