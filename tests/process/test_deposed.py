"""Two control planes on one external NATS system: the second takes over, the first is fenced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.nats.embedded import EmbeddedNats
from tests.support.manual_worker import ManualWorker
from tests.support.processes import Child, durable, running, until


@contextmanager
def plane(folder: Path, name: str, url: str, *options: str) -> Iterator[tuple[Child, str]]:
    ready = folder / f"{name}.ready"
    command = durable(
        "server", "--listen", "127.0.0.1:0", "--data-dir", str(folder / name),
        "--ready-file", str(ready), *options,
    )  # fmt: skip
    environment = {"DURABLE_NATS_URL": url}
    with running(command, folder / f"{name}.log", environment=environment) as child:
        until(ready.exists, "ready file", child)
        yield child, json.loads(ready.read_text())["address"]


@pytest.mark.parametrize("partitions", [1, 3])
async def test_the_older_leaders_answers_do_not_count(tmp_path: Path, partitions: int) -> None:
    nats = EmbeddedNats(tmp_path / "nats")
    await nats.start()
    try:
        endpoint = await nats.endpoint()
        host, port = endpoint.servers[0]
        url = f"nats://{endpoint.user}:{endpoint.password}@{host}:{port}"
        with plane(tmp_path, "old", url, "--partitions", str(partitions)) as (old, first):
            async with grpc.aio.insecure_channel(first) as channel, ManualWorker(channel) as worker:
                control = control_pb2_grpc.DurableControlStub(channel)
                request = control_pb2.InvokeRequest(handler="three")
                kept = (await control.Invoke(request)).invocation_id
                start = await worker.receive("start")
                await worker.step(start, 0, b'"kept"')
                with plane(tmp_path, "new", url) as (_, second):
                    # The old leader does not know it yet; it must not accept requests now.
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await control.Invoke(request)
                    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
                    assert await asyncio.to_thread(old.process.wait, 30) == 1
                    (line,) = [it for it in old.text().splitlines() if "epoch" in it]
                    assert line.startswith("durable: ")
                    async with (
                        grpc.aio.insecure_channel(second) as other,
                        ManualWorker(other, "other") as successor,
                    ):
                        again = await successor.receive("start")
                        assert again.invocation_id == kept
                        assert [it.outcome.value.data for it in again.start.journal] == [b'"kept"']
                        await successor.finish(again)
                        stub = control_pb2_grpc.DurableControlStub(other)
                        await stub.GetResult(
                            control_pb2.GetResultRequest(
                                invocation_id=kept, wait_timeout=Duration(seconds=20)
                            )
                        )
                        stats = await stub.GetStats(control_pb2.GetStatsRequest())
                        assert stats.total_count == 1
    finally:
        await nats.stop()


def test_a_password_on_the_command_line_is_refused(tmp_path: Path) -> None:
    command = durable("server", "--nats", "nats://me:secret@127.0.0.1:4222")
    with running(command, tmp_path / "log") as child:
        assert child.process.wait(30) == 2
        assert "DURABLE_NATS_URL" in child.text()
        assert "secret" not in child.text()
