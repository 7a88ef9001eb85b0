"""Two authorities, and control planes that trust the first one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from durable_server.app import ControlPlane
from durable_server.config import Config

from .files import Authority, Secret


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def secret(tmp_path: Path) -> Secret:
    return Secret(tmp_path / "secret")


@pytest_asyncio.fixture(scope="module")
async def mutual(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> AsyncIterator[ControlPlane]:
    """A control plane that asks clients for a certificate."""
    folder = tmp_path_factory.mktemp("mutual")
    pair = authority.issue("server")
    async with ControlPlane(
        Config(
            listen="127.0.0.1:0",
            http="127.0.0.1:0",
            data_dir=folder / "data",
            grace_seconds=0.2,
            tls_cert=pair.cert,
            tls_key=pair.key,
            tls_client_ca=authority.ca,
        )
    ) as plane:
        yield plane


@pytest.fixture
def following(config: Config, authority: Authority, secret: Secret) -> Config:
    """The settings of a control plane whose certificate is in a secret, and that asks for none."""
    pair = secret.publish(authority)
    return replace(config, tls_cert=pair.cert, tls_key=pair.key)
