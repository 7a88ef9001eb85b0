"""The beginning of a link: who calls whom, and the proof that the caller belongs to the system."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import NamedTuple

import grpc

_SECRET = "durable-node-secret"
_SYSTEM = "durable-node-system"
_FROM = "durable-node-from"
_TO = "durable-node-to"


class Credentials(NamedTuple):
    """Who this node is, and how it proves that it belongs to the system. All is ASCII."""

    name: str
    """The node's name."""
    system: str
    """The id of the system."""
    secret: str
    """What only the nodes of the system know."""


class HandshakeError(Exception):
    """A link is refused; the message says why, in one line."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def greeting(credentials: Credentials, node: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata with which a node opens a link to `node`."""
    return (
        (_SECRET, credentials.secret),
        (_SYSTEM, credentials.system),
        (_FROM, credentials.name),
        (_TO, node),
    )


def check_greeting(credentials: Credentials, metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Returns the name of the node that opens a link; raises HandshakeError if it may not."""
    given = {key: value for key, value in metadata if isinstance(value, str)}
    secret, system = given.get(_SECRET, ""), given.get(_SYSTEM, "")
    caller, meant = given.get(_FROM, ""), given.get(_TO, "")
    # In a time that does not depend on how much of the secret is right.
    if not hmac.compare_digest(secret.encode(), credentials.secret.encode()):
        raise HandshakeError(
            grpc.StatusCode.UNAUTHENTICATED,
            f"the secret is not that of node {credentials.name}; this address is for nodes of one "
            "system only, which all use the same NATS system",
        )
    if system != credentials.system:
        raise HandshakeError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"node {credentials.name} belongs to system {credentials.system}, and node {caller} to "
            f"system {system}",
        )
    if meant != credentials.name:
        raise HandshakeError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"this is node {credentials.name}, and not node {meant}, whose address this was",
        )
    return caller
