"""Addresses: what is accepted, what is refused with a hint, and what must never be sent in clear."""

from __future__ import annotations

import pytest

import durable
from durable._common.addresses import parse_address, parse_addresses
from durable._common.rotation import Rotation
from durable._common.transport import backoff_seconds
from durable._worker.service_channels import ServiceChannels, parse_services


def targets(text: str | None) -> list[str]:
    return [it.target for it in parse_addresses(text, insecure=True)]


@pytest.mark.parametrize(
    ("text", "target", "tls"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", False),
        ("localhost:1", "localhost:1", False),
        ("[::1]:50051", "[::1]:50051", False),
        ("dns:///localhost:5", "dns:///localhost:5", False),
        ("127.1.2.3:5", "127.1.2.3:5", False),
        ("unix:/tmp/socket", "unix:/tmp/socket", False),
        ("grpc://127.0.0.1:5", "127.0.0.1:5", False),
        ("grpcs://example.com:443", "example.com:443", True),
        ("grpcs://example.com:443/", "example.com:443", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:2", "ipv4:127.0.0.1:1,127.0.0.2:2", False),
        ("grpcs://ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", True),
        ("unix:/tmp/a,b", "unix:/tmp/a,b", False),
    ],
)
def test_addresses(text: str, target: str, tls: bool) -> None:
    (address,) = parse_addresses(text)
    assert not address.listed
    assert address.target == target
    assert address.secure == tls


def test_the_default_is_the_environment_then_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DURABLE_ADDRESS", raising=False)
    assert targets(None) == ["127.0.0.1:50051"]
    monkeypatch.setenv("DURABLE_ADDRESS", "127.0.0.1:7")
    assert targets(None) == ["127.0.0.1:7"]
    monkeypatch.setenv("DURABLE_ADDRESS", "127.0.0.1:7, 127.0.0.1:8")
    assert targets(None) == ["127.0.0.1:7", "127.0.0.1:8"]


@pytest.mark.parametrize(
    "text",
    [
        "example.com:50051",
        "10.0.0.1:1",
        "127.example.com:1",
        "127.0.0.1.example.com:1",
        "dns:///example.com:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "127.0.0.1:1,example.com:1",
        "grpc://127.0.0.1:1,example.com:1",
    ],
)
def test_plain_text_leaves_the_machine_only_when_asked(text: str) -> None:
    with pytest.raises(ValueError, match="insecure=True"):
        durable.Client(text)
    with pytest.raises(ValueError, match="insecure=True"):
        durable.AsyncClient(text)
    assert not any(it.secure for it in parse_addresses(text, insecure=True))
    assert all(it.secure for it in parse_addresses(text, tls=True))


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
        parse_addresses(text)


@pytest.mark.parametrize("text", ["grpcs://a:1,b:2", "grpcs://a:1, grpcs://b:2/"])
def test_one_scheme_is_for_the_whole_list(text: str) -> None:
    found = parse_addresses(text)
    assert [it.text for it in found] == ["grpcs://a:1", "grpcs://b:2"]
    assert all(it.listed for it in found)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:1,,c:3", "is a list with an empty part, number 2"),
        ("a:1,", "is a list with an empty part, number 2"),
        ("a:1,b,c:3", "'b' is not of the form 'host:port'; it is number 2 of 'a:1,b,c:3'"),
        ("a:1,b:99999", "'b:99999' has a port beyond 65535; it is number 2"),
        ("a:1,b:2,a:1", "names 'a:1' twice"),
        ("grpcs://a:1,grpcs://a:1", "names 'a:1' twice"),
        ("a:1,grpcs://b:2", "mixes TLS and plain text; .* as in 'grpcs://a:1,b:2'"),
        ("grpcs://a:1,grpc://b:2", "mixes TLS and plain text"),
        ("grpc://a:1,grpcs://b:2", "mixes TLS and plain text"),
        ("a:1,http://b:2", "'http://b:2' has the scheme 'http'"),
        ("a:1,unix:/tmp/socket", "'unix:/tmp/socket' cannot stand in a list"),
    ],
)
def test_a_bad_list_names_the_bad_part(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_addresses(text, insecure=True)


def test_a_service_has_one_address() -> None:
    with pytest.raises(ValueError, match="is a list, and one address is expected"):
        parse_address("a:1,b:2", insecure=True)


def test_a_rotation_visits_every_address_and_moves_once_for_many_failures() -> None:
    addresses = parse_addresses("127.0.0.1:1,127.0.0.1:2,127.0.0.1:3")
    rotation = Rotation(addresses, lambda it: [it.target])
    order = []
    for _ in addresses:
        order.append(rotation.address)
        assert rotation.use() is rotation.use()
        rotation.leave(rotation.address)
    assert set(order) == set(addresses)
    assert len(rotation.opened()) == len(rotation) == 3
    first, second, third = order
    for left, following in ((first, second), (second, third), (third, first)):
        for _ in range(10):
            rotation.leave(left)
        assert rotation.address == following
    assert len(rotation.opened()) == 3


def test_clients_begin_at_different_addresses() -> None:
    addresses = parse_addresses("127.0.0.1:1,127.0.0.1:2,127.0.0.1:3")
    # By chance all of them agree once in 3 ** 199 runs.
    first = {Rotation(addresses, str).address for _ in range(200)}
    assert len(first) > 1


def test_tls_and_a_refusal_of_it_conflict() -> None:
    with pytest.raises(ValueError, match="forbids"):
        parse_addresses("grpcs://example.com:443", tls=False)


def test_backoff_grows_and_is_bounded() -> None:
    for attempt in (0, 3, 50, 5_000):
        draws = [backoff_seconds(attempt) for _ in range(50)]
        assert all(0 <= draw <= min(2.0, 0.05 * 2.0 ** min(attempt, 32)) for draw in draws)


def test_only_the_delay_after_a_round_over_all_addresses_grows() -> None:
    longest = [
        max(backoff_seconds(attempt, addresses=3) for _ in range(300)) for attempt in range(9)
    ]
    assert all(delay <= 0.05 for number, delay in enumerate(longest, 1) if number % 3)
    after_rounds = [delay for number, delay in enumerate(longest, 1) if number % 3 == 0]
    for delay, ceiling in zip(after_rounds, (0.05, 0.1, 0.2), strict=True):
        # All 300 draws are in the lower half of the interval once in 2 ** 300 runs.
        assert ceiling / 2 < delay <= ceiling


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
