"""A real HTTP client for tests: urllib in a thread, and curl as people use it."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What came back."""

    code: int
    body: Any
    headers: Mapping[str, str]


class Web:
    """Asks the HTTP surface at one address."""

    def __init__(self, address: str) -> None:
        self.base = f"http://{address}"

    async def get(self, path: str, **headers: str) -> Answer:
        return await asyncio.to_thread(self._ask, "GET", path, None, headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else b"" if body is None else _dump(body)
        return await asyncio.to_thread(self._ask, "POST", path, data, headers)

    async def delete(self, path: str) -> Answer:
        return await asyncio.to_thread(self._ask, "DELETE", path, None, {})

    async def ask(self, method: str, path: str, **headers: str) -> Answer:
        return await asyncio.to_thread(self._ask, method, path, None, headers)

    def _ask(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        request = urllib.request.Request(self.base + path, data, method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                return Answer(response.status, _body(response), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _body(error), error.headers)


async def curl(*arguments: str) -> Any:
    """Runs `curl` as a person would; returns the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--noproxy", "*", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


async def curl_code(url: str, *arguments: str) -> str:
    """Runs `curl` and returns the status of the answer."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--noproxy", "*", "-o", os.devnull, "-w", "%{http_code}", *arguments, url,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


def _body(answer: Any) -> Any:
    data = answer.read()
    is_json = "json" in answer.headers.get("content-type", "json")
    return (json.loads(data) if is_json else data.decode()) if data else None


def _dump(body: Any) -> bytes:
    return json.dumps(body).encode()
