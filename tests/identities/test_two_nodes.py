"""Two nodes of a system: each accepts a session that began at the other, until its token is revoked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from durable_proto.v1 import access_pb2, access_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.http.web import Answer, Web
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.waiting import eventually


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[ControlPlane]]:
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))
        made = []
        for name in ("a", "b"):
            config = Config(
                listen="127.0.0.1:0",
                http="127.0.0.1:0",
                data_dir=tmp_path / name,
                nats_url=nats.url,
                node=name,
                partitions=1,
                auth=True,
                snapshots="none",
                grace_seconds=0.2,
            )
            made.append(await stack.enter_async_context(ControlPlane(config)))
        yield made


def admin_token(folder: Path) -> str:
    """Returns the first token of the system, which one of the nodes has written."""
    (path,) = folder.glob("*/admin-token")
    return path.read_text().strip()


async def test_a_session_is_of_the_system_and_not_of_a_node(
    nodes: list[ControlPlane], tmp_path: Path
) -> None:
    first, second = (Web(it.http_address) for it in nodes)
    admin = (("authorization", f"Bearer {admin_token(tmp_path)}"),)
    async with grpc.aio.insecure_channel(nodes[1].address) as channel:
        access: Any = access_pb2_grpc.DurableAccessStub(channel)
        made = await access.CreateToken(
            access_pb2.CreateTokenRequest(name="visitor", scopes=["read"]), metadata=admin
        )

        async def signed_in() -> Answer | None:
            found = await first.post("/session", {"token": made.text}, x_durable_page="1")
            return found if found.code == 200 else None

        answer = await eventually(signed_in)
        assert answer is not None
        session = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
        for web in (first, second):
            assert (await web.get("/v1/stats", **session)).code == 200
        await access.RevokeToken(access_pb2.RevokeTokenRequest(name="visitor"), metadata=admin)
    for web in (first, second):

        async def is_refused(web: Web = web) -> bool:
            return bool((await web.get("/v1/stats", **session)).code == 401)

        await eventually(is_refused)
