"""`durable server` as a process: start, stop, refusals, crashes, and the files that remain."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import grpc
import psutil
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, payload_pb2
from tests.support.manual_worker import ManualWorker
from tests.support.processes import control_plane, durable, interrupt, nats_of, running, until


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_it_prints_its_address_and_leaves_no_processes(tmp_path: Path) -> None:
    for stop in ("terminate", "interrupt"):
        with control_plane(tmp_path) as (child, address):
            assert f"durable: ready on {address}" in child.text()
            nats = nats_of(child)
            code = child.terminate() if stop == "terminate" else interrupt(child)
            assert code == 0, child.text()
            assert _is_gone(nats)


def test_it_can_be_stopped_while_it_waits_for_nats(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        command = durable(
            *("server", "--listen", "127.0.0.1:0", "--nats", url),
            *("--data-dir", str(tmp_path / "data")),
        )
        for stop in ("terminate", "interrupt"):
            with running(command, tmp_path / "log") as child:
                client, _ = silent.accept()
                with client:
                    code = child.terminate() if stop == "terminate" else interrupt(child)
                assert code == 0, child.text()
                assert child.text() == ""


def test_nats_does_not_outlive_a_killed_control_plane(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (child, _):
        nats = nats_of(child)
        child.kill()
        until(lambda: _is_gone(nats), "end of nats-server")


def test_no_secret_is_in_an_argument_or_a_log(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (child, _):
        config = (tmp_path / "data/nats/nats.conf").read_text()
        secret = config.split("password:")[1].split('"')[1]
        assert len(secret) >= 32
        for process in (psutil.Process(child.pid), *child.descendants()):
            assert secret not in " ".join(process.cmdline())
        child.terminate()
        for path in (tmp_path / "data").rglob("*"):
            if path.is_file() and path.name != "nats.conf":
                assert secret.encode() not in path.read_bytes(), path
        assert secret not in child.text()


def test_a_second_one_on_the_same_data_dir_is_refused_in_one_line(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (child, _):
        second = subprocess.run(
            durable("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        (line,) = second.stderr.splitlines()
        assert str(tmp_path / "data") in line
        assert str(child.pid) in line


def test_a_second_one_on_the_same_port_is_refused_in_one_line(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (_, address):
        second = subprocess.run(
            durable("server", "--listen", address, "--data-dir", str(tmp_path / "other")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        (line,) = [it for it in second.stderr.splitlines() if it.startswith("durable:")]
        assert address in line
        assert "--listen" in line


def test_an_open_address_needs_a_flag(tmp_path: Path) -> None:
    refused = subprocess.run(
        durable("server", "--listen", "0.0.0.0:0", "--data-dir", str(tmp_path / "data")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "--insecure" in line
    assert not (tmp_path / "data").exists()


def test_a_ready_file_without_its_folder_is_refused_before_the_start(tmp_path: Path) -> None:
    refused = subprocess.run(
        durable(
            *("server", "--data-dir", str(tmp_path / "data")),
            *("--ready-file", str(tmp_path / "none" / "ready")),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "its folder is not there" in line
    assert not (tmp_path / "data").exists()
    # The data dir is made by the start.
    ready = tmp_path / "data" / "ready"
    command = durable(
        *("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")),
        *("--ready-file", str(ready)),
    )
    with running(command, tmp_path / "log") as child:
        until(ready.exists, "ready file", child)


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def test_a_killed_control_plane_goes_on_where_it_was(tmp_path: Path) -> None:
    address = _free_address()
    worker_id = "survivor"
    with control_plane(tmp_path, listen=address) as (child, _):
        async with grpc.aio.insecure_channel(address) as channel:
            control = control_pb2_grpc.DurableControlStub(channel)
            worker = ManualWorker(channel, worker_id)
            async with worker:
                response = await control.Invoke(
                    control_pb2.InvokeRequest(handler="three", input=payload_pb2.Payload(data=b"1"))
                )
                start = await worker.receive("start")
                await worker.step(start, 0)
                await worker.step(start, 1)
                child.kill()
    with control_plane(tmp_path, listen=address) as (_, again):
        assert again == address
        async with grpc.aio.insecure_channel(address) as channel:
            control = control_pb2_grpc.DurableControlStub(channel)
            worker = ManualWorker(channel, worker_id)
            worker.hello.resumed.add(invocation_id=start.invocation_id, attempt=1)
            async with worker:
                # The worker lived on: it sends what it has, and ends the same attempt.
                ack = await worker.step(start, 2)
                assert ack.completion_number == 3
                await worker.finish(start)
                result = await control.GetResult(
                    control_pb2.GetResultRequest(
                        invocation_id=response.invocation_id,
                        wait_timeout=Duration(seconds=20),
                        include_journal=True,
                    )
                )
    assert result.state == invocation_pb2.INVOCATION_STATE_COMPLETED
    assert [(it.index, it.attempt) for it in result.journal] == [(0, 1), (1, 1), (2, 1)]


async def test_a_killed_nats_server_is_started_again(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (child, address):
        async with (
            grpc.aio.insecure_channel(address) as channel,
            ManualWorker(channel) as worker,
        ):
            control = control_pb2_grpc.DurableControlStub(channel)
            invocation_id = (
                await control.Invoke(control_pb2.InvokeRequest(handler="three"))
            ).invocation_id
            start = await worker.receive("start")
            await worker.step(start, 0)
            killed = nats_of(child)
            killed.kill()
            assert (await worker.step(start, 1)).completion_number == 2
            assert nats_of(child).pid != killed.pid
            await worker.finish(start)
            result = await control.GetResult(
                control_pb2.GetResultRequest(
                    invocation_id=invocation_id, wait_timeout=Duration(seconds=20)
                )
            )
    assert result.state == invocation_pb2.INVOCATION_STATE_COMPLETED
