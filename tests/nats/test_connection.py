"""The NATS connection: the parser with any chunks, loss for good, logins, TLS."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest

from durable_server.nats.api import ApiError, call_api
from durable_server.nats.connection import Connection, ConnectionLostError
from durable_server.nats.embedded import EmbeddedNats
from durable_server.nats.endpoint import Endpoint, parse_urls
from durable_server.nats.parser import Message, Parser
from tests.support.external_nats import external_nats


@pytest.mark.parametrize("seed", range(40))
async def test_messages_survive_any_cut_of_the_stream(seed: int) -> None:
    rng = random.Random(seed)
    seen: list[Message] = []
    controls: list[bytes] = []

    def take(sid: int, message: Message) -> None:
        assert sid == 7
        seen.append(message)

    parser = Parser(take, controls.append)
    expected: list[Message] = []
    lines: list[bytes] = []
    wire = b""
    for number in range(30):
        size = rng.choice([0, 1, 2, 50, 5000])
        payload = rng.choice([b"\r\n", b"MSG a 7 3\r\n", b"x"]) * size
        reply = rng.choice([b"", b"reply.%d" % number])
        header = rng.choice([b"", b"NATS/1.0 503\r\n\r\n", b"NATS/1.0\r\nA: b\r\n\r\n"])
        middle = b" %b" % reply if reply else b""
        if header:
            wire += b"HMSG s%b 7%b %d %d\r\n%b%b\r\n" % (
                b".%d" % number,
                middle,
                len(header),
                len(header) + len(payload),
                header,
                payload,
            )
        else:
            wire += b"MSG s.%d 7%b %d\r\n%b\r\n" % (number, middle, len(payload), payload)
        control = rng.choice([b"", b"PING", b"PONG", b"+OK"])
        if control:
            wire += control + b"\r\n"
            lines.append(control)
        expected.append(Message(b"s.%d" % number, reply, header, payload))
    while wire:
        cut = rng.choice([1, 2, 7, 100, 4096, 65536])
        parser.feed(wire[:cut])
        wire = wire[cut:]
    assert seen == expected
    assert controls == lines
    assert [message.status for message in seen] == [
        503 if b"503" in message.header else 0 for message in expected
    ]


async def test_a_connection_has_one_life(server: EmbeddedNats) -> None:
    endpoint = await server.endpoint()
    connection = await Connection.open(endpoint, name="test")
    silent = await Connection.open(endpoint, name="silent")
    statuses: list[int] = []
    sid, _ = connection.subscribe(lambda message: statuses.append(message.status))
    assert (await connection.call(b"nobody.there", b"", 5)).status == 503
    received: asyncio.Queue[Message] = asyncio.Queue()
    _, inbox = silent.subscribe(received.put_nowait)
    await call_api(silent, "INFO", {}, 5)
    waiting = connection.call(inbox, b"", 30)
    await received.get()
    await server.stop()
    with pytest.raises(ConnectionLostError, match="closed"):
        await waiting
    assert connection.lost is not None
    assert statuses == [499]
    connection.unsubscribe(sid)
    with pytest.raises(ConnectionLostError):
        connection.call(b"nobody.there", b"", 5)
    connection.abort()


async def test_a_connection_that_is_reset_names_its_end() -> None:
    """A server that is killed with our bytes unread resets the connection instead of closing it."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"max_payload": 1000, "version": "2.15.1"}\r\nPONG\r\n')
        while b"PUB" not in await reader.read(1000):
            pass
        plain = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    listener = await asyncio.start_server(reset, "127.0.0.1", 0)
    connection = await Connection.open(Endpoint((listener.sockets[0].getsockname(),)), name="test")
    with pytest.raises(ConnectionLostError, match=r"the server closed the connection: .*reset"):
        await connection.call(b"a", b"", 30)
    listener.close()


async def test_a_call_that_nobody_answers_times_out(server: EmbeddedNats) -> None:
    endpoint = await server.endpoint()
    silent = await Connection.open(endpoint, name="silent")
    heard: asyncio.Queue[Message] = asyncio.Queue()
    _, inbox = silent.subscribe(heard.put_nowait)
    asking = await Connection.open(endpoint, name="asking")
    # Calls of one connection reach the server in order: after this answer it knows the inbox.
    await call_api(silent, "INFO", {}, 5)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        await asking.call(inbox, b"hello", 0.05)
    assert (await heard.get()).payload == b"hello"
    # Late answers and abandoned calls do not affect other calls.
    assert (await call_api(asking, "INFO", {}, 5))["streams"] == 0
    silent.abort()
    asking.abort()


