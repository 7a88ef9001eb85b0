"""Every door, with the right certificate and with each wrong one."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest

import durable
from durable._common.tls import TlsFiles as ClientFiles
from durable._common.tls_probe import hidden_problem
from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config, ConfigError
from durable_server.peers.interface import PeerUnavailableError
from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer
from durable_server.peers.transport import LinkTls
from durable_server.rpc.own_socket import OwnSocket
from durable_server.tls.certificates import Certificates
from durable_server.tls.material import CertificateError, TlsFiles

from ..peers.conftest import credentials
from ..peers.methods import RecordedMethods
from .files import Authority, Pair, environment


def port_of(address: str) -> str:
    return address.rpartition(":")[2]


async def ask(address: str) -> None:
    async with durable.AsyncClient(address, timeout=0.5) as client:
        await client.server_info()


def ask_in_sync(address: str) -> None:
    with durable.Client(address, timeout=0.5) as client:
        client.server_info()


# ---- gRPC


@pytest.mark.parametrize("scheme", ["", "grpcs://"])
async def test_a_client_with_a_certificate_is_served(
    mutual: ControlPlane, authority: Authority, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    environment(monkeypatch, authority, authority.issue("client"))
    for host in ("localhost", "127.0.0.1"):
        await ask(f"{scheme}{host}:{port_of(mutual.address)}")


async def test_each_wrong_certificate_of_a_client_is_one_line(
    mutual: ControlPlane,
    authority: Authority,
    stranger: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = f"grpcs://{mutual.address}"
    for pair in (None, stranger.issue("client"), authority.issue("expired", expired=True)):
        environment(monkeypatch, authority, pair)
        with pytest.raises(
            durable.UnavailableError, match=r"asks clients for a.*TLS_CERT"
        ) as caught:
            await ask(address)
        assert "\n" not in str(caught.value)


async def test_an_authority_that_is_not_trusted_is_named(
    mutual: ControlPlane,
    authority: Authority,
    stranger: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = f"grpcs://{mutual.address}"
    for trusted in (stranger, None):
        environment(monkeypatch, trusted, authority.issue("client"))
        with pytest.raises(
            durable.UnavailableError, match=r"authority that is not.*DURABLE_TLS_CA"
        ):
            await ask(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_plain_text_to_a_port_with_tls(
    mutual: ControlPlane, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    address = f"{host}:{port_of(mutual.address)}"
    environment(monkeypatch, None)
    with pytest.raises(durable.UnavailableError, match=r"may speak TLS only.*write grpcs://"):
        await ask(address)
    with pytest.raises(durable.UnavailableError, match=r"may speak TLS only.*write grpcs://"):
        ask_in_sync(address)


async def test_tls_to_a_port_without(
    plane: ControlPlane, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, authority)
    with pytest.raises(durable.UnavailableError, match=r"has no TLS.*write grpc://"):
        await ask(plane.address)
    await ask(f"grpc://{plane.address}")


@pytest.mark.parametrize(
    ("hosts", "expired", "problem"),
    [
        (("elsewhere",), False, "certificate of 127.0.0.1:.* is for other host names"),
        ((), True, "certificate of 127.0.0.1:.* is refused: certificate has expired"),
    ],
)
async def test_each_wrong_certificate_of_a_server_is_one_line(
    config: Config,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    hosts: tuple[str, ...],
    expired: bool,
    problem: str,
) -> None:
    pair = authority.issue("wrong", *hosts, expired=expired)
    wrong = replace(config, http="", tls_cert=pair.cert, tls_key=pair.key)
    environment(monkeypatch, authority)
    async with ControlPlane(wrong) as plane:
        with pytest.raises(durable.UnavailableError, match=problem):
            await ask(plane.address)


async def test_an_argument_goes_before_the_environment(
    mutual: ControlPlane,
    authority: Authority,
    stranger: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment(monkeypatch, stranger)
    pair = authority.issue("client")
    tls = grpc.ssl_channel_credentials(
        authority.ca.read_bytes(), pair.key.read_bytes(), pair.cert.read_bytes()
    )
    address = f"localhost:{port_of(mutual.address)}"
    async with durable.AsyncClient(address, timeout=5, tls=tls) as client:
        await client.server_info()


def test_files_of_a_client_that_cannot_be_used(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = authority.issue("client")
    empty = tmp_path / "empty"
    empty.touch()
    for given, problem in (
        (Pair(pair.cert, Path("/nowhere")), "DURABLE_TLS_KEY /nowhere cannot be read"),
        (Pair(pair.cert, authority.issue("other").key), "are not a certificate and its key"),
    ):
        environment(monkeypatch, authority, given)
        with pytest.raises(ValueError, match=problem):
            durable.Client("localhost:1")
    monkeypatch.delenv("DURABLE_TLS_CERT")
    with pytest.raises(ValueError, match="DURABLE_TLS_KEY is set and DURABLE_TLS_CERT is not"):
        durable.Client("localhost:1")
    monkeypatch.delenv("DURABLE_TLS_KEY")
    monkeypatch.setenv("DURABLE_TLS_CA", str(empty))
    with pytest.raises(ValueError, match=r"DURABLE_TLS_CA .*empty has no certificate"):
        durable.AsyncClient("localhost:1")


def test_what_grpc_hides_of_two_addresses_is_found(
    mutual: ControlPlane,
    plane: ControlPlane,
    authority: Authority,
    stranger: Authority,
) -> None:
    """As when `localhost` is asked at ::1 last, where nobody listens."""
    refused = "failed to connect to all addresses; last error: ipv6:[::1]:1: Connection refused"

    def found(plane: ControlPlane, files: ClientFiles | None, host: str = "localhost") -> str:
        return hidden_problem(refused, f"{host}:{port_of(plane.address)}", files)

    trusted = ClientFiles(authority.ca, *authority.issue("client"))
    assert "Socket closed" in found(mutual, None)
    assert "Socket closed" in found(mutual, ClientFiles(authority.ca))
    assert "CERTIFICATE_VERIFY_FAILED: " in found(mutual, ClientFiles(stranger.ca))
    assert found(plane, trusted) == "WRONG_VERSION_NUMBER"
    # What is well, or somewhere else, is not said to be wrong.
    assert found(mutual, trusted) == found(plane, None) == refused
    assert found(mutual, None, "127.0.0.1") == refused


# ---- HTTP


async def test_http_asks_for_the_same_certificate(
    mutual: ControlPlane, authority: Authority, stranger: Authority
) -> None:
    port = port_of(mutual.http_address)
    url = f"https://localhost:{port}/api/workflows"
    async with httpx.AsyncClient(verify=authority.context(authority.issue("client"))) as client:
        response = await client.get(url, headers={"origin": f"https://localhost:{port}"})
        assert response.status_code == 200
        # The same name without TLS is another origin.
        response = await client.get(url, headers={"origin": f"http://localhost:{port}"})
        assert response.status_code == 403
    for context in (
        authority.context(),
        authority.context(stranger.issue("client")),
        authority.context(authority.issue("expired", expired=True)),
        stranger.context(),
    ):
        async with httpx.AsyncClient(verify=context) as client:
            with pytest.raises((httpx.ReadError, httpx.ConnectError)):
                await client.get(url)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"http://localhost:{port}/health")


async def test_bytes_that_are_no_request_are_refused_within_tls(
    mutual: ControlPlane, authority: Authority
) -> None:
    reader, writer = await asyncio.open_connection(
        "localhost",
        int(port_of(mutual.http_address)),
        ssl=authority.context(authority.issue("client")),
    )
    writer.write(b"nonsense\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_the_address_of_the_process_itself_is_for_its_user_alone(
    mutual: ControlPlane,
) -> None:
    sockets = _sockets()
    assert sockets
    for path in sockets:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def _sockets() -> list[Path]:
    return [it for it in Path(tempfile.gettempdir()).glob("durable-own-*/grpc") if it.is_socket()]


def test_what_a_killed_process_has_left_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Shorter than pytest's own folder, because of the limit of a socket's path.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        left, lives = Path(folder, "durable-own-left"), Path(folder, "durable-own-lives")
        for it in (left, lives):
            it.mkdir()
        with socket.socket(socket.AF_UNIX) as gone, socket.socket(socket.AF_UNIX) as listening:
            gone.bind(str(left / "grpc"))
            listening.bind(str(lives / "grpc"))
            listening.listen()
            gone.close()
            own = OwnSocket()
            assert not left.exists()
            assert lives.exists()
            own.remove()
            assert [it.name for it in Path(folder).iterdir()] == [lives.name]


# ---- links between nodes


async def test_links_check_both_sides(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    def tls(owner: Authority, trusted: Authority, name: str, *hosts: str) -> LinkTls:
        pair = owner.issue(name, *hosts)
        certificates = Certificates(TlsFiles(*pair, node_ca=trusted.ca))
        assert certificates.serving_nodes is not None
        return LinkTls(certificates.serving_nodes, certificates.dialling_nodes)

    async def called(server: LinkTls, client: LinkTls | None, *, secret: str = "") -> bytes:
        own = credentials("b")
        serving = PeerServer(own, RecordedMethods(), tls=server)
        address = f"localhost:{port_of(await serving.start('127.0.0.1:0'))}"
        caller = credentials("a", secret=secret) if secret else credentials("a")
        links = Links(caller, lambda _: address, tls=client)
        try:
            return await links.call("b", "Echo", b"x", 10)
        finally:
            await links.close()
            await serving.stop(0.0)

    server = tls(authority, authority, "b")
    assert await called(server, tls(authority, authority, "a")) == b"x"
    for client, problem in (
        (None, "have both nodes TLS"),
        (tls(stranger, authority, "a"), "have both nodes TLS"),
        (tls(authority, stranger, "a"), "its certificate is refused: self-signed certificate"),
    ):
        with pytest.raises(PeerUnavailableError, match=problem):
            await called(server, client)
    # A certificate of the authority alone makes no node.
    with pytest.raises(PeerUnavailableError, match="the secret is not that of node b"):
        await called(server, tls(authority, authority, "a"), secret="what clients do not know")
    elsewhere = tls(authority, authority, "elsewhere", "elsewhere.example")
    with pytest.raises(PeerUnavailableError, match=r"is refused: Hostname mismatch.*localhost"):
        await called(elsewhere, tls(authority, authority, "a"))


# ---- settings


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tls_cert": Path("c")}, "--tls-cert c needs its key: add --tls-key FILE"),
        ({"tls_key": Path("k")}, "--tls-key k needs the certificate: add --tls-cert FILE"),
        ({"tls_client_ca": Path("a")}, "--tls-client-ca a needs the certificate"),
        ({"listen": "0.0.0.0:0"}, "--tls-cert FILE .* --insecure .* --no-auth"),
        ({"http": "0.0.0.0:0"}, "--tls-cert FILE .* --insecure .* --no-auth"),
        (
            {"tls_cert": Path("c"), "tls_key": Path("k"), "node": "a", "nats_url": "nats://h"},
            "links between nodes too.* add --tls-node-ca FILE",
        ),
        ({"nats_ca": Path("a")}, "--nats-ca.* are for an external NATS system"),
        ({"nats_url": "tls://h", "nats_ca": Path("/nowhere")}, "--nats-ca /nowhere cannot be used"),
    ],
)
def test_a_mistake_is_one_line(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Config(**settings).check()  # type: ignore[arg-type]  # each has the type of its field
    assert "\n" not in str(caught.value)


async def test_files_of_a_server_that_cannot_be_used(
    config: Config, authority: Authority, tmp_path: Path
) -> None:
    pair, other = authority.issue("server"), authority.issue("other")
    text = tmp_path / "text"
    text.write_text("no certificate")
    locked = tmp_path / "locked"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    for cert, key, problem in (
        (Path("/nowhere"), pair.key, "--tls-cert /nowhere cannot be read: No such file"),
        (text, pair.key, "--tls-cert .*text has no certificate in the PEM format"),
        (pair.cert, text, "--tls-key .*text has no private key"),
        (pair.cert, other.key, "--tls-key .*other.key is not the key of --tls-cert"),
        (pair.cert, locked, "--tls-key .*locked is encrypted.*openssl pkey"),
    ):
        with pytest.raises(CertificateError, match=problem):
            await ControlPlane(replace(config, tls_cert=cert, tls_key=key)).__aenter__()


async def test_without_tls_no_other_address_is_made(plane: ControlPlane) -> None:
    before = _sockets()
    async with grpc.aio.insecure_channel(plane.address) as channel:
        stub = control_pb2_grpc.DurableControlStub(channel)
        await stub.GetServerInfo(control_pb2.GetServerInfoRequest())
    assert _sockets() == before


def test_a_context_needs_tls_1_2_and_one_that_asks_for_a_certificate_1_3(
    authority: Authority,
) -> None:
    pair = authority.issue("server")
    material = Certificates(TlsFiles(*pair, node_ca=authority.ca)).current
    for context in (material.serving, material.dialling_nodes):
        assert context is not None
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    # It asks for a certificate; see `tls.material` about sessions.
    assert material.serving_nodes is not None
    assert material.serving_nodes.minimum_version is ssl.TLSVersion.TLSv1_3
