"""The preflight check of an external NATS system: can it hold the log, and how large may a frame be?

Without this check most of these problems would only show as an append that is not answered, and the
log would try again until its budget is spent, because a cluster during an election looks the same. At
the start the difference can be told, so the operator reads at once which configuration to change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ..core.limits import Limits
from ..nats.api import (
    NO_RESPONDERS,
    NOT_ENABLED_FOR_ACCOUNT,
    STREAM_NOT_FOUND,
    ApiError,
    call_api,
)
from ..nats.backoff import Backoff
from ..nats.connection import (
    Connection,
    LoginRefusedError,
    PermissionDeniedError,
)
from ..nats.endpoint import Endpoint, EndpointSource
from .fenced import DEFAULT_BUDGET, FIRST_PAUSE, LONGEST_PAUSE
from .frame import HEADER_SIZE
from .interface import LogError, LogUnavailableError
from .jetstream import HEADER_BYTES_MAX, log_subject, stream_name

logger = logging.getLogger("durable.log")

T = TypeVar("T")

_ANSWER_SECONDS = 5.0
_JETSTREAM_START_SECONDS = 5.0
"""How long a server may need after its start until JetStream answers."""


class NatsUnsuitableError(LogError):
    """This NATS system cannot hold the log with its configuration; the message says what to change."""


async def with_connection(
    source: EndpointSource, name: str, use: Callable[[Connection, Endpoint], Awaitable[T]]
) -> T:
    """Returns what `use` returns, called with a new connection of this name.

    Waits for NATS as long as a log does: after an OSError, as a lost connection or a timeout is, or an
    ApiError, it tries again. Raises NatsUnsuitableError, LogUnavailableError when no try succeeds, and
    what `use` raises.
    """
    backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, DEFAULT_BUDGET)
    where = "NATS"
    while True:
        try:
            endpoint = await source()
            where = _at(endpoint)
            connection = await Connection.open(endpoint, name=name)
            try:
                return await use(connection, endpoint)
            finally:
                connection.abort()
        except LoginRefusedError as error:
            raise NatsUnsuitableError(
                f"{where} refuses the login ({error}); give user and password, or a token,"
                " in DURABLE_NATS_URL: nats://USER:PASSWORD@HOST:PORT"
            ) from error
        except PermissionDeniedError as error:
            raise NatsUnsuitableError(
                f"{where} does not let this user do what is needed ({error}); allow it to"
                " publish to $JS.API.>, durable.log.>, durable.cluster.>, durable.snapshots.> and"
                " durable.access.>, and to subscribe to _INBOX.>, with --node also to"
                " durable.cluster.members.*"
            ) from error
        except (OSError, ApiError) as error:  # ConnectionLostError and TimeoutError are OSErrors
            if backoff.spent:
                raise LogUnavailableError(
                    f"{where} cannot be used: {error or 'no answer'}; is it running?"
                ) from error
            if backoff.attempts == 5:
                logger.warning("waiting for %s: %s", where, error or "no answer")
        await backoff.pause()


async def fit_limits(limits: Limits, source: EndpointSource) -> Limits:
    """Returns the limits, lowered so that every batch fits into one message of this NATS system.

    Raises what `with_connection` raises.
    """
    absent = Backoff(FIRST_PAUSE, LONGEST_PAUSE, _JETSTREAM_START_SECONDS)

    async def fit(connection: Connection, endpoint: Endpoint) -> Limits:
        await _check(connection, endpoint, absent)
        return _fit(limits, connection.max_payload, endpoint)

    return await with_connection(source, "durable preflight", fit)


async def check_logs(partitions: Sequence[int], source: EndpointSource) -> None:
    """Checks that the user may publish to the logs of these partitions.

    Raises what `with_connection` raises.
    """

    async def check(connection: Connection, endpoint: Endpoint) -> None:
        await asyncio.gather(*(_check_log(connection, it) for it in partitions))

    await with_connection(source, "durable preflight", check)


async def _check(connection: Connection, endpoint: Endpoint, absent: Backoff) -> None:
    """Raises NatsUnsuitableError, or another error for a problem that may pass."""
    try:
        await call_api(connection, f"STREAM.INFO.{stream_name(0)}", {}, _ANSWER_SECONDS)
    except ApiError as error:
        if error.number == NOT_ENABLED_FOR_ACCOUNT:
            raise NatsUnsuitableError(
                f"JetStream is not enabled for this account of {_at(endpoint)}; write"
                ' "jetstream: enabled" into the account in nats-server.conf'
            ) from error
        if error.number == NO_RESPONDERS and absent.spent:
            raise NatsUnsuitableError(
                f"{_at(endpoint)} has no JetStream; start nats-server with --jetstream, or write"
                ' "jetstream { store_dir: DIR, sync_interval: always }" into nats-server.conf'
            ) from error
        if error.number != STREAM_NOT_FOUND:
            raise
    await _check_log(connection, 0)


async def _check_log(connection: Connection, partition: int) -> None:
    """Publishes with an expectation that cannot hold, which shows whether the user may publish here.

    The answer is a refusal by the stream, or that there is no stream yet; without the permission the
    connection ends with PermissionDeniedError.
    """
    header = (
        f"NATS/1.0\r\nNats-Expected-Stream: {stream_name(partition)}\r\n"
        f"Nats-Expected-Last-Sequence: {(1 << 63) - 1}\r\n\r\n"
    )
    await connection.call(log_subject(partition).encode(), b"", _ANSWER_SECONDS, header.encode())


def _fit(limits: Limits, max_payload: int, endpoint: Endpoint) -> Limits:
    try:
        fitting = limits.fitted(max_payload - HEADER_BYTES_MAX - HEADER_SIZE)
    except ValueError as error:
        raise NatsUnsuitableError(
            f"{_at(endpoint)} takes messages of at most {max_payload} bytes (max_payload), too"
            ' little for the log; write "max_payload: 8MB" into nats-server.conf; 512KB is the least'
        ) from error
    if fitting != limits:
        logger.warning(
            "%s takes messages of at most %d bytes (max_payload): the limit batch_bytes is lowered"
            " to %d, payload_bytes to %d; to have all of them, write"
            ' "max_payload: 8MB" into nats-server.conf',
            *(_at(endpoint), max_payload, fitting.batch_bytes, fitting.payload_bytes),
        )
    return fitting


def _at(endpoint: Endpoint) -> str:
    return "NATS at " + ", ".join(f"{host}:{port}" for host, port in endpoint.servers)
