"""The transport to a gRPC server: channels, typed errors, and retries.

Client and worker share it. It knows nothing of the requests that are sent over it.

Channels. Every option that the SDK relies on is set here, whatever grpcio's default is: message
sizes, and keepalive, without which a dead peer behind a firewall is noticed only after many
minutes. The server must permit keepalive (by default grpcio sends GOAWAY after three pings). The
control plane does; a user's own services may not, so channels to those use none.

Errors. The control plane sends a google.rpc.Status with one google.rpc.ErrorInfo in the trailer
`grpc-status-details-bin`. `translate` makes the typed errors of `errors` from it. Without an
ErrorInfo (a proxy has responded, or nothing has) the gRPC code decides.

Retries. Only UNAVAILABLE, RESOURCE_EXHAUSTED, and the CANCELLED of a control plane that stops are
retried with the same request. Each mutating request has a request id, so that the retry of one that
was executed has no second effect. Delays grow exponentially and are drawn from the whole interval
("full jitter"), so that clients that were refused together do not return together. Where there are
several addresses, the next try goes to the next one (`rotation`), and only the delay after a
round over all of them grows.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from typing import Final

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from .addresses import Address
from .authorized_channel import authorized
from .errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    LimitError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    RpcError,
    UnauthenticatedError,
    UnavailableError,
)
from .tls import handshake_problem
from .tls_probe import hidden_problem

ERROR_DOMAIN: Final = "durable.v1"

MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
"""The largest gRPC message in either direction: the control plane's limit, over its
`journal_bytes`."""

BACKOFF_SECONDS_FIRST: Final = 0.05
"""The first delay is at most this: about one fsync batch of a busy server."""
BACKOFF_SECONDS_MAX: Final = 2.0
"""The longest delay, so that a restarted server is noticed soon."""

_STATUS_TRAILER: Final = "grpc-status-details-bin"

_COMMON_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    # The SDK retries by itself, because it knows request ids; gRPC's buffering for it costs CPU.
    ("grpc.enable_retries", 0),
    # With the defaults (1 s growing to 120 s) a client notices a restarted server much too late.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

_KEEPALIVE_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)

# gRPC gives a connection 20 s to be made, the whole patience of many callers. Where there is another
# address, a machine that is lost or stopped must not hold a call up for so long.
_LISTED_OPTIONS: Final[tuple[tuple[str, int], ...]] = (("grpc.min_reconnect_backoff_ms", 2_000),)

# A loopback address must not be reached through the proxy that HTTP_PROXY names.
_LOOPBACK_OPTIONS: Final[tuple[tuple[str, int], ...]] = (("grpc.enable_http_proxy", 0),)


def _options(address: Address, keepalive: bool) -> list[tuple[str, int]]:
    options: list[tuple[str, int]] = [*_COMMON_OPTIONS]
    if keepalive:
        options += _KEEPALIVE_OPTIONS
    if address.loopback:
        options += _LOOPBACK_OPTIONS
    if address.listed:
        options += _LISTED_OPTIONS
    return options


def open_channel(address: Address) -> grpc.Channel:
    """Opens a channel for sync stubs. It connects when it is first used.

    Raises ValueError for a file of TLS that cannot be used.
    """
    options = _options(address, keepalive=True)
    credentials = address.channel_credentials()
    if credentials is None:
        channel = grpc.insecure_channel(address.target, options=options)
    else:
        channel = grpc.secure_channel(address.target, credentials, options=options)
    return authorized(channel, address.token)


def open_async_channel(address: Address, *, keepalive: bool = True) -> grpc.aio.Channel:
    """Opens a channel for async stubs; it belongs to the running event loop.

    Raises ValueError for a file of TLS that cannot be used.
    """
    options = _options(address, keepalive)
    credentials = address.channel_credentials()
    if credentials is None:
        channel = grpc.aio.insecure_channel(address.target, options=options)
    else:
        channel = grpc.aio.secure_channel(address.target, credentials, options=options)
    return authorized(channel, address.token)


def renewed(error: grpc.RpcError, address: Address, used: str) -> bool:
    """Returns whether a call was refused because of the token that it `used`, and the address has
    another one now."""
    call: grpc.Call = error  # type: ignore[assignment]  # as in `translate`
    if address.token is None or call.code() is not grpc.StatusCode.UNAUTHENTICATED:
        return False
    return address.token.renew(used)


def backoff_seconds(
    attempt: int, *, addresses: int = 1, longest: float = BACKOFF_SECONDS_MAX
) -> float:
    """Draws the delay after the failed attempt number `attempt` (from 0): full jitter.

    Of several `addresses` that are tried in turn, only the delay after the last one of a round grows;
    the others stay the shortest.
    """
    rounds, left = divmod(attempt + 1, addresses)
    exponent = 0 if left else min(rounds - 1, 32)
    ceiling = min(longest, BACKOFF_SECONDS_FIRST * 2.0**exponent)
    return random.uniform(0.0, ceiling)  # not for cryptography


_RETRIED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})


def is_retryable(error: RpcError) -> bool:
    """Returns whether the same request may be sent again as it is."""
    # gRPC also reports RESOURCE_EXHAUSTED for a message over the size limit; a retry cannot help.
    return error.code in _RETRIED and "larger than max" not in error.message


_LEFT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        # A control plane that shuts down cancels its streams.
        grpc.StatusCode.CANCELLED,
    }
)


def leaves_address(error: RpcError) -> bool:
    """Returns whether the next try shall go to another address: this one does not answer, or not
    now."""
    return error.code in _LEFT


_CLASSES: Final[dict[grpc.StatusCode, type[RpcError]]] = {
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgumentError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: UnavailableError,
}

# By reason: one line that says what to do, where the message does not say it already.
_HINTS: Final[dict[str, str]] = {
    "HANDLER_NOT_FOUND": "`durable handlers` lists those that there are",
    "AWAKEABLE_NOT_FOUND": "check the id; awakeables end with their invocation",
    "IDEMPOTENCY_MISMATCH": "use another idempotency key for other work",
    "LIMIT_REACHED": "retry with backoff; the request had no effect",
    "PERMISSION_DENIED": "`durable whoami` shows what this credential permits",
}


# Parts of gRPC's texts for "no connection could be made"; other texts are of broken connections.
_NO_CONNECTION: Final = ("onnect to", "resol", "No route", "not ready")


def translate(
    error: grpc.RpcError, address: Address, tried: Collection[str] = frozenset()
) -> RpcError:
    """Returns the typed error for an error that a stub raised.

    Its message names the `address`, and those that were `tried` before when none answers.
    """
    where = address.target
    call: grpc.Call = error  # type: ignore[assignment]  # grpcio's errors are Calls; stubs differ
    code = call.code() or grpc.StatusCode.UNKNOWN
    message = call.details() or code.name
    reason, metadata = _error_info(call.trailing_metadata())
    hint = _HINTS.get(reason, "")
    if not reason:
        if code is grpc.StatusCode.UNAVAILABLE:
            if address.credentials is None:
                message = hidden_problem(message, where, address.files)
            problem = handshake_problem(message, where, tls=address.secure)
            if problem is not None:
                message, hint = problem
            elif "http1.x server" in message:
                message = f"what answers at {where} speaks HTTP/1, and no gRPC"
                hint = (
                    "give the address of gRPC, by default port 50051; that of --http is another one"
                )
            elif any(word in message for word in _NO_CONNECTION):
                # gRPC's text ends with the system's reason; before it come gRPC's own steps.
                why = message.rpartition(": ")[2].rstrip("]")
                message = f"no control plane answers at {where}: {why}"
                hint = "start it with `durable server` or `durable dev`, or set DURABLE_ADDRESS"
            else:
                message = f"the connection to the control plane at {where} was lost: {message}"
        elif code is grpc.StatusCode.UNAUTHENTICATED:
            hint = "set DURABLE_TOKEN or DURABLE_TOKEN_FILE, or run `durable login`"
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            message = f"the control plane at {where} did not answer in time"
        others = ", ".join(it for it in tried if it != where)
        if others and code in _LEFT:
            message += f"; tried too: {others}"
    kind = _CLASSES.get(code, RpcError)
    return kind(message, code=code, reason=reason, metadata=metadata, hint=hint)


def _error_info(trailers: Iterable[tuple[str, str | bytes]] | None) -> tuple[str, dict[str, str]]:
    """Returns reason and metadata of the ErrorInfo in the trailers; ("", {}) without one of
    ours."""
    for key, value in trailers or ():
        if key != _STATUS_TRAILER or not isinstance(value, bytes):
            continue
        try:
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
                    return info.reason, dict(info.metadata)
        except DecodeError:  # not a trailer of ours; the gRPC code decides
            continue
    return "", {}
