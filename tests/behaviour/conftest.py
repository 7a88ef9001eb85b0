"""A real control plane with a real worker in this process, in four ways of working.

`always suspended` evicts an attempt whenever it only waits, so that each await is a replay. `local` is
local mode: the same parts in memory, without NATS and sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

import durable
from durable._worker.hosting import HostedWorker
from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.rpc.session_writer import SessionTimes

from . import flows


class System:
    """The control plane, its data dir, the worker that runs, and a client."""

    workflows: Sequence[durable.Workflow[..., Any] | type] = flows.WORKFLOWS
    """What its worker serves."""
    options: Mapping[str, Any] = {}
    """What its worker is made with beside that."""

    def __init__(self, folder: Path, suspend_after: float | None) -> None:
        self._config = Config(
            listen="127.0.0.1:0",
            data_dir=folder / "data",
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
        """Ends the worker without a word."""
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
        """Waits until an invocation's journal has so many entries: effects come before theirs."""
        async with asyncio.timeout(20):
            while len((await self.client.get(invocation_id)).journal) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

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
        self.client = durable.AsyncClient.local(timeout=30)
        self.channel = self.client._connection.dial.open()
        await self.employ()

    async def employ(self) -> None:
        dial = self.client._connection.dial
        worker = HostedWorker(
            dial, list(self.workflows), suspend_after=self._suspend_after, **self.options
        )
        await self._run(worker)

    async def restart(self) -> None:
        local = self.client._connection.local
        assert local is not None
        await local.restart()


@pytest.fixture(
    params=[(System, 5.0), (System, 0.0), (LocalSystem, 5.0), (LocalSystem, 0.0)],
    ids=["live", "always suspended", "local", "local, always suspended"],
)
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    flows.calls.clear()
    kind, suspend_after = request.param
    made: System = kind(tmp_path, suspend_after)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
