"""Which build workers in processes say they run: `durable dev` after each change, and `--processes`."""

from __future__ import annotations

from pathlib import Path

import durable
from tests.support.processes import dev, running, until
from tests.support.processes import durable as command

FLOW = """
import durable

@durable.workflow(versioning="pinned")
async def waits(ctx: durable.Context) -> str:
    await ctx.run("step", lambda: 1)
    await ctx.signal("go")
    return "before"
"""


def builds(client: durable.Client) -> list[str]:
    return [it.build_id for it in client.list_deployments().deployments]


def test_dev_goes_on_with_pinned_invocations_when_the_code_changes(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(FLOW)
    with dev(tmp_path, str(app)) as (child, address), durable.Client(address) as client:
        invocation_id = client.invoke_async("waits")
        until(lambda: len(client.get(invocation_id).journal) == 2, "journal", child)
        assert client.get(invocation_id).pinned
        app.write_text(FLOW.replace("before", "after"))
        before = client.list_handlers()[0].version
        until(lambda: client.list_handlers()[0].version != before, "new code", child)
        client.signal(invocation_id, "go")
        assert client.get_result(invocation_id).value() == "after"
        assert builds(client) == ["dev"]


def test_all_processes_of_a_worker_run_one_build(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(FLOW)
    with (
        dev(tmp_path, str(app), "--build-id", "given") as (_, address),
        durable.Client(address) as client,
    ):
        assert builds(client) == ["given"]
        (dev_worker,) = client.list_workers()
        arguments = command("worker", str(app), "--address", address, "--processes", "2")
        with running(arguments, tmp_path / "worker.log") as worker:
            until(lambda: len(client.list_workers()) == 3, "workers", worker)
            found = {it.build_id for it in client.list_workers()} - {dev_worker.build_id}
            assert len(found) == 1
            assert found.pop().startswith("src-")
            assert worker.terminate() == 0
