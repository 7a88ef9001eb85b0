"""The async client: `AsyncClient`, the typed methods over an `AsyncConnection`.

A method builds an RPC flow, which says without I/O what to send and what to make of the responses
(`invoke_requests`, `control_requests`, `query_requests`), and the client's connection runs it.

This file is the one source of both clients. The sync client in `generated/client.py` is made from
it by `make gen`, with `await` and `async` taken out (how: `gen/recipes/sync_client.py`):
signatures, overloads and docstrings must be written out for each client, because Python's types
cannot say "the same method, but awaitable". All that is not a signature is shared or in the two
connections. So edit this file, run `make gen`, and commit both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack, overload

import grpc

from .._common.addresses import parse_addresses
from .._common.codecs.interface import Codec
from .._common.webhooks import Webhook, webhook_request
from .._definitions.workflow import Workflow, WorkflowRef
from .._timetravel.exported_run import ExportedRun
from .._worker.hosting import ServeOptions
from . import (
    access_requests,
    control_requests,
    deployment_requests,
    invoke_requests,
    patch_requests,
    query_requests,
)
from .access_views import ApiToken, Identity, NewApiToken
from .async_connection import AsyncConnection, open_connection, open_local_connection
from .audit_views import AuditPage
from .cluster_views import Cluster, ClusterNode
from .control_requests import PAUSE_SECONDS, Resolution, Revocation
from .deployment_views import Deployments, Route
from .invocation_views import Invocation
from .options import DEFAULT_TIMEOUT_SECONDS, UNSET, ClientBase, Unset, ViewOptions
from .patch_views import PatchList
from .query_requests import AuditFilters, Filters
from .result import Result
from .server_views import HandlerList, InvocationPage, ServerInfo, Stats, WorkerInfo

if TYPE_CHECKING:
    from .._definitions.objects import ObjectHandler, ObjectRef

P = ParamSpec("P")
R = TypeVar("R")


class AsyncClient(ClientBase):
    """Starts, watches and controls invocations from asyncio code.

    Arguments: `address` is `host:port`, `grpcs://host:port` for TLS, or None for the environment's
    `DURABLE_ADDRESS`, else `127.0.0.1:50051`. Of a control plane with several nodes it names all,
    as in `a:1,b:1,c:1` or `grpcs://a:1,b:1,c:1`: the client uses one of them, chosen at random, and
    goes to the next one when a call finds it unavailable. `timeout` bounds each call, in seconds or
    as a timedelta; None for no bound. `tls` is True for TLS, False for plain text, or
    credentials; by default the address and the files that the environment names in
    `DURABLE_TLS_CA`, `DURABLE_TLS_CERT` and `DURABLE_TLS_KEY` decide. Without a file the system's
    authorities are trusted. `insecure` permits plain text to another machine. `token` is an API
    token or a JWT, or a function that returns it, which is called again when the control plane
    refuses what it has returned; without it the environment's `DURABLE_TOKEN` or the file that
    `DURABLE_TOKEN_FILE` names, else what `durable login` has kept for the address. `codec` encodes
    all values that are sent, and decodes those that are received; workers need the same one (see
    EncryptionCodec). The connection is made at the first call. Raises ValueError for a bad address
    and for a token that is none, TypeError for what is no codec.

    Every method raises RpcError (or one of its subclasses) when the control plane refuses the
    request or cannot be reached within the timeout. Belongs to the event loop of its first call.
    """

    _connection: AsyncConnection

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float | timedelta | None = DEFAULT_TIMEOUT_SECONDS,
        tls: bool | grpc.ChannelCredentials | None = None,
        insecure: bool = False,
        token: str | Callable[[], str] | None = None,
        codec: Codec | None = None,
    ) -> None:
        parsed = parse_addresses(address, tls=tls, insecure=insecure, token=token)
        super().__init__(timeout)
        self._connection = open_connection(parsed, codec)

    @classmethod
    def local(
        cls,
        *,
        timeout: float | timedelta | None = None,
        webhook_secrets: Mapping[str, str] | None = None,
        codec: Codec | None = None,
    ) -> Self:
        """Returns a client with its own control plane, in this process and in memory.

        Nothing else needs to run: `register` workflows, `serve_handlers`, and invoke them. Client,
        worker and control plane are the usual ones without NATS and sockets; closing the client
        drops all data. Without a `timeout` calls have no time limit, which suits breakpoints. The
        first webhook opens a port on loopback; `webhook_secrets` holds the secrets, by name, that
        senders of webhooks sign with; `codec` is that of the client and its handlers. Raises
        ServerNotInstalledError when the control plane is not installed, ValueError for a secret that
        is empty.
        """
        return cls._of(open_local_connection(webhook_secrets, codec), timeout)

    @classmethod
    def _of(cls, connection: AsyncConnection, timeout: float | timedelta | None) -> Self:
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

    async def serve_handlers(self, **options: Unpack[ServeOptions]) -> None:
        """Starts to serve the registered handlers; returns when they can be invoked.

        They run on the current event loop until the client is closed. After a further `register`,
        call it again. The options are those of `ServeOptions`. Raises ValueError when nothing is
        registered, RpcError when the control plane refuses the handlers.
        """
        await self._connection.serve(options)

    if TYPE_CHECKING:
        # At run time this is `ClientBase.options`, whose parameters may be UNSET too.
        @overload  # type: ignore[override]  # UNSET is not public
        def options(self, *, key: str, **others: Unpack[ViewOptions]) -> KeyedAsyncClient: ...
        @overload
        def options(self, **others: Unpack[ViewOptions]) -> Self: ...
        def options(self, **options: Any) -> Any: ...

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
        return await self._connection.run(
            invoke_requests.invoke(workflow, args, kwargs, self._options)
        )

    @overload
    async def invoke_async(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> str: ...

    @overload
    async def invoke_async(self, workflow: str, arg: Any = ..., /) -> str: ...

    async def invoke_async(self, workflow: Any, /, *args: Any, **kwargs: Any) -> str:
        """Starts an invocation and returns its id as soon as it is in the log."""
        return await self._connection.run(
            invoke_requests.start(workflow, args, kwargs, self._options)
        )

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

        `timeout` is in seconds or a timedelta, 0 to look without waiting, None for no bound;
        without it the client's. With `workflow` the value is decoded as its return type. The Result
        says where it stands; only its `value()` raises. Raises NotFoundError for an unknown id.
        """
        return await self._connection.run(
            invoke_requests.get_result(invocation_id, workflow, self._seconds(timeout))
        )

    async def get(self, invocation_id: str) -> Invocation:
        """Returns what is known about an invocation, with journal. Raises NotFoundError."""
        return await self._connection.run(query_requests.get(invocation_id, self._options.timeout))

    async def query(self, **filters: Unpack[Filters]) -> InvocationPage:
        """Returns a page of the invocations that match all filters, newest first.

        The filters are those of `Filters`; `status` is a word or several. Raises ValueError for an
        unknown status, InvalidArgumentError.
        """
        return await self._connection.run(query_requests.query(filters, self._options.timeout))

    async def query_all(self, **filters: Unpack[Filters]) -> AsyncIterator[Invocation]:
        """Iterates over all invocations that match all filters, page by page as it is consumed.

        An invocation that starts during the iteration may be left out, and so is what is in a
        partition that no node leads now; `query` names such partitions. Raises as `query` does.
        """
        following: Filters | None = filters
        while following is not None:
            page = await self.query(**following)
            for found in page.invocations:
                yield found
            following = query_requests.next_page(filters, page)

    async def watch(self, invocation_id: str) -> AsyncGenerator[Invocation, None]:
        """Iterates over the changes of an invocation: first as it is now, then each change, to its
        end.

        The journal of each item holds only the entries that are new or changed since the item
        before. When `run` changes, the program has continued as new, with an empty journal. A broken
        connection is replaced without repeating an item; the client's timeout
        bounds how long the control plane may be away. Raises NotFoundError.
        """
        timeout = self._options.timeout
        async with aclosing(self._connection.watch(invocation_id, timeout)) as changes:
            async for changed in changes:
                yield changed

    async def pause(
        self,
        invocation_id: str,
        *,
        reason: str = "",
        identity: str = "",
        timeout: float | timedelta = PAUSE_SECONDS,  # noqa: ASYNC109  # the server waits
    ) -> str:
        """Pauses an invocation at its next journal boundary; returns its status after that.

        Waits up to `timeout` seconds (at most 50) for steps in flight, so the status is usually
        "paused". "running" means that a step still runs, and that the pause takes effect after it.
        Raises NotFoundError, PreconditionError when it has ended.
        """
        seconds = self._options.timeout
        return await self._connection.run(
            control_requests.pause(invocation_id, reason, identity, timeout, seconds)
        )

    async def resume(self, invocation_id: str, *, reason: str = "", identity: str = "") -> str:
        """Resumes a paused invocation from its journal; returns its status after that.

        An invocation that is "backing_off" starts its next attempt now; its failures still count.
        Raises NotFoundError, PreconditionError for any other status.
        """
        timeout = self._options.timeout
        return await self._connection.run(
            control_requests.resume(invocation_id, reason, identity, timeout)
        )

    async def cancel(
        self, invocation_id: str, *, reason: str = "", identity: str = "", force: bool = False
    ) -> str:
        """Cancels an invocation; returns its status after that.

        The handler gets an exception and may compensate; with `force` the invocation ends at once.
        Raises NotFoundError, PreconditionError when it has ended.
        """
        timeout = self._options.timeout
        return await self._connection.run(
            control_requests.cancel(invocation_id, reason, identity, force, timeout)
        )

    async def restart(
        self,
        invocation_id: str,
        *,
        from_index: int = 0,
        input: Any = UNSET,
        outcomes: Mapping[int, Any] | None = None,
        failures: Mapping[int, str] | None = None,
        while_running: bool = False,
        reason: str = "",
        identity: str = "",
    ) -> str:
        """Starts a copy of an invocation that has ended or is paused; returns the new id.

        The copy takes over the completed steps before `from_index` and does not run them again: it is a
        fork, which goes on from there. `outcomes` gives some of them other values, by step number, and
        `failures` lets some have failed, with a message; what the program gets is an error of the type
        "durable.Edited". `input` replaces the input, as one value (for several arguments a dict). With
        `while_running` the invocation may be one that goes on; it is not changed.

        Raises NotFoundError, PreconditionError when it has neither ended nor is paused,
        InvalidArgumentError when a step does not exist, is not taken over or has no outcome, and
        ValueError when `outcomes` and `failures` name the same step.
        """
        timeout = self._options.timeout
        return await self._connection.run(
            control_requests.restart(
                invocation_id,
                from_index,
                input,
                outcomes,
                failures,
                while_running,
                reason,
                identity,
                timeout,
            )
        )

    async def purge(self, invocation_id: str) -> None:
        """Removes an invocation that has ended, before its retention is over.

        Raises NotFoundError, PreconditionError when it has not ended.
        """
        await self._connection.run(control_requests.purge(invocation_id, self._options.timeout))

    async def signal(self, invocation_id: str, name: str, value: Any = None) -> None:
        """Delivers a named signal to an invocation, which keeps it until the handler awaits it.

        Raises NotFoundError, PreconditionError when it has ended, LimitError.
        """
        await self._connection.run(
            control_requests.signal(invocation_id, name, value, self._options.timeout)
        )

    async def resolve_awakeable(self, awakeable_id: str, value: Any = None) -> Resolution:
        """Resolves an awakeable with a value, even before the handler has created it.

        The first outcome counts. The same outcome again changes nothing, and the Resolution says
        so. Raises NotFoundError, AlreadyExistsError when the awakeable has another outcome already.
        """
        return await self._connection.run(
            control_requests.resolve(awakeable_id, value, self._options.timeout)
        )

    async def reject_awakeable(
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
        return await self._connection.run(
            control_requests.reject(awakeable_id, message, code, metadata, timeout)
        )

    async def create_webhook(
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
        return await self._connection.run(
            control_requests.create_webhook(request, self._options.timeout)
        )

    async def revoke_webhook(self, webhook: str) -> Revocation:
        """Revokes a webhook by its id or its URL, on all nodes before this returns.

        The control plane then answers at the URL as if it had never been made. The awakeable can
        still be resolved in other ways. Raises NotFoundError when its invocation has ended,
        InvalidArgumentError for what is no webhook of this control plane.
        """
        return await self._connection.run(
            control_requests.revoke_webhook(webhook, self._options.timeout)
        )

    async def revoke_webhooks(self, awakeable_id: str) -> Revocation:
        """Revokes all webhooks of an awakeable, also those that are made later.

        Otherwise as `revoke_webhook`.
        """
        return await self._connection.run(
            control_requests.revoke_webhooks(awakeable_id, self._options.timeout)
        )

    async def resolve_promise(self, invocation_id: str, name: str, value: Any = None) -> Resolution:
        """Resolves a named promise of an invocation; otherwise as `resolve_awakeable`."""
        awakeable_id = control_requests.promise_id(invocation_id, name)
        return await self._connection.run(
            control_requests.resolve(awakeable_id, value, self._options.timeout)
        )

    async def reject_promise(
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
        return await self._connection.run(
            control_requests.reject(awakeable_id, message, code, metadata, timeout)
        )

    async def export(self, invocation_id: str) -> ExportedRun:
        """Returns an invocation with all that its replay in another process needs.

        Its values are decoded if this client has a codec, else they are as the control plane has them.
        Raises NotFoundError for an unknown id.
        """
        return await self._connection.run(
            query_requests.export(invocation_id, self._options.timeout)
        )

    async def get_state(
        self, *, object: str = "", key: str = "", invocation_id: str = ""
    ) -> dict[str, Any]:
        """Returns the state of an object's key, or of a workflow's invocation, by name.

        Give `object` and `key`, or `invocation_id`. Raises NotFoundError, InvalidArgumentError.
        """
        timeout = self._options.timeout
        return await self._connection.run(
            control_requests.get_state(object, key, invocation_id, timeout)
        )

    async def set_state(
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
        await self._connection.run(
            control_requests.set_state(object, key, values or {}, clear, clear_all, timeout)
        )

    async def list_handlers(self) -> HandlerList:
        """Returns the handlers that workers have registered, by name."""
        return await self._connection.run(query_requests.list_handlers(self._options.timeout))

    async def stats(self) -> Stats:
        """Counts invocations by status and by handler."""
        return await self._connection.run(query_requests.stats(self._options.timeout))

    async def list_workers(self) -> list[WorkerInfo]:
        """Returns the workers that are connected now, by connect time."""
        return await self._connection.run(query_requests.list_workers(self._options.timeout))

    async def list_deployments(self) -> Deployments:
        """Returns the builds that workers have registered, and which is current for each handler."""
        return await self._connection.run(
            deployment_requests.list_deployments(self._options.timeout)
        )

    async def list_patches(self, handler: str = "") -> PatchList:
        """Returns the patches in journals, and how many invocations need which branch of the code.

        Only those of one handler, if it is given. See `Context.patched`.
        """
        return await self._connection.run(
            patch_requests.list_patches(handler, self._options.timeout)
        )

    async def promote_build(
        self,
        build_id: str,
        *,
        percent: int = 100,
        handlers: Iterable[str] = (),
        automatic: bool = False,
        reason: str = "",
        identity: str = "",
    ) -> list[Route]:
        """Makes a build the current one for its handlers; returns the routes that were changed.

        New invocations go to its workers from then on, and so does the next attempt of an invocation
        without a journal. With a `percent` below 100 it gets that share of them, and the build that
        was current before gets the rest. `handlers` names some of its handlers; none stands for all.
        With `automatic` the promotions of these handlers are forgotten instead: new invocations go
        to any worker or, if the handler is pinned, to the build that was registered last. Raises
        NotFoundError, InvalidArgumentError, ValueError for a percent of 0.
        """
        return await self._connection.run(
            deployment_requests.promote(
                build_id, percent, handlers, automatic, reason, identity, self._options.timeout
            )
        )

    async def roll_back_build(
        self, build_id: str, *, handlers: Iterable[str] = (), reason: str = "", identity: str = ""
    ) -> list[Route]:
        """Takes the last promotion of a build back; returns the routes that were changed.

        The build that was current before is current again, for all handlers of which this one is
        current or ramps up, or for those in `handlers`. Invocations that the build has begun stay
        where they are. Raises NotFoundError, PreconditionError when there is nothing to take back.
        """
        timeout = self._options.timeout
        return await self._connection.run(
            deployment_requests.roll_back(build_id, handlers, reason, identity, timeout)
        )

    async def drain_build(
        self, build_id: str, *, undo: bool = False, reason: str = "", identity: str = ""
    ) -> None:
        """Gives a build no new invocations, or with `undo` takes that back.

        Its workers can be stopped once `drained` is true in what `list_deployments` returns. Raises
        NotFoundError, PreconditionError while it is the current build of a handler.
        """
        timeout = self._options.timeout
        await self._connection.run(
            deployment_requests.drain(build_id, undo, reason, identity, timeout)
        )

    async def repin(
        self, invocation_id: str, build_id: str | None, *, reason: str = "", identity: str = ""
    ) -> str:
        """Moves an invocation to another build, None for any; returns its status after that.

        Workers of that build go on with it, whatever its handler says; an attempt that runs ends
        where it runs. Replay its journal with the code of that build first (`durable preflight`).
        Raises NotFoundError, PreconditionError when it has ended.
        """
        timeout = self._options.timeout
        return await self._connection.run(
            deployment_requests.repin(invocation_id, build_id, reason, identity, timeout)
        )

    async def server_info(self) -> ServerInfo:
        """Returns the control plane's version, limits and start time."""
        return await self._connection.run(query_requests.server_info(self._options.timeout))

    async def cluster(self) -> Cluster:
        """Returns the nodes of the control plane, and who leads and follows each partition.

        A control plane that is no cluster is one node, which leads all partitions.
        """
        return await self._connection.run(query_requests.cluster(self._options.timeout))

    async def list_audit(self, **filters: Unpack[AuditFilters]) -> AuditPage:
        """Returns a page of the calls that have changed something, or were to, newest first.

        The filters are those of `AuditFilters`. A page may be short, or empty, although
        `next_page_token` says that there are more. Raises RpcError with UNIMPLEMENTED where no audit
        is kept that can be listed, InvalidArgumentError.
        """
        return await self._connection.run(query_requests.list_audit(filters, self._options.timeout))

    async def whoami(self) -> Identity:
        """Returns who this client is to the control plane, and what it may do."""
        return await self._connection.run(access_requests.whoami(self._options.timeout))

    async def create_token(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        handlers: Iterable[str] = (),
        namespace: str = "",
        expires_in: float | timedelta | None = None,
    ) -> NewApiToken:
        """Makes an API token; only what this returns has its text.

        `scopes` are of "invoke", "read", "operate", "resolve", "worker" and "admin", each with a
        pattern of handler names or without, as in "invoke:orders.*"; `handlers` are the patterns of
        those without. A `namespace` binds the token to handlers whose names begin so, by default
        that of this client. `expires_in` is in seconds or a timedelta; without it the token has no
        end. Raises AlreadyExistsError when there is a token of the name, PermissionDeniedError for
        more than this client has itself, InvalidArgumentError.
        """
        return await self._connection.run(
            access_requests.create_token(
                name, scopes, handlers, namespace, expires_in, self._options.timeout
            )
        )

    async def list_tokens(self) -> list[ApiToken]:
        """Returns the API tokens by name: those that this client could have made."""
        return await self._connection.run(access_requests.list_tokens(self._options.timeout))

    async def revoke_token(self, name: str) -> ApiToken:
        """Revokes an API token, on all nodes within seconds; returns it as it is then.

        Calls that stay open and sessions of workers end. Raises NotFoundError.
        """
        return await self._connection.run(access_requests.revoke_token(name, self._options.timeout))

    async def drain_node(
        self, node: str, *, undo: bool = False, wait: float | timedelta = 0.0
    ) -> ClusterNode:
        """Makes a node of a cluster give its partitions to the others and take none; returns the node
        as it is then.

        That lasts until it is undone with `undo`, or the node starts anew. The partitions leave a few
        at a time. With `wait`, in seconds, the call returns when the next ones have left or the time is
        up, so repeat it until `led_partitions` is empty.

        Raises NotFoundError if no live node has this name, and PreconditionError if no other node can
        take over.
        """
        return await self._connection.run(
            control_requests.drain_node(node, undo, wait, self._options.timeout)
        )

    async def close(self) -> None:
        """Closes the connection; does nothing on a view. Calls in flight end with an error.

        Attempts of handlers that it serves may end first, or go to another worker; a local client
        drops them with its control plane.
        """
        if self._owner:
            await self._connection.close()

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
        """The type of `options(key=...)`, which can invoke handlers of objects too."""

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
    # Only types differ; at run time every view is an AsyncClient.
    KeyedAsyncClient = AsyncClient
