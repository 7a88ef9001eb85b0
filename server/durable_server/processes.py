"""The parent of `durable server --processes N`: N control planes that are one system on one machine.

    data dir (lock) ─► embedded NATS ─► metadata ─► ports ─► N processes
                            ▲                                   │
                            └──── where it listens (link) ──────┘

One Python process uses one core. Each of the N processes is a node of a cluster (`clustered`): it leads
its share of the partitions, and passes on what belongs to the others. This process serves nothing. It
owns what the N have in common:

- **NATS.** It runs the embedded server. A process asks over the link where that listens whenever it
  connects, because that changes when the server is restarted.
- **The data dir.** All processes use the same one, with one store for each partition. Only the leader
  of a partition has its store open (`node.store_lock`), and the next one opens the same file. So there
  are no followers, which would cost almost as much CPU as the leaders and protect from the loss of a
  disk that is the same anyway; a takeover reads only the end of the log; and the data dir is the same
  as that of a single process: it may be started with any number of processes, and `durable backup`,
  `sql` and `log` read it as ever.
- **The addresses.** All processes listen at the same address and port, and the kernel gives each
  connection to one of them. This process binds the port too and does not listen there, so that it is
  theirs while none of them does, and so that port 0 is one number for all.
- **Ends.** It knows at once when a process has died and tells the others, which else would wait for the
  end of its lease.

It starts a process again that ends, as `durable_processes.supervisor` says. A process that it has not
asked to stop gives its partitions to the others first; when all stop, none does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from typing import Any

import click

from durable_processes.link import SERVER, Message
from durable_processes.supervisor import Process, ProcessFailedError, Supervisor

from .cluster.identity import Identity, write_identity
from .cluster.members import check_no_members, forget_members, tell_gone
from .cluster.metadata import Metadata, load_or_create
from .config import Config, default_partitions, process_name
from .futures import fail
from .log.interface import LogError
from .nats.datadir import DataDir
from .nats.endpoint import EndpointSource
from .startup import known_identity, open_nats, open_tokens
from .tls.material import load
from .webhooks.service import open_webhooks

DRAIN_SECONDS = 30.0
"""How long a process may take to stop: as long as a node that drains, and its requests after that."""
_TELL_SECONDS = 3.0
"""How long NATS may take to accept that a process has ended, before that is started again anyway."""

logger = logging.getLogger("durable.processes")


class PortError(Exception):
    """An address cannot be listened at. The message says which, and what to do."""


class Processes:
    """The processes of one machine, once entered: an async context manager, as `ControlPlane` is."""

    def __init__(self, config: Config) -> None:
        config.check()
        self.config = config
        self.address = ""
        """Where gRPC is served, once started."""
        self.http_address = ""
        """Where HTTP is served, once started; empty when it is not."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when this system cannot go on; holds the error."""
        self._stack = AsyncExitStack()
        self._supervisor = Supervisor(
            config.processes,
            name="control plane process",
            variable=SERVER,
            drain_seconds=DRAIN_SECONDS,
        )
        self._serve: set[int] = set()
        """The numbers of the processes that have served."""
        self._all_serve = asyncio.Event()
        self._answers: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._source: EndpointSource | None = None
        self._partitions = 0

    def check_ended(self) -> None:
        """Raises the error with which the processes have ended."""
        if self.ended.done():
            self.ended.result()

    async def __aenter__(self) -> Processes:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._running is not None and not self._running.done():
                self._supervisor.stop()
                await asyncio.wait({self._running})
        finally:
            for answer in self._answers:
                answer.cancel()
            await self._stack.aclose()

    async def _start(self) -> None:
        config, stack = self.config, self._stack
        if config.tls is not None:
            load(config.tls)  # so that one error says what is wrong with them
        data = DataDir(config.data_dir)
        stack.callback(data.close)
        self.address = self._share("--listen", config.listen)
        if config.http:
            self.http_address = self._share("--http", config.http)
            # Makes the key of the data dir, if there is none.
            open_webhooks(
                data.path,
                key_file=config.webhook_key_file,
                key_text=config.webhook_key,
                secrets_dir=config.webhook_secrets_dir,
            )
        if not config.nats_url:
            data.keep_nats_mode(None)
        source = self._source = await open_nats(config, data.path, stack, self._end)
        metadata = await load_or_create(
            source,
            partitions=config.partitions,
            default=default_partitions(config.processes),
            replicas=config.copies,
            known=known_identity(data.path),
            level_hold=config.format_level,
        )
        self._partitions = metadata.partitions
        self._check_shares(metadata)
        if config.nats_url:
            await check_no_members(source, metadata.partitions)
        await forget_members(source)
        if config.authenticates:
            # Made here, so that the processes do not compete for the file.
            await (await open_tokens(config, source, data.path, first=True)).close()
        self._supervisor.started = self._process_started
        self._supervisor.received = self._received
        self._supervisor.ended = self._process_ended
        self._running = asyncio.create_task(self._supervisor.run())
        self._running.add_done_callback(self._run_ended)
        await self._until_all_serve()
        # The logs and the stores fit each other.
        write_identity(data.path, Identity(metadata.id, metadata.partitions))
        logger.info(
            "%d processes serve on %s, %d partitions",
            *(config.processes, self.address, metadata.partitions),
        )

    def _check_shares(self, metadata: Metadata) -> None:
        """Warns of processes that have nothing to lead."""
        processes, partitions = self.config.processes, metadata.partitions
        if partitions < processes:
            idle = processes - partitions
            logger.warning(
                "--processes %d: this system has %d partition%s, and the number is fixed, so %d of"
                " the processes lead%s none and only pass%s requests on; --processes %d is faster,"
                " and a new system has %d partitions",
                *(processes, partitions, "s" * (partitions > 1), idle),
                *("s" * (idle == 1), "es" * (idle == 1), partitions, default_partitions(processes)),
            )

    async def _until_all_serve(self) -> None:
        serving = asyncio.ensure_future(self._all_serve.wait())
        ends: set[asyncio.Future[Any]] = {serving, self.ended}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        self.check_ended()

    # ---- the processes

    def _process_started(self, process: Process) -> None:
        config = self.config
        process.send(
            {
                "listen": self.address,
                "http": self.http_address,
                "webhook_key": config.webhook_key,
                "embedded": not config.nats_url,
            }
        )

    def _received(self, process: Process, message: Message) -> None:
        if "serving" in message:
            self._serve.add(process.number)
            if len(self._serve) == self.config.processes:
                self._all_serve.set()
        elif "endpoint" in message:
            answer = asyncio.ensure_future(self._tell_endpoint(process))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)

    async def _tell_endpoint(self, process: Process) -> None:
        """Tells a process where NATS listens, once it does."""
        assert self._source is not None
        try:
            endpoint = await self._source()
        except OSError as error:
            process.send({"unavailable": str(error)})
        else:
            process.send({"endpoint": [endpoint.servers, endpoint.user, endpoint.password]})

    async def _process_ended(self, number: int) -> None:
        """Tells the others that a process has ended."""
        assert self._source is not None
        await tell_ended(self._source, process_name(number), self._partitions)

    def _run_ended(self, run: asyncio.Task[None]) -> None:
        error = None if run.cancelled() else run.exception()
        if isinstance(error, ProcessFailedError) and error.usage:
            error = click.UsageError(str(error))
        if error is not None:
            self._end(error)

    def _end(self, error: BaseException) -> None:
        fail(self.ended, error)

    # ---- the ports

    def _share(self, option: str, address: str) -> str:
        """Binds an address that the processes will listen at; returns it with the actual port."""
        host, _, port = address.rpartition(":")
        try:
            bound = _bind(host.strip("[]"), int(port))
        except OSError as error:
            raise PortError(
                f"cannot listen on {address}: it is taken by another process or is not an address of"
                f" this machine; choose another with {option} HOST:PORT"
            ) from error
        self._stack.callback(bound.close)
        return f"{host}:{bound.getsockname()[1]}"


async def tell_ended(source: EndpointSource, name: str, partitions: int) -> None:
    """Tells the other processes that the one of this name has ended, if NATS takes that.

    Raises nothing of NATS: without this the others find it out at the end of its lease, and whoever
    calls has to start the process again.
    """
    try:
        async with asyncio.timeout(_TELL_SECONDS):
            await tell_gone(source, name, partitions)
    except (TimeoutError, LogError) as error:
        reason = str(error) or "no answer"
        logger.warning("the others are not told that process %s has ended: %s", name, reason)


def _bind(host: str, port: int) -> socket.socket:
    """Binds a port that other processes of this user may share. Raises OSError when it is taken."""
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # Those who share a port are not refused by each other, so a first try does not share it.
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(where)
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(where)
    except OSError:
        bound.close()
        raise
    return bound
