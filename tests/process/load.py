"""The load of the soak and of the tests of faults: trees without end, with a known result for each.

Whatever happens to the processes meanwhile, each tree must return its sum, and at the end each counter
must have its number and no invocation may be left that has not ended.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import durable
from tests.support.waiting import eventually

from .trees import KEYS, Expected, Soak, grow, tree

AT_ONCE = 12
"""Trees that run side by side."""
PATIENCE_SECONDS = 120.0
"""How long what was begun may take to end, on a busy machine and after faults."""


class Load:
    """Trees, and what is expected of them."""

    def __init__(
        self, client: durable.AsyncClient, rng: random.Random, *, at_once: int = AT_ONCE
    ) -> None:
        self.trees = 0
        """How many were begun."""
        self.grown = 0
        """How many have ended."""
        self._client = client
        self._rng = rng
        self._at_once = at_once
        self._expected = Expected()
        self._enough = asyncio.Event()

    async def served(self) -> None:
        """Waits until a worker serves the handlers."""

        async def known() -> bool:
            return len(await self._client.list_handlers()) >= 4

        await eventually(known, patience=PATIENCE_SECONDS)

    @asynccontextmanager
    async def growing(self) -> AsyncIterator[None]:
        """Begins new trees for the length of the block, and waits for the last ones after it."""
        self._enough.clear()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(self._keep_growing())
            yield
            self._enough.set()

    async def grown_more(self, count: int) -> None:
        """Waits until this many more trees have ended."""
        enough = self.grown + count
        await eventually(lambda: self.grown >= enough, patience=PATIENCE_SECONDS)

    async def check(self) -> None:
        """Waits until everything has ended, and checks the counters."""
        client, expected = self._client, self._expected.counters
        counters: dict[str, int] = {}

        async def as_expected() -> bool:
            # Sends may still be under way, also between two partitions, where no list shows them.
            nonlocal counters
            await eventually(lambda: all_finished(client), patience=PATIENCE_SECONDS)
            counters = {key: await client.options(key=key).invoke(Soak.value) for key in KEYS}
            return all(counters[key] >= expected[key] for key in KEYS)

        await eventually(as_expected, patience=PATIENCE_SECONDS)
        assert counters == {key: expected[key] for key in KEYS}

    async def _keep_growing(self) -> None:
        client, expected = self._client, self._expected
        while not self._enough.is_set():
            self.trees += 1
            name = f"t{self.trees}"
            work = grow(self._rng, name)
            already = len(expected.promises)
            total = expected.add(work)
            mine = expected.promises[already:]
            result, *_ = await asyncio.gather(
                client.options(idempotency_key=name).invoke(tree, work),
                *(resolve(client, it, self._rng.random() * 2) for it in mine),
            )
            assert result == total, name
            self.grown += 1


async def resolve(client: durable.AsyncClient, awakeable_id: str, delay: float) -> None:
    """Resolves a promise after a delay, perhaps before the workflow awaits it."""
    await asyncio.sleep(delay)
    await client.resolve_awakeable(awakeable_id, 1)


async def all_finished(client: durable.AsyncClient) -> bool:
    """Returns whether every invocation has ended, in all partitions."""
    status = ("scheduled", "pending", "running", "suspended", "backing_off", "paused")
    page = await client.query(status=status, page_size=1)
    return not (page.invocations or page.missing_partitions)
