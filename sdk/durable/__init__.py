"""Durable execution: ordinary async functions that survive crashes, waits, retries and deploys.

    import durable

    @durable.workflow
    async def hello(ctx: durable.Context, name: str = "World") -> str:
        return await ctx.run("greet", lambda: f"Hello, {name}!")

    with durable.Client() as client:
        print(client.invoke(hello, "you"))

This module is the list of public names; each comes from the private module that defines it. The
private packages are layers, from the lowest: `_common`, `_definitions`, `_engine`, `_timetravel`,
`_tracing`, `_worker`, `_local`, `_client`.
"""

import os as _os

# uvloop, which runs workers, starts a subprocess with fork(2). With fork support, gRPC then starts
# its threads again in the child, and the child crashes (SIGSEGV) if one of them runs before exec.
# gRPC reads this variable when it is imported, so it must be set before the first import.
_os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from ._client.access_views import ApiToken, Identity, NewApiToken
from ._client.async_client import AsyncClient, KeyedAsyncClient
from ._client.attempt_views import InvocationAttempt
from ._client.audit_views import AuditEntry, AuditPage
from ._client.cluster_views import Cluster, ClusterFollower, ClusterNode, ClusterPartition
from ._client.control_requests import Resolution, Revocation
from ._client.deployment_views import Deployment, Deployments, Route
from ._client.generated.client import Client, KeyedClient
from ._client.invocation_views import Invocation, Request
from ._client.journal_views import AwakeableInfo, FailingStep, JournalEntry
from ._client.patch_views import Patch, PatchList, PatchStage
from ._client.query_requests import AuditFilters, Filters
from ._client.result import Result
from ._client.server_views import (
    Handler,
    HandlerList,
    InvocationPage,
    ServerInfo,
    Stats,
    WorkerInfo,
)
from ._common.codecs.encryption import EncryptionCodec
from ._common.codecs.interface import Codec
from ._common.codecs.keys import KeyFile, KeyProvider
from ._common.errors import (
    AlreadyExistsError,
    AttemptEnded,
    ChildCancelledError,
    ChildFailedError,
    CodecError,
    CompensationFailedError,
    DeterminismError,
    DurableError,
    InvalidArgumentError,
    InvocationCancelledError,
    InvocationFailedError,
    InvocationPausedError,
    LimitError,
    NonDurableAwaitError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    RetryableError,
    RpcError,
    ServerNotInstalledError,
    StepFailedError,
    TerminalError,
    UnauthenticatedError,
    UnavailableError,
    UndecodableValueError,
    WaitTimeoutError,
)
from ._common.webhooks import Webhook
from ._definitions.loading import LoadError, load_codec, load_workflows
from ._definitions.objects import ObjectHandler, ObjectRef, handler, shared
from ._definitions.objects import object_ as object
from ._definitions.retry import RetryPolicy
from ._definitions.workflow import Workflow, WorkflowRef, ref, workflow
from ._engine.context import Context, KeyedContext, current_context
from ._engine.futures import Awakeable, DurableFuture
from ._engine.saga import Saga, saga
from ._engine.service_calls import ServiceCallError
from ._timetravel.exported_run import ExportedRun
from ._worker.hosting import ServeOptions
from ._worker.statistics import WorkerStatistics
from ._worker.worker import PROTOCOL_VERSION, Worker, run_worker

__all__ = [
    "PROTOCOL_VERSION",
    "AlreadyExistsError",
    "ApiToken",
    "AsyncClient",
    "AttemptEnded",
    "AuditEntry",
    "AuditFilters",
    "AuditPage",
    "Awakeable",
    "AwakeableInfo",
    "ChildCancelledError",
    "ChildFailedError",
    "Client",
    "Cluster",
    "ClusterFollower",
    "ClusterNode",
    "ClusterPartition",
    "Codec",
    "CodecError",
    "CompensationFailedError",
    "Context",
    "Deployment",
    "Deployments",
    "DeterminismError",
    "DurableError",
    "DurableFuture",
    "EncryptionCodec",
    "ExportedRun",
    "FailingStep",
    "Filters",
    "Handler",
    "HandlerList",
    "Identity",
    "InvalidArgumentError",
    "Invocation",
    "InvocationAttempt",
    "InvocationCancelledError",
    "InvocationFailedError",
    "InvocationPage",
    "InvocationPausedError",
    "JournalEntry",
    "KeyFile",
    "KeyProvider",
    "KeyedAsyncClient",
    "KeyedClient",
    "KeyedContext",
    "LimitError",
    "LoadError",
    "NewApiToken",
    "NonDurableAwaitError",
    "NotFoundError",
    "ObjectHandler",
    "ObjectRef",
    "Patch",
    "PatchList",
    "PatchStage",
    "PermissionDeniedError",
    "PreconditionError",
    "Request",
    "Resolution",
    "Result",
    "RetryPolicy",
    "RetryableError",
    "Revocation",
    "Route",
    "RpcError",
    "Saga",
    "ServeOptions",
    "ServerInfo",
    "ServerNotInstalledError",
    "ServiceCallError",
    "Stats",
    "StepFailedError",
    "TerminalError",
    "UnauthenticatedError",
    "UnavailableError",
    "UndecodableValueError",
    "WaitTimeoutError",
    "Webhook",
    "Worker",
    "WorkerInfo",
    "WorkerStatistics",
    "Workflow",
    "WorkflowRef",
    "current_context",
    "handler",
    "load_codec",
    "load_workflows",
    "object",
    "ref",
    "run_worker",
    "saga",
    "shared",
    "workflow",
]
