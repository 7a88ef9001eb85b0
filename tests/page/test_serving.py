"""The serving of the page's files; these tests need no browser."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest

from durable_server.app import ControlPlane
from durable_server.http.page.files import FOLDER, POLICY

FILES = sorted(it.name for it in FOLDER.iterdir())
SCRIPTS = [it for it in FILES if it.endswith(".js")]


async def ask(
    plane: ControlPlane, path: str, method: str = "GET", **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    def send() -> tuple[int, Mapping[str, str], bytes]:
        request = urllib.request.Request(f"http://{plane.http_address}{path}", method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    return await asyncio.to_thread(send)


async def test_the_document_has_a_policy_that_permits_nothing_inside_it(
    plane: ControlPlane,
) -> None:
    code, headers, body = await ask(plane, "/")
    assert code == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    text = body.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", text)
    assert not re.search(r"(src|href)=\"(https?:)?//", text)


async def test_a_browser_that_has_a_file_is_not_sent_it_again(plane: ControlPlane) -> None:
    for path in ("/", "/page/app.js", "/page/base.css", "/page/icon.svg"):
        code, headers, body = await ask(plane, path)
        assert (code, headers["cache-control"]) == (200, "no-cache")
        again, known, empty = await ask(plane, path, if_none_match=f'"other", {headers["etag"]}')
        assert (again, known["etag"], empty) == (304, headers["etag"], b"")
        head, _, none = await ask(plane, path, "HEAD")
        assert (head, none) == (200, b"")
        assert body


@pytest.mark.parametrize("path", ["/page/none.js", "/page/files.py", "/page/..%2Ffiles.py"])
async def test_nothing_but_the_files_is_served(plane: ControlPlane, path: str) -> None:
    code, _, body = await ask(plane, path)
    assert code == 404
    assert b"the page has no file" in body


async def test_pages_of_others_and_other_methods_are_refused(plane: ControlPlane) -> None:
    assert (await ask(plane, "/", origin="http://evil.example"))[0] == 403
    assert (await ask(plane, "/", host="evil.example"))[0] == 403
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert (await ask(plane, "/", sec_fetch_dest="document", **link))[0] == 200
    assert (await ask(plane, "/", sec_fetch_dest="iframe", **link))[0] == 403
    assert (await ask(plane, "/v1/stats", sec_fetch_dest="document", **link))[0] == 403
    code, headers, _ = await ask(plane, "/", "POST")
    assert (code, headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_html_or_code_of_text(name: str) -> None:
    text = (FOLDER / name).read_text()
    means = "innerHTML|outerHTML|insertAdjacentHTML|document.write|DOMParser|eval\\(|new Function"
    assert not re.search(means, text)
    assert text.startswith("//"), "a module begins with what it is for"
    for path in re.findall(r"from \"([^\"]+)\"", text):
        assert path.removeprefix("./") in FILES


def test_every_file_is_used() -> None:
    text = "".join((FOLDER / it).read_text() for it in FILES)
    unused = [it for it in FILES if f"/{it}" not in text]
    assert unused == ["index.html"]
    assert sum((FOLDER / it).stat().st_size for it in FILES) < 200_000