async def test_a_call_without_an_answer_is_sent_again_until_one_comes(server: EmbeddedNats) -> None:
    endpoint = await server.endpoint()
    forgetful = await Connection.open(endpoint, name="forgetful")
    heard: list[Message] = []

    def answer_the_third(message: Message) -> None:
        heard.append(message)
        if len(heard) == 3:
            forgetful.publish(message.reply, b"yes", b"unused")

    _, inbox = forgetful.subscribe(answer_the_third)
    await call_api(forgetful, "INFO", {}, 5)
    asking = await Connection.open(endpoint, name="asking")
    answer = await asking.call(inbox, b"hello", 30, b"NATS/1.0\r\n\r\n", again_seconds=0.05)
    assert answer.payload == b"yes"
    assert len({(it.payload, it.header, it.reply) for it in heard}) == 1
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        await asking.call(inbox, b"again", 0.2, again_seconds=0.05)
    forgetful.abort()
    asking.abort()


async def test_a_silent_peer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says hello and then nothing more, as behind a broken network."""
    monkeypatch.setattr("durable_server.nats.connection.PING_INTERVAL", 0.05)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"max_payload": 1000, "version": "2.15.1"}\r\nPONG\r\n')
        while await reader.read(1000):
            pass
        writer.transport.abort()

    listener = await asyncio.start_server(mute, "127.0.0.1", 0)
    address = listener.sockets[0].getsockname()
    connection = await Connection.open(Endpoint((address,)), name="test")
    with pytest.raises(ConnectionLostError, match=r"no sign of life"):
        await connection.call(b"a", b"", 30)
    listener.close()


async def test_one_living_server_of_several_is_enough(server: EmbeddedNats) -> None:
    endpoint = await server.endpoint()
    several = endpoint._replace(servers=(("127.0.0.1", 1), *endpoint.servers, ("127.0.0.1", 2)))
    for _ in range(4):
        (await Connection.open(several, name="test")).abort()


async def test_api_errors_have_their_number(server: EmbeddedNats) -> None:
    connection = await Connection.open(await server.endpoint(), name="test")
    with pytest.raises(ApiError, match=r"stream not found \(10059\)") as caught:
        await call_api(connection, "STREAM.INFO.NONE", {}, 5)
    assert caught.value.number == 10059
    connection.abort()


async def test_tls_and_token(tmp_path: Path) -> None:
    _certificate(tmp_path)
    config = (
        'authorization { token: "tell me" }\n'
        f'tls {{ cert_file: "{tmp_path}/cert.pem", key_file: "{tmp_path}/key.pem" }}'
    )
    async with external_nats(tmp_path / "nats", config) as server:
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        endpoint = Endpoint((("127.0.0.1", server.port),), token="tell me", tls=context)
        connection = await Connection.open(endpoint, name="test")
        assert (await connection.call(b"nobody.there", b"", 5)).status == 503
        connection.abort()
        # The client follows a server that requires TLS, and refuses a certificate that no known
        # authority has signed.
        with pytest.raises(ConnectionLostError, match="certificate verify failed"):
            await Connection.open(endpoint._replace(tls=None), name="test")


def _certificate(folder: Path) -> None:
    options = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=test"
    names = "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    command = f"openssl req -x509 {options} {names}"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("text", "servers", "login", "encrypted"),
    [
        ("localhost", (("localhost", 4222),), (None, None, None), False),
        ("nats://a:1,nats://b:2", (("a", 1), ("b", 2)), (None, None, None), False),
        ("nats://me:s%40y@a, b", (("a", 4222), ("b", 4222)), ("me", "s@y", None), False),
        ("tls://secret@[::1]:5", (("::1", 5),), (None, None, "secret"), True),
    ],
)
def test_urls(
    text: str,
    servers: tuple[tuple[str, int], ...],
    login: tuple[str | None, str | None, str | None],
    encrypted: bool,
) -> None:
    endpoint = parse_urls(text)
    assert endpoint.servers == servers
    assert (endpoint.user, endpoint.password, endpoint.token) == login
    assert (endpoint.tls is not None) == encrypted


def test_wrong_urls_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="starts with nats:// or tls://, not with http://"):
        parse_urls("http://a")
    with pytest.raises(ValueError, match="needs a host"):
        parse_urls("nats://:4222")
    for port in ("notaport", "99999", "0"):
        with pytest.raises(ValueError, match=rf"port .* for a:{port} must be") as caught:
            parse_urls(f"nats://me:secret@a:{port}")
        assert "secret" not in str(caught.value)
