"""Invokes one workflow many times concurrently from one client, and prints a summary.

python examples/concurrent_workflows/main.py --count 100 --timeout 60
"""

from __future__ import annotations

import asyncio
import sys
import time

import click

from durable import AsyncClient, DurableError
from examples.concurrent_workflows.workflows import async_workflow
from examples.launcher import running

LINES_MAX = 50
"""Up to this count every invocation prints its own lines; above it, a progress bar replaces them."""
IN_FLIGHT_MAX = 1000
"""How many invocations the client waits for at once; this bounds the client's memory."""
SHOWN_MAX = 3
RULE = "=" * 40


class Run:
    """One run of the example: how many invocations succeeded, and the errors of the others."""

    def __init__(self, client: AsyncClient, count: int) -> None:
        self.client = client
        self.count = count
        self.succeeded = 0
        self.shown: list[str] = []
        self.errors: list[str] = []
        self.with_lines = count <= LINES_MAX
        self.progress = Progress(count) if not self.with_lines else None

    async def invoke(self, number: int) -> None:
        """Invokes the workflow for one user and notes how it ended."""
        user_id = f"user-{number:03d}"
        if self.with_lines:
            print(f"📤 [Invoke {number}] Submitting workflow for {user_id}")
        try:
            result = await self.client.invoke(async_workflow, user_id)
        except DurableError as error:
            self.errors.append(f"[Invoke {number}] {error}")
            if self.with_lines:
                print(f"❌ [Invoke {number}] Failed for {user_id}: {error}")
        else:
            self.succeeded += 1
            if self.with_lines or len(self.shown) < SHOWN_MAX:
                self.shown.append(result)
            if self.with_lines:
                print(f"✅ [Invoke {number}] Completed for {user_id}")
        if self.progress is not None:
            self.progress.advance()

    async def all(self) -> None:
        """Invokes the workflow `count` times, at most IN_FLIGHT_MAX at once."""
        numbers = iter(range(1, self.count + 1))

        async def caller() -> None:
            for number in numbers:
                await self.invoke(number)

        await asyncio.gather(*(caller() for _ in range(min(self.count, IN_FLIGHT_MAX))))


class Progress:
    """A progress bar on a terminal; ten plain lines in a pipe."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.done = 0
        self.begin = time.monotonic()
        self.every = max(1, count // (100 if sys.stderr.isatty() else 10))
        self.bar = None
        if sys.stderr.isatty():
            self.bar = click.progressbar(length=count, show_pos=True, file=sys.stderr)
            self.bar.render_progress()

    def advance(self) -> None:
        """Counts one more finished invocation."""
        self.done += 1
        if self.done % self.every and self.done != self.count:
            return
        if self.bar is not None:
            self.bar.update(self.done - self.bar.pos)
            if self.done == self.count:
                self.bar.render_finish()
        else:
            rate = self.done / (time.monotonic() - self.begin)
            print(f"{self.done:,}/{self.count:,} finished, {rate:,.0f}/s", file=sys.stderr)


async def invoke_all(address: str, count: int, seconds: float) -> bool:
    """Runs the invocations and prints the summary; returns whether all succeeded."""
    print(f"Concurrent Workflow Invocations (N={count})\n{RULE}")
    print(f"🚀 Submitting {count} workflow invocations...\n")
    begin = time.monotonic()
    async with AsyncClient(address, timeout=seconds) as client:
        run = Run(client, count)
        await run.all()
    total_ms = (time.monotonic() - begin) * 1000
    print(f"\n{RULE}\nResults Summary\n{RULE}")
    for text in run.shown:
        print(f"{text}\n")
    if count > len(run.shown) + len(run.errors):
        print(f"... and {count - len(run.shown) - len(run.errors):,} more\n")
    for text in run.errors[:SHOWN_MAX]:
        print(f"{text}\n")
    print(f"Total Invocations: {count}")
    print(f"✅ Success: {run.succeeded}")
    print(f"❌ Failed: {len(run.errors)}")
    print(f"⏱️  Total Time: {total_ms:.0f}ms")
    print(f"📊 Avg Time per Workflow: {total_ms / count:.2f}ms")
    return not run.errors


@click.command()
@click.option("--count", default=10, show_default=True, type=click.IntRange(1))
@click.option("--timeout", default=300.0, show_default=True, help="Seconds for each invocation.")
def main(count: int, timeout: float) -> None:
    """Invoke one workflow COUNT times concurrently."""
    with running("examples.concurrent_workflows.workflows") as address:
        succeeded = asyncio.run(invoke_all(address, count, timeout))
    sys.exit(0 if succeeded else 1)


if __name__ == "__main__":
    main()
