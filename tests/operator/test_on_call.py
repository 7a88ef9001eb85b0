"""The tasks of an operator on call, with real processes that fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import durable
from tests.cli.conftest import Cli, run
from tests.operator.conftest import FLOWS, Deployment
from tests.support.processes import control_plane, nats_of, running, until
from tests.support.processes import durable as command_line


def test_a_nats_server_that_died_is_in_the_log(deployment: Deployment) -> None:
    nats_of(deployment.server).kill()
    until(lambda: "nats-server is back" in deployment.server.text(), "recovery", deployment.server)
    assert "starting it again" in deployment.server.text()
    assert deployment.cli("invoke", "refused").code == 1


def test_ctrl_c_of_a_bulk_change_tells_how_far_it_came(deployment: Deployment) -> None:
    count = 2000
    with durable.Client(deployment.cli.address) as client:
        for _ in range(count):
            client.invoke_async("refused")
    until(lambda: _count(deployment.cli, "failed") >= count, "failures", deployment.worker)
    command = [sys.executable, "-m", "durable_cli", "purge", "--status", "failed", "--handler"]
    command += ["refused", "--yes", "--json", "--address", deployment.cli.address]
    changing = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    until(lambda: _count(deployment.cli, "failed") < count, "first of the changes")
    # While the control plane is stopped, the rest of the changes cannot be made.
    deployment.server.process.send_signal(signal.SIGSTOP)
    changing.send_signal(signal.SIGINT)
    deployment.server.process.send_signal(signal.SIGCONT)
    out, err = changing.communicate(timeout=30)
    assert changing.returncode == 130, err
    assert "Traceback" not in err
    done = len(json.loads(out)["results"])
    assert f"purge: interrupted; {done} are done, 0 refused, " in err
    deployment.cli.ok("purge", "--status", "failed", "--handler", "refused", "--yes")
    assert _count(deployment.cli, "failed") == 0


def _count(cli: Cli, status: str) -> int:
    with durable.Client(cli.address) as client:
        return client.stats().by_status.get(status, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB, where this machine lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_is_told_and_healed(small_disk: Path, tmp_path: Path) -> None:
    with control_plane(small_disk) as (server, address):
        cli = Cli(address, small_disk / "data")
        serve = command_line("worker", FLOWS, "--address", address)
        with running(serve, tmp_path / "worker.log") as worker:
            until(lambda: cli.ok("workers", "--json").json, "worker", worker)
            fat = cli.start("fat", "40")
            until(lambda: "is full:" in server.text(), "the reason", server)
            doctor = cli("doctor", "--data-dir", str(cli.data_dir))
            assert doctor.code == 1
            assert "fail  disk space" in doctor.out
            subprocess.run(["mount", "-o", "remount,size=120m", str(small_disk)], check=True)
            until(lambda: "there is room" in server.text(), "recovery", server)
            until(lambda: cli.ok("get", fat, "--json").json["journal_length"] > 40, "end", worker)


def test_a_start_on_a_full_disk_says_which(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, 24 * 1024 * 1024)
    done = run("server", "--listen", "127.0.0.1:0", "--data-dir", str(small_disk / "data"))
    assert done.code == 1
    assert f"the disk of {small_disk / 'data'} is full; free some" in done.err


def test_a_store_or_a_log_that_is_damaged_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (server, address):
        cli = Cli(address, tmp_path / "data")
        serve = command_line("worker", FLOWS, "--address", address)
        with running(serve, tmp_path / "worker.log"):
            until(lambda: cli.ok("workers", "--json").json, "worker")
            assert cli("invoke", "refused").code == 1
        assert server.terminate() == 0
    damaged, halved = tmp_path / "damaged" / "data", tmp_path / "halved"
    shutil.copytree(tmp_path / "data", damaged)
    shutil.copytree(tmp_path / "data", halved)

    (damaged / "partition-0.db").write_bytes(b"no database at all")
    done = run("server", "--listen", "127.0.0.1:0", "--data-dir", str(damaged))
    assert done.code == 1
    assert f"the store {damaged / 'partition-0.db'} is damaged" in done.err
    (damaged / "partition-0.db").rename(tmp_path / "away.db")
    with control_plane(damaged.parent) as (_, address):
        assert _count(Cli(address, tmp_path), "failed") == 1

    (block,) = halved.glob("nats/jetstream/*/streams/DURABLE_P0/msgs/*.blk")
    os.truncate(block, block.stat().st_size // 2)
    done = run("server", "--listen", "127.0.0.1:0", "--data-dir", str(halved))
    assert done.code == 1
    assert "go on from the stores: `durable backup DIR`, then `durable restore DIR`" in done.err
