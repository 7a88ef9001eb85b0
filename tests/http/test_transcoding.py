"""The `/v1` RPCs: routes by annotation, errors in one form, the watch as events, foreign origins."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest
from google.api import annotations_pb2

from durable_proto.v1 import control_pb2, invocation_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config, ConfigError
from durable_server.http.server import HttpAddressError
from tests.support.manual_worker import ManualWorker
from tests.support.processes import durable, running, until

from .web import Web, curl, curl_code

HTTP_REASONS = ("ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED")


async def test_a_post_and_gets_are_transcoded(web: Web, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        answer = await web.post(
            "/v1/handlers/three:invoke", {"input": {"data": "MQ=="}, "idempotencyKey": "a/b"}
        )
        assert answer.code == 200
        invocation_id = answer.body["invocationId"]
        begun = await worker.receive("start")
        assert begun.start.input.data == b"1"
        await worker.finish(begun)
        ended = await web.get(f"/v1/invocations/{invocation_id}/result?wait_timeout=10s")
        assert ended.body["state"] == "INVOCATION_STATE_COMPLETED"
        assert ended.body["outcome"] == {"value": {"data": "ImRvbmUi"}}
        listed = await web.get(
            "/v1/invocations?states=INVOCATION_STATE_COMPLETED&states=INVOCATION_STATE_FAILED"
            "&pageSize=5&oldest_first=true"
        )
        assert [it["invocationId"] for it in listed.body["invocations"]] == [invocation_id]
        assert (await web.get("/v1/stats")).body["totalCount"] == "1"
        # An additional binding, and the only DELETE.
        assert (await web.get(f"/v1/invocations/{invocation_id}/state")).body == {}
        assert (await web.delete(f"/v1/invocations/{invocation_id}")).body == {}
        assert (await web.get(f"/v1/invocations/{invocation_id}")).code == 404


async def test_a_part_of_the_path_may_hold_anything(web: Web, channel: grpc.aio.Channel) -> None:
    worker = ManualWorker(channel)
    worker.hello.handlers.add(name="cart.add", kind=invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE)
    async with worker:
        path = "/v1/objects/cart/a%2Fb%3Ac%20%C3%A9/state"
        await web.post(path, {"state": {"n": {"data": "MQ=="}}})
        assert (await web.get(path)).body == {"state": {"n": {"data": "MQ=="}}}
        assert (await web.get("/v1/objects/cart/other/state")).body == {}
    early = await web.post("/v1/awakeables/a:b%3Aresolve:resolve", {"outcome": {"value": {}}})
    assert early.code == 200


async def test_every_annotated_path_is_served(web: Web) -> None:
    for method in control_pb2.DESCRIPTOR.services_by_name["DurableControl"].methods:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for binding in (rule, *rule.additional_bindings):
            verb = binding.WhichOneof("pattern")
            if verb is None:
                assert method.name == "WatchInvocation"
                continue
            path = getattr(binding, verb).replace("{", "x").replace("}", "x")
            ask = {"get": web.get, "post": web.post, "delete": web.delete}[verb]
            answer = await ask(path)
            assert not answer.body.get("message", "").startswith("nothing is served"), path


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        ("/api/nowhere", None, 404, "nothing is served at /api/nowhere"),
        ("/api/workflows/" + "0" * 32, None, 404, "no invocation"),
        ("/api/workflows?statsu=failed", None, 400, "'statsu' here; there are: status"),
        ("/api/workflows?status=done", None, 400, "'done' is not one of pending"),
        ("/api/workflows?limit=0", None, 400, "limit"),
        ("/api/workflows/three/invoke", None, 405, "use POST"),
        ("/api/workflows/three/invoke", b'{\n "a": }', 400, "at line 2, column 7"),
        ("/api/workflows/three/invoke", b'"\xff"', 400, "not UTF-8 at line 1, column 2"),
        ("/api/workflows/three/invoke", b"NaN", 400, "NaN is not a JSON value"),
        (
            "/api/workflows/three/invoke",
            b"[" * 60_000,
            400,
            "nested more than 100 deep at line 1, column 101",
        ),
        ("/api/workflows/three/invoke?wait=soon", b"1", 400, "span of time"),
        ("/api/workflows/nobody/invoke", b"1", 404, "nobody"),
        ("/api/workflows/three/invoke", b'"' + b"x" * 70_000 + b'"', 413, "payload_bytes"),
        ("/api/workflows/three/invoke", b" " * 300_000, 413, "196608 bytes"),
        ("/api/awakeables/a/resolve", b"{}", 400, "result"),
        (
            "/api/awakeables/a/resolve",
            b'{"results": 1}',
            400,
            "field `results`; the body is an object with: result",
        ),
        ("/api/awakeables/a/reject", b'{"error": 1}', 400, "error: Expected `str`, got `int`"),
        ("/v1/invocations?sttaes=1", None, 400, "'sttaes' here; there are: states"),
        ("/v1/invocations?page_size=x", None, 400, "page_size: 'x' is no whole number"),
        ("/v1/handlers/three:invoke", b'{"inptu": 1}', 400, "inptu"),
        ("/v1/handlers/three:invoke", b"[]", 400, "InvokeRequest"),
        ("/v1/handlers/three:invoke", b'{"handler": "x"}', 400, "handler: the path says it"),
        (
            "/v1/handlers/three:invoke",
            b'{"input": {"data": "!"}}',
            400,
            "input.data: is not base64",
        ),
        ("/v1/handlers/three:invoke", b'{"priority": 1e12}', 400, "priority"),
        ("/v1/invocations?states=DONE", None, 400, "states: 'DONE' is not one of INVOCATION_STATE"),
        ("/v1/invocations/x/result?wait_timeout=5", None, 400, "wait_timeout"),
        ("/v1/invocations/x:pause", None, 405, "use POST"),
        ("/api/workflows?handler=%ff", None, 400, "query: is not UTF-8"),
        ("/api/workflows/%ff", None, 400, "invocation_id: is not UTF-8"),
        ("/api/workflows/three/invoke?async", b"", 400, "async: '' is neither true nor false"),
        (
            "/api/awakeables/a/resolve",
            b'{"result": 1, "result": 2}',
            400,
            "body: has the key 'result' twice in one object, again at line 1, column 15",
        ),
        (
            "/api/awakeables/a/resolve",
            b'{"result": "[1e999]"}',
            400,
            "result: the text in the string",
        ),
        ("/api/awakeables/a/reject", b'{"error": ""}', 400, "error: Expected"),
        ("/v1/handlers/three:invoke", b'{"key": "\\ud800"}', 400, "half of a surrogate pair"),
    ],
)
async def test_an_error_has_one_form(
    web: Web, channel: grpc.aio.Channel, path: str, body: bytes | None, code: int, words: str
) -> None:
    async with ManualWorker(channel):
        answer = await (web.get(path) if body is None else web.post(path, body))
    assert answer.code == code == answer.body["code"], answer.body
    assert answer.body.keys() == {"code", "status", "message", "details"}
    assert words in answer.body["message"]
    (info,) = answer.body["details"]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["domain"] == ("durable.http" if info["reason"] in HTTP_REASONS else "durable.v1")
    if info["reason"] == "INVALID_FIELD":
        field, problem = info["metadata"]["field"], info["metadata"]["problem"]
        assert answer.body["message"] == f"{field}: {problem}"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/workflows", "GET, HEAD, OPTIONS"),
        ("/v1/invocations/x", "GET, DELETE, HEAD, OPTIONS"),
        ("/v1/invocations/x:pause", "POST, OPTIONS"),
        ("/v1/objects/a/b/state", "GET, POST, HEAD, OPTIONS"),
    ],
)
async def test_options_and_405_say_what_is_allowed(web: Web, path: str, allowed: str) -> None:
    asked = await web.ask("OPTIONS", path)
    assert (asked.code, asked.headers["allow"]) == (204, allowed)
    refused = await web.ask("PATCH", path)
    assert (refused.code, refused.headers["allow"]) == (405, allowed)
    assert refused.body["details"][0]["reason"] == "METHOD_NOT_ALLOWED"


async def test_head_is_get_without_a_body(web: Web) -> None:
    for path, code in (("/health", 200), ("/api/nowhere", 404), ("/v1/handlers/a:invoke", 405)):
        headed = await web.ask("HEAD", path)
        assert (headed.code, headed.body) == (code, None)
        assert headed.headers["content-type"] == "application/json"
        assert int(headed.headers["content-length"]) > 0
    assert (await web.ask("OPTIONS", "/api/nowhere")).code == 404
    preflight = await web.ask("OPTIONS", "/health", Origin="http://evil.example")
    assert preflight.body["details"][0]["reason"] == "ORIGIN_REFUSED"


async def test_web_pages_of_others_are_kept_out(web: Web) -> None:
    path = "/api/awakeables/a/resolve"
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example:8080"},
    ):
        answer = await web.post(path, {"result": 1}, **headers)
        assert (answer.code, answer.body["status"]) == (403, "PERMISSION_DENIED"), headers
        reason = "HOST_REFUSED" if "Host" in headers else "ORIGIN_REFUSED"
        assert answer.body["details"][0]["reason"] == reason
    assert (await web.post(path, {"result": 1}, Origin=web.base)).code == 200
    assert (await web.get("/health", Host="localhost:8080")).code == 200


async def test_a_watch_is_events_until_the_end(web: Web, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        begun_body = (await web.post("/api/workflows/three/invoke?async=true")).body
        begun = await worker.receive("start")
        url = f"{web.base}/v1/invocations/{begun_body['invocation_id']}/watch?include_journal=true"

        def read() -> list[str]:
            with urllib.request.urlopen(url, timeout=30) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                return response.read().decode().strip().split("\n\n")

        reading = asyncio.ensure_future(asyncio.to_thread(read))
        await worker.step(begun, 0)
        await worker.finish(begun)
        *changes, end = await reading
        assert await curl_code(url, "-H", "Last-Event-ID: end") == "204"
        assert await curl_code(url, "-H", "Last-Event-ID: 1") == "200"
        assert await curl_code(url, "--head") == "200"
    assert end == "event: end\nid: end\ndata: {}"
    for number, change in enumerate(changes, 1):
        assert change.startswith(f"event: invocation\nid: {number}\ndata: ")
    last = json.loads(changes[-1].partition("data: ")[2])["invocation"]
    assert last["state"] == "INVOCATION_STATE_COMPLETED"
    missing = await web.get(f"/v1/invocations/{'0' * 32}/watch")
    assert (missing.code, missing.body["status"]) == (404, "NOT_FOUND")


async def test_a_stop_ends_watches_and_waits(tmp_path: Path) -> None:
    config = Config(
        listen="127.0.0.1:0", http="127.0.0.1:0", data_dir=tmp_path / "d", grace_seconds=0.3
    )
    async with ControlPlane(config) as plane:
        web = Web(plane.http_address)
        async with grpc.aio.insecure_channel(plane.address) as channel:
            worker = ManualWorker(channel)
            async with worker:
                waits = asyncio.ensure_future(web.post("/api/workflows/three/invoke?wait=60"))
                invocation_id = (await worker.receive("start")).invocation_id
                url = f"{web.base}/v1/invocations/{invocation_id}/watch"
                watch = await asyncio.create_subprocess_exec(
                    "curl", "-sS", "-N", "--noproxy", "*", url, stdout=asyncio.subprocess.PIPE
                )
                assert watch.stdout is not None
                assert await watch.stdout.readline() == b"event: invocation\n"
    answer = await asyncio.wait_for(waits, 5)
    assert (answer.code, answer.body["status"]) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    await asyncio.wait_for(watch.communicate(), 5)
    assert watch.returncode == 0


async def test_an_address_that_cannot_be_served_is_one_clear_error(
    plane: ControlPlane, tmp_path: Path
) -> None:
    taken = Config(listen="127.0.0.1:0", http=plane.http_address, data_dir=tmp_path / "other")
    with pytest.raises(HttpAddressError, match=f"{plane.http_address}.*--http"):
        await ControlPlane(taken).__aenter__()
    with pytest.raises(ConfigError, match="--insecure"):
        Config(http="0.0.0.0:8080").check()


async def test_dev_serves_http_and_says_where(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = durable(
        "dev", "tests.process.flows", "--no-reload", "--listen", "127.0.0.1:0",
        "--http", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    with running(command, tmp_path / "dev.log") as child:
        await asyncio.to_thread(until, ready.exists, "ready file", child)
        address = json.loads(ready.read_text())["http"]
        assert f"HTTP on http://{address}" in child.text()
        assert (await curl(f"http://{address}/health"))["status"] == "ok"
        taken = await asyncio.to_thread(
            subprocess.run,
            durable("server", "--listen", "127.0.0.1:0", "--http", address,
                    "--data-dir", str(tmp_path / "other")),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert taken.returncode == 1
        (line,) = taken.stderr.splitlines()
        assert line.startswith(f"durable: cannot serve HTTP on {address}")
        assert await asyncio.to_thread(child.terminate) == 0, child.text()


async def test_dev_goes_on_without_http_when_nobody_asked_for_the_taken_port(
    tmp_path: Path,
) -> None:
    ready = tmp_path / "ready"
    command = durable(
        "dev", "tests.process.flows", "--no-reload", "--listen", "127.0.0.1:0",
        "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # another process may have it
            holder.bind(("127.0.0.1", 8080))
            holder.listen()
        with running(command, tmp_path / "dev.log") as child:
            await asyncio.to_thread(until, ready.exists, "ready file", child)
            assert json.loads(ready.read_text())["http"] == ""
            (line,) = [it for it in child.text().splitlines() if "HTTP" in it]
            assert line == (
                "durable: no HTTP: 127.0.0.1:8080 is taken by another process; "
                "choose another with --http HOST:PORT"
            )
            assert await asyncio.to_thread(child.terminate) == 0, child.text()
        asked = await asyncio.to_thread(
            subprocess.run, [*command, "--http", "127.0.0.1:8080"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert asked.returncode == 1
        assert "cannot serve HTTP on 127.0.0.1:8080" in asked.stderr


async def test_dev_without_the_extra_says_so_and_goes_on(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    # A module that is None in sys.modules counts as not installed.
    program = (
        "import sys; sys.modules['starlette'] = None; from durable_cli.main import main; main()"
    )
    command = [
        sys.executable, "-c", program, "dev", "tests.process.flows", "--no-reload",
        "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    ]  # fmt: skip
    with running(command, tmp_path / "dev.log") as child:
        await asyncio.to_thread(until, ready.exists, "ready file", child)
        assert not json.loads(ready.read_text()).get("http")
        words = "durable: no HTTP: it needs pip install 'durable-grpc[http]'"
        assert child.text().splitlines().count(words) == 1
        assert await asyncio.to_thread(child.terminate) == 0, child.text()
