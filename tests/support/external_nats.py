"""A nats-server, or three, as other people run them: with their configuration, not with ours."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from durable_server.nats.binary import find_nats_server

from .processes import free_port

JETSTREAM = "jetstream { store_dir: DIR }"


class External:
    """A running nats-server."""

    def __init__(self, process: subprocess.Popen[bytes], config: Path) -> None:
        self.process = process
        self._config = config
        self.port = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Sends SIGKILL and waits for the end."""
        self.process.kill()
        self.process.wait()

    def lose_data(self) -> None:
        """Deletes the store of a server that does not run."""
        shutil.rmtree(self._config.parent / "store")

    def start(self) -> None:
        """Runs it again, on the same port if that was given and on the same store."""
        self.process = _start(self._config.parent, self._config)


def _start(folder: Path, config: Path) -> subprocess.Popen[bytes]:
    with (folder / "output.log").open("ab") as output:
        return subprocess.Popen(
            [find_nats_server().path, "-c", config], stdout=output, stderr=output
        )


def _write(folder: Path, config: str, port: int) -> Path:
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ports"):
        old.unlink()
    path = folder / "server.conf"
    text = config.replace("DIR", json.dumps(str(folder / "store")))
    path.write_text(
        f'listen: "127.0.0.1:{port}"\nports_file_dir: {json.dumps(str(folder))}\n{text}\n'
    )
    return path


@asynccontextmanager
async def external_nats(folder: Path, config: str, port: int = -1) -> AsyncIterator[External]:
    """Runs nats-server with these lines of configuration; DIR stands for its store's folder."""
    path = _write(folder, config, port)
    server = External(_start(folder, path), path)
    try:
        async with asyncio.timeout(20):
            while (found := _port(folder)) is None:  # it writes its port to a file only
                assert server.process.poll() is None, (folder / "output.log").read_text()
                await asyncio.sleep(0.02)
        server.port = found
        yield server
    finally:
        server.kill()


def _port(folder: Path) -> int | None:
    for path in folder.glob("*.ports"):
        try:
            url: str = json.loads(path.read_text())["nats"][0]
        except (ValueError, KeyError, IndexError):
            continue
        return int(url.rpartition(":")[2])
    return None


@asynccontextmanager
async def nats_cluster(folder: Path) -> AsyncIterator[Sequence[External]]:
    """Three servers that form a cluster; they may still be electing a leader."""
    ports = [free_port() for _ in range(3)]
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                external_nats(
                    folder / f"nats{number}",
                    f"server_name: n{number}\n{JETSTREAM}\n"
                    f'cluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{routes}] }}',
                )
            )
            for number, port in enumerate(ports)
        ]
        yield servers
