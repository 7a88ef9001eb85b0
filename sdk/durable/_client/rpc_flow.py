"""RPC flows: what a client method asks of the control plane, as a generator without I/O.

A flow yields an `Rpc` (make this unary RPC), a `Sleep` (wait so long) or a `Move` (go to the next
address). The connection that runs it sends back the response, or throws the typed error, and the
flow returns the method's result. The two connections differ only in how they run a flow: with sync
stubs and `time.sleep`, or with `await`. So retries, waits in parts, request ids and the reading of
responses are written once for both clients: the sending of one RPC with its retries here, the flows
in `invoke_requests`, `control_requests` and `query_requests`.

Rules.
- A flow builds each request once and sends the same message again in a retry. The request id in it
  is what makes the retry safe, so it must not change between the tries.
- The client's timeout bounds the whole flow. The server is asked to wait at most WAIT_SECONDS_MAX
  in one RPC (its own limit is 55 s, and proxies cut long RPCs); then it is asked again.
- An RPC's deadline is RESPONSE_SECONDS later than the end of the wait, so that the server's "not
  yet", which has the invocation's id, arrives before the deadline does. No call exceeds its timeout
  by more.
- An RPC that its address does not serve now moves the connection to the next address, where the
  same request is sent again. Only the delay after a round over all addresses grows.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration

from .._common.errors import RpcError
from .._common.transport import backoff_seconds, is_retryable, leaves_address

if TYPE_CHECKING:
    from google.protobuf.message import Message

WAIT_SECONDS_MAX: Final = 50.0
RESPONSE_SECONDS: Final = 2.0
RPC_SECONDS_MAX: Final = 110.0
"""The deadline of one RPC where the caller gave no timeout; after it the RPC is sent again."""
WARNING_SECONDS_FIRST: Final = 2.0
WARNING_SECONDS_BETWEEN: Final = 10.0
"""An RPC that has been retried for WARNING_SECONDS_FIRST is logged as a warning; all RPCs of the
process together log one per WARNING_SECONDS_BETWEEN."""

_logger = logging.getLogger("durable.client")

T = TypeVar("T")


class Rpc(NamedTuple):
    """Makes the runner of the flow send a unary request and send back its response."""

    method: str
    request: Message
    timeout: float | None
    """The deadline, in seconds from now; None for no deadline."""


class Sleep(NamedTuple):
    """Makes the runner of the flow wait."""

    seconds: float


class Move(NamedTuple):
    """Makes the runner leave the address of the last RPC, unless another flow has done so, and send
    back how many addresses it has: 0 when it is closed."""


RpcFlow: TypeAlias = Generator[Rpc | Sleep | Move, Any, T]
"""The RPCs of one client method; returns a T."""


def new_request_id() -> str:
    """Returns a random UUID in its 32 character form (a fifth of what `uuid.uuid4` costs)."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return raw.hex()


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))


# The wait of nearly every Invoke, made once; requests get a copy of it.
_LONGEST_WAIT: Final = _duration(WAIT_SECONDS_MAX)


def deadline_after(timeout: float | None) -> float | None:
    """Returns the monotonic time at which a timeout in seconds that begins now is over."""
    return None if timeout is None else time.monotonic() + timeout


_last_warning = {"time": float("-inf")}


def _warn_of_retries(error: RpcError, began: float) -> None:
    """Logs that an RPC is retried for a while, so that a user knows what the program waits for."""
    now = time.monotonic()
    if (
        now - began >= WARNING_SECONDS_FIRST
        and now - _last_warning["time"] >= WARNING_SECONDS_BETWEEN
    ):
        _last_warning["time"] = now
        _logger.warning("%s; trying on", error)


def send_rpc(
    method: str,
    request: Any,
    deadline: float | None,
    *,
    waits: bool,
    longest: float = WAIT_SECONDS_MAX,
) -> RpcFlow[Any]:
    """Sends one RPC and returns its response, with retries until the deadline.

    `waits` says that the request has a `wait_timeout`. It is set anew for each try: to the time
    that is left, at most `longest`. Raises RpcError for what is not retried, and at the deadline.
    """
    failed_tries = 0
    began = time.monotonic()
    while True:
        if deadline is None:
            wait, timeout = WAIT_SECONDS_MAX, RPC_SECONDS_MAX
        else:
            wait = max(deadline - time.monotonic(), 0.0)
            timeout = wait + RESPONSE_SECONDS
        if waits:
            if wait >= longest == WAIT_SECONDS_MAX:
                request.wait_timeout.CopyFrom(_LONGEST_WAIT)
            else:
                request.wait_timeout.CopyFrom(_duration(min(wait, longest)))
        try:
            return (yield Rpc(method, request, timeout))
        except RpcError as error:
            address_count = 1
            if leaves_address(error):
                address_count = yield Move()
            # Without a timeout of the caller, an RPC that got no response is sent again.
            no_response = deadline is None and error.code is grpc.StatusCode.DEADLINE_EXCEEDED
            # A control plane that stops cancels what it still runs, and so does our own close.
            stopped = error.code is grpc.StatusCode.CANCELLED and address_count > 0
            if not (no_response or stopped or is_retryable(error)):
                raise
            delay = backoff_seconds(failed_tries, addresses=max(address_count, 1))
            if deadline is not None and time.monotonic() + delay >= deadline:
                raise
            _warn_of_retries(error, began)
        failed_tries += 1
        yield Sleep(delay)
