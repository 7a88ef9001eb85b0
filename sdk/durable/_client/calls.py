"""Calls without I/O: what an operation may ask of a client, and the retrying of one call.

Theory. An operation is a generator. It yields a `Send` (make this unary call) or a `Sleep`, is sent
the response, or is thrown the typed error, and returns its result. The two clients differ only in
how they run it: `Client` with sync stubs and `time.sleep`, `AsyncClient` with `await`. Retries,
chunked waiting, request ids and the reading of answers are therefore written once: the call here,
what is made of calls in `_requests` and `_steering`.

Rules.
- A request is built once per operation and sent again as it is: its request id is what makes the
  retry safe, so it must not change between attempts.
- The client's timeout bounds the operation. The server is asked to wait at most WAIT_SECONDS_MAX in
  one call (its own limit is 55 s, and proxies cut long calls), then asked again.
- An RPC gets ANSWER_SECONDS more than the time that is left, so that the server's "not yet", which
  has the invocation's id, arrives before the deadline does. A timeout is exceeded by at most that.
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
from .._common.transport import backoff_seconds, is_retryable

if TYPE_CHECKING:
    from google.protobuf.message import Message

WAIT_SECONDS_MAX: Final = 50.0
ANSWER_SECONDS: Final = 2.0
SILENCE_SECONDS_MAX: Final = 110.0
"""Without a timeout of the caller's, how long one call may stay unanswered before it is repeated."""
COMPLAINT_SECONDS_FIRST: Final = 2.0
COMPLAINT_SECONDS_BETWEEN: Final = 10.0
"""A call that is still being retried says so in the log, all calls together this often."""

_logger = logging.getLogger("durable.client")

T = TypeVar("T")


class Send(NamedTuple):
    """Asks the driver to make a unary call and to send back the response."""

    method: str
    request: Message
    timeout: float | None
    """Seconds; None for no deadline."""


class Sleep(NamedTuple):
    """Asks the driver to wait."""

    seconds: float


Operation: TypeAlias = Generator[Send | Sleep, Any, T]


def new_request_id() -> str:
    """Returns a random UUID in its 32 character form (a fifth of what `uuid.uuid4` costs)."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return raw.hex()


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))


# The wait of nearly every Invoke; copied into each request, never changed.
_LONGEST_WAIT: Final = _duration(WAIT_SECONDS_MAX)


def deadline_after(timeout: float | None) -> float | None:
    """Returns when a timeout in seconds that begins now is over, in monotonic time."""
    return None if timeout is None else time.monotonic() + timeout


_complaint = {"time": float("-inf")}


def _complain(error: RpcError, began: float) -> None:
    """Warns that a call is being retried for a while, so that nobody wonders what it waits for."""
    now = time.monotonic()
    if (
        now - began >= COMPLAINT_SECONDS_FIRST
        and now - _complaint["time"] >= COMPLAINT_SECONDS_BETWEEN
    ):
        _complaint["time"] = now
        _logger.warning("%s; trying on", error)


def call(
    method: str,
    request: Any,
    deadline: float | None,
    *,
    waits: bool,
    longest: float = WAIT_SECONDS_MAX,
) -> Operation[Any]:
    """Makes one call, trying again what may be retried until the deadline.

    `waits` says that the request has a `wait_timeout`, which is set for each attempt: to the time
    that is left, at most `longest`.
    """
    attempt = 0
    began = time.monotonic()
    while True:
        if deadline is None:
            wait, timeout = WAIT_SECONDS_MAX, SILENCE_SECONDS_MAX
        else:
            wait = max(deadline - time.monotonic(), 0.0)
            timeout = wait + ANSWER_SECONDS
        if waits:
            if wait >= longest == WAIT_SECONDS_MAX:
                request.wait_timeout.CopyFrom(_LONGEST_WAIT)
            else:
                request.wait_timeout.CopyFrom(_duration(min(wait, longest)))
        try:
            return (yield Send(method, request, timeout))
        except RpcError as error:
            # Without a deadline of the whole, a lost answer is no reason to give up.
            lost = deadline is None and error.code is grpc.StatusCode.DEADLINE_EXCEEDED
            if not (lost or is_retryable(error)):
                raise
            delay = backoff_seconds(attempt)
            if deadline is not None and time.monotonic() + delay >= deadline:
                raise
            _complain(error, began)
        attempt += 1
        yield Sleep(delay)
