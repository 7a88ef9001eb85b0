"""A closed-loop load from one AsyncClient: `python -m benchmarks.load ADDRESS WORKFLOW C...`.

For each concurrency C it runs C callers, each of which invokes, waits for the result and invokes again,
and prints one line of JSON. It is a separate process, so that its CPU is counted separately.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import durable
from benchmarks import workflows

WARM_UP = 300
ALONE = 300
PER_CALLER = 80
MOST = 10_000


async def measure(client: durable.AsyncClient, name: str, callers: int, count: int) -> list[float]:
    """Runs `count` invocations from `callers` callers; returns the sorted latencies in seconds."""
    flow = getattr(workflows, name)
    latencies: list[float] = []
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            begin = time.perf_counter()
            result = await client.invoke(flow, f"user-{number}")
            latencies.append(time.perf_counter() - begin)
            if f"user-{number}" not in result:
                raise AssertionError(f"invocation {number} returned {result!r}")

    await asyncio.gather(*(caller() for _ in range(callers)))
    return sorted(latencies)


async def main(address: str, name: str, *concurrencies: str) -> None:
    """Warms up, then waits for a line on stdin before each load: the parent reads its counters then."""
    async with durable.AsyncClient(address) as client:
        await measure(client, name, 8, WARM_UP)
        for callers in map(int, concurrencies):
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            count = ALONE if callers == 1 else min(callers * PER_CALLER, MOST)
            begin = time.perf_counter()
            latencies = await measure(client, name, callers, count)
            seconds = time.perf_counter() - begin
            row = {
                "count": count,
                "rate": count / seconds,
                "p50_ms": latencies[count // 2] * 1000,
                "p99_ms": latencies[int(count * 0.99)] * 1000,
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main(*sys.argv[1:]))
    else:
        uvloop.run(main(*sys.argv[1:]))
