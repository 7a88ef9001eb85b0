"""Encryption with real processes: no plain value anywhere, rotation, workers without the key."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

import durable
from durable._common.codecs.encryption import key_id_of
from durable.testing import preflight
from durable_proto.v1 import control_pb2, control_pb2_grpc
from tests.process import encrypted_flows as flows
from tests.support.processes import Child, control_plane, free_port, running, until
from tests.support.processes import durable as command
from tests.support.repository import ROOT

SECRET = "the name of Ada's patient"
MODULE = "tests.process.encrypted_flows"


class System(NamedTuple):
    """A control plane, a client with the codec, and where everything is."""

    folder: Path
    server: Child
    address: str
    http: str
    client: durable.Client

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.http}{path}") as response:
            body: bytes = response.read()
            return body

    def post(self, path: str, body: Any) -> None:
        headers = {"content-type": "application/json"}
        data = json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"http://{self.http}{path}", data, headers)
        ) as response:
            assert response.status == 200

    def open_waits(self, invocation_id: str) -> set[str]:
        journal = self.client.get(invocation_id).journal
        return {it.name.rpartition(".")[2] for it in journal if not it.completed}


@contextmanager
def system(folder: Path, codec: durable.Codec | None) -> Iterator[System]:
    with (
        control_plane(folder, "--http", "127.0.0.1:0") as (server, address),
        durable.Client(address, codec=codec, timeout=30) as client,
    ):
        http = json.loads((folder / "server.ready").read_text())["http"]
        yield System(folder, server, address, http, client)


@contextmanager
def worker(it: System, name: str, keys: Path | None) -> Iterator[Child]:
    """A worker process, with the codec if there are keys."""
    line = command("-v", "worker", MODULE, "--address", it.address, module="durable_cli")
    environment = {"PYTHONPATH": str(ROOT), "DURABLE_KEY_FILE": ""}
    if keys is not None:
        line += ["--codec", f"{MODULE}:codec"]
        environment["DURABLE_KEY_FILE"] = str(keys)
    with running(line, it.folder / f"{name}.log", environment=environment) as child:
        until(lambda: " serves child" in child.text(), "welcome", child)
        yield child


def run_to_its_end(it: System, invocation_id: str, *, rotate: Path | None = None) -> dict[str, Any]:
    """Gives the workflow all that it waits for; once in between there is a new key."""
    waits = {"promised", "posted", "signalled"}
    until(lambda: waits <= it.open_waits(invocation_id), "waits", it.server)
    if rotate is not None:
        durable.KeyFile.add(rotate, "second")
    it.client.resolve_awakeable(f"{invocation_id}.promised", f"{SECRET} of a client")
    it.client.signal(invocation_id, "signalled", f"{SECRET} of a signal")
    # Nobody encodes what is posted.
    it.post(f"/api/awakeables/{invocation_id}.posted/resolve", {"result": "a parcel"})
    value: dict[str, Any] = it.client.get_result(invocation_id, flows.secretive).value()
    return value


def places_of(it: System, word: str) -> list[str]:
    """Returns the files and the responses that have the word."""
    needle = word.encode()
    found = [
        str(path.relative_to(it.folder))
        for path in sorted(it.folder.rglob("*"))
        if path.is_file() and needle in path.read_bytes()
    ]
    listed = json.loads(it.get("/api/workflows"))
    paths = ["/api/workflows", "/metrics", "/v1/handlers", "/v1/stats", "/v1/invocations"]
    for one in listed["workflows"]:
        paths += [
            f"/api/workflows/{one['invocation_id']}",
            f"/v1/invocations/{one['invocation_id']}",
        ]
    paths.append("/v1/objects/Vault/k/state")
    assert len(listed["workflows"]) == 3
    return found + [path for path in paths if needle in it.get(path)]


@pytest.mark.parametrize("encrypted", [True, False])
def test_the_control_plane_and_its_disks_have_no_plain_value(
    tmp_path: Path, encrypted: bool
) -> None:
    """Without a codec, the same search finds the values: it looks where they are."""
    keys = tmp_path.parent / f"{tmp_path.name}-keys"
    durable.KeyFile.add(keys, "first")
    codec = durable.EncryptionCodec(durable.KeyFile(keys)) if encrypted else None
    with system(tmp_path, codec) as it, worker(it, "worker", keys if encrypted else None):
        invocation_id = it.client.invoke_async(flows.secretive, SECRET)
        found = run_to_its_end(it, invocation_id, rotate=keys)
        assert found["all"] == [
            f"{SECRET} of a step",
            f"{SECRET} of a client",
            "a parcel",
            f"{SECRET} of a signal",
            f"{SECRET} of a child",
            f"{SECRET} of itself",
        ]
        assert it.client.get_state(object="Vault", key="k") == {"secret": f"{SECRET} of an object"}
        places = places_of(it, SECRET)
        if encrypted:
            assert places == []
            assert key_ids(it, invocation_id) == {"first", "second"}
            # What was posted in plain text stays so in the log; nobody has the keys' own bytes.
            assert any("data/" in place for place in places_of(it, "a parcel"))
            for line in keys.read_text().splitlines():
                assert places_of(it, line.split()[1]) == []
        else:
            assert any(place.endswith(".blk") for place in places), places
            assert any("store" in place or ".db" in place for place in places), places
            assert f"/api/workflows/{invocation_id}" in places


def key_ids(it: System, invocation_id: str) -> set[str]:
    """Returns the ids of the keys that the values in an invocation's journal have."""
    with grpc.insecure_channel(it.address) as channel:
        stub: Any = control_pb2_grpc.DurableControlStub(channel)
        request = control_pb2.GetInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )
        journal = stub.GetInvocation(request).invocation.journal
    return {key_id_of(entry.outcome.value) for entry in journal} - {""}


