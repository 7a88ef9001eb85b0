"""The store of API tokens in NATS: writes that race, tables that follow, NATS that goes and comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from durable_server.access.access import Grant, Scope
from durable_server.access.interface import (
    Credential,
    CredentialUncheckedError,
    UnauthenticatedError,
)
from durable_server.access.tokens import (
    KEPT_MS,
    Token,
    TokenExistsError,
    TokenNotFoundError,
    TokensFullError,
    TokenText,
    new_token,
)
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection
from durable_server.nats.parser import Message
from durable_server.tokens import store as store_module
from durable_server.tokens.records import STREAM, decode, encode
from durable_server.tokens.store import TokenStore
from durable_server.tokens.table import TokenTable, now_ms

from ..cluster.nodes import at, make_system, with_nats
from ..support.external_nats import JETSTREAM, External, external_nats, nats_cluster
from ..support.processes import free_port
from ..support.waiting import PATIENCE_SECONDS, eventually

GRANTS = (Grant(Scope.INVOKE, "orders.*"),)


@pytest_asyncio.fixture
async def nats(tmp_path: Path) -> AsyncIterator[External]:
    async with external_nats(tmp_path / "nats", JETSTREAM, free_port()) as server:
        yield server


@asynccontextmanager
async def opened(nats: External, replicas: int = 1) -> AsyncIterator[TokenStore]:
    store = TokenStore(at(nats.url), replicas)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


def made(name: str, *, at_ms: int = 0, expire_ms: int = 0) -> tuple[Credential, Token]:
    text = TokenText.new()
    token = new_token(text, name, GRANTS, now_ms=at_ms or now_ms(), expire_ms=expire_ms)
    return Credential(str(text), source="10.0.0.1:5"), token


def everything(_token: Token) -> bool:
    return True


async def refused(table: TokenTable, credential: Credential) -> str:
    with pytest.raises(UnauthenticatedError) as raised:
        await table.access(credential)
    assert credential.bearer not in str(raised.value)
    return raised.value.problem


async def gone(table: TokenTable, token: Token) -> None:
    """Waits until a table tells that a token is not valid any more."""
    heard = asyncio.Event()

    def hear(ids: Collection[str]) -> None:
        if token.id in ids:
            heard.set()

    end = table.listen(hear)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not table.revoked(token.id):
                await heard.wait()
    finally:
        end()


async def test_a_token_is_known_on_every_node_as_soon_as_it_is_made(nats: External) -> None:
    async with opened(nats) as one, opened(nats) as other:
        for number in range(20):
            credential, token = made(f"t{number}")
            assert await refused(other.table, credential) == "unknown"
            await one.create(token)
            # At once: what the other one has not heard yet, it asks for.
            access = await other.table.access(credential)
            assert access == token.access()
            assert access is not None
            assert access.source == "10.0.0.1:5"
        async with opened(nats) as late:
            assert {it.name for it in late.table} == {f"t{number}" for number in range(20)}
            assert sorted(late.table, key=repr) == sorted(one.table, key=repr)


async def test_a_revocation_reaches_every_node(nats: External) -> None:
    async with opened(nats) as one, opened(nats) as other:
        credential, token = made("worker")
        await one.create(token)
        assert await other.table.access(credential)
        heard = asyncio.create_task(gone(other.table, token))
        await asyncio.sleep(0)
        revoked = await one.revoke("worker", everything)
        assert revoked.revoke_ms
        assert await refused(one.table, credential) == "revoked"
        await heard
        assert await refused(other.table, credential) == "revoked"
        assert await other.revoke("worker", everything) == revoked, "once is enough"


async def test_a_secret_of_another_token_is_unknown(nats: External) -> None:
    async with opened(nats) as store:
        _, token = made("a")
        await store.create(token)
        forged = str(TokenText(token.id, TokenText.new().secret))
        assert await refused(store.table, Credential(forged)) == "unknown"
        assert await refused(store.table, Credential(forged[:-1])) == "malformed"
        assert await store.table.access(Credential("ey.some.jwt")) is None
        assert await store.table.access(Credential()) is None


async def test_an_expired_token_is_refused(nats: External) -> None:
    async with opened(nats) as store:
        credential, token = made("a", expire_ms=now_ms() - 1)
        await store.create(token)
        assert await refused(store.table, credential) == "expired"


async def test_of_tokens_of_one_name_that_are_made_at_once_one_lands(nats: External) -> None:
    async with opened(nats) as one, opened(nats) as other:
        tokens = [made("same.name")[1] for _ in range(8)]
        done = await asyncio.gather(
            *((one, other)[number % 2].create(token) for number, token in enumerate(tokens)),
            return_exceptions=True,
        )
        landed = [token for token, it in zip(tokens, done, strict=True) if it is None]
        assert len(landed) == 1
        assert [type(it) for it in done if it is not None] == [TokenExistsError] * 7
        await one.create(landed[0])  # as a try whose answer was lost
        await eventually(lambda: one.table.get("same.name") == other.table.get("same.name"))
        assert one.table.get("same.name") == landed[0]


async def test_names_with_dots_are_different_tokens(nats: External) -> None:
    async with opened(nats) as store:
        for name in ("a.b", "a-b", "a_b", "..", "a."):
            await store.create(made(name)[1])
    async with opened(nats) as store:
        assert {it.name for it in store.table} == {"a.b", "a-b", "a_b", "..", "a."}


async def test_what_may_not_be_revoked_does_not_exist(nats: External) -> None:
    async with opened(nats) as store:
        credential, token = made("a")
        await store.create(token)
        with pytest.raises(TokenNotFoundError):
            await store.revoke("a", lambda it: it.name == "b")
        with pytest.raises(TokenNotFoundError):
            await store.revoke("b", everything)
        assert await store.table.access(credential)


async def test_a_table_is_read_again_after_a_lost_connection(nats: External) -> None:
    async with opened(nats) as store:
        credential, token = made("a")
        await store.create(token)
        nats.kill()
        assert await store.table.access(credential), "what was known stays so"
        unknown, later = made("b")
        with pytest.raises(CredentialUncheckedError):
            await eventually(lambda: store.table.access(unknown))
        nats.start()
        async with opened(nats) as other:
            await other.revoke("a", everything)
            await other.create(later)
        await gone(store.table, token)
        await eventually(lambda: store.table.get("b") == later)
        assert await store.table.access(unknown)


async def test_the_first_reading_waits_for_nats(nats: External) -> None:
    async with opened(nats) as store:
        credential, token = made("a")
        await store.create(token)
    nats.kill()
    late = TokenStore(at(nats.url), 1)
    starting = asyncio.create_task(late.start())
    done, _ = await asyncio.wait({starting}, timeout=0.3)
    assert not done
    nats.start()
    await starting
    assert await late.table.access(credential)
    await late.close()


async def test_a_stream_that_was_deleted_is_made_again_without_tokens(nats: External) -> None:
    async with opened(nats) as store:
        credential, token = made("a")
        await store.create(token)
        await store.create(made("b")[1])

        async def delete(connection: Connection) -> None:
            await call_api(connection, f"STREAM.DELETE.{STREAM.name}", {}, 5.0)

        await with_nats(nats.url, delete)
        await gone(store.table, token)
        assert await refused(store.table, credential) == "unknown"
        await store.create(token)
        assert await store.table.access(credential)


async def test_the_stream_is_followed_again_after_it_could_not_be_made(nats: External) -> None:
    async with opened(nats) as store:
        _, token = made("a")
        await store.create(token)
        other = {"name": "OTHER", "subjects": [STREAM.subjects]}

        async def replace(connection: Connection) -> None:
            await call_api(connection, f"STREAM.DELETE.{STREAM.name}", {}, 5.0)
            await call_api(connection, "STREAM.CREATE.OTHER", other, 5.0)

        async def back(connection: Connection) -> None:
            await call_api(connection, "STREAM.DELETE.OTHER", {}, 5.0)

        await with_nats(nats.url, replace)
        await eventually(lambda: "takes its subjects" in store._problem)
        await with_nats(nats.url, back)
        await gone(store.table, token)


async def test_tokens_that_ended_long_ago_are_removed_at_the_next_write(nats: External) -> None:
    async with opened(nats) as store:
        long_ago = now_ms() - KEPT_MS - 60_000
        for name in ("old", "older", "bootstrap"):
            await store.create(made(name, expire_ms=long_ago)[1])
        ended = made("ended", expire_ms=now_ms() - 60_000)[1]
        await store.create(ended)
        assert {it.name for it in store.table} == {"bootstrap", "ended"}
        await store.create(made("new")[1])
        async with opened(nats) as late:
            assert {it.name for it in late.table} == {"bootstrap", "ended", "new"}


async def test_a_removal_leaves_who_has_the_name_now(nats: External) -> None:
    async with opened(nats) as store, opened(nats) as other:
        await store.create(made("old", expire_ms=now_ms() - KEPT_MS - 60_000)[1])
        # As in a process that has not heard yet that another one has given the name away.
        rows = store.table.removable(now_ms())
        old = made("old")[1]
        await eventually(lambda: other.table.get("old"))
        await other.create(old)
        await store._remove(rows)
        async with opened(nats) as late:
            assert late.table.get("old") == old
        await eventually(lambda: store.table.get("old") == old)


async def test_a_record_that_is_lost_on_the_way_is_missed(nats: External) -> None:
    async with opened(nats) as store, opened(nats) as other:
        connection = store._connection
        assert connection is not None
        [(sid, handler)] = connection._handlers.items()
        lost: list[Message] = []

        def lose(message: Message) -> None:
            if message.status or lost:
                handler(message)
            else:
                lost.append(message)

        connection._handlers[sid] = lose
        token = made("a")[1]
        await other.create(token)
        await eventually(lambda: store.table.get("a") == token)
        assert lost
        assert store._connection is not connection


async def test_there_are_so_many_tokens_and_no_more(
    nats: External, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "TOKENS_MAX", 2)
    async with opened(nats) as store:
        await store.create(made("a")[1])
        await store.create(made("b")[1])
        with pytest.raises(TokensFullError):
            await store.create(made("c")[1])


async def test_a_damaged_record_lets_nobody_in(
    nats: External, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(nats) as store:
        credential, token = made("a")

        async def write(connection: Connection) -> None:
            for data in (b"{}", encode(token).replace(b'"name": "a"', b'"name": "b"')):
                await connection.call(b"durable.access.tokens.a", data, 5.0)

        await with_nats(nats.url, write)
        assert await refused(store.table, credential) == "unknown"
        assert caplog.text.count("durable.access.tokens.a is damaged and ignored") == 1
        async with opened(nats) as late:
            assert not len(late.table)


async def test_a_token_whose_record_is_damaged_later_lets_nobody_in(nats: External) -> None:
    async with opened(nats) as store:
        credential, token = made("a.b")
        await store.create(token)
        assert await store.table.access(credential)

        async def write(connection: Connection) -> None:
            await connection.call(b"durable.access.tokens.a~b", b'{"name": ' + b"[" * 100_000, 5.0)

        await with_nats(nats.url, write)
        await gone(store.table, token)
        assert await refused(store.table, credential) == "unknown"


def test_a_record_keeps_fields_of_later_versions() -> None:
    token = made("a")[1]
    before = json.dumps({**json.loads(encode(token)), "later": 1}).encode()
    assert decode(before) == token
    assert json.loads(encode(token, before))["later"] == 1


async def test_callers_with_invented_tokens_cost_few_questions(nats: External) -> None:
    async with opened(nats) as store:
        asked = 0
        connection = store._connection
        assert connection is not None
        call = connection.call

        def counting(subject: bytes, *rest: object, **options: object) -> object:
            nonlocal asked
            asked += b"STREAM.INFO" in subject
            return call(subject, *rest, **options)  # type: ignore[arg-type]  # passed on as it came

        connection.call = counting  # type: ignore[method-assign, assignment]  # counts and passes on
        invented = [Credential(str(TokenText.new())) for _ in range(500)]
        problems = await asyncio.gather(*(refused(store.table, it) for it in invented))
        assert set(problems) == {"unknown"}
        assert 1 <= asked <= 2


async def test_three_servers_keep_the_tokens_and_one_may_die(tmp_path: Path) -> None:
    async with nats_cluster(tmp_path) as servers:
        urls = ",".join(it.url for it in servers)
        await make_system(urls, replicas=3)
        one, other = (TokenStore(at(urls), 3) for _ in range(2))
        await asyncio.gather(one.start(), other.start())
        try:
            credential, token = made("a")
            await one.create(token)
            assert await other.table.access(credential)
            leaders: list[str] = []

            async def find(connection: Connection) -> None:
                info = await call_api(connection, f"STREAM.INFO.{STREAM.name}", {}, 5.0)
                leaders.append(info["cluster"]["leader"])

            await with_nats(urls, find)
            servers[int(leaders[0].removeprefix("n"))].kill()
            await one.revoke("a", everything)
            await gone(other.table, token)
            later, second = made("b")
            await other.create(second)
            await eventually(lambda: one.table.get("b") == second)
            assert await one.table.access(later)
        finally:
            await asyncio.gather(one.close(), other.close())
