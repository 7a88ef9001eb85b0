"""The pieces of an attempt: what a step needs, what is open, what completes, how they are called.

No rule of replay is here; those are in `_replay`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from durable_proto.v1 import invocation_pb2, payload_pb2

from ._futures import DurableFuture
from ._loop import Timer

RUN = invocation_pb2.ENTRY_KIND_RUN
CALL = invocation_pb2.ENTRY_KIND_CALL
SLEEP = invocation_pb2.ENTRY_KIND_SLEEP
KINDS = {
    number: name.removeprefix("ENTRY_KIND_") for name, number in invocation_pb2.EntryKind.items()
}


class Environment(NamedTuple):
    """What the shell offers to steps."""

    channel: Callable[[str], Any]
    """Returns the grpc.aio channel to a service; raises LookupError for an unknown one."""


@dataclass(slots=True)
class StepTask:
    """A side effect that the shell must start now."""

    index: int
    kind: int
    name: str
    body: Callable[[], Any]
    """Returns a value, or an awaitable for the shell's own event loop."""
    blocking: bool
    """True for a sync function, which belongs in a thread."""
    idempotency_key: str
    encode: Callable[[Any], payload_pb2.Payload]


@dataclass(slots=True)
class Completion:
    """The end of an operation, as it comes from the journal or from the server."""

    index: int
    outcome: payload_pb2.Outcome | None
    """None for a cancellation."""
    time: Timestamp


class Open(NamedTuple):
    """An operation that the program has asked for and that has not completed."""

    kind: int
    name: str
    future: DurableFuture[Any] | None
    timer: Timer | None
    hint: Any


def described(kind: int, name: str) -> str:
    """Names an operation for a person, such as `RUN 'charge'`."""
    word = KINDS.get(kind, str(kind))
    return f"{word} {name!r}" if name else word


def seconds(time: Timestamp) -> float:
    """Returns a message's time in seconds since the Unix epoch."""
    return time.seconds + time.nanos / 1e9