def test_a_worker_without_the_key_holds_what_it_cannot_read(tmp_path: Path) -> None:
    keys, others = tmp_path / "keys", tmp_path / "other-keys"
    durable.KeyFile.add(keys, "ours")
    durable.KeyFile.add(others, "theirs")
    with system(tmp_path, durable.EncryptionCodec(durable.KeyFile(keys))) as it:

        def failure_at(given: Path | None, name: str) -> str:
            with worker(it, name, given):
                invocation_id = it.client.invoke_async(flows.child, SECRET)
                result = it.client.get_result(invocation_id, flows.child)
                assert result.status == "paused"
                assert result.failure is not None
                assert result.failure.type == "durable.UndecodableValueError"
                held.append(invocation_id)
                return result.failure.message

        held: list[str] = []
        assert "there is no codec here" in failure_at(None, "without")
        assert "the key 'ours', which is not known here" in failure_at(others, "with-another")
        with worker(it, "with-ours", keys):
            for invocation_id in held:
                it.client.resume(invocation_id)
                result = it.client.get_result(invocation_id, flows.child)
                assert result.value() == f"{SECRET} of a child"


def test_a_codec_that_is_not_there(tmp_path: Path) -> None:
    line = command("worker", MODULE, "--codec", f"{MODULE}:nothing", module="durable_cli")
    with running(line, tmp_path / "log", environment={"PYTHONPATH": str(ROOT)}) as child:
        assert child.process.wait(30) == 1
    assert f"no codec at '{MODULE}:nothing': there is no 'nothing'" in child.text()


