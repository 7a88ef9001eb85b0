"""`durable dev` starts its worker again when code changes, and survives code that does not load."""

from __future__ import annotations

import asyncio
from pathlib import Path

import durable
from tests.support.processes import dev, until

SOURCE = """
import durable

@durable.workflow
async def word(ctx: durable.Context) -> str:
    return await ctx.run("step", lambda: {value!r})
"""


async def test_a_change_is_served_without_a_restart(tmp_path: Path) -> None:
    module = tmp_path / "flow.py"
    module.write_text(SOURCE.format(value="first"))
    with dev(tmp_path, str(module)) as (child, address):
        async with durable.AsyncClient(address) as client:
            assert (await client.invoke("word")).value() == "first"
            module.write_text("this is no Python")

            def broken() -> bool:
                return "waiting for a change" in child.text()

            await asyncio.to_thread(until, broken, "word that the code is broken", child)
            # What is asked for meanwhile waits for a worker.
            waiting = asyncio.create_task(client.invoke("word"))
            module.write_text(SOURCE.format(value="second"))
            assert (await waiting).value() == "second"
        assert await asyncio.to_thread(child.terminate) == 0, child.text()
