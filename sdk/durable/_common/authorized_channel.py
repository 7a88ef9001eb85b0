"""A channel whose calls carry a token: the metadata `authorization` of each.

gRPC has call credentials for this, but sends them only over TLS, and a control plane on loopback has
none. An interceptor would cost each call of grpc.aio a task. So a channel is wrapped, and only one that
has a token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from .api_token import ApiToken

C = TypeVar("C")


def authorized(channel: C, token: ApiToken | None) -> C:
    """Returns a sync or async channel whose calls carry a token; itself for None."""
    return channel if token is None else cast("C", _AuthorizedChannel(channel, token))


class _AuthorizedChannel:
    """The channel, with each method for making calls replaced; the rest is the channel's own."""

    def __init__(self, channel: Any, token: ApiToken) -> None:
        self._channel: Final = channel
        self._token: Final = token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_unary(self, *method: Any, **options: Any) -> Callable[..., Any]:
        return self._authorized(self._channel.unary_unary(*method, **options))

    def unary_stream(self, *method: Any, **options: Any) -> Callable[..., Any]:
        return self._authorized(self._channel.unary_stream(*method, **options))

    def stream_unary(self, *method: Any, **options: Any) -> Callable[..., Any]:
        return self._authorized(self._channel.stream_unary(*method, **options))

    def stream_stream(self, *method: Any, **options: Any) -> Callable[..., Any]:
        return self._authorized(self._channel.stream_stream(*method, **options))

    def _authorized(self, call: Callable[..., Any]) -> Callable[..., Any]:
        token = self._token

        def make(*messages: Any, metadata: Any = None, **options: Any) -> Any:
            sent = (*(metadata or ()), ("authorization", f"Bearer {token.text()}"))
            return call(*messages, metadata=sent, **options)

        return make
