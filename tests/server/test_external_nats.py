"""An external NATS system: with default settings, too small, without JetStream or permissions."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, payload_pb2, worker_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.log.preflight import NatsUnsuitableError
from durable_server.log.stream_creation import StreamConfigError
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.manual_worker import ManualWorker
from tests.support.waiting import eventually

DEFAULT = Config(listen="127.0.0.1:0", grace_seconds=0.2)


async def test_ordinary_work_fits_into_a_server_with_its_defaults(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty inputs of 200 KB at once, and values as large as the limit allows, from all sides."""
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        config = replace(DEFAULT, data_dir=tmp_path / "data", nats_url=nats.url)
        async with (
            ControlPlane(config) as plane,
            grpc.aio.insecure_channel(plane.address) as channel,
            ManualWorker(channel, slots=50) as worker,
        ):
            limits = plane.router.any().limits
            assert limits.payload_bytes < limits.batch_bytes < 1024 * 1024
            [line] = [it for it in caplog.messages if "max_payload" in it]
            assert "max_payload: 8MB" in line
            assert f"payload_bytes to {limits.payload_bytes}" in line
            assert worker.welcome.limits["payload_bytes"] == limits.payload_bytes
            control = control_pb2_grpc.DurableControlStub(channel)
            requests = [
                control_pb2.InvokeRequest(
                    handler="three", input=payload_pb2.Payload(data=b"x" * 200_000)
                )
                for _ in range(20)
            ]
            await asyncio.gather(*(control.Invoke(it) for it in requests))
            starts = [await worker.receive("start") for _ in requests]
            for start in starts:
                await worker.finish(start, b"y" * 200_000)

            largest = b"z" * limits.payload_bytes
            request = control_pb2.InvokeRequest(
                handler="three",
                input=payload_pb2.Payload(data=largest),
                headers={f"header-{n}": "h" * 240 for n in range(32)},
                idempotency_key="k" * 256,
            )
            invocation_id = (await control.Invoke(request)).invocation_id
            start = await worker.receive("start")
            await worker.step(start, 0, largest)
            failed = worker_pb2.WorkerMessage(
                invocation_id=start.invocation_id, attempt=start.attempt
            )
            failure = failed.finished.outcome.failure
            failure.type, failure.terminal = "Large", True
            failure.message = "m" * (limits.payload_bytes - 1000)
            await worker.send(failed)
            result = await control.GetResult(
                control_pb2.GetResultRequest(
                    invocation_id=invocation_id, wait_timeout=Duration(seconds=20)
                )
            )
            assert result.outcome.failure.type == "Large"

            request.input.data = largest + b"z"
            request.idempotency_key = "another"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await control.Invoke(request)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert str(limits.payload_bytes) in (caught.value.details() or "")


