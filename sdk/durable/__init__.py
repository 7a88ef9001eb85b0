"""Durable execution: ordinary async functions that survive crashes, waits, retries and deploys.

    import durable

    @durable.workflow
    async def hello(ctx: durable.Context, name: str = "World") -> str:
        return await ctx.run("greet", lambda: f"Hello, {name}!")

    with durable.Client() as client:
        print(client.invoke(hello, "you"))

This module is a table of contents: every public name, from the private module that owns it.
"""

from ._async_client import AsyncClient
from ._calls import ServiceCallError
from ._client import Client
from ._context import Context, current_context
from ._entries import AwakeableInfo, FailingStep, JournalEntry
from ._errors import (
    AlreadyExistsError,
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
    PreconditionError,
    RetryableError,
    RpcError,
    ServerNotInstalledError,
    StepFailedError,
    TerminalError,
    UnavailableError,
    WaitTimeoutError,
)
from ._futures import Awakeable, DurableFuture
from ._hosting import ServeOptions
from ._loading import LoadError, load_workflows
from ._objects import ObjectHandler, handler, shared
from ._objects import object_ as object
from ._overviews import Handler, InvocationPage, ServerInfo, Stats, WorkerInfo
from ._requests import Filters
from ._result import Result
from ._retrying import RetryPolicy
from ._saga import Saga, saga
from ._statistics import WorkerStatistics
from ._views import Invocation, Request
from ._webhooks import Webhook
from ._worker import Worker, run_worker
from ._workflow import Workflow, WorkflowRef, ref, workflow

__all__ = [
    "AlreadyExistsError",
    "AsyncClient",
    "Awakeable",
    "AwakeableInfo",
    "ChildCancelledError",
    "ChildFailedError",
    "Client",
    "CodecError",
    "CompensationFailedError",
    "Context",
    "DeterminismError",
    "DurableError",
    "DurableFuture",
    "FailingStep",
    "Filters",
    "Handler",
    "InvalidArgumentError",
    "Invocation",
    "InvocationCancelledError",
    "InvocationFailedError",
    "InvocationPage",
    "InvocationPausedError",
    "JournalEntry",
    "LimitError",
    "LoadError",
    "NonDurableAwaitError",
    "NotFoundError",
    "ObjectHandler",
    "PreconditionError",
    "Request",
    "Result",
    "RetryPolicy",
    "RetryableError",
    "RpcError",
    "Saga",
    "ServeOptions",
    "ServerInfo",
    "ServerNotInstalledError",
    "ServiceCallError",
    "Stats",
    "StepFailedError",
    "TerminalError",
    "UnavailableError",
    "WaitTimeoutError",
    "Webhook",
    "Worker",
    "WorkerInfo",
    "WorkerStatistics",
    "Workflow",
    "WorkflowRef",
    "current_context",
    "handler",
    "load_workflows",
    "object",
    "ref",
    "run_worker",
    "saga",
    "shared",
    "workflow",
]
