"""The network between the nodes, as far as messages between partitions use it.

Messages are lost, late and doubled, and go to whichever node the sender believes to lead the partition:
one that led it before, one that never did, one that has crashed. So are their answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from durable_server.core.records import Received
from durable_server.core.replies import Seen
from durable_server.processor.errors import ProcessorEndedError
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router

if TYPE_CHECKING:
    from .node import SimNode
    from .world import World


class SimRouter(Router):
    """The partitions that a node leads, with the simulated network on the way to all others."""

    def __init__(self, world: World, node: SimNode) -> None:
        super().__init__(world.count)
        self._world = world
        self._node = node

    async def _deliver(self, destination: int, received: Received) -> int:
        world, rng = self._world, self._world.rng
        await asyncio.sleep(rng.random() * 0.05)
        if rng.random() < world.trouble:
            raise ProcessorEndedError("the messages were lost")
        if rng.random() < world.trouble:
            late = asyncio.create_task(self._repeat(destination, received))
            world.tasks.add(late)
            late.add_done_callback(world.tasks.discard)
        sequence = await self._send(destination, received)
        if rng.random() < world.trouble:
            raise ProcessorEndedError("the answer was lost")
        return sequence

    async def _send(self, destination: int, received: Received) -> int:
        """Delivers messages to this node, or to the one that it believes to lead the partition."""
        world = self._world
        node = world.rng.choice((self._node, world.believed_leader(destination)))
        return await node.router.take(destination, received)

    async def take(self, destination: int, received: Received) -> int:
        """Takes messages from another node."""
        processor = self.find(destination)
        if processor is None:
            raise ProcessorEndedError(f"{self._node.name} does not lead partition {destination}")
        reply = await processor.inputs.propose(received)
        assert isinstance(reply, Seen)
        self._world.histories[destination].check_answered(received)
        return reply.sequence

    def find(self, partition: int) -> Processor | None:
        """Returns the processor of a partition, if this node leads it."""
        return next((it for it in self.all() if it.partition.index == partition), None)

    async def _repeat(self, destination: int, received: Received) -> None:
        """Delivers messages a second time, later."""
        await asyncio.sleep(self._world.rng.random() * 5)
        with contextlib.suppress(ProcessorEndedError):
            await self._send(destination, received)
