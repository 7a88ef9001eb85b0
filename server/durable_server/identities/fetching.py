"""Requests to an issuer: its keys, its description, and the exchange of a code.

Each has a time limit in all and a limit of size. Redirects are not followed: the operator has named
the place that is trusted, and no other. TLS is verified against the system's authorities;
SSL_CERT_FILE names others. Proxies of the environment are used, except for loopback.

Each is made in a thread of its own, and not in one of the event loop: those are few, others need them,
and the end of the process would wait for an issuer that does not answer.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from .auth_file import LOOPBACK

FETCH_SECONDS: Final = 10.0
FETCH_BYTES: Final = 1024 * 1024
_CHUNK: Final = 65536


class FetchError(Exception):
    """There is no usable answer; the message says why, without what was sent."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


async def fetch(
    url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """Returns the body of the answer to a GET, or to a POST of `data`. Raises FetchError."""
    answer: concurrent.futures.Future[bytes] = concurrent.futures.Future()
    answer.set_running_or_notify_cancel()  # who gives up does not end it

    def run() -> None:
        try:
            answer.set_result(_fetch(url, data, dict(headers or {})))
        except BaseException as error:  # noqa: BLE001  # who waits gets every one
            answer.set_exception(error)

    threading.Thread(target=run, name="durable-fetch", daemon=True).start()
    return await asyncio.wrap_future(answer)


def _fetch(url: str, data: bytes | None, headers: dict[str, str]) -> bytes:
    end = time.monotonic() + FETCH_SECONDS
    request = urllib.request.Request(url, data, {"accept": "application/json", **headers})
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if urlsplit(url).hostname in LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    body = bytearray()
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=FETCH_SECONDS) as answer:
            while chunk := answer.read1(_CHUNK):
                body += chunk
                if len(body) > FETCH_BYTES:
                    raise FetchError(f"{url} answers with more than {FETCH_BYTES} bytes")
                if time.monotonic() > end:
                    raise FetchError(f"{url} has not answered within {FETCH_SECONDS:g} s")
    except urllib.error.HTTPError as error:
        with error:
            raise FetchError(f"{url} answers with {error.code}") from None
    except urllib.error.URLError as error:
        raise FetchError(f"{url} cannot be reached: {error.reason}") from None
    except (OSError, ValueError) as error:
        raise FetchError(f"{url} cannot be read: {error}") from None
    except http.client.HTTPException as error:
        raise FetchError(f"{url} does not answer with HTTP: {type(error).__name__}") from None
    return bytes(body)
