"""Callers of a control plane that authenticates: credentials, and calls with them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import grpc
from google.protobuf.descriptor import MethodDescriptor

from durable_server.access.access import Access, Grant
from durable_server.access.tokens import TokenText, new_token
from durable_server.tokens.store import TokenStore
from durable_server.tokens.table import now_ms
from tests.server.calls import reason


class Tokens:
    """Makes API tokens of one control plane, which all nodes of its system take."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self.texts: dict[str, str] = {}
        """The texts of the tokens, by name."""

    async def add(
        self, name: str, *scopes: str, namespace: str = "", seconds: float | None = None
    ) -> str:
        """Makes a token, unless there is one of the name; returns its text.

        `seconds` is how long it is valid; negative for one that has expired.
        """
        if name not in self.texts:
            text = TokenText.new()
            now = now_ms()
            token = new_token(
                *(text, name, tuple(map(Grant.parse, scopes))),
                now_ms=now,
                namespace=namespace,
                expire_ms=0 if seconds is None else now + round(seconds * 1000),
            )
            await self._store.create(token)
            self.texts[name] = str(text)
        return self.texts[name]

    def access(self, name: str) -> Access:
        """Returns the access of a token."""
        token = self._store.table.get(name)
        assert token is not None
        return token.access()

    async def revoke(self, name: str) -> None:
        await self._store.revoke(name, lambda _: True)


class Error(NamedTuple):
    """What a refused call has got, with everything that a caller could tell it by."""

    code: str
    reason: str
    text: str
    metadata: str


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def error_of(error: grpc.aio.AioRpcError) -> Error:
    found, metadata = reason(error)
    return Error(error.code().name, found, error.details() or "", json.dumps(metadata))


async def raw(
    channel: grpc.aio.Channel, method: MethodDescriptor, token: str, body: bytes = b""
) -> tuple[str, str]:
    """Makes a call with any bytes; returns the code of its end and the text of its error.

    The code is OK for a stream that has sent something.
    """
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = bearer(token)
    try:
        if method.client_streaming:
            stream: Any = channel.stream_stream(path)(metadata=metadata)
            await stream.write(body)
            await stream.done_writing()
            await stream.read()
        elif method.server_streaming:
            stream = channel.unary_stream(path)(body, metadata=metadata)
            await stream.read()
            stream.cancel()
        else:
            await channel.unary_unary(path)(body, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


async def refused(call: Any) -> Error | None:
    """Awaits a unary call; returns its error, or None if it was answered."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error_of(error)
    return None