async def test_a_server_that_takes_enough_lowers_nothing(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", f"max_payload: 8MB\n{JETSTREAM}") as nats:
        config = replace(DEFAULT, data_dir=tmp_path / "data", nats_url=nats.url)
        async with ControlPlane(config) as plane:
            # The machine may permit fewer open files.
            found = plane.router.any().limits
            assert found == Limits()._replace(connections=found.connections)


ACCOUNT = """
accounts {{ APP {{ {jetstream} users: [ {{ user: me, password: pw {permissions} }} ] }} }}
"""


@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        ("", "start nats-server with --jetstream"),
        (f"max_payload: 64KB\n{JETSTREAM}", "max_payload: 8MB"),
        (JETSTREAM + ACCOUNT.format(jetstream="", permissions=""), "jetstream: enabled"),
        (
            JETSTREAM
            + ACCOUNT.format(
                jetstream="jetstream: enabled,",
                permissions=', permissions: { publish: ["$JS.API.>"] }',
            ),
            "allow it to publish to $JS.API.>, durable.log.>, durable.cluster.>, ",
        ),
        (
            JETSTREAM
            + ACCOUNT.format(
                jetstream="jetstream: enabled,",
                permissions=', permissions: { publish: ["durable.>"] }',
            ),
            "allow it to publish to $JS.API.>, durable.log.>, durable.cluster.>, ",
        ),
        (
            JETSTREAM
            + ACCOUNT.format(
                jetstream="jetstream: enabled,",
                permissions=', permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>"] } }',
            ),
            "STREAM.CREATE.DURABLE_CLUSTER",
        ),
        (
            JETSTREAM
            + ACCOUNT.format(
                jetstream="jetstream: enabled,",
                permissions=', permissions: { subscribe: ["x"] }',
            ),
            "subscribe to _INBOX.>",
        ),
        (
            JETSTREAM
            + ACCOUNT.format(jetstream="jetstream: enabled,", permissions="")
            + "authorization { timeout: 1 }",
            None,
        ),
        ("authorization { user: a, password: b }\n" + JETSTREAM, "DURABLE_NATS_URL"),
        (
            "jetstream { store_dir: DIR, max_file_store: 100MB }",
            "max_file_store in nats-server.conf",
        ),
        (
            JETSTREAM
            + ACCOUNT.format(
                jetstream="jetstream: { max_file: 50MB, max_mem: 0 },", permissions=""
            ),
            "max_file of the account",
        ),
        (
            JETSTREAM
            + ACCOUNT.format(
                jetstream="jetstream: { max_file: 50GB, max_mem: 0, max_streams: 0 },",
                permissions="",
            ),
            None,
        ),
    ],
)
async def test_what_cannot_hold_the_log_is_refused_at_once_with_what_to_set(
    configuration: str, says: str | None, tmp_path: Path
) -> None:
    async with external_nats(tmp_path / "nats", configuration) as nats:
        url = nats.url.replace("//", "//me:pw@")
        config = replace(DEFAULT, data_dir=tmp_path / "data", nats_url=url)
        if says is None:
            async with ControlPlane(config):
                return
        with pytest.raises((NatsUnsuitableError, StreamConfigError)) as caught:
            async with ControlPlane(config):
                pass
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_replicas_without_a_cluster_are_refused(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        config = replace(DEFAULT, data_dir=tmp_path / "data", nats_url=nats.url, replicas=3)
        with pytest.raises(StreamConfigError, match="name a cluster"):
            async with ControlPlane(config):
                pass


async def test_a_log_is_made_smaller_where_there_is_less_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    room = "jetstream { store_dir: DIR, max_file_store: 3GB }"
    async with external_nats(tmp_path / "nats", room) as nats:
        config = replace(DEFAULT, data_dir=tmp_path / "data", nats_url=nats.url)
        async with ControlPlane(config):
            pass
        assert any("trying with half" in it for it in caplog.messages)


async def test_a_server_that_takes_less_after_a_restart_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost, and the next start continues with smaller batches."""
    folder = tmp_path / "nats"
    config = replace(DEFAULT, data_dir=tmp_path / "data")
    request = control_pb2.InvokeRequest(handler="three")
    async with contextlib.AsyncExitStack() as stack:
        async with external_nats(folder, f"max_payload: 8MB\n{JETSTREAM}") as nats:
            config = replace(config, nats_url=nats.url)
            plane = await stack.enter_async_context(ControlPlane(config))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(plane.address))
            async with ManualWorker(channel):
                pass
        async with external_nats(folder, JETSTREAM, nats.port):
            asked = asyncio.ensure_future(
                control_pb2_grpc.DurableControlStub(channel).Invoke(request)
            )
            await eventually(
                lambda: any("give max_payload the same" in it for it in caplog.messages)
            )
            assert not asked.done()
            asked.cancel()
            await plane.router.any().stop()
    async with external_nats(folder, JETSTREAM, nats.port), ControlPlane(config) as plane:
        assert plane.router.any().limits.batch_bytes < 1024 * 1024
