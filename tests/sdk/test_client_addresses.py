"""Addresses: what is accepted, what is refused with a hint, and what must never be sent in clear."""

from __future__ import annotations

import pytest

import durable
from durable._common.transport import backoff_seconds, parse_address
from durable._worker.service_channels import ServiceChannels, parse_services


@pytest.mark.parametrize(
    ("text", "target", "tls"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", False),
        ("localhost:1", "localhost:1", False),
        ("[::1]:50051", "[::1]:50051", False),
        ("dns:///localhost:5", "dns:///localhost:5", False),
        ("unix:/tmp/socket", "unix:/tmp/socket", False),
        ("grpc://127.0.0.1:5", "127.0.0.1:5", False),
        ("grpcs://example.com:443", "example.com:443", True),
        ("grpcs://example.com:443/", "example.com:443", True),
    ],
)
def test_addresses(text: str, target: str, tls: bool) -> None:
    address = parse_address(text)
    assert address.target == target
    assert (address.credentials is not None) == tls


def test_the_default_is_the_environment_then_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DURABLE_ADDRESS", raising=False)
    assert parse_address(None).target == "127.0.0.1:50051"
    monkeypatch.setenv("DURABLE_ADDRESS", "127.0.0.1:7")
    assert parse_address(None).target == "127.0.0.1:7"


@pytest.mark.parametrize("text", ["example.com:50051", "10.0.0.1:1", "dns:///example.com:1"])
def test_plain_text_leaves_the_machine_only_when_asked(text: str) -> None:
    with pytest.raises(ValueError, match="insecure=True"):
        durable.Client(text)
    with pytest.raises(ValueError, match="insecure=True"):
        durable.AsyncClient(text)
    assert parse_address(text, insecure=True).credentials is None
    assert parse_address(text, tls=True).credentials is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("localhost", "host:port"),
        ("localhost:http", "host:port"),
        (":50051", "host:port"),
        ("http://localhost:8080", "speaks gRPC"),
        ("https://example.com:443", "grpcs://example.com:443"),
    ],
)
def test_what_is_no_address_says_so(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_address(text)


def test_tls_and_a_refusal_of_it_conflict() -> None:
    with pytest.raises(ValueError, match="forbids"):
        parse_address("grpcs://example.com:443", tls=False)


def test_backoff_grows_and_is_bounded() -> None:
    for attempt in (0, 3, 50, 5_000):
        draws = [backoff_seconds(attempt) for _ in range(50)]
        assert all(0 <= draw <= min(2.0, 0.05 * 2.0 ** min(attempt, 32)) for draw in draws)


def test_services_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_services("A=127.0.0.1:1, B = grpcs://h:2 ,") == {
        "A": "127.0.0.1:1",
        "B": "grpcs://h:2",
    }
    with pytest.raises(ValueError, match="NAME=HOST:PORT"):
        parse_services("A")
    monkeypatch.setenv("DURABLE_SERVICES", "A=nonsense")
    with pytest.raises(ValueError, match="host:port"):
        ServiceChannels(None)


async def test_one_channel_for_each_address() -> None:
    services = ServiceChannels({"A": "127.0.0.1:1", "pkg.B": "127.0.0.1:1", "C": "127.0.0.1:2"})
    assert services.channel("A") is services.channel("pkg.B")
    assert services.channel("pkg.A") is services.channel("A")
    assert services.channel("C") is not services.channel("A")
    with pytest.raises(LookupError, match="--service D=HOST:PORT"):
        services.channel("some.D")
    await services.close()
