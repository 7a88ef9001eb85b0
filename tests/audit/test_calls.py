"""What is audited: every call that changes something, answered or refused, without its values."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from durable_proto.v1 import (
    access_pb2,
    control_pb2,
    control_pb2_grpc,
    payload_pb2,
    worker_pb2,
)
from durable_server.access.rules import RPCS
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.server.calls import invoke, result
from tests.support.manual_worker import ManualWorker, open_entry
from tests.support.waiting import eventually

from .calls import lines, planted

Control: TypeAlias = "control_pb2_grpc.DurableControlAsyncStub"

SECRET = "planted-secret"
SERVICES = {
    it.full_name: it
    for file in (control_pb2, worker_pb2, access_pb2)
    for it in file.DESCRIPTOR.services_by_name.values()
}
CHANGING = sorted(name for name, rule in RPCS.items() if rule.changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def config(config: Config, path: Path) -> Config:
    return replace(config, http="", audit=str(path), audit_log=True)


@pytest.fixture
async def plane(config: Config) -> AsyncIterator[ControlPlane]:
    async with ControlPlane(config) as started:
        yield started


def method_of(name: str) -> MethodDescriptor:
    service, _, method = name.removeprefix("/").rpartition("/")
    found: MethodDescriptor = SERVICES[service].methods_by_name[method]
    return found


def filled(method: MethodDescriptor) -> Any:
    """A request with a text in each field that can have one, and with the planted secret in each value
    and header.
    """
    request: Any = message_factory.GetMessageClass(method.input_type)()
    for field in method.input_type.fields:
        if field.message_type is not None and field.message_type.name == "Payload":
            getattr(request, field.name).data = SECRET.encode()
        elif field.message_type is not None and field.message_type.name == "Outcome":
            getattr(request, field.name).value.data = SECRET.encode()
        elif field.name == "headers":
            request.headers["authorization"] = SECRET
        elif field.name == "state":
            request.state["name"].data = SECRET.encode()
        elif field.name == "webhook":
            request.webhook = f"https://127.0.0.1/webhooks/{SECRET}"
        elif field.cpp_type == field.CPPTYPE_STRING and not field.is_repeated:
            setattr(request, field.name, f"the {field.name}")
    if method.name == "ResolveAwakeable":
        request.awakeable_id *= 100  # any other id is taken, also before something waits for it
    return request


async def told(path: Path, method: str, count: int = 1) -> list[dict[str, Any]]:
    """Waits for the entries of a method, and returns them."""

    def found() -> list[dict[str, Any]] | None:
        entries = [it for it in lines(path) if it["method"] == method]
        return entries if len(entries) >= count else None

    entries = await eventually(found)
    assert entries is not None
    return entries


async def refused(channel: grpc.aio.Channel, method: MethodDescriptor) -> None:
    """Makes a call that the control plane does not take."""
    if method.name == "Session":
        async with ManualWorker(channel, "w" * 5000):
            return
    assert method.containing_service is not None
    name = f"/{method.containing_service.full_name}/{method.name}"
    request = filled(method)
    call: Any = channel.unary_unary(name, request.__class__.SerializeToString)
    await call(request, metadata=(("authorization", f"Bearer {SECRET}"),))


async def test_each_call_that_is_refused_has_an_entry(
    path: Path, plane: ControlPlane, channel: grpc.aio.Channel
) -> None:
    codes: dict[str, str] = {}
    for name in CHANGING:
        method = method_of(name)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await refused(channel, method)
        codes[name] = caught.value.code().name
    await eventually(lambda: len(lines(path)) == len(CHANGING))
    entries = {it["method"]: it for it in lines(path)}
    for name in CHANGING:
        method = method_of(name)
        entry, fields = entries[method.name], method.input_type.fields_by_name
        assert entry["code"] == codes[name], entry
        assert entry["error"], entry
        assert entry["subject"], entry
        assert entry["kind"] == "none"
        assert entry["source"] == "127.0.0.1"
        if method.name != "Session":
            assert entry.get("reason") == ("the reason" if "reason" in fields else None)
            assert entry.get("request_id") == ("the request_id" if "request_id" in fields else None)
            assert entry.get("handler") == ("the handler" if "handler" in fields else None)
        assert len(json.dumps(entry)) < 2000
    assert not planted(path, SECRET)


async def _resolved(control: Control) -> None:
    outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=SECRET.encode()))
    await control.ResolveAwakeable(
        control_pb2.ResolveAwakeableRequest(awakeable_id="approval", outcome=outcome)
    )


async def test_each_kind_of_call_that_is_answered_has_an_entry(
    path: Path, plane: ControlPlane, channel: grpc.aio.Channel, control: Control
) -> None:
    """All but those of tokens and nodes, which have a service and a cluster of their own."""
    value = payload_pb2.Payload(data=SECRET.encode())
    outcome = payload_pb2.Outcome(value=value)
    worker = ManualWorker(channel, "worker-1", handlers=("three", "four"))
    other = ManualWorker(channel, "worker-2", handlers=("four",))
    worker.hello.build_id, other.hello.build_id = "v1", "v2"
    async with worker:
        worker_told = (await told(path, "Session"))[0]
        first = await invoke(control, request_id="r1", headers={"token": SECRET})
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "AWAKEABLE", "approval"))
        await worker.receive("ack")
        await control.RevokeWebhook(control_pb2.RevokeWebhookRequest(awakeable_id="approval"))
        await _resolved(control)
        await worker.receive("completion")
        about: dict[str, Any] = {"invocation_id": first}
        why: dict[str, Any] = {**about, "reason": "maintenance"}
        await control.Signal(control_pb2.SignalRequest(**about, name="paid", outcome=outcome))
        build: dict[str, Any] = {"build_id": "v2", "reason": "maintenance"}
        async with other:
            await control.PromoteBuild(control_pb2.PromoteBuildRequest(**build))
            await control.RollBackBuild(control_pb2.RollBackBuildRequest(**build))
            await control.DrainBuild(control_pb2.DrainBuildRequest(**build))
        await control.Repin(control_pb2.RepinRequest(**why, build_id="v1"))
        await control.Pause(control_pb2.PauseRequest(**why))
        await control.Resume(control_pb2.ResumeRequest(**why))
        await control.Cancel(control_pb2.CancelRequest(**why, force=True))
        await control.Restart(control_pb2.RestartRequest(**why, input=value))
        await control.Purge(control_pb2.PurgeRequest(**about))
    (end,) = [it for it in await told(path, "SessionEnd", 2) if it["subject"] == "worker-1"]
    found = {it["method"]: it for it in lines(path)}
    wanted = {it.rpartition("/")[2] for it in CHANGING} - {
        *("CreateToken", "RevokeToken", "DrainNode", "CreateWebhook", "RevokeWebhook"),
        "SetState",
    }
    assert wanted <= found.keys()
    assert found["RevokeWebhook"]["subject"] == "approval"
    about_builds = {"PromoteBuild", "RollBackBuild", "DrainBuild"}
    for method in wanted - {"Session", "ResolveAwakeable", "RevokeWebhook"}:
        assert found[method]["code"] == "OK"
        assert found[method]["subject"] == ("v2" if method in about_builds else first)
    for method in (*about_builds, "Repin", "Pause", "Resume", "Cancel", "Restart"):
        assert found[method]["reason"] == "maintenance"
    assert (found["Invoke"]["handler"], found["Invoke"]["request_id"]) == ("three", "r1")
    assert found["ResolveAwakeable"]["subject"] == "approval"
    assert worker_told["subject"] == end["subject"] == "worker-1"
    assert worker_told["handler"] == "four,three"
    assert (worker_told["code"], end["code"]) == ("OK", "CANCELLED")
    assert not planted(path, SECRET)


async def test_a_worker_that_leaves_ends_with_ok(
    path: Path, plane: ControlPlane, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        await worker.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
        await worker.half_close()
    (end,) = await told(path, "SessionEnd")
    assert end["code"] == "OK"


async def test_a_session_that_breaks_the_protocol_ends_with_the_error(
    path: Path, plane: ControlPlane, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        await worker.send(worker_pb2.WorkerMessage(hello=worker.hello))
        with pytest.raises(grpc.aio.AioRpcError):
            await worker.receive("ack")
    (end,) = await told(path, "SessionEnd")
    assert (end["code"], end["error"]) == ("FAILED_PRECONDITION", "PROTOCOL_VIOLATION")


async def test_a_caller_that_leaves_has_an_entry(
    path: Path, plane: ControlPlane, channel: grpc.aio.Channel, control: Control
) -> None:
    async with ManualWorker(channel) as worker:
        request = control_pb2.InvokeRequest(handler="three", request_id="r")
        request.wait_timeout.FromSeconds(30)
        call = control.Invoke(request)
        await worker.receive("start")
        call.cancel()
        (entry,) = await told(path, "Invoke")
        assert (entry["code"], entry["request_id"]) == ("CANCELLED", "r")


async def test_calls_that_change_nothing_have_none(
    path: Path, plane: ControlPlane, channel: grpc.aio.Channel, control: Control
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        await worker.finish(await worker.receive("start"))
        await result(control, invocation_id)
        await control.Query(control_pb2.QueryRequest())
        await control.GetStats(control_pb2.GetStatsRequest())
        await control.GetInvocation(control_pb2.GetInvocationRequest(invocation_id=invocation_id))
    await told(path, "SessionEnd")
    assert {it["method"] for it in lines(path)} == {"Session", "Invoke", "SessionEnd"}


async def test_nothing_is_kept_and_nothing_runs_without_the_options(
    tmp_path: Path, config: Config
) -> None:
    off = replace(config, audit="", audit_log=None)
    async with (
        ControlPlane(off) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel),
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        await invoke(control)
    assert not (tmp_path / "audit").exists()


async def works(control: Control, invocation_id: str) -> bool:
    try:
        await control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_strict_refuses_what_cannot_be_kept_until_it_can_again(
    tmp_path: Path, config: Config
) -> None:
    """The folder of the file is gone after the file was moved away, as if its disk were."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "audit"
    strict = replace(config, audit=str(path), audit_log=False, audit_strict=True)
    async with (
        ControlPlane(strict) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        first = await invoke(control)
        await worker.receive("start")
        await told(path, "Invoke")
        folder.rename(tmp_path / "moved")
        await invoke(control, request_id="not noticed yet")

        async def is_refused() -> bool:
            return not await works(control, first)

        await eventually(is_refused)
        with pytest.raises(grpc.aio.AioRpcError, match="the audit cannot be kept") as caught:
            await control.Pause(control_pb2.PauseRequest(invocation_id=first))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.aio.AioRpcError, match="the audit cannot be kept"):
            async with ManualWorker(channel, "second"):
                pass
        # What changes nothing is answered.
        await control.GetStats(control_pb2.GetStatsRequest())
        folder.mkdir()
        kept = (await told(path, "Invoke"))[0]
        assert kept["request_id"] == "not noticed yet"

        async def is_taken() -> bool:
            return await works(control, first)

        await eventually(is_taken)


async def test_a_file_that_cannot_be_opened_is_refused_at_the_start(
    tmp_path: Path, config: Config
) -> None:
    wrong = replace(config, audit=str(tmp_path / "missing" / "audit"))
    with pytest.raises(Exception, match=r"--audit .*missing/audit cannot be opened: No such file"):
        async with ControlPlane(wrong):
            pass
