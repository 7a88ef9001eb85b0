"""Nodes in processes of their own, whose embedded nats-servers form one cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from durable_server.log.jetstream import stream_name
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection
from durable_server.nats.embedded import reader_endpoint

from ..support.processes import PATIENCE_SECONDS, Child, durable, free_port, nats_of, running
from ..support.waiting import eventually

SECRET = "a secret of the routes"


class EmbeddedNodes:
    """Three nodes by name, on one data dir each. Those that run end with `stack`.

    `options` are options of each of them.
    """

    def __init__(self, stack: ExitStack, folder: Path, options: Sequence[str] = ()) -> None:
        self._stack = stack
        self._folder = folder
        self._options = options
        self.children: dict[str, Child] = {}
        self._listen = {it: f"127.0.0.1:{free_port()}" for it in "abc"}
        self.routes = {it: f"127.0.0.1:{free_port()}" for it in "abc"}

    @property
    def addresses(self) -> str:
        return ",".join(self._listen.values())

    def data(self, name: str) -> Path:
        return self._folder / name

    def begin(self, name: str) -> Child:
        """Starts a node, without waiting for it."""
        self._ready(name).unlink(missing_ok=True)
        peers = ",".join(f"{it}={address}" for it, address in self.routes.items())
        command = durable(
            "-v", "server", "--listen", self._listen[name], "--data-dir", str(self.data(name)),
            "--node", name, "--peers", peers, "--ready-file", str(self._ready(name)),
            *self._options,
        )  # fmt: skip
        child = self.children[name] = self._stack.enter_context(
            running(
                command,
                self._folder / f"{name}.log",
                environment={"DURABLE_CLUSTER_SECRET": SECRET},
            )
        )
        return child

    async def start(self, *names: str) -> None:
        """Starts nodes, and returns when they serve."""
        for name in names:
            self.begin(name)
        await self.serve(*names)

    async def serve(self, *names: str) -> None:
        """Waits until nodes serve that were started."""
        for name in names:
            child = self.children[name]

            def ready(name: str = name, child: Child = child) -> bool:
                assert child.process.poll() is None, child.text()
                return self._ready(name).exists()

            await eventually(ready, 2 * PATIENCE_SECONDS)
            found = json.loads(self._ready(name).read_text())
            assert found["pid"] == child.pid

    async def end(self, name: str) -> int:
        """Sends SIGTERM; returns the exit code."""
        process = self.children[name].process
        process.terminate()
        return await asyncio.to_thread(process.wait, PATIENCE_SECONDS)

    async def kill(self, name: str) -> None:
        """Sends SIGKILL to a node; returns when its nats-server has ended too."""
        child = self.children[name]
        server = nats_of(child)
        child.kill()
        await eventually(lambda: not psutil.pid_exists(server.pid))

    async def stream(self, name: str, partition: int) -> dict[str, Any]:
        """Returns what the nats-server of a node tells about the log of a partition."""
        endpoint = reader_endpoint(self.data(name) / "nats")
        connection = await Connection.open(endpoint, name="test")
        try:
            return await call_api(connection, f"STREAM.INFO.{stream_name(partition)}", {}, 5.0)
        finally:
            connection.abort()

    def _ready(self, name: str) -> Path:
        return self._folder / f"{name}.ready"
