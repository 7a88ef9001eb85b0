"""Sync steps that wait for a thread (`--max-threads`), and SIGTERM, with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

import durable
from tests.support.processes import PATIENCE_SECONDS, control_plane, running, until
from tests.support.processes import durable as command

FLOWS = """
import pathlib, time, durable
from durable import Context

HERE = pathlib.Path(__file__).parent

@durable.workflow
async def holds(ctx: Context, name: str) -> str:
    def hold() -> str:
        (HERE / f"begun-{name}").touch()
        while not (HERE / "go").exists():
            time.sleep(0.01)
        return name
    return await ctx.run("hold", hold)
"""


@pytest.mark.parametrize("how", ["drained", "killed"])
def test_steps_that_wait_do_not_begin_on_a_worker_that_stops(tmp_path: Path, how: str) -> None:
    module = tmp_path / "held.py"
    module.write_text(FLOWS)
    with control_plane(tmp_path) as (_, address), durable.Client(address, timeout=60) as client:
        worker = command("worker", str(module), "--address", address, "--max-threads", "1")
        with running(worker, tmp_path / "first.log") as first:
            until(client.list_workers, "a worker", first)
            holds: durable.WorkflowRef[[str], str] = durable.ref("holds")
            one = client.invoke_async(holds, "one")
            until((tmp_path / "begun-one").exists, "the first step", first)
            two = client.invoke_async(holds, "two")
            until(lambda: "all threads for sync steps are taken" in first.text(), "line", first)
            assert "max_threads is 1" in first.text()
            assert f"'hold' of holds [{one}]" in first.text()
            if how == "drained":
                first.process.terminate()
                until(lambda: client.get(two).status == "pending", "the release", first)
                (tmp_path / "go").touch()
                assert first.process.wait(PATIENCE_SECONDS) == 0
            else:
                first.kill()
                (tmp_path / "go").touch()
            assert not (tmp_path / "begun-two").exists()
        with running(worker, tmp_path / "second.log"):
            assert client.get_result(one).value() == "one"
            assert client.get_result(two).value() == "two"
