"""The secret of a system: random bytes that its nodes share, and the keys that they derive from it.

It is the record `durable.cluster.secret` (see `records`), written once by the first node that looks for
it. Whoever may read this NATS account can read all that the system keeps, so the secret adds no new
reader there; it keeps out those who can reach the ports of the nodes, and not NATS.

Each use has a key of its own, derived with a label, so that a key that leaks opens nothing else. The
secret itself is used for nothing, and neither it nor a key is ever logged.
"""

from __future__ import annotations

import hmac
import secrets

from ..log.interface import LogError
from ..log.preflight import with_connection
from ..nats import api
from ..nats.api import ApiError
from ..nats.connection import Connection
from ..nats.endpoint import Endpoint, EndpointSource
from .records import STREAM, read_record, write_once

SECRET_SUBJECT = "durable.cluster.secret"
SECRET_BYTES = 32

LINK_LABEL = "durable link between nodes"
"""The label of the key with which a node shows another one that it belongs to the system."""
WEBHOOK_LABEL = "durable webhook"
"""The label of the key that signs the addresses of webhooks."""


class SecretError(LogError):
    """The record of the secret is not one; the message says what to do."""


async def load_or_create_secret(source: EndpointSource, replicas: int) -> bytes:
    """Returns the system's secret, of SECRET_BYTES bytes; writes a new one if there is none.

    `replicas` applies to the stream if that is missing. Raises SecretError when the record is damaged;
    StreamConfigError, NatsUnsuitableError and LogUnavailableError as a log does.
    """

    async def use(connection: Connection, _endpoint: Endpoint) -> bytes:
        found = await read_record(connection, SECRET_SUBJECT)
        if found is None:
            await write_once(
                connection, SECRET_SUBJECT, secrets.token_bytes(SECRET_BYTES), replicas
            )
            found = await read_record(connection, SECRET_SUBJECT)
            if found is None:  # as for a moment in a replicated stream after another one's write
                raise ApiError(api.MESSAGE_NOT_FOUND, "the secret cannot be read yet")
        if len(found.data) != SECRET_BYTES:
            raise SecretError(
                f"the record {SECRET_SUBJECT} of the stream {STREAM} has {len(found.data)} bytes"
                f" instead of {SECRET_BYTES}; remove it with `nats stream purge {STREAM}"
                f" --subject {SECRET_SUBJECT}`, and start all nodes again"
            )
        return found.data

    return await with_connection(source, "durable secret", use)


def derive(secret: bytes, label: str) -> bytes:
    """Returns the key of 32 bytes for the use that the label names."""
    return hmac.digest(secret, label.encode(), "sha256")
