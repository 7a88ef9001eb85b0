"""The first API token: one file and one record that fit each other, whatever happens at the start."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from durable_server.access.access import Grant, Scope
from durable_server.access.interface import Credential, UnauthenticatedError
from durable_server.access.tokens import BOOTSTRAP_FILE, BOOTSTRAP_NAME, Token, TokenText, new_token
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.tokens.bootstrap import TokenFileError, ensure_first_token
from durable_server.tokens.store import TokenStore
from durable_server.tokens.table import now_ms

from ..cluster.nodes import at
from ..support.external_nats import JETSTREAM, External, external_nats
from ..support.processes import control_plane

ADMIN = (Grant(Scope.ADMIN),)


@pytest_asyncio.fixture
async def nats(tmp_path: Path) -> AsyncIterator[External]:
    async with external_nats(tmp_path / "nats", JETSTREAM) as server:
        yield server


@pytest_asyncio.fixture
async def store(nats: External) -> AsyncIterator[TokenStore]:
    opened = TokenStore(at(nats.url), 1)
    await opened.start()
    yield opened
    await opened.close()


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


async def valid(store: TokenStore, path: Path) -> bool:
    """Whether the token in a file is one with the scope admin."""
    text = await asyncio.to_thread(path.read_text)
    try:
        access = await store.table.access(Credential(text.strip()))
    except UnauthenticatedError:
        return False
    assert access is not None
    assert access.grants == ADMIN
    assert access.name == BOOTSTRAP_NAME
    return True


def everything(_token: Token) -> bool:
    return True


async def test_a_new_system_gets_one(
    store: TokenStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    data = folder(tmp_path, "data")
    await ensure_first_token(store, data, None)
    path = data / BOOTSTRAP_FILE
    assert [it.name for it in data.iterdir()] == [BOOTSTRAP_FILE]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await valid(store, path)
    text = path.read_text()
    assert str(path) in caplog.text
    assert text.strip() not in caplog.text
    assert text.strip().rpartition("_")[2] not in caplog.text
    await ensure_first_token(store, data, None)
    assert path.read_text() == text
    assert len(store.table) == 1


async def test_a_system_with_tokens_gets_none(store: TokenStore, tmp_path: Path) -> None:
    await store.create(new_token(TokenText.new(), "other", ADMIN, now_ms=now_ms()))
    data = folder(tmp_path, "data")
    await ensure_first_token(store, data, None)
    assert list(data.iterdir()) == []
    await ensure_first_token(store, data, tmp_path / "named")
    assert not (tmp_path / "named").exists()


async def test_of_many_nodes_that_start_at_once_one_makes_it(
    nats: External, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        stores = [TokenStore(at(nats.url), 1) for _ in range(6)]
        for it in stores:
            await it.start()
            stack.push_async_callback(it.close)
        folders = [folder(tmp_path, f"data{number}") for number in range(6)]
        await asyncio.gather(
            *(ensure_first_token(it, data, None) for it, data in zip(stores, folders, strict=True))
        )
        files = [it / BOOTSTRAP_FILE for it in folders if (it / BOOTSTRAP_FILE).exists()]
        assert len(files) == 1
        for it in stores:
            assert await valid(it, files[0])
            assert len(it.table) == 1


async def test_of_many_processes_with_one_file_all_have_the_same(
    nats: External, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        stores = [TokenStore(at(nats.url), 1) for _ in range(6)]
        for it in stores:
            await it.start()
            stack.push_async_callback(it.close)
        path = tmp_path / "named"
        await asyncio.gather(*(ensure_first_token(it, tmp_path, path) for it in stores))
        for it in stores:
            assert await valid(it, path)
            assert len(it.table) == 1
        assert [it for it in os.listdir(tmp_path) if it.startswith("named")] == ["named"]


_CRASHING = """
import asyncio, os, signal, sys
from pathlib import Path
from durable_server.nats.endpoint import fixed, parse_urls
from durable_server.tokens.bootstrap import ensure_first_token
from durable_server.tokens.store import TokenStore

class Crashing(TokenStore):
    async def create(self, token):
        if sys.argv[3] == "after":
            await super().create(token)
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    store = Crashing(fixed(parse_urls(sys.argv[1])), 1)
    await store.start()
    await ensure_first_token(store, Path(sys.argv[2]), None)

asyncio.run(main())
"""


async def crash(nats: External, data: Path, when: str) -> None:
    """Runs a start that SIGKILL ends before or after the record is written."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CRASHING, nats.url, str(data), when)
    )
    assert await child.wait() == -9


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_around_the_record_leaves_a_file_that_becomes_valid(
    nats: External, store: TokenStore, tmp_path: Path, when: str
) -> None:
    data = folder(tmp_path, "data")
    await crash(nats, data, when)
    path = data / BOOTSTRAP_FILE
    text = path.read_text()
    assert await valid(store, path) is (when == "after")
    await ensure_first_token(store, data, None)
    assert path.read_text() == text
    assert await valid(store, path)


