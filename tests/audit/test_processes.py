"""The audit of real processes: kills, rotation, full disks, and one history of two nodes."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.access.audit import AuditedCall, AuditQuery
from durable_server.audit.stream import AuditStream
from durable_server.nats.endpoint import fixed, parse_urls
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import Child, control_plane
from tests.support.waiting import eventually

from .calls import lines

Control: TypeAlias = "control_pb2_grpc.DurableControlAsyncStub"


async def cancel(control: Control, subject: str) -> grpc.StatusCode:
    """Cancels an invocation that does not exist; returns the code of the answer."""
    request = control_pb2.CancelRequest(invocation_id=subject)
    try:
        await control.Cancel(request)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def subjects(path: Path) -> list[str]:
    return [it["subject"] for it in lines(path)]


async def test_a_kill_loses_at_most_what_was_not_written_yet(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    made: list[str] = []
    for life in ("a", "b"):
        with control_plane(tmp_path, "--audit", str(path)) as (child, address):
            async with grpc.aio.insecure_channel(address) as channel:
                control = control_pb2_grpc.DurableControlStub(channel)
                before = subjects(path)
                seen: list[str] = []
                for number in range(2000):
                    made.append(f"{life}{number}")
                    await cancel(control, made[-1])
                    seen = subjects(path) if number % 50 == 0 else seen
                    if len(seen) > len(before) + 100:
                        break
                child.kill()
        kept = subjects(path)
        assert seen == kept[: len(seen)]
        assert kept == made[: len(kept)]
        made = list(kept)


async def test_a_file_that_logrotate_moves_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with control_plane(tmp_path, "--audit", str(path)) as (child, address):
        async with grpc.aio.insecure_channel(address) as channel:
            control = control_pb2_grpc.DurableControlStub(channel)
            await cancel(control, "1")
            await eventually(lambda: subjects(path) == ["1"])
            path.rename(tmp_path / "audit.1")
            child.process.send_signal(signal.SIGHUP)
            await cancel(control, "2")
            await eventually(lambda: subjects(path) == ["2"])
            assert subjects(tmp_path / "audit.1") == ["1"]
        assert child.terminate() == 0


async def test_the_processes_of_a_machine_share_a_file_and_a_history(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    options = ("--processes", "2", "--partitions", "2", "--audit", str(path), "--audit-log")
    with control_plane(tmp_path, *options) as (child, address):
        made = [str(it) for it in range(20)]
        child.process.send_signal(signal.SIGHUP)
        for it in made:
            # A connection for each call, so that the kernel gives them to both processes.
            async with grpc.aio.insecure_channel(address) as channel:
                await cancel(control_pb2_grpc.DurableControlStub(channel), it)
        await eventually(lambda: sorted(subjects(path)) == sorted(made))
        assert {it["node"] for it in lines(path)} == {"p1", "p2"}
        assert child.terminate() == 0


async def test_stdout_has_a_line_for_each_call(tmp_path: Path) -> None:
    with control_plane(tmp_path, "--audit", "-") as (child, address):
        async with grpc.aio.insecure_channel(address) as channel:
            await cancel(control_pb2_grpc.DurableControlStub(channel), "here")
            await eventually(lambda: '"method":"Cancel","subject":"here"' in child.text())


async def test_a_full_disk_is_said_once_and_refuses_calls_if_the_audit_is_strict(
    tmp_path: Path,
) -> None:
    options = ("--audit", "/dev/full", "--audit-strict")
    with control_plane(tmp_path, *options) as (child, address):
        async with grpc.aio.insecure_channel(address) as channel:
            control = control_pb2_grpc.DurableControlStub(channel)
            assert await cancel(control, "1") is grpc.StatusCode.INVALID_ARGUMENT

            async def refused() -> bool:
                return await cancel(control, "2") is grpc.StatusCode.UNAVAILABLE

            await eventually(refused)
        assert child.text().count("audit: /dev/full: No space left on device") == 1
        assert child.terminate() == 0
        assert "calls are lost" in child.text()


async def test_two_nodes_have_one_history(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        with ExitStack() as stack:
            children: list[Child] = []
            stubs: list[Any] = []
            for name in ("a", "b"):
                (folder := tmp_path / name).mkdir()
                node = ("--nats", nats.url, "--node", name, "--partitions", "4", "--audit-log")
                child, address = stack.enter_context(control_plane(folder, *node))
                children.append(child)
                channel = grpc.aio.insecure_channel(address)
                stubs.append(control_pb2_grpc.DurableControlStub(channel))
            made = [f"{it:032x}" for it in range(12)]
            codes = [await cancel(stubs[number % 2], it) for number, it in enumerate(made)]
            # They are of all partitions, so each node passes some of them on.
            assert set(codes) == {grpc.StatusCode.NOT_FOUND}
            stream = AuditStream(fixed(parse_urls(nats.url)), replicas=1, days=90)

            async def history() -> list[AuditedCall]:
                return (await stream.page(AuditQuery(method="Cancel"), None, 100)).calls

            async def whole() -> bool:
                return len(await history()) >= len(made)

            await eventually(whole)
            found = {it.subject: it.node for it in await history()}
            assert found == {it: "ab"[number % 2] for number, it in enumerate(made)}
            assert len(await history()) == len(made)
            await cancel(stubs[0], "last of a")
            await asyncio.to_thread(children[0].terminate)
            assert (await history())[0].subject == "last of a"
            await stream.close()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--audit-days", "0", "--audit-log"), "--audit-days 0 is not a number of days"),
        (("--audit-days", "7"), "add --audit-log"),
        (("--audit-strict",), "add --audit FILE or --audit-log"),
        (("--auth", "--no-audit-log", "--audit-strict"), "add --audit FILE or --audit-log"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: tuple[str, ...], problem: str) -> None:
    with pytest.raises(AssertionError) as caught, control_plane(tmp_path, *options):
        pass
    assert problem in str(caught.value)
