"""Requests as bytes: what HTTP allows is understood, and every refusal has the same JSON form."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import quote

import grpc
import pytest

from durable_server.app import ControlPlane
from durable_server.http import requests
from tests.support.manual_worker import ManualWorker

INVOKE = "POST /api/workflows/three/invoke?async=true HTTP/1.1"
PAUSE = f"POST /api/workflows/{'0' * 32}/pause HTTP/1.1"
RESOLVE = "POST /v1/awakeables/a:resolve HTTP/1.1"


class Raw(NamedTuple):
    """One answer as it came over the wire."""

    code: int
    headers: dict[str, str]
    body: Any

    @property
    def reason(self) -> str:
        (info,) = self.body["details"]
        return str(info["reason"])


class Socket:
    """A connection to the HTTP address."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def __aenter__(self) -> Socket:
        host, _, port = self.address.rpartition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        self._writer.write(data)
        await self._writer.drain()
        if end:
            self._writer.write_eof()

    async def answer(self) -> Raw:
        """Reads one answer."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 20)
        first, *lines = head.decode().rstrip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return Raw(int(first.split()[1]), headers, json.loads(body) if body else None)


@pytest.fixture
def address(plane: ControlPlane) -> str:
    return plane.http_address


def head(line: str, address: str, *headers: str) -> bytes:
    return "\r\n".join((line, f"Host: {address}", *headers, "", "")).encode()


async def ask(address: str, line: str, *headers: str, body: bytes = b"") -> Raw:
    length = (f"Content-Length: {len(body)}",) if body else ()
    async with Socket(address) as connection:
        await connection.send(head(line, address, *length, *headers) + body)
        return await connection.answer()


def in_house_form(answer: Raw) -> None:
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.keys() == {"code", "status", "message", "details"}
    assert answer.body["code"] == answer.code


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("2026-01-01T00:00:00+02:00", 200),
        ("2026-01-01T00:00:00.5+02:00", 200),
        ("2026-01-01T00:00:00%2B02:00", 200),
        ("2026-01-01T00:00:00%2b02:00", 200),
        ("2026-01-01T00:00:00-02:00", 200),
        ("2026-01-01T00:00:00Z", 200),
        ("2026-01-01T00:00:00", 400),
        ("2026-01-01+00:00:00Z", 400),
        ("2026-01-01", 400),
        ("1767225600", 400),
        ("yesterday", 400),
        ("", 400),
    ],
)
async def test_a_time_may_have_a_plus(address: str, time: str, code: int) -> None:
    for name in ("create_time_min", "createTimeMax"):
        answer = await ask(address, f"GET /v1/invocations?{name}={time} HTTP/1.1")
        assert answer.code == code, answer.body
        if code == 400:
            assert "is no time; write 2026-01-31T12:00:00Z, or with %2B02:00" in str(answer.body)


async def test_a_time_with_a_plus_is_that_time(address: str, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel):
        assert (await ask(address, INVOKE)).code == 202
        for time, found in (("2999-01-01T00:00:00+02:00", 0), ("2026-01-01T00:00:00+02:00", 1)):
            path = f"/v1/invocations?create_time_min={time}"
            answer = await ask(address, f"GET {path} HTTP/1.1")
            assert len(answer.body.get("invocations", ())) == found


@pytest.mark.parametrize(
    ("line", "headers", "body", "code", "words"),
    [
        (PAUSE, ["Idempotency-Key:"], b"", 400, "Idempotency-Key: is empty"),
        (PAUSE, ["Idempotency-Key:   "], b"", 400, "Idempotency-Key: is empty"),
        (PAUSE, ["Idempotency-Key: a", "idempotency-key: a"], b"", 400, "given 2 times"),
        (INVOKE, ["Idempotency-Key: a", "Idempotency-Key: b"], b"1", 400, "given 2 times"),
        (
            "POST /v1/handlers/three:invoke HTTP/1.1",
            ["Idempotency-Key: a"],
            b"{}",
            400,
            "Idempotency-Key: is a header of /api; here the body has `idempotency_key`",
        ),
        (
            f"POST /v1/invocations/{'0' * 32}:pause HTTP/1.1",
            ["Idempotency-Key: a"],
            b"{}",
            400,
            "the body has `request_id`",
        ),
        (
            "POST /v1/handlers/three:invoke HTTP/1.1",
            [],
            b'{"idempotencyKey": "a", "idempotency_key": "a"}',
            400,
            "idempotency_key: is the field idempotencyKey in another spelling",
        ),
        (
            RESOLVE,
            [],
            b'{"outcome": {"value": {"content_type": null, "contentType": "b"}}}',
            400,
            "outcome.value.contentType: is the field outcome.value.content_type in another",
        ),
        (
            "POST /v1/objects/cart/a/state HTTP/1.1",
            [],
            b'{"state": {"n": {"contentType": "", "content_type": ""}}}',
            400,
            "state.n.content_type: is the field state.n.contentType in another",
        ),
        (
            "GET /v1/invocations?page_size=1&pageSize=1 HTTP/1.1",
            [],
            b"",
            400,
            "page_size: given twice, as page_size and as pageSize",
        ),
        ("GET /v1/invocations?page_size=1&page_size=2 HTTP/1.1", [], b"", 400, "given 2 times"),
        ("GET /api/workflows?limit=1&limit=1 HTTP/1.1", [], b"", 400, "given 2 times"),
        ("GET /api/workflows?key=%zz HTTP/1.1", [], b"", 400, "query: '%zz' is no percent-encoding"),
        ("GET /api/workflows?key=100% HTTP/1.1", [], b"", 400, "query: '%' is no percent"),
        ("GET /api/workflows/a%2 HTTP/1.1", [], b"", 400, "invocation_id: '%2' is no percent"),
        (INVOKE, ["Content-Encoding: gzip"], b"\x1f\x8b", 415, "'gzip' is not decoded here"),
        (INVOKE, ["Content-Encoding: identity, br"], b"1", 415, "send the body as it is"),
        (INVOKE, ["Content-Encoding: gzip"], b"", 415, "'gzip' is not decoded here"),
        (RESOLVE, ["Content-Encoding: deflate"], b"{}", 415, "'deflate' is not decoded here"),
        (
            INVOKE,
            ["Content-Type: application/json; charset=latin-1"],
            b"1",
            415,
            "Content-Type: the charset 'latin-1' is not read; send UTF-8",
        ),
        (
            INVOKE,
            ['Content-Type: application/json;Charset="UTF-16"'],
            b"1",
            415,
            "charset 'UTF-16' is not read",
        ),
        (INVOKE, ["Content-Type: text/xml"], b"<a/>", 415, "send application/json"),
        (INVOKE, ["Content-Type: multipart/form-data; boundary=x"], b"1", 415, "application/json"),
        (RESOLVE, ["Content-Type: application/x-protobuf"], b"1", 415, "application/json"),
        (INVOKE, ["Content-Type: text/json", "Content-Type: text/json"], b"1", 400, "2 times"),
        (INVOKE, [], b'\xef\xbb\xbf"x"', 400, "body: is no JSON: leave out the byte order mark"),
        (INVOKE, [], '"x"'.encode("utf-16"), 400, "body: is no JSON: not UTF-8 at line 1"),
        (INVOKE, ["Transfer-Encoding: chunked"], b"3", 400, "both Content-Length and Transfer"),
        ("GET //api//workflows HTTP/1.1", [], b"", 404, "nothing is served at //api//workflows"),
        ("GET /api/../health HTTP/1.1", [], b"", 404, "nothing is served at"),
        ("GET ftp://localhost/health HTTP/1.1", [], b"", 400, "is no http://HOST[:PORT]/PATH"),
        ("GET http:///health HTTP/1.1", [], b"", 400, "is no http://HOST[:PORT]/PATH"),
        ("GET http://me@localhost/health HTTP/1.1", [], b"", 400, "is no http://HOST"),
        ("GET http://evil.example/page HTTP/1.1", [], b"", 403, "'evil.example' is not served"),
        ("GET http://evil.example HTTP/1.1", [], b"", 403, "'evil.example' is not served"),
        ("CONNECT localhost:80 HTTP/1.1", [], b"", 404, "nothing is served at localhost:80"),
        ("TRACE /health HTTP/1.1", [], b"", 405, "use GET, HEAD, OPTIONS"),
        ("get /health HTTP/1.1", [], b"", 405, "use GET, HEAD, OPTIONS"),
    ],
)  # fmt: skip
async def test_what_is_refused_says_what_to_do(
    address: str, line: str, headers: list[str], body: bytes, code: int, words: str
) -> None:
    answer = await ask(address, line, *headers, body=body)
    assert answer.code == code, answer.body
    in_house_form(answer)
    assert words in answer.body["message"]
    if code == 415:
        assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF8",
        'Application/JSON; charset="utf-8"',
        "application/vnd.shop.order+json",
        "application/x-www-form-urlencoded",
        "text/plain; charset=us-ascii",
        "application/octet-stream",
    ],
)
async def test_what_clients_call_json_is_taken(
    address: str, channel: grpc.aio.Channel, kind: str
) -> None:
    async with ManualWorker(channel) as worker:
        for headers in ([f"Content-Type: {kind}"], [f"Content-Type: {kind}", "Content-Encoding:"]):
            answer = await ask(address, INVOKE, *headers, body=b' {"a": 1}\r\n')
            assert answer.code == 202, answer.body
            begun = await worker.receive("start")
            assert begun.start.input.data == b'{"a": 1}'


async def test_a_content_type_without_a_body_does_not_matter(
    address: str, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel):
        for kind in ("text/xml", "application/json; charset=latin-1"):
            answer = await ask(address, INVOKE, f"Content-Type: {kind}", "Content-Length: 0")
            assert answer.code == 202, answer.body


@pytest.mark.parametrize("host", ["{}", "localhost:1", "LOCALHOST", "[::1]:80"])
@pytest.mark.parametrize("scheme", ["http", "https", "HTTP"])
async def test_a_target_may_be_a_whole_url(address: str, scheme: str, host: str) -> None:
    url = f"{scheme}://{host.format(address)}"
    async with Socket(address) as connection:
        # The Host header does not count then.
        await connection.send(head(f"GET {url}/health HTTP/1.1", "evil.example"))
        assert (await connection.answer()).body["status"] == "ok"
        await connection.send(head(f"GET {url}/api/workflows?limit=0 HTTP/1.1", address))
        assert (await connection.answer()).body["details"][0]["reason"] == "INVALID_FIELD"
        await connection.send(head(f"OPTIONS {url} HTTP/1.1", address))
        assert (await connection.answer()).headers["allow"] == "get, head, options"
        await connection.send(head("OPTIONS * HTTP/1.1", address))
        assert (await connection.answer()).headers["allow"] == "post, get, delete, head, options"


async def test_a_path_may_end_with_a_slash_and_an_id_may_hold_one(address: str) -> None:
    assert (await ask(address, "GET /api/workflows/ HTTP/1.1")).code == 200
    for awakeable in ("a/b", "/", "a%2Fb", "a b+c", "é"):
        path = f"/api/awakeables/{quote(awakeable, safe='')}/resolve"
        answer = await ask(address, f"POST {path} HTTP/1.1", body=b'{"result": 1}')
        assert (answer.code, answer.body["awakeable_id"]) == (200, awakeable)


async def test_chunks_are_a_body(address: str, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker, Socket(address) as connection:
        await connection.send(head(INVOKE, address, "Transfer-Encoding: chunked"))
        for part in (b'1\r\n"\r\n', b"5;x=y\r\nhello\r\n", b'1\r\n"\r\n', b"0\r\n\r\n"):
            await connection.send(part)
        assert (await connection.answer()).code == 202
        assert (await worker.receive("start")).start.input.data == b'"hello"'


async def test_whoever_waits_to_be_asked_for_the_body_is_asked(
    address: str, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker, Socket(address) as connection:
        expect = "Expect: 100-continue"
        await connection.send(head(INVOKE, address, "Content-Length: 3", expect))
        assert (await connection.answer()).code == 100
        await connection.send(b'"x"')
        assert (await connection.answer()).code == 202
        assert (await worker.receive("start")).start.input.data == b'"x"'
        await connection.send(head(INVOKE, address, "Content-Length: 999999999", expect))
        assert (await connection.answer()).code == 413  # without being asked


@pytest.mark.parametrize(
    ("line", "code"),
    [(INVOKE, 413), ("POST /api/nowhere HTTP/1.1", 404), ("PUT /health HTTP/1.1", 405)],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_refusal_reaches_a_client_that_sends_all_before_it_reads(
    address: str, line: str, code: int, chunked: bool
) -> None:
    large = b"x" * 8_000_000
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(large)}"
    data = b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large) if chunked else large
    async with Socket(address) as connection:
        await connection.send(head(line, address, how, "Connection: close") + data)
        answer = await connection.answer()
    assert answer.code == code
    in_house_form(answer)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"GARBAGE\r\n\r\n", 400, "illegal request line"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "without TLS"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "gRPC has an address of its own"),
        (b"GET /health HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"),
        (b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "illegal request line"),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000, 431, "too"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", 400, "Content-Length"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            400,
            "Content-Length",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            501,
            "Transfer-Encoding",
        ),
    ],
)
async def test_what_is_no_request_is_refused_in_the_same_form(
    address: str, data: bytes, code: int, words: str
) -> None:
    async with Socket(address) as connection:
        await connection.send(data)
        answer = await connection.answer()
    assert answer.code == code, answer.body
    in_house_form(answer)
    assert answer.reason == "REQUEST_MALFORMED"
    assert words in answer.body["message"]
    assert "bytearray" not in answer.body["message"]
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("rest", [b"zz\r\n", b"3\r\nabcde"])
async def test_a_broken_chunk_ends_the_request(address: str, rest: bytes) -> None:
    async with Socket(address) as connection:
        await connection.send(head(INVOKE, address, "Transfer-Encoding: chunked") + rest)
        answer = await connection.answer()
    assert (answer.code, answer.reason) == (400, "REQUEST_MALFORMED")


async def test_a_body_that_ends_before_its_length_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Socket(address) as connection:
        await connection.send(head(INVOKE, address, "Content-Length: 10") + b'"x"', end=True)
        ended = await connection.answer()
    assert (ended.code, ended.reason) == (400, "REQUEST_MALFORMED")
    assert "ended before its length" in ended.body["message"]
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.2)
    async with Socket(address) as connection:
        await connection.send(head(INVOKE, address, "Content-Length: 10") + b'"x"')
        late = await connection.answer()
    assert (late.code, late.reason) == (408, "BODY_INCOMPLETE")
    assert "body: 3 of 10 bytes have come" in late.body["message"]
