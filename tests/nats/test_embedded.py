"""The embedded server: start, restart and stop, with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import sys
from pathlib import Path

import nats
import psutil
import pytest

from durable_server.nats.api import call_api
from durable_server.nats.binary import find_nats_server
from durable_server.nats.connection import Connection, ConnectionLostError, LoginRefusedError
from durable_server.nats.embedded import (
    EmbeddedNats,
    NatsStartError,
    read_ports_file,
    reader_endpoint,
)

from .processes import gone, runs, start_parent


async def test_it_starts_and_a_foreign_client_can_use_it(server: EmbeddedNats) -> None:
    endpoint = await server.endpoint()
    ((host, port),) = endpoint.servers
    assert host == "127.0.0.1"
    client = await nats.connect(
        f"nats://{host}:{port}", user=endpoint.user, password=endpoint.password
    )
    info = await client.jetstream().account_info()
    assert info.streams == 0
    assert client.max_payload == 8 << 20
    await client.close()


async def test_nobody_gets_in_without_the_password(server: EmbeddedNats) -> None:
    endpoint = await server.endpoint()
    for wrong in (
        endpoint._replace(user=None, password=None),
        endpoint._replace(password="guess"),
        endpoint._replace(user=None, password=None, token=endpoint.password),
    ):
        with pytest.raises(LoginRefusedError, match="Authorization Violation"):
            await Connection.open(wrong, name="test")


async def test_the_reader_can_look_and_do_nothing_else(
    server: EmbeddedNats, tmp_path: Path
) -> None:
    stream = {"name": "LOG", "subjects": ["log"], "storage": "file"}
    writer = await Connection.open(await server.endpoint(), name="writer")
    await call_api(writer, "STREAM.CREATE.LOG", stream, 5.0)
    await writer.call(b"log", b"something", 5.0)
    assert stat.S_IMODE((server.folder / "reader.json").stat().st_mode) == 0o600
    for subject, body in (
        (b"log", b"more"),
        (b"$JS.API.STREAM.PURGE.LOG", b""),
        (b"$JS.API.STREAM.DELETE.LOG", b""),
        (b"$JS.API.STREAM.MSG.DELETE.LOG", b'{"seq": 1}'),
        (b"$JS.API.STREAM.UPDATE.LOG", json.dumps(stream).encode()),
        (b"$JS.API.CONSUMER.CREATE.LOG", b"{}"),
    ):
        reader = await Connection.open(reader_endpoint(server.folder), name="reader")
        with pytest.raises(ConnectionLostError, match="Permissions Violation"):
            await reader.call(subject, body, 5.0)
    reader = await Connection.open(reader_endpoint(server.folder), name="reader")
    info = await call_api(reader, "STREAM.INFO.LOG", {}, 5.0)
    assert (info["state"]["messages"], info["state"]["last_seq"]) == (1, 1)
    found = await call_api(reader, "STREAM.MSG.GET.LOG", {"seq": 1}, 5.0)
    assert found["message"]["seq"] == 1
    for connection in (reader, writer):
        connection.abort()
    with pytest.raises(ConnectionError, match="no nats-server"):
        reader_endpoint(tmp_path / "nothing")


async def test_the_password_is_in_one_file_only(server: EmbeddedNats) -> None:
    endpoint = await server.endpoint()
    assert endpoint.password is not None
    assert len(endpoint.password) >= 32
    assert endpoint.password not in repr(endpoint)
    connection = await Connection.open(endpoint, name="test")
    connection.abort()
    assert server.pid is not None
    process = psutil.Process(server.pid)
    assert endpoint.password not in " ".join(process.cmdline())
    assert endpoint.password not in str(process.environ())
    holding = [
        file
        for file in server.folder.rglob("*")
        if file.is_file() and endpoint.password.encode() in file.read_bytes()
    ]
    assert holding == [server.folder / "nats.conf"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700


async def test_it_listens_on_loopback_only_and_syncs_always(server: EmbeddedNats) -> None:
    assert server.pid is not None
    listening = [
        connection.laddr
        for connection in psutil.Process(server.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert [address.ip for address in listening] == ["127.0.0.1"]
    said = (server.folder / "nats.log").read_text()
    assert f'"{server.folder}/jetstream"' in said
    assert "sync_interval: always" in (server.folder / "nats.conf").read_text()


async def test_ctrl_c_at_the_terminal_does_not_reach_it(server: EmbeddedNats) -> None:
    assert server.pid is not None
    assert os.getpgid(server.pid) != os.getpgid(0)


async def test_stop_is_clean_and_can_be_repeated(server: EmbeddedNats) -> None:
    pid = server.pid
    assert pid is not None
    await server.stop()
    assert not runs(pid)
    assert "Server Exiting" in (server.folder / "nats.log").read_text()
    await server.stop()
    with pytest.raises(NatsStartError, match="is stopped"):
        await server.endpoint()


async def test_starting_twice_is_a_mistake(server: EmbeddedNats) -> None:
    with pytest.raises(RuntimeError, match="already started"):
        await server.start()


async def test_a_killed_server_comes_back_and_tells(server: EmbeddedNats) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    server.add_listener(told.put_nowait)
    before = server.pid
    connection = await Connection.open(await server.endpoint(), name="test")
    for count in (1, 2):
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert await told.get() == "nats-server ended with code -9; starting it again"
        assert await told.get() == "nats-server is back"
        assert server.restarts == count
    await server.endpoint()
    assert server.pid != before
    assert connection.lost is not None
    connection = await Connection.open(await server.endpoint(), name="test")
    connection.abort()


async def test_endpoint_waits_while_the_server_is_away(server: EmbeddedNats) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    server.add_listener(told.put_nowait)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await told.get()
    connection = await Connection.open(await server.endpoint(), name="test")
    assert (await call_api(connection, "INFO", {}, 5))["streams"] == 0
    connection.abort()


async def test_a_server_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable_server.nats.embedded.STOP_SECONDS", 0.3)
    program = tmp_path / "deaf"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo nats-server: v2.15.1 && exit 0\ntrap "" TERM\n'
        """echo '{"nats": ["nats://127.0.0.1:1"]}' > deaf.ports\nexec sleep 600\n"""
    )
    program.chmod(0o755)
    server = EmbeddedNats(tmp_path / "nats", binary=program)
    await server.start()
    pid = server.pid
    assert pid is not None
    await server.stop()
    await gone(pid)  # it is no child of ours: its parent may not have heard yet


@pytest.mark.parametrize("watch", [False, True])
async def test_a_stopped_server_ends_in_order_without_being_killed(
    tmp_path: Path, watch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable_server.nats.embedded.STOP_SECONDS", 1000.0)
    server = EmbeddedNats(tmp_path / "nats", watch=watch)
    await server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await server.stop()
    assert not runs(pid)
    assert "Server Exiting" in (tmp_path / "nats" / "nats.log").read_text()


@pytest.mark.parametrize("mode", ["exec", "watch"])
async def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path, mode: str) -> None:
    parent, pid = start_parent(tmp_path / "nats", mode)
    assert runs(pid)
    parent.kill()
    parent.communicate()
    await gone(pid)
    # Gracefully: the store is in order for the next one.
    server = EmbeddedNats(tmp_path / "nats")
    await server.start()
    await server.stop()


async def test_watched_it_stops_and_restarts_like_otherwise(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats", watch=True)
    told: asyncio.Queue[str] = asyncio.Queue()
    server.add_listener(told.put_nowait)
    await server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert await told.get() == "nats-server ended with code 137; starting it again"
    assert await told.get() == "nats-server is back"
    pid = server.pid
    await server.stop()
    await gone(pid)


async def test_a_stale_server_is_ended_before_the_next_starts(tmp_path: Path) -> None:
    """What a crash leaves behind where nothing ends the child: a server on our store."""
    folder = tmp_path / "nats"
    first = EmbeddedNats(folder)
    await first.start()
    await first.stop()
    orphan = await asyncio.create_subprocess_exec(
        find_nats_server().path, "-c", folder / "nats.conf"
    )
    (folder / "nats.pid").write_text(f"{orphan.pid}\n")
    told: list[str] = []
    second = EmbeddedNats(folder)
    second.add_listener(told.append)
    await second.start()
    assert told == [f"ended nats-server {orphan.pid}, which an earlier run had left behind"]
    assert await orphan.wait() in (0, -signal.SIGTERM)
    assert second.pid != orphan.pid
    await second.stop()


async def test_a_pid_that_now_is_somebody_else_is_left_alone(tmp_path: Path) -> None:
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
    folder = tmp_path / "nats"
    folder.mkdir()
    (folder / "nats.pid").write_text(f"{other.pid}\n")
    server = EmbeddedNats(folder)
    await server.start()
    assert other.returncode is None
    await server.stop()
    other.kill()
    await other.wait()


async def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "nats"
    folder.mkdir()
    (folder / "jetstream").write_text("a file where the store should be")
    server = EmbeddedNats(folder)
    with pytest.raises(NatsStartError) as caught:
        await server.start()
    assert str(caught.value) == (
        "nats-server ended with code 1 before it was ready:"
        " Can't start JetStream: storage directory is not a directory"
    )
    assert server.pid is None
    (folder / "jetstream").unlink()
    await server.start()
    await server.stop()


async def test_a_program_that_ends_without_output_is_reported_so(tmp_path: Path) -> None:
    program = tmp_path / "silent"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo nats-server: v2.15.1 && exit 0\nexit 3\n'
    )
    program.chmod(0o755)
    server = EmbeddedNats(tmp_path / "nats", binary=program)
    with pytest.raises(NatsStartError) as caught:
        await server.start()
    assert str(caught.value) == (
        "nats-server ended with code 3 before it was ready: it wrote nothing"
    )


async def test_a_server_that_cannot_come_back_is_given_up(
    server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable_server.nats.embedded.FAILED_STARTS_MAX", 3)
    told: asyncio.Queue[str] = asyncio.Queue()
    server.add_listener(told.put_nowait)
    given_up: asyncio.Queue[NatsStartError] = asyncio.Queue()
    server.on_given_up = given_up.put_nowait
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    shutil.rmtree(server.folder / "jetstream")
    (server.folder / "jetstream").write_text("in the way")
    os.kill(server.pid, signal.SIGKILL)
    lines = [await told.get() for _ in range(4)]
    assert [line[:20] for line in lines[:3]] == ["nats-server ended wi"] * 3
    assert lines[3].startswith("given up: nats-server ended with code 1 before it was ready: ")
    assert lines[3] == f"given up: {await given_up.get()}"
    with pytest.raises(NatsStartError, match="before it was ready"):
        await server.endpoint()


async def test_a_cancelled_start_leaves_no_process(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats")
    task = asyncio.create_task(server.start())
    while not (server.folder / "nats.pid").exists():  # noqa: ASYNC110 (written by a child)
        await asyncio.sleep(0.001)
    pid = int((server.folder / "nats.pid").read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not runs(pid)


async def test_a_half_written_ports_file_is_no_endpoint_yet(server: EmbeddedNats) -> None:
    """nats-server writes the file in place, so a reader can meet any prefix of it."""
    (ports,) = server.folder.glob("*.ports")
    whole = ports.read_text()
    assert json.loads(whole)["nats"]
    for length in (0, 1, len(whole) // 2, len(whole) - 2):
        ports.write_text(whole[:length])
        assert read_ports_file(server.folder) is None
    ports.write_text(whole)
    found = read_ports_file(server.folder)
    assert found is not None
    assert found.servers == (await server.endpoint()).servers
