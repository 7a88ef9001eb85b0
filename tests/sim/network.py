"""The network between the partitions, as a node has it.

Messages are lost, late and doubled, and so are their answers. They go to whichever node the sender
believes to lead the partition: one that led it before, one that never did, one that has crashed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from durable_server.core.records import Received
from durable_server.processor.errors import ProcessorEndedError
from durable_server.processor.router import Router

if TYPE_CHECKING:
    from .world import World


class SimRouter(Router):
    """The partitions that a node leads, with a bad network between any two of them."""

    def __init__(self, world: World) -> None:
        super().__init__(world.count)
        self._world = world

    async def _deliver(self, destination: int, received: Received) -> int:
        world, rng = self._world, self._world.rng
        await asyncio.sleep(rng.random() * 0.05)
        if rng.random() < world.trouble:
            raise ProcessorEndedError("the messages were lost")
        if rng.random() < world.trouble:
            late = asyncio.create_task(self._repeat(destination, received))
            world.tasks.add(late)
            late.add_done_callback(world.tasks.discard)
        sequence = await super()._deliver(destination, received)
        world.histories[destination].check_answered(received)
        if rng.random() < world.trouble:
            raise ProcessorEndedError("the answer was lost")
        return sequence

    async def _repeat(self, destination: int, received: Received) -> None:
        """Delivers messages a second time, later."""
        await asyncio.sleep(self._world.rng.random() * 5)
        with contextlib.suppress(ProcessorEndedError):
            await super()._deliver(destination, received)
