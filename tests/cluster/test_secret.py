"""The secret of a system: one for all, whoever looks for it first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from durable_server.cluster.records import write_record
from durable_server.cluster.secret import (
    LINK_LABEL,
    SECRET_BYTES,
    SECRET_SUBJECT,
    WEBHOOK_LABEL,
    SecretError,
    derive,
    load_or_create_secret,
)
from durable_server.nats.connection import Connection

from ..support.external_nats import JETSTREAM, External, external_nats
from .nodes import at, with_nats


async def test_all_who_look_for_it_at_once_have_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        secrets = await asyncio.gather(*(load_or_create_secret(at(nats.url), 1) for _ in range(5)))
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        again = await load_or_create_secret(at(nats.url), 1)
    assert set(secrets) == {again}
    assert len(again) == SECRET_BYTES
    assert again.hex() not in caplog.text
    async with external_nats(tmp_path / "other", JETSTREAM) as other:
        assert await load_or_create_secret(at(other.url), 1) != again


def test_each_use_has_a_key_of_its_own() -> None:
    secret = bytes(range(SECRET_BYTES))
    link, webhook = derive(secret, LINK_LABEL), derive(secret, WEBHOOK_LABEL)
    assert len({secret, link, webhook, derive(link, LINK_LABEL)}) == 4
    # Nodes of two versions must derive the same.
    assert link.hex() == "3de068702cfbc88a694e8f33afcceb969ebe09974f95a13f71be86ee5e2e23d5"
    assert webhook.hex() == "8597b351d030da262f12064d0c81c10ed0fdf0f179357d323c0bacb372bd3bcf"


async def test_a_damaged_secret_is_refused(nats: External) -> None:
    async def use(connection: Connection) -> None:
        await write_record(connection, SECRET_SUBJECT, b"short", expected=None)

    await with_nats(nats.url, use)
    with pytest.raises(SecretError, match=r"5 bytes instead of 32; remove it with `nats stream"):
        await load_or_create_secret(at(nats.url), 1)
