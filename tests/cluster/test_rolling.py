"""All nodes of a cluster are restarted one after another under load: nothing fails, nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from examples.cluster.load import Load
from examples.cluster.nodes import NAMES, Nodes
from examples.cluster.rolling import HOSTS, NAME, run, summary
from examples.cluster.workers import start_workers
from tests.support.external_nats import JETSTREAM, external_nats

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "external"])
async def test_no_call_fails_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], embedded: bool
) -> None:
    async with AsyncExitStack() as stack:
        url = ""
        if not embedded:
            nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))
            url = nats.url
        processes = stack.enter_context(ExitStack())
        nodes = Nodes(processes, tmp_path, url, ["--allowed-host", NAME])
        if shutil.which("curl"):
            nodes.http_hosts = HOSTS
        effects = tmp_path / "effects"
        effects.touch()
        await asyncio.to_thread(nodes.start, *NAMES)
        start_workers(processes, tmp_path, nodes.address, effects)
        loads = {"sdk": Load(10.0), "curl": Load(2.0)}
        await run(nodes, loads["sdk"], loads["curl"], 0.5)
    logs = nodes.logs()
    assert len(logs) == 2 * len(NAMES)
    done = summary(loads, counted := Counter(effects.read_text().splitlines()))
    printed = capsys.readouterr().out
    if not done and any(" is lost" in it for it in logs):
        # Of a machine so busy that a worker was away for longer than the grace period, its attempts
        # went to another worker.
        assert not any(it.errors for it in loads.values()), printed
        assert " 0 lost" in printed, printed
    else:
        assert done, printed
    assert len(counted) > 50
