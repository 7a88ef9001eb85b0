"""The audit of a control plane that authenticates: who has called, from where, and who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import grpc
import httpx
import pytest

from durable_proto.v1 import access_pb2, access_pb2_grpc, control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.support.waiting import eventually

from .calls import lines, planted

Stub: TypeAlias = Any
PEER = "127.0.0.1"
ANOTHER = "127.0.0.2"


class Served(NamedTuple):
    plane: ControlPlane
    channel: grpc.aio.Channel
    path: Path
    admin: str
    """The text of the first token."""

    def call(self, name: str, request: Any, token: str) -> Any:
        stub: Stub = control_pb2_grpc.DurableControlStub(self.channel)
        if not hasattr(stub, name):
            stub = access_pb2_grpc.DurableAccessStub(self.channel)
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        return getattr(stub, name)(request, metadata=metadata)

    async def refused(self, name: str, request: Any, token: str) -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(name, request, token)
        return caught.value.code()

    async def token(self, name: str, *scopes: str) -> str:
        request = access_pb2.CreateTokenRequest(name=name, scopes=scopes)
        made: access_pb2.CreateTokenResponse = await self.call("CreateToken", request, self.admin)
        return made.text

    async def until(self, method: str, count: int = 1) -> list[dict[str, Any]]:
        """Waits for entries of a method; returns them."""

        def found() -> list[dict[str, Any]]:
            entries = [it for it in lines(self.path) if it["method"] == method]
            return entries if len(entries) >= count else []

        return await eventually(found)


@pytest.fixture
async def served(config: Config, tmp_path: Path) -> AsyncIterator[Served]:
    path = tmp_path / "audit"
    on = replace(config, auth=True, audit=str(path))
    async with (
        ControlPlane(on) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        yield Served(plane, channel, path, _read(config.data_dir / "admin-token"))


def _read(path: Path) -> str:
    return path.read_text().strip()


CANCEL = control_pb2.CancelRequest(invocation_id="1" * 32, reason="clean up")


async def test_each_entry_says_who_has_called(served: Served) -> None:
    ops = await served.token("ops", "operate")
    assert await served.refused("Cancel", CANCEL, ops) is grpc.StatusCode.NOT_FOUND
    await served.call("RevokeToken", access_pb2.RevokeTokenRequest(name="ops"), served.admin)
    (made,) = await served.until("CreateToken")
    (cancelled,) = await served.until("Cancel")
    (revoked,) = await served.until("RevokeToken")
    for entry in (made, revoked):
        assert (entry["identity"], entry["kind"]) == ("bootstrap", "token")
        assert (entry["subject"], entry["code"]) == ("ops", "OK")
    assert (cancelled["identity"], cancelled["source"]) == ("ops", PEER)
    assert (cancelled["subject"], cancelled["reason"]) == ("1" * 32, "clean up")
    for secret in (ops, served.admin):
        assert not planted(served.path, secret.rpartition("_")[2])


async def test_who_may_not_has_an_entry_and_who_is_unknown_has_none(served: Served) -> None:
    reader = await served.token("reader", "read")
    for token in ("", "nonsense", "durable_aaaaaaaaaaaa_" + "b" * 43):
        assert await served.refused("Cancel", CANCEL, token) is grpc.StatusCode.UNAUTHENTICATED
    assert await served.refused("Cancel", CANCEL, reader) is grpc.StatusCode.PERMISSION_DENIED
    await served.call("GetStats", control_pb2.GetStatsRequest(), reader)
    assert await served.refused("DrainNode", control_pb2.DrainNodeRequest(), reader)
    (drain,) = await served.until("DrainNode")
    assert [it["method"] for it in lines(served.path)] == ["CreateToken", "Cancel", "DrainNode"]
    denied = lines(served.path)[1]
    assert (denied["identity"], denied["code"]) == ("reader", "PERMISSION_DENIED")
    assert (denied["error"], denied["source"]) == ("PERMISSION_DENIED", PEER)
    assert drain["code"] == "PERMISSION_DENIED"


async def test_a_call_over_http_has_the_address_of_the_http_client(served: Served) -> None:
    transport = httpx.AsyncHTTPTransport(local_address=ANOTHER)
    url = f"http://{served.plane.http_address}"
    async with httpx.AsyncClient(transport=transport, base_url=url) as http:
        answer = await http.post(
            f"/v1/invocations/{'1' * 32}:cancel",
            json={"reason": "by http"},
            headers={"authorization": f"Bearer {served.admin}"},
        )
        assert answer.status_code == 404, answer.text
    (entry,) = await served.until("Cancel")
    assert (entry["identity"], entry["source"]) == ("bootstrap", ANOTHER)
    assert entry["reason"] == "by http"


async def test_who_may_not_over_http_has_an_entry_too(served: Served) -> None:
    viewer = await served.token("viewer", "read")
    async with httpx.AsyncClient(base_url=f"http://{served.plane.http_address}") as http:
        headers = {"authorization": f"Bearer {viewer}"}
        answer = await http.post("/api/workflows/three/invoke", headers=headers, content="not json")
        assert answer.status_code == 403
        assert (await http.post("/api/workflows/three/invoke")).status_code == 401
    (entry,) = await served.until("Invoke")
    assert (entry["identity"], entry["code"]) == ("viewer", "PERMISSION_DENIED")


async def test_a_webhook_is_its_own_kind_of_caller(served: Served) -> None:
    request = control_pb2.CreateWebhookRequest(awakeable_id="approval")
    made = await served.call("CreateWebhook", request, served.admin)
    transport = httpx.AsyncHTTPTransport(local_address=ANOTHER)
    async with httpx.AsyncClient(transport=transport) as http:
        answer = await http.post(made.url, content=b"1")
        assert answer.status_code == 200, answer.text
    (entry,) = await served.until("ResolveAwakeable")
    assert (entry["kind"], entry["source"]) == ("webhook", ANOTHER)
    assert (entry["subject"], entry["code"]) == ("approval", "OK")
    assert not planted(served.path, made.url.rpartition("/")[2])


async def test_the_list_is_for_admins_and_has_all_entries(served: Served) -> None:
    ops = await served.token("ops", "operate")
    await served.refused("Cancel", CANCEL, ops)
    await served.until("Cancel")
    request = access_pb2.ListAuditRequest()
    assert await served.refused("ListAudit", request, ops) is grpc.StatusCode.PERMISSION_DENIED

    async def listed() -> list[str]:
        answer = await served.call("ListAudit", request, served.admin)
        return [it.method for it in answer.entries]

    async def both() -> bool:
        return len(await listed()) == 2

    await eventually(both)
    assert await listed() == ["Cancel", "CreateToken"]
