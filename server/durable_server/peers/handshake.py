"""The beginning of a link: who calls whom, and the proof that the caller belongs to the system."""

from __future__ import annotations

import hmac
from typing import NamedTuple

from durable_proto.node_v1 import node_pb2


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


def greeting(credentials: Credentials, node: str) -> node_pb2.Greeting:
    """Returns the greeting with which a node opens a link to `node`."""
    return node_pb2.Greeting(
        secret=credentials.secret, system=credentials.system, caller=credentials.name, called=node
    )


def check_greeting(credentials: Credentials, given: node_pb2.Greeting) -> str:
    """Returns the name of the node that opens a link; raises HandshakeError if it may not."""
    # In a time that does not depend on how much of the secret is right.
    if not hmac.compare_digest(given.secret.encode(), credentials.secret.encode()):
        raise HandshakeError(
            f"the secret is not that of node {credentials.name}; this address is for nodes of one "
            "system only, which all use the same NATS system",
        )
    if given.system != credentials.system:
        raise HandshakeError(
            f"node {credentials.name} belongs to system {credentials.system}, and node {given.caller} "
            f"to system {given.system}",
        )
    if given.called != credentials.name:
        raise HandshakeError(
            f"this is node {credentials.name}, and not node {given.called}, whose address this was",
        )
    return given.caller
