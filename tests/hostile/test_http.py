"""Every HTTP route with what no client sends, webhooks with tokens that are none, and raw bytes."""

from __future__ import annotations

import http.client
import re
import socket
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_server.http.asgi import ALL
from durable_server.http.routing import Route

from .conftest import INTERNALS, Plane
from .messages import ODD_TEXT

SECONDS = 20
_VARIABLE = re.compile(r"\{[^}]*\}")
texts = st.sampled_from([it for it in ODD_TEXT if it]) | st.text(
    st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20
)
bodies = st.sampled_from(
    [b"", b"{}", b"[]", b"null", b'{"a": 1e999}', b"[" * 5000, b'"\\ud800"', b'{"wait": "9s"}']
) | st.binary(max_size=60)
kinds = st.sampled_from(["application/json", "text/plain", "image/png", "", "a;charset=utf-7"])


def route_id(route: Route) -> str:
    return f"{route.method} {route.template}"


@pytest.mark.parametrize("route", ALL, ids=route_id)
def test_each_route(plane: Plane, fuzz: settings, route: Route) -> None:
    @fuzz
    @given(st.data())
    def bombard(data: st.DataObject) -> None:
        path = _VARIABLE.sub(lambda _: quote(data.draw(texts), safe=":"), route.template)
        named = [it.name for it in route.parameters] + ["x"]
        query = [
            f"{quote(name)}={quote(data.draw(texts))}"
            for name in data.draw(st.lists(st.sampled_from(named), max_size=3))
            if name != "wait"
        ]
        connection = http.client.HTTPConnection(plane.http, timeout=SECONDS)
        try:
            connection.request(
                data.draw(st.sampled_from([route.method, route.method, "POST", "HEAD"])),
                path + ("?" + "&".join(query) if query else ""),
                data.draw(bodies),
                {"content-type": data.draw(kinds)},
            )
            check(connection.getresponse())
        finally:
            connection.close()

    bombard()
    plane.check()


def test_raw_bytes(plane: Plane, fuzz: settings) -> None:
    valid = (
        b"POST /v1/awakeables/a:resolve?x=1 HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    )

    @fuzz
    @given(st.data())
    def bombard(data: st.DataObject) -> None:
        sent = bytearray(valid)
        for _ in range(data.draw(st.integers(0, 4))):
            at = data.draw(st.integers(0, len(sent)))
            sent[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        host, _, port = plane.http.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while received := connection.recv(65536):
                answer += received
        assert INTERNALS.search(answer.decode(errors="replace")) is None, answer
        assert not answer.startswith(b"HTTP/1.1 500"), answer

    bombard()
    plane.check()


def check(answer: Any) -> None:
    """Fails for an answer that shows a defect, or tells of the program's inside."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/event-stream"):
        return
    text = answer.read().decode(errors="replace")
    assert answer.status in (501, 503) or answer.status < 500, (answer.status, text)
    if kind.startswith("application/json") and answer.status >= 400:
        assert INTERNALS.search(text) is None, text
