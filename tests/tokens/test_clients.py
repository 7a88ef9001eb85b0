"""Clients and workers that show a token to a control plane that asks for one."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import durable
from durable._common.api_token import kept_tokens
from durable_server.access.tokens import BOOTSTRAP_FILE, TokenText
from durable_server.app import ControlPlane
from durable_server.config import Config

from ..support.external_nats import JETSTREAM, external_nats
from ..support.waiting import eventually


@durable.workflow(name="greet")
async def greet(ctx: durable.Context, name: str) -> str:
    return await ctx.run("greet", lambda: f"Hello, {name}!")


@durable.workflow(name="hold")
async def hold(ctx: durable.Context) -> str:
    return str(await ctx.promise("go"))


@pytest.fixture
def config(config: Config) -> Config:
    return Config(
        listen=config.listen, http=config.http, data_dir=config.data_dir, auth=True,
        grace_seconds=0.2,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine that runs the test is used."""
    for name in ("DURABLE_TOKEN", "DURABLE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest_asyncio.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[durable.AsyncClient]:
    token = (plane.config.data_dir / BOOTSTRAP_FILE).read_text()
    async with durable.AsyncClient(plane.address, token=token) as client:
        yield client


@asynccontextmanager
async def serving(
    plane: ControlPlane, token: str | Callable[[], str] | None
) -> AsyncIterator[asyncio.Task[None]]:
    """Runs a worker; gives its task once the control plane has welcomed it."""
    worker = durable.Worker(plane.address, workflows=[greet, hold], token=token)
    task = asyncio.create_task(worker.run())
    ready = asyncio.create_task(worker.ready())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    try:
        yield task
    finally:
        worker.stop()
        await asyncio.wait({task}, timeout=10)


async def test_a_client_and_a_worker_with_tokens(
    plane: ControlPlane, admin: durable.AsyncClient
) -> None:
    me = await admin.whoami()
    assert (me.name, me.kind, me.scopes) == ("bootstrap", "token", ("admin:*",))
    assert me.authenticates
    serve = await admin.create_token("worker", ["worker"], handlers=["greet", "hold"])
    call = await admin.create_token("client", ["invoke"], handlers=["greet"], expires_in=3600)
    assert call.text not in repr(call)
    async with (
        serving(plane, serve.text),
        durable.AsyncClient(plane.address, token=call.text) as client,
    ):
        assert await client.invoke(greet, "you") == "Hello, you!"
        with pytest.raises(durable.PermissionDeniedError, match="durable whoami") as denied:
            await client.list_tokens()
        assert denied.value.reason == "PERMISSION_DENIED"
    tokens = await admin.list_tokens()
    assert [(it.name, it.state, it.creator) for it in tokens] == [
        ("bootstrap", "valid", ""),
        ("client", "valid", "bootstrap"),
        ("worker", "valid", "bootstrap"),
    ]


def test_the_sync_client_shows_its_token_too(plane_in_thread: tuple[str, str]) -> None:
    address, text = plane_in_thread
    with durable.Client(address, token=text) as client:
        made = client.create_token("a", ["read"])
        assert client.revoke_token("a").state == "revoked"
    with durable.Client(address, token=made.text) as client:
        with pytest.raises(durable.UnauthenticatedError, match="was revoked") as refused:
            client.stats()
        assert refused.value.metadata["problem"] == "revoked"


@pytest_asyncio.fixture
async def plane_in_thread(config: Config) -> AsyncIterator[tuple[str, str]]:
    """A control plane on a loop of its own, for a test that blocks its thread."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    served: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    outer = asyncio.get_running_loop()

    async def main() -> None:
        async with ControlPlane(config) as plane:
            outer.call_soon_threadsafe(served.set_result, plane.address)
            await stop.wait()

    running = outer.run_in_executor(None, loop.run_until_complete, main())
    address = await served
    yield address, (config.data_dir / BOOTSTRAP_FILE).read_text()
    loop.call_soon_threadsafe(stop.set)
    await running
    loop.close()


async def test_without_a_token_the_way_out_is_named(plane: ControlPlane) -> None:
    async with durable.AsyncClient(plane.address) as client:
        with pytest.raises(durable.UnauthenticatedError, match="DURABLE_TOKEN_FILE") as refused:
            await client.invoke(greet, "you")
    assert refused.value.metadata["problem"] == "missing"
    with pytest.raises(durable.UnauthenticatedError):
        async with serving(plane, None) as worker:
            await worker


async def test_a_worker_ends_when_its_token_is_revoked(
    plane: ControlPlane, admin: durable.AsyncClient
) -> None:
    made = await admin.create_token("worker", ["worker"])
    async with serving(plane, made.text) as worker:
        await admin.revoke_token("worker")
        with pytest.raises(durable.UnauthenticatedError, match="was revoked"):
            await worker


async def test_a_worker_takes_up_a_token_that_was_replaced(
    plane: ControlPlane,
    admin: durable.AsyncClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "token"
    path.write_text((await admin.create_token("one", ["worker"])).text)
    monkeypatch.setenv("DURABLE_TOKEN_FILE", str(path))
    async with serving(plane, None) as worker:
        monkeypatch.delenv("DURABLE_TOKEN_FILE")
        (before,) = await admin.list_workers()
        path.write_text(f"{(await admin.create_token('two', ['worker'])).text}\n")
        await admin.revoke_token("one")
        assert await admin.invoke(greet, "you") == "Hello, you!"
        (after,) = await eventually(admin.list_workers)
        assert after.worker_id == before.worker_id
        assert not worker.done()


async def test_a_worker_keeps_its_token_while_its_source_fails(
    plane: ControlPlane, admin: durable.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    made = (await admin.create_token("worker", ["worker"])).text
    failures: list[Exception] = []

    def token() -> str:
        if failures:
            raise failures[0]
        return made

    worker = durable.Worker(plane.address, workflows=[greet], token=token)
    running = asyncio.create_task(worker.run())
    await worker.ready()
    failures.append(ConnectionError("the issuer is away"))
    session = worker._session
    assert session is not None
    session.break_off()
    await eventually(lambda: worker.statistics().sessions == 2 or running.done())
    assert not running.done()
    assert "the issuer is away" in caplog.text
    assert made not in caplog.text
    worker.stop()
    await running


async def test_a_client_takes_up_a_token_that_was_replaced(
    plane: ControlPlane, admin: durable.AsyncClient
) -> None:
    made = [await admin.create_token(name, ["read", "invoke"]) for name in ("one", "two")]
    given = made[0].text
    calls = 0

    def token() -> str:
        nonlocal calls
        calls += 1
        return given

    async with serving(plane, (await admin.create_token("worker", ["worker"])).text):
        async with durable.AsyncClient(plane.address, token=token) as client:
            held = await client.invoke_async(hold)
            assert calls == 1
            given = made[1].text
            await admin.revoke_token("one")
            assert (await client.get(held)).invocation_id == held
            assert calls == 2
            await admin.revoke_token("two")
            with pytest.raises(durable.UnauthenticatedError):
                await client.get(held)
            changes = client.watch(held)
            with pytest.raises(durable.UnauthenticatedError):
                await anext(changes)
        # A watch that is open ends with its token, and goes on with another one.
        made = [await admin.create_token(name, ["read"]) for name in ("three", "four")]
        given = made[0].text
        async with durable.AsyncClient(plane.address, token=token) as client:
            changes = client.watch(held)
            first = await anext(changes)
            assert first.status in ("pending", "running")
            given = made[1].text
            await admin.revoke_token("three")
            await admin.resolve_promise(held, "go", "done")
            async for change in changes:
                last = change
            assert last.status == "completed"


async def test_two_nodes_know_the_same_tokens(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))

        def node(name: str) -> ControlPlane:
            return ControlPlane(
                Config(
                    listen="127.0.0.1:0", nats_url=nats.url, node=name, data_dir=tmp_path / name,
                    partitions=2, auth=True, grace_seconds=0.2,
                )
            )  # fmt: skip

        a, b = await asyncio.gather(*(stack.enter_async_context(node(it)) for it in "ab"))
        files = [it.config.first_token_file for it in (a, b)]
        (file,) = [it for it in files if it.exists()]
        admin = await stack.enter_async_context(
            durable.AsyncClient(a.address, token=file.read_text())
        )
        made = await admin.create_token("worker", ["worker"])
        call = await admin.create_token("client", ["invoke"])
        async with (
            serving(b, made.text) as worker,
            durable.AsyncClient(b.address, token=call.text) as client,
        ):
            for _ in range(4):  # for handlers of any partition, so also forwarded
                assert await client.invoke(greet, "you") == "Hello, you!"
            await admin.revoke_token("worker")
            with pytest.raises(durable.UnauthenticatedError, match="was revoked"):
                await worker
            await admin.revoke_token("client")
            assert b.tokens is not None
            (token,) = [it for it in b.tokens.table if it.name == "client"]
            await eventually(lambda: b.tokens is not None and b.tokens.table.revoked(token.id))
            with pytest.raises(durable.UnauthenticatedError):
                await client.invoke_async(greet, "you")


async def test_a_token_of_http(plane: ControlPlane, admin: durable.AsyncClient) -> None:
    made = await admin.create_token("curl", ["admin"])

    def ask(method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://{plane.http_address}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {made.text}",
                "content-type": "application/json",
            },
        )
        return json.loads(urllib.request.urlopen(request, timeout=10).read())

    identity = await asyncio.to_thread(ask, "GET", "/v1/access/identity")
    assert (identity["name"], identity["kind"]) == ("curl", "token")
    body = {"name": "two", "scopes": ["read"], "handlers": ["a.*"]}
    new = await asyncio.to_thread(ask, "POST", "/v1/access/tokens", body)
    assert new["token"]["scopes"] == ["read:a.*"]
    async with durable.AsyncClient(plane.address, token=new["text"]) as client:
        assert (await client.whoami()).name == "two"
    listed = await asyncio.to_thread(ask, "GET", "/v1/access/tokens")
    assert [it["name"] for it in listed["tokens"]] == ["bootstrap", "curl", "two"]
    gone = await asyncio.to_thread(ask, "POST", "/v1/access/tokens/two:revoke", {})
    assert gone["token"]["revokeTime"]


async def test_a_token_that_cannot_be_checked_now_is_no_defect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = str(TokenText.new())

    def ask(address: str) -> int:
        request = urllib.request.Request(
            f"http://{address}/v1/stats", headers={"authorization": f"Bearer {unknown}"}
        )
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request, timeout=20)
        raised.value.close()
        return raised.value.code

    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        config = Config(
            listen="127.0.0.1:0", http="127.0.0.1:0", nats_url=nats.url, auth=True,
            data_dir=tmp_path / "data", grace_seconds=0.2,
        )  # fmt: skip
        async with ControlPlane(config) as plane:
            assert await asyncio.to_thread(ask, plane.http_address) == 401
            nats.kill()
            assert await asyncio.to_thread(ask, plane.http_address) == 503
            async with durable.AsyncClient(plane.address, token=unknown, timeout=0) as client:
                with pytest.raises(
                    durable.UnavailableError, match="cannot be asked for API tokens"
                ):
                    await client.whoami()
            assert "incident" not in caplog.text
            nats.start()


async def test_an_own_token_is_not_shown_to_services(
    plane: ControlPlane, admin: durable.AsyncClient
) -> None:
    """Only the addresses of the control plane have one."""
    from durable._common.addresses import parse_address, parse_addresses

    os.environ["DURABLE_TOKEN"] = "secret"
    try:
        assert parse_address("127.0.0.1:1").token is None
        (address,) = parse_addresses("127.0.0.1:1")
        assert address.token is not None
        assert "secret" not in repr(address)
    finally:
        del os.environ["DURABLE_TOKEN"]


async def test_what_a_login_has_kept_is_shown_at_its_address(
    plane: ControlPlane, admin: durable.AsyncClient, tmp_path: Path
) -> None:
    text = (await admin.create_token("me", ["read"])).text
    path = tmp_path / "config" / "durable" / "credentials.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"tokens": {plane.address: text, "other:1": "x"}}))
    assert kept_tokens() == {plane.address: text, "other:1": "x"}
    async with durable.AsyncClient(plane.address) as client:
        assert (await client.whoami()).name == "me"
    async with durable.AsyncClient(f"grpc://{plane.address}") as client:
        assert (await client.whoami()).name == "me"
    path.write_text("{")
    with pytest.raises(ValueError, match="is damaged; remove it, and run `durable login`"):
        durable.AsyncClient(plane.address)


@pytest.mark.parametrize(
    ("token", "text"),
    [("", "token is empty"), ("a b", "token is no token: 1 to"), ("ä", "is no token"),
     ("x" * 9000, "is no token"), (7, "token is not a str but int")],
)  # fmt: skip
def test_a_token_that_is_none_is_refused(token: object, text: str) -> None:
    with pytest.raises(ValueError, match=text) as raised:
        durable.Client("127.0.0.1:1", token=token)  # type: ignore[arg-type]  # wrong on purpose
    assert not token or str(token) not in str(raised.value)


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DURABLE_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"DURABLE_TOKEN_FILE .*none cannot be read: No such file"):
        durable.Client("127.0.0.1:1")
    monkeypatch.setenv("DURABLE_TOKEN", "a")
    with pytest.raises(ValueError, match="are both set; keep one"):
        durable.Client("127.0.0.1:1")
    # What a program gives goes before.
    durable.Client("127.0.0.1:1", token="b").close()


async def test_what_a_program_gives_is_used_for_what_it_serves_too(
    plane: ControlPlane,
    admin: durable.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DURABLE_TOKEN_FILE", str(tmp_path / "none"))
    made = await admin.create_token("all", ["worker", "invoke"])
    async with durable.AsyncClient(plane.address, token=made.text) as client:
        client.register(greet)
        await client.serve_handlers()
        assert await client.invoke(greet, "you") == "Hello, you!"


async def test_local_mode_has_no_tokens() -> None:
    async with durable.AsyncClient.local() as client:
        me = await client.whoami()
        assert (me.kind, me.authenticates) == ("none", False)
        with pytest.raises(durable.RpcError, match="start it with --auth"):
            await client.create_token("a", ["read"])
