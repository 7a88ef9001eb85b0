"""The embedded nats-server: a child process that is started, watched, restarted and stopped.

All its files are in one folder of the data directory, whose lock the caller holds:

    nats.conf      mode 0600: the only place with the credentials, which are not in argv, in the
                   environment or in logs
    nats.pid       the server's pid, written before the server touches any file (`launch`); tells a
                   later run which process to end (`orphans`)
    nats.log       the server's own log, which it rotates: 3 files of 8 MB
    output.log     stdout and stderr: why it did not start, or a Go panic
    *.ports        where it listens; the server writes it late and not atomically, so it is polled
                   until it can be parsed
    reader.json    mode 0600: a second, read-only login; see `reader_endpoint`
    jetstream/     the store

It listens on a loopback port that the kernel chooses, with a password drawn at every start.
`sync_interval: always` makes every append an fsync, so an acknowledged append survives power loss. The
limits of JetStream are explicit, because their defaults are most of the machine's memory and disk.

With `routes` it is one of several servers that form a JetStream cluster (see `routes`, `forming`). It
tells its clients no other server: this process talks to its own one. It is stopped with SIGTERM there
too: nats-server then gives its leaderships to the others as it does in lame duck mode, which takes a
second longer and leaves no fewer appends unanswered.

When the child dies it is restarted with growing pauses. `endpoint`, which the log's connections call,
waits until it runs again. After `FAILED_STARTS_MAX` failed starts in a row there are no more, and
`endpoint` raises the reason. The child dies with this process, or, on Linux, with the thread that
started it: start it from the main thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from . import launch
from .backoff import Backoff
from .binary import find_nats_server
from .endpoint import Endpoint, parse_urls
from .orphans import end_orphan, read_pid
from .routes import Routes

MAX_PAYLOAD = 8 << 20
"""Bytes of one message, and with it of one frame. NATS discourages more than 8 MB."""
MAX_FILE_BYTES = 65 << 30
"""JetStream's disk budget. Streams reserve their max_bytes from it, so it must hold the smallest logs
of 256 partitions, and the small stream of the system's metadata.
"""
MAX_MEMORY_BYTES = 64 << 20
"""JetStream's memory-store budget; the log needs none."""
_VARIABLES = (
    *("HOME", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ"),
    *("GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"),
)
_PREFIXES = ("DYLD_", "LD_")
"""The variables that nats-server gets: by name, or by the beginning of their names."""
MEMORY_LIMIT = "512MiB"
"""GOMEMLIMIT of the child: its caches shrink before it needs more than this."""
START_SECONDS = 60.0
"""A start may take long: after SIGKILL the server reads all blocks of the store."""
STOP_SECONDS = 10.0
"""Time between SIGTERM and SIGKILL. SIGKILL loses no data; it makes the next start slower."""
FAILED_STARTS_MAX = 8
"""Failed starts in a row after which the server is given up."""
_POLL = 0.01
READER = "reader"
"""The name of the read-only login."""
_SYSTEM = "system"
"""The name of the login that asks a server of a cluster about its state."""
_READER_FILE = "reader.json"


def _environment() -> dict[str, str]:
    """Returns the part of the environment that a program needs to run, and the settings of Go.

    The rest may hold secrets, of object stores for example, which are not for nats-server.
    """
    return {
        name: text
        for name, text in os.environ.items()
        if name in _VARIABLES or name.startswith(_PREFIXES)
    }


class NatsStartError(ConnectionError):
    """The server does not start; the message has the end of its output."""


class EmbeddedNats:
    """One embedded server in `folder`.

    `binary` names the program; None searches for it (`binary.find_nats_server`). `routes` makes it a
    server of a cluster; None is one on its own.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        binary: str | os.PathLike[str] | None = None,
        max_payload: int = MAX_PAYLOAD,
        max_file_bytes: int = MAX_FILE_BYTES,
        routes: Routes | None = None,
        watch: bool = sys.platform != "linux",
    ) -> None:
        self.folder = Path(folder).resolve()
        self.pid: int | None = None
        """The child's pid while it runs."""
        self.restarts = 0
        """How often the child was restarted after it had died."""
        self.on_given_up: Callable[[NatsStartError], None] = _nothing
        """Called once, with the reason, when the server is given up."""
        self._binary_name = binary
        self._program = Path()
        self._max_payload = max_payload
        self._max_file_bytes = max_file_bytes
        self._routes = routes
        self._watch = watch
        self._config = self.folder / "nats.conf"
        self._pid_file = self.folder / "nats.pid"
        self._user = "durable"
        self._password = self._system_password = ""
        self._listeners: list[Callable[[str], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Endpoint] | None = None

    # ---- public methods

    async def start(self) -> None:
        """Ends an orphan of an earlier run, starts the server and returns when it listens.

        Raises NatsBinaryError, NatsStartError.
        """
        if self._task is not None:
            raise RuntimeError("the embedded nats-server is already started")
        self._program = (await asyncio.to_thread(find_nats_server, self._binary_name)).path
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        orphan = await end_orphan(self._pid_file, self._config)
        if orphan is not None:
            self._notify(f"ended nats-server {orphan}, which an earlier run had left behind")
        self._password = secrets.token_urlsafe(32)
        self._system_password = secrets.token_urlsafe(32)
        self._write_config()
        self._ready = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._supervise(), name="embedded nats-server")
        try:
            await asyncio.shield(self._ready)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops the server and returns when it has ended. May be called more than once."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self._fail(NatsStartError("the embedded nats-server is stopped"))

    def restart(self) -> None:
        """Restarts a child that listens; `endpoint` waits for the new one."""
        if self.pid is None or self._ready is None or not self._ready.done():
            return
        self._ready = asyncio.get_running_loop().create_future()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def reload(self) -> None:
        """Makes a child that runs read its configuration again, and the certificates that it names."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGHUP)

    async def endpoint(self) -> Endpoint:
        """Returns where the server listens; waits while it restarts.

        Raises NatsStartError when it is given up or stopped.
        """
        if self._ready is None:
            raise NatsStartError("the embedded nats-server is not started")
        return await asyncio.shield(self._ready)

    async def system_endpoint(self) -> Endpoint:
        """Returns the endpoint with a login that may ask a server of a cluster about its state.

        Raises as `endpoint` does.
        """
        return (await self.endpoint())._replace(user=_SYSTEM, password=self._system_password)

    def log_end(self) -> list[str]:
        """Returns the last lines of the log of the child that runs."""
        mine = f"[{self.pid}]"
        return [it for it in _last_lines(self.folder / "nats.log") if it.startswith(mine)]

    def add_listener(self, listener: Callable[[str], None]) -> None:
        """Calls `listener` with one line whenever the child dies, has restarted, or is given up."""
        self._listeners.append(listener)

    # ---- supervision

    async def _supervise(self) -> None:
        try:
            await self._keep_running()
        except OSError as error:
            self._fail(NatsStartError(f"cannot start nats-server: {error}"))

    async def _keep_running(self) -> None:
        backoff = Backoff(0.05, 5.0, None)
        failures = 0
        while True:
            process = await self._spawn()
            try:
                endpoint = await self._until_ready(process)
                if endpoint is not None:
                    failures = 0
                    self.pid = read_pid(self._pid_file)
                    self._publish(endpoint)
                    started = asyncio.get_running_loop().time()
                    await process.wait()
                    if asyncio.get_running_loop().time() - started > 30:
                        backoff.progress()
                else:
                    failures += 1
            finally:
                await self._end(process)
                self.pid = None
            reason = f"nats-server ended with code {process.returncode}"
            if failures == FAILED_STARTS_MAX or (failures and self.restarts == 0):
                error = NatsStartError(f"{reason} before it was ready: {self._startup_output()}")
                self._fail(error)
                self._notify(f"given up: {error}")
                self.on_given_up(error)
                return
            if self._ready is None or self._ready.done():
                self._ready = asyncio.get_running_loop().create_future()
            self.restarts += 1
            self._notify(f"{reason}; starting it again")
            await backoff.pause()

    async def _spawn(self) -> asyncio.subprocess.Process:
        environment = {"GOMEMLIMIT": MEMORY_LIMIT, **_environment()}
        with self._open_output() as output:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                launch.__file__,
                "watch" if self._watch else "exec",
                str(os.getpid()),
                str(self._pid_file),
                str(self._program),
                "-c",
                str(self._config),
                # Held open and never written to: `watch` reads its end when this process dies.
                stdin=subprocess.PIPE if self._watch else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=self.folder,
            )

    def _open_output(self) -> BinaryIO:
        """Opens the output file of the next child; removes the ports files of the last one."""
        for old in self.folder.glob("*.ports"):
            old.unlink(missing_ok=True)
        return open(self.folder / "output.log", "wb")

    async def _until_ready(self, process: asyncio.subprocess.Process) -> Endpoint | None:
        """Polls the ports file; returns None when the process ended first or took too long."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            endpoint = read_ports_file(self.folder)
            if endpoint is not None:
                return endpoint._replace(user=self._user, password=self._password)
            await asyncio.sleep(_POLL)
        return None

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
                # A stopped process acts on SIGTERM when it goes on; `watch` is not the server itself.
                os.kill(process.pid if self.pid is None else self.pid, signal.SIGCONT)
            # This may run in a task that is cancelled, where Python before 3.11.4 raises CancelledError
            # at the end of `asyncio.timeout`.
            ended = asyncio.ensure_future(process.wait())
            if not (await asyncio.wait({ended}, timeout=STOP_SECONDS))[0]:
                with contextlib.suppress(ProcessLookupError):
                    if self.pid is not None:
                        os.kill(self.pid, signal.SIGKILL)
                    process.kill()
            await ended
        if process.stdin is not None:
            process.stdin.close()

    # ---- notification

    def _publish(self, endpoint: Endpoint) -> None:
        assert self._ready is not None
        self._ready.set_result(endpoint)
        if self.restarts:
            self._notify("nats-server is back")

    def _fail(self, error: NatsStartError) -> None:
        if self._ready is None or self._ready.done():
            self._ready = asyncio.get_running_loop().create_future()
        self._ready.set_exception(error)
        self._ready.exception()  # marks it as retrieved: nobody may be waiting

    def _notify(self, line: str) -> None:
        for listener in self._listeners:
            listener(line)

    def _startup_output(self) -> str:
        """Returns the end of the last child's output, and the fatal lines of its log."""
        lines = _last_lines(self.folder / "output.log")
        mine = f"[{read_pid(self._pid_file)}]"
        for line in _last_lines(self.folder / "nats.log"):
            head, fatal, text = line.partition(" [FTL] ")
            if fatal and head.startswith(mine):
                lines.append(text)
        return " | ".join(lines[-5:]) or "it wrote nothing"

    # ---- configuration

    def _write_config(self) -> None:
        def quoted(value: object) -> str:
            return json.dumps(str(value), ensure_ascii=False)

        reading = secrets.token_urlsafe(32)
        name = "durable" if self._routes is None else self._routes.node
        text = f"""# Written at every start; changes are lost.
server_name: {quoted(name)}
listen: "127.0.0.1:-1"
ports_file_dir: {quoted(self.folder)}
log_file: {quoted(self.folder / "nats.log")}
logfile_size_limit: {8 << 20}
logfile_max_num: 3
max_payload: {self._max_payload}
max_connections: 1000
authorization {{ users: [
  {{ user: {quoted(self._user)}, password: {quoted(self._password)} }}
  {{ user: {quoted(READER)}, password: {quoted(reading)}, permissions: {{
    publish: ["$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*"], subscribe: "_INBOX.>"
  }} }}
] }}
jetstream {{
  store_dir: {quoted(self.folder)}
  sync_interval: always
  max_memory_store: {MAX_MEMORY_BYTES}
  max_file_store: {self._max_file_bytes}
}}
"""
        if self._routes is not None:
            text += f"""accounts {{ $SYS: {{ users: [
  {{ user: {_SYSTEM}, password: {quoted(self._system_password)}, permissions: {{
    publish: ["$SYS.REQ.SERVER.*.ROUTEZ", "$SYS.REQ.SERVER.*.HEALTHZ"], subscribe: "_INBOX.>"
  }} }}
] }} }}
{self._routes.config()}"""
        _write_secret(self._config, text)
        _write_secret(self.folder / _READER_FILE, json.dumps({"password": reading}))


def reader_endpoint(folder: Path) -> Endpoint:
    """Returns where the server in `folder` listens, with the read-only login.

    It is for other processes of a user who may read the folder; the server refuses every write of this
    login. Raises ConnectionError when no server runs there, or when it is just starting.
    """
    endpoint = read_ports_file(folder)
    try:
        password = json.loads((folder / _READER_FILE).read_text())["password"]
    except (OSError, ValueError, KeyError) as error:
        raise ConnectionError(f"no nats-server has run in {folder}") from error
    if endpoint is None:
        raise ConnectionError(f"the nats-server in {folder} does not listen; try again")
    return endpoint._replace(user=READER, password=password)


def read_ports_file(folder: Path) -> Endpoint | None:
    """Returns where the server in `folder` listens; None while its ports file is missing or incomplete.

    nats-server writes the file in place, so a reader may meet any prefix of it.
    """
    for file in folder.glob("*.ports"):
        with contextlib.suppress(ValueError, KeyError, IndexError, OSError):
            return parse_urls(json.loads(file.read_text())["nats"][0])
    return None


def _nothing(_error: NatsStartError) -> None:
    pass


def _write_secret(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)


def _last_lines(path: Path) -> list[str]:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