class Endpoint(NamedTuple):
    """A codec endpoint, and commands that use it."""

    url: str
    address: str

    def __call__(self, *arguments: str, code: int = 0) -> str:
        line = command(*arguments, "--address", self.address, module="durable_cli")
        done = subprocess.run(
            [*line, "--codec-endpoint", self.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done
        return done.stdout + done.stderr


@contextmanager
def codec_server(folder: Path, keys: Path) -> Iterator[str]:
    ready = folder / "codec.ready"
    line = [sys.executable, str(ROOT / "examples/codec_server.py"), "--key-file", str(keys)]
    line += ["--listen", "127.0.0.1:0", "--ready-file", str(ready), "--origin", "http://page"]
    with running(line, folder / "codec.log") as child:
        until(lambda: ready.exists() and ready.read_text(), "ready file", child)
        yield ready.read_text()


def test_commands_by_a_codec_endpoint(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    durable.KeyFile.add(keys, "first")
    codec = durable.EncryptionCodec(durable.KeyFile(keys))
    with (
        system(tmp_path, codec) as it,
        worker(it, "worker", keys),
        codec_server(tmp_path, keys) as url,
    ):
        run, needle = Endpoint(url, it.address), SECRET.encode()
        assert json.dumps(SECRET) not in run("invoke", "child", json.dumps(SECRET), "--async")
        assert run("invoke", "child", json.dumps(SECRET)) == f"{SECRET} of a child\n"
        started = run("invoke", "secretive", json.dumps({"secret": SECRET}), "--async").strip()
        until(lambda: "promised" in it.open_waits(started), "waits")
        run("resolve", f"{started}.promised", json.dumps(f"{SECRET} of a command"))
        run("signal", started, "signalled", json.dumps("x"))
        it.post(f"/api/awakeables/{started}.posted/resolve", {"result": "a parcel"})
        assert it.client.get_result(started, flows.secretive).value()["all"][1] == (
            f"{SECRET} of a command"
        )
        assert f"{SECRET} of a step" in run("describe", started)
        assert f"{SECRET} of a step" in run("get", started, "--json")
        # An export has the values as the control plane has them, unless they are to be decoded.
        kept = durable.ExportedRun.from_json(run("export", started))
        assert needle not in kept.message.SerializeToString()
        assert not preflight([flows.secretive], [kept]).ok
        assert preflight([flows.secretive], [kept], codec=codec).ok
        decoded = durable.ExportedRun.from_json(run("export", started, "--decode"))
        assert needle in decoded.message.SerializeToString()
        assert preflight([flows.secretive], [decoded]).ok
        # None of that came to the control plane or its output.
        outputs = [it.folder / "server.log", it.folder / "worker.log", *it.folder.glob("data/**/*")]
        assert not [path for path in outputs if path.is_file() and needle in path.read_bytes()]
        # An endpoint that does not know a key says so, for this value and not for others.
        durable.KeyFile.add(tmp_path / "another", "another")
        other = durable.EncryptionCodec(durable.KeyFile(tmp_path / "another"))
        with durable.Client(it.address, codec=other, timeout=30) as client:
            client.set_state(object="Vault", key="mine", values={"secret": "x"})
        assert "the key 'another', which is not known here" in run(
            "state", "get", "Vault", "mine", code=1
        )
        nobody = Endpoint(f"http://127.0.0.1:{free_port()}", it.address)
        assert "does not encode: " in nobody("invoke", "child", "1", code=1)
        assert "does not decode: " in nobody("get", started, code=1)
        for wrong in ("ftp://x", "http://example.org", "http://u:p@127.0.0.1:1"):
            assert "the codec endpoint" in Endpoint(wrong, it.address)("stats", code=2)


def asked(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
    request = urllib.request.Request(url, body, {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, dict(response.headers), json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.load(error)


def test_the_protocol_of_the_codec_endpoint(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    durable.KeyFile.add(keys, "first")
    with codec_server(tmp_path, keys) as url:
        plain = {"contentType": "text/plain", "data": "aGVsbG8="}
        status, _, encoded = asked(f"{url}/encode", json.dumps({"payloads": [plain]}).encode())
        assert status == 200
        assert encoded["payloads"][0]["contentType"] == "application/x-durable-encrypted"
        broken = {"contentType": "application/x-durable-encrypted", "data": "AQEA"}
        body = json.dumps({"payloads": [*encoded["payloads"], broken]}).encode()
        status, headers, decoded = asked(f"{url}/decode", body, Origin="http://page")
        assert (status, decoded["payloads"][0]) == (200, plain)
        assert set(decoded["payloads"][1]) == {"error", "keyId"}
        assert headers["access-control-allow-origin"] == "http://page"
        status, headers, _ = asked(f"{url}/decode", body, Origin="http://evil")
        assert (status, "access-control-allow-origin" in headers) == (403, False)
        for wrong in (b"", b"[]", b'{"payloads": [1]}', b'{"payloads": [{"data": 1}]}', b"\xff"):
            assert asked(f"{url}/decode", wrong)[0] == 400
        assert asked(f"{url}/other", body)[0] == 404