async def test_a_file_that_a_crash_has_left_is_removed_when_another_node_was_faster(
    nats: External, store: TokenStore, tmp_path: Path
) -> None:
    crashed, other = folder(tmp_path, "crashed"), folder(tmp_path, "other")
    await crash(nats, crashed, "before")
    await ensure_first_token(store, other, None)
    assert await valid(store, other / BOOTSTRAP_FILE)
    await ensure_first_token(store, crashed, None)
    assert not (crashed / BOOTSTRAP_FILE).exists()
    assert await valid(store, other / BOOTSTRAP_FILE)


async def test_a_file_of_the_operator_is_taken(store: TokenStore, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    text = TokenText.new()
    path.write_text(f"{text}\n")
    await ensure_first_token(store, tmp_path, path)
    assert await valid(store, path)
    assert path.read_text() == f"{text}\n"
    assert not (tmp_path / BOOTSTRAP_FILE).exists()


async def test_a_new_file_of_the_operator_is_taken_once_the_old_token_is_revoked(
    store: TokenStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, stale = tmp_path / "secret", tmp_path / "stale"
    await ensure_first_token(store, tmp_path, path)
    path.rename(stale)
    path.write_text(str(TokenText.new()))
    await ensure_first_token(store, tmp_path, path)
    assert not await valid(store, path)
    assert await valid(store, stale)
    assert f"the API token in {path} is not valid: the system has another token" in caplog.text

    await store.revoke(BOOTSTRAP_NAME, everything)
    await ensure_first_token(store, tmp_path, path)
    assert await valid(store, path)
    await ensure_first_token(store, tmp_path, stale)
    assert not await valid(store, stale)

    # What was revoked stays so, whatever a node finds in a file.
    await store.revoke(BOOTSTRAP_NAME, everything)
    await ensure_first_token(store, tmp_path, path)
    await ensure_first_token(store, tmp_path, stale)
    assert not await valid(store, path)
    assert not await valid(store, stale)
    assert f"the API token in {stale} was revoked: put another one there" in caplog.text


async def test_a_system_without_a_first_token_takes_that_of_the_operator(
    store: TokenStore, tmp_path: Path
) -> None:
    await store.create(new_token(TokenText.new(), "other", ADMIN, now_ms=now_ms()))
    path = tmp_path / "secret"
    path.write_text(str(TokenText.new()))
    await ensure_first_token(store, tmp_path, path)
    assert await valid(store, path)


async def test_the_file_of_a_revoked_token_is_removed(store: TokenStore, tmp_path: Path) -> None:
    await ensure_first_token(store, tmp_path, None)
    await store.revoke(BOOTSTRAP_NAME, everything)
    await ensure_first_token(store, tmp_path, None)
    assert not (tmp_path / BOOTSTRAP_FILE).exists()
    assert len(store.table) == 1


@pytest.mark.parametrize("content", ["", "opensesame", "durable_abcdefghijkl_short"])
async def test_a_file_without_a_token_is_refused(
    store: TokenStore, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "secret"
    path.write_text(content)
    with pytest.raises(TokenFileError, match=f"{path} is not the text of an API token") as raised:
        await ensure_first_token(store, tmp_path, path)
    assert not content or content not in str(raised.value)
    assert not len(store.table)


async def test_a_place_that_cannot_be_written_is_refused(store: TokenStore, tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match=r"cannot be written to .*No such file"):
        await ensure_first_token(store, tmp_path, tmp_path / "none" / "secret")
    assert not len(store.table)


async def test_a_control_plane_makes_it_before_it_serves(tmp_path: Path) -> None:
    config = Config(listen="127.0.0.1:0", data_dir=tmp_path / "data", auth=True, grace_seconds=0.2)
    async with ControlPlane(config) as plane:
        assert plane.tokens is not None
        assert await valid(plane.tokens, config.data_dir / BOOTSTRAP_FILE)
    text = (config.data_dir / BOOTSTRAP_FILE).read_text()
    async with ControlPlane(config) as plane:
        assert plane.tokens is not None
        assert await valid(plane.tokens, config.data_dir / BOOTSTRAP_FILE)
    assert (config.data_dir / BOOTSTRAP_FILE).read_text() == text


def test_several_processes_of_a_machine_have_one(tmp_path: Path) -> None:
    with control_plane(tmp_path, "--processes", "2", "--auth", "--partitions", "2") as (child, _):
        path = tmp_path / "data" / BOOTSTRAP_FILE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert child.text().count(f"{BOOTSTRAP_NAME} with the scope admin, is in {path}") == 1
        assert path.read_text().strip() not in child.text()
        assert os.listdir(path.parent).count(BOOTSTRAP_FILE) == 1
