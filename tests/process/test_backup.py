"""Backup and restore with real processes: nothing that the backup holds is lost or done twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

import durable
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import parse_urls
from durable_server.store.schema import VERSION
from tests.cli.conftest import Run, run
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import control_plane, nats_of, running, until
from tests.support.processes import durable as command
from tests.support.waiting import eventually

from . import flows
from .test_soak import all_finished, resolve
from .trees import KEYS, Expected, Soak, Tree, grow, tree

AT_ONCE = 8
"""Trees that run side by side."""


def ok(done: Run) -> Run:
    assert done.code == 0, done
    return done


def backup(place: Path, data_dir: Path) -> str:
    """Makes a backup; returns its id."""
    made = ok(run("backup", str(place), "--data-dir", str(data_dir), "--json")).json
    return str(made["backup_id"])


@contextlib.asynccontextmanager
async def served(folder: Path, *options: str, workers: int = 1) -> AsyncIterator[str]:
    """Runs a control plane on `folder`/data and workers; kills all at the end."""
    with contextlib.ExitStack() as stack:
        _, address = await asyncio.to_thread(
            stack.enter_context, control_plane(folder, *options)
        )
        for number in range(workers):
            line = command("worker", "tests.process.trees", "--address", address)
            stack.enter_context(running(line, folder / f"worker-{number}.log"))
        yield address


async def test_a_backup_under_load_is_a_system_at_one_moment(tmp_path: Path) -> None:
    """Trees with children, sends and objects in three partitions, backed up while they run."""
    rng = random.Random(3)
    works: dict[str, Tree] = {}
    ids: dict[str, str] = {}
    known: dict[str, set[str]] = {}
    ended = asyncio.Event()
    place, data_dir = tmp_path / "place", tmp_path / "data"
    async with (
        served(tmp_path, "--partitions", "3", workers=2) as address,
        durable.AsyncClient(address, timeout=None) as client,
    ):
        await eventually(lambda: registered(client), patience=60)

        async def keep_growing() -> None:
            while not ended.is_set():
                name = f"t{len(works)}"
                work = works[name] = grow(rng, name)
                expected = Expected()
                total = expected.add(work)
                started = client.options(idempotency_key=name)
                ids[name] = await started.invoke_async(tree, work)
                result, *_ = await asyncio.gather(
                    client.get_result(ids[name], tree),
                    *(resolve(client, it, rng.random()) for it in expected.promises),
                )
                assert result.value() == total, name

        crowd = asyncio.gather(*(keep_growing() for _ in range(AT_ONCE)))
        for count in (20, 60):
            await eventually(lambda least=count: enough(ids, least), patience=60)
            before = set(ids)
            known[await asyncio.to_thread(backup, place, data_dir)] = before
        ended.set()
        await crowd
    listed = ok(run("backup", str(place), "--list", "--json")).json
    assert [it["backup_id"] for it in listed["backups"]] == sorted(known, reverse=True)
    assert listed["incomplete"] == []

    first, second = known
    embedded = tmp_path / "embedded"
    embedded.mkdir()
    ok(run("restore", str(place), "--data-dir", str(embedded / "data"), "--backup", first))
    await goes_on(embedded, works, ids, known[first])
    async with external_nats(tmp_path / "nats", f"{JETSTREAM}\nmax_payload: 8MB") as nats:
        external = tmp_path / "external"
        external.mkdir()
        # Without an id it is the newest one.
        line = ("restore", str(place), "--data-dir", str(external / "data"), "--nats", nats.url)
        made = ok(run(*line, "--json")).json
        assert made["backup"]["backup_id"] == second
        await goes_on(external, works, ids, known[second], "--nats", nats.url)


async def goes_on(
    folder: Path, works: dict[str, Tree], ids: dict[str, str], before: set[str], *options: str
) -> None:
    """Runs a restored system to the end of all that it holds, and compares the counters."""
    data_dir = str(folder / "data")
    select = "SELECT idempotency_key, id FROM invocations WHERE handler = 'tree'"
    rows = ok(run("sql", select, "--data-dir", data_dir, "--limit", "100000", "--json")).json
    there = {it["idempotency_key"]: it["id"] for it in rows if it["idempotency_key"]}
    assert before <= set(there), "it lacks what was acknowledged before the backup began"
    expected = Expected()
    totals = {name: expected.add(works[name]) for name in there}
    async with (
        served(folder, *options) as address,
        durable.AsyncClient(address, timeout=None) as client,
    ):
        for name, invocation_id in there.items():
            assert ids.get(name, invocation_id) == invocation_id
        await asyncio.gather(*(resolve(client, it, 0) for it in expected.promises))
        results = await asyncio.gather(*(client.get_result(it, tree) for it in there.values()))
        values = [it.value() for it in results]
        assert dict(zip(there, values, strict=True)) == totals
        await eventually(lambda: all_finished(client), patience=120)
        counters = {key: await client.options(key=key).invoke(Soak.value) for key in KEYS}
    assert counters == {key: expected.counters[key] for key in KEYS}


async def registered(client: durable.AsyncClient) -> bool:
    return len(await client.list_handlers()) >= 4


async def enough(ids: dict[str, str], count: int) -> bool:
    return len(ids) >= count


async def test_a_worker_of_before_does_not_go_on_with_what_the_backup_lacks(tmp_path: Path) -> None:
    """It has done a step, and waits for a promise, that the restored system does not know."""
    gate = tmp_path / "gate"
    steps = tmp_path / "steps"
    place, old, new = tmp_path / "place", tmp_path / "old", tmp_path / "new"
    with contextlib.ExitStack() as stack:
        old.mkdir()
        server, address = stack.enter_context(control_plane(old))
        worker = command(
            "worker", "tests.process.flows", "--address", address, "--suspend-after", "never"
        )
        stack.enter_context(running(worker, tmp_path / "worker.log"))
        async with durable.AsyncClient(address, timeout=None) as client:
            invoked = client.options(idempotency_key="one")
            invocation_id = await eventually(
                lambda: _started(invoked, [str(gate), str(steps)]), patience=60
            )
            await asyncio.to_thread(until, steps.exists, "first step")
            await asyncio.to_thread(backup, place, old / "data")
            line = ("restore", str(place), "--data-dir", str(new / "data"))
            ok(await asyncio.to_thread(run, *line))
            gate.touch()
            await asyncio.to_thread(until, lambda: "after" in steps.read_text(), "second step")
            await eventually(lambda: _waits(client, invocation_id))
        server.kill()
        # At once, so that the worker still holds its attempt.
        stack.enter_context(control_plane(new, listen=address))
        async with durable.AsyncClient(address, timeout=None) as client:
            await client.resolve_awakeable("go", "gone")
            result = await client.get_result(invocation_id, flows.gated)
            assert result.value() == "gone"
            journal = (await client.get(invocation_id)).journal
    assert steps.read_text().split() == ["before", "after"] * 2
    assert len(journal) == 3


async def _started(client: durable.AsyncClient, arguments: list[str]) -> str:
    try:
        return await client.invoke_async(flows.gated, arguments)
    except durable.NotFoundError:
        return ""


async def _waits(client: durable.AsyncClient, invocation_id: str) -> bool:
    return len((await client.get(invocation_id)).journal) == 3
