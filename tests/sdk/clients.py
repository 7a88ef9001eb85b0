"""A common async interface to the sync and the async client, so that one test covers both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import durable

KINDS = ("sync", "async")


class Facade:
    """One of the clients, called alike."""

    def __init__(self, client: durable.Client | durable.AsyncClient) -> None:
        self.client = client

    def options(self, **options: Any) -> Facade:
        return Facade(self.client.options(**options))

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        function = getattr(self.client, method)
        if isinstance(self.client, durable.Client):
            return await asyncio.to_thread(function, *args, **kwargs)
        return await function(*args, **kwargs)


@asynccontextmanager
async def client_of(kind: str, address: str, *, seconds: float = 10) -> AsyncIterator[Facade]:
    """Opens the sync or the async client, with this timeout, for the length of the block."""
    if kind == "sync":
        with durable.Client(address, timeout=seconds) as sync:
            yield Facade(sync)
    else:
        async with durable.AsyncClient(address, timeout=seconds) as asynchronous:
            yield Facade(asynchronous)
