"""The peer of a call: the host that it came from."""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import unquote

import grpc


def peer_host(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Returns the host of a call's peer; empty for one that has none, as a socket of this machine."""
    return _host(context.peer())


@functools.lru_cache(maxsize=1024)
def _host(peer: str) -> str:
    # As in `ipv4:127.0.0.1:5000` and `ipv6:%5B::1%5D:5000`.
    kind, _, address = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return ""
    return unquote(address).rpartition(":")[0].strip("[]")
