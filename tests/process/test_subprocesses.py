"""Steps that start subprocesses, in a worker as it runs in production: uvloop, gRPC traffic, threads.

Method: children that do nothing are started in large numbers, because what goes wrong between fork and
exec goes wrong seldom: with gRPC's fork support about one child in forty dies of SIGSEGV.
"""

from __future__ import annotations

from pathlib import Path

import durable
from tests.support.processes import dev

SOURCE = """
import asyncio

import durable


async def start_many(count: int) -> list[int]:
    codes = []
    for _ in range(count):
        child = await asyncio.create_subprocess_exec("/bin/true", stdin=asyncio.subprocess.PIPE)
        codes.append(await child.wait())
    return codes


@durable.workflow
async def children(ctx: durable.Context, count: int) -> list[int]:
    ended = await asyncio.gather(*(ctx.run(f"start {n}", start_many, count) for n in range(4)))
    return sorted({code for codes in ended for code in codes})
"""


async def test_the_subprocesses_of_steps_become_what_they_are_to_be(tmp_path: Path) -> None:
    module = tmp_path / "flow.py"
    module.write_text(SOURCE)
    with dev(tmp_path, str(module), "--no-reload") as (_, address):
        async with durable.AsyncClient(address) as client:
            result = await client.invoke("children", 60)
        assert result.value() == [0]
