"""An external NATS system with TLS, which asks its clients for a certificate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.log_reader import open_log
from durable_server.nats.connection import Connection, ConnectionLostError
from durable_server.nats.endpoint import NatsTls, external_source

from ..support.external_nats import JETSTREAM, external_nats
from .files import Authority


async def test_a_control_plane_on_nats_with_tls(
    config: Config,
    authority: Authority,
    stranger: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = authority.issue("nats")
    own = authority.issue("own")
    cert, key, ca = (json.dumps(str(it)) for it in (*server, authority.ca))
    lines = (
        f"{JETSTREAM}\ntls {{ cert_file: {cert}, key_file: {key}, ca_file: {ca}, verify: true }}"
    )
    async with external_nats(tmp_path / "nats", lines) as nats:
        url = nats.url.replace("nats://", "tls://")
        # The scheme may be left out: files are for TLS.
        for given in (url, nats.url):
            settings = replace(config, nats_url=given, http="", nats_ca=authority.ca)
            settings = replace(settings, nats_cert=own.cert, nats_key=own.key)
            async with (
                ControlPlane(settings) as plane,
                grpc.aio.insecure_channel(plane.address) as channel,
            ):
                stub = control_pb2_grpc.DurableControlStub(channel)
                await stub.GetServerInfo(control_pb2.GetServerInfoRequest())
        for name, path in (("CA", authority.ca), ("CERT", own.cert), ("KEY", own.key)):
            monkeypatch.setenv(f"DURABLE_NATS_{name}", str(path))
        async with open_log(tmp_path, url, partition=0) as log:
            assert log is not None
        for wrong in (
            NatsTls(authority.ca),
            NatsTls(authority.ca, *stranger.issue("own")),
            NatsTls(stranger.ca, *own),
            NatsTls(),
        ):
            with pytest.raises(ConnectionLostError, match=r"(?i)tls|certificate|ssl"):
                await Connection.open(await external_source(url, wrong)(), name="test")


async def test_the_next_connection_uses_files_that_have_changed(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    server = authority.issue("nats")
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(stranger.ca.read_bytes())
    cert, key = (json.dumps(str(it)) for it in server)
    async with external_nats(
        tmp_path / "nats", f"{JETSTREAM}\ntls {{ cert_file: {cert}, key_file: {key} }}"
    ) as nats:
        source = external_source(nats.url, NatsTls(trusted))
        with pytest.raises(ConnectionLostError, match="certificate verify failed"):
            await Connection.open(await source(), name="test")
        trusted.write_bytes(authority.ca.read_bytes())
        (await Connection.open(await source(), name="test")).abort()
        trusted.write_text("nonsense")
        (await Connection.open(await source(), name="test")).abort()
