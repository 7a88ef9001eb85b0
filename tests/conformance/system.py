"""The system under test: a control plane, a worker and a client, all real and in this process.

`System` talks over gRPC and keeps its logs in an embedded nats-server, in three partitions, so that a
program meets both sides of everything that may be in another one. `LocalSystem` is local mode: the same
parts in memory, with one partition, without NATS and sockets. With `suspend_after=0` either of them
suspends an attempt whenever it only waits, so that each await is a replay.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

import durable
from durable._client.async_connection import AsyncConnection
from durable._local.control_plane import ADDRESS, LocalControlPlane
from durable._worker.hosting import Dial, HostedWorker
from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.sessions.times import SessionTimes
from tests.support.waiting import eventually


class System:
    """A control plane on a data dir of its own, one worker, and a client."""

    def __init__(
        self,
        folder: Path,
        suspend_after: float | None,
        workflows: Sequence[durable.Workflow[..., Any] | type],
    ) -> None:
        self.workflows = workflows
        self.options: Mapping[str, Any] = {}
        """Further arguments of the workers that are started from now on."""
        self._config = Config(
            listen="127.0.0.1:0",
            data_dir=folder / "data",
            partitions=3,
            grace_seconds=0.2,
            times=SessionTimes(heartbeat=0.5, timeout=3.0, grace=0.02),
        )
        self._suspend_after = suspend_after
        self._plane = contextlib.AsyncExitStack()
        self._worker: asyncio.Task[None] | None = None
        self.address = ""
        self.client: durable.AsyncClient

    async def open(self) -> None:
        plane = await self._plane.enter_async_context(ControlPlane(self._config))
        self.address = plane.address
        self.client = durable.AsyncClient(plane.address, timeout=30)
        self.channel = grpc.aio.insecure_channel(plane.address)
        await self.employ()

    async def employ(self) -> None:
        """Starts a worker."""
        worker = durable.Worker(
            self.address,
            workflows=self.workflows,
            suspend_after=self._suspend_after,
            **self.options,
        )
        await self._run(worker)

    async def _run(self, worker: durable.Worker) -> None:
        self._worker = asyncio.create_task(worker.run())
        await worker.ready()

    async def kill(self) -> None:
        """Ends the worker at once, as a crash would."""
        assert self._worker is not None
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)

    async def until(self, invocation_id: str, *statuses: str) -> str:
        """Watches an invocation until it is in one of these states; returns which."""
        control = control_pb2_grpc.DurableControlStub(self.channel)
        request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
        async with asyncio.timeout(20):
            async for response in control.WatchInvocation(request):
                word = invocation_pb2.InvocationState.Name(response.invocation.state)
                status = word.removeprefix("INVOCATION_STATE_").lower()
                if status in statuses:
                    return status
        raise AssertionError(f"{invocation_id} ended in another state: {status}")

    async def journaled(self, invocation_id: str, count: int) -> None:
        """Waits until the journal has so many entries; a step's effect comes before its entry."""

        async def grown() -> bool:
            return len((await self.client.get(invocation_id)).journal) >= count

        await eventually(grown)

    async def restart(self) -> None:
        """Stops the control plane and starts another one on the same data dir and address."""
        await self._plane.aclose()
        self._config = replace(self._config, listen=self.address)
        await self._plane.enter_async_context(ControlPlane(self._config))

    async def close(self) -> None:
        await self.kill()
        await self.client.close()
        await self.channel.close()
        await self._plane.aclose()


class LocalSystem(System):
    """The same in local mode."""

    async def open(self) -> None:
        self._local = LocalControlPlane()
        self.client = durable.AsyncClient._of(AsyncConnection.to_local(self._local), timeout=30)
        self.channel = self._local.open()
        await self.employ()

    async def employ(self) -> None:
        dial = Dial((ADDRESS,), self._local.open)
        worker = HostedWorker(
            dial, list(self.workflows), suspend_after=self._suspend_after, **self.options
        )
        await self._run(worker)

    async def restart(self) -> None:
        await self._local.restart()
