"""The caller of a call, as bytes: the access that one node or process part has established for another.

Two things carry it. A call between nodes has it as a serialised `durable.node.v1.Caller` (`Part.caller`
in node.proto). The HTTP part of a process authenticates its own callers, and passes the access on in
the metadata of its gRPC calls, beside a secret that only this process knows.
"""

from __future__ import annotations

import functools
import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from google.protobuf.message import DecodeError

from durable_proto.node_v1 import caller_pb2

from ..access.access import EVERYTHING, Access, AccessError, Grant
from ..access.interface import UnauthenticatedError

CALLER_KEY: Final = "durable-caller-bin"
"""The metadata with the access that the HTTP part passes on, a serialised Caller."""
SECRET_KEY: Final = "durable-process-secret"
"""The metadata with the secret of the process, without which the other one does not count."""

Metadata = tuple[tuple[str, str | bytes], ...]


def encoded(access: Access) -> bytes:
    """Returns an access as a serialised Caller; empty for the access to everything of a node itself."""
    return b"" if access is EVERYTHING else _encoded(access, access.source)


def decoded(data: bytes) -> Access:
    """Returns the access of a serialised Caller; for empty bytes that to everything.

    A scope of another version that this one does not know permits nothing. Raises AccessError.
    """
    return _decoded(data) if data else EVERYTHING


# Equal accesses from two addresses are equal, so the source is part of the key.
@functools.lru_cache(maxsize=1024)
def _encoded(access: Access, source: str) -> bytes:
    return caller_pb2.Caller(
        name=access.name,
        kind=access.kind,
        scopes=map(str, access.grants),
        namespace=access.namespace,
        id=access.id,
        source=source,
        expires=access.expires,
    ).SerializeToString(deterministic=True)


@functools.lru_cache(maxsize=1024)
def _decoded(data: bytes) -> Access:
    try:
        message = caller_pb2.Caller.FromString(data)
    except DecodeError:
        raise AccessError("the caller of the call cannot be read") from None
    return Access(
        message.name,
        message.kind,
        tuple(_grants(message.scopes)),
        message.namespace,
        message.id,
        message.source,
        message.expires,
    )


def _grants(scopes: Iterable[str]) -> Iterator[Grant]:
    for text in scopes:
        with suppress(AccessError):
            yield Grant.parse(text)


class ProcessSecret:
    """The secret by which a gRPC server knows the calls of its own process."""

    def __init__(self) -> None:
        self._secret = secrets.token_urlsafe(32)

    def metadata(self, access: Access) -> Metadata:
        """Returns the metadata of a call that the HTTP part makes for a caller it has authenticated."""
        return ((CALLER_KEY, encoded(access)), (SECRET_KEY, self._secret))

    def passed(self, metadata: Mapping[str, str | bytes]) -> Access | None:
        """Returns the access that the HTTP part has passed on; None for a call of another one.

        Raises UnauthenticatedError for a call of another one that claims to have one; AccessError.
        """
        shown, caller = metadata.get(SECRET_KEY), metadata.get(CALLER_KEY)
        if shown is None and caller is None:
            return None
        if caller and hmac.compare_digest(_bytes(shown or b""), self._secret.encode()):
            return decoded(_bytes(caller))
        raise UnauthenticatedError(
            "malformed",
            f"the metadata {CALLER_KEY} and {SECRET_KEY} are for the control plane's own use; leave"
            " them out",
        )


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
