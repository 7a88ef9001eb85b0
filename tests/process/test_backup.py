"""Backup and restore with real processes: nothing that the backup holds is lost or done twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

import durable
from durable_server.cluster.metadata import RESTORE_SUBJECT, read
from durable_server.cluster.records import read_record
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import parse_urls
from durable_server.store.schema import VERSION
from tests.cli.conftest import Run, run
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import control_plane, running, until
from tests.support.processes import durable as command
from tests.support.waiting import eventually

from . import flows
from .load import all_finished, resolve
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
        _, address = await asyncio.to_thread(stack.enter_context, control_plane(folder, *options))
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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data dir of a system of two partitions, which is stopped, and `place` with its backup."""
    folder = tmp_path_factory.mktemp("made")
    with control_plane(folder, "--partitions", "2") as (server, address):
        # The handler is registered, so something is there to be found again.
        worker = command("worker", "tests.process.flows", "--address", address)
        with running(worker, folder / "worker.log") as child:
            until(lambda: run("handlers", "--json", address=address).json, "worker", child)
        server.kill()
    backup(folder / "place", folder / "data")
    return folder


def handlers(folder: Path, *options: str) -> int:
    """Starts the control plane of a restored system; returns how many handlers it knows."""
    with control_plane(folder, *options) as (_, address):
        return len(ok(run("handlers", "--json", address=address)).json)


def start(data_dir: Path, *options: str) -> Run:
    """Tries to start a control plane that does not start."""
    return run("server", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir), *options)


def restore(made: Path, data_dir: Path, *options: str) -> Run:
    return run("restore", str(made / "place"), "--data-dir", str(data_dir), *options)


def refused(done: Run, says: str) -> None:
    assert done.code == 1, done
    assert says in done.err, done
    assert done.err.count("\n") == 1, done


def test_when_nats_is_lost_the_stores_are_a_way_on(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "data", tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "nats")
    done = start(tmp_path / "data")
    refused(done, "has none of its 2 logs")
    assert "`durable backup DIR`, then `durable restore DIR` into a new --data-dir" in done.err
    # Nothing was made of it: it is refused again, for the same reason.
    refused(start(tmp_path / "data", "--partitions", "2"), "has none of its 2 logs")
    backup(tmp_path / "place", tmp_path / "data")
    new = tmp_path / "new"
    ok(restore(tmp_path, new / "data"))
    assert handlers(new) >= 7


def test_when_one_log_went_back_the_line_says_the_same(made: Path, tmp_path: Path) -> None:
    """The data dir has no identity, as that of an older version."""
    shutil.copytree(made / "data", tmp_path / "data")
    (tmp_path / "data" / "system.json").unlink()
    shutil.rmtree(tmp_path / "data" / "nats")
    refused(
        start(tmp_path / "data", "--partitions", "2"),
        "go on from the stores: `durable backup DIR`, then `durable restore DIR`",
    )
    backup(tmp_path / "place", tmp_path / "data")
    new = tmp_path / "new"
    ok(restore(tmp_path, new / "data"))
    assert handlers(new) >= 7


def test_stores_are_not_used_with_the_logs_of_another_system(made: Path, tmp_path: Path) -> None:
    ok(restore(made, tmp_path / "data"))
    shutil.rmtree(tmp_path / "data" / "nats")
    shutil.copytree(made / "data" / "nats", tmp_path / "data" / "nats")
    refused(start(tmp_path / "data"), "this NATS system is that of")


async def test_what_holds_a_system_is_not_restored_into(made: Path, tmp_path: Path) -> None:
    refused(restore(made, made / "data"), "holds a system already; give --data-dir a new directory")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    refused(restore(made, tmp_path / "mine"), "is not a data directory")
    async with external_nats(tmp_path / "nats", f"{JETSTREAM}\nmax_payload: 8MB") as nats:
        first = tmp_path / "first"
        first.mkdir()
        line = ("--nats", nats.url)
        ok(await asyncio.to_thread(restore, made, first / "data", *line))
        second = tmp_path / "second"
        # Whether a control plane has started there or not.
        refused(await asyncio.to_thread(restore, made, second, *line), "holds system")
        assert await asyncio.to_thread(handlers, first, *line) >= 7
        refused(await asyncio.to_thread(restore, made, second, *line), "holds system")
        refused(
            await asyncio.to_thread(restore, made, second, *line, "--replicas", "2"),
            "--replicas 2 is not 1, 3 or 5",
        )
    refused(restore(made, second, "--replicas", "3"), "--replicas 3 needs an external NATS cluster")
    ok(restore(made, second))


def test_a_damaged_backup_is_refused_as_a_whole(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "place", tmp_path / "place")
    (chunk,) = (tmp_path / "place").glob("*/backup-*/partition-1/*/chunk-00000")
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    refused(restore(tmp_path, tmp_path / "data"), "chunk 0 of 1 has another checksum")
    # What was written until then is gone, so the directory can be used.
    ok(restore(made, tmp_path / "data"))
    chunk.unlink()
    refused(restore(tmp_path, tmp_path / "more"), "chunk 0 is missing in")
    (chunk.parent / "manifest.json").unlink()
    refused(restore(tmp_path, tmp_path / "more"), "of partition 1 is not in")
    (file,) = (tmp_path / "place").glob("*/backup-*/backup.json")
    file.unlink()
    refused(restore(tmp_path, tmp_path / "more"), "is incomplete")
    listed = ok(run("backup", str(tmp_path / "place"), "--list", "--json")).json
    assert listed == {"backups": [], "incomplete": [str(file.parent)]}
    assert "is incomplete" in ok(run("backup", str(tmp_path / "place"), "--list")).err


def test_a_backup_of_a_newer_version_is_refused(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "place", tmp_path / "place")
    (path,) = (tmp_path / "place").glob("*/backup-*/partition-1/*/manifest.json")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "store_version": VERSION + 1}))
    refused(restore(tmp_path, tmp_path / "data"), f"has store version {VERSION + 1}, this program")
    assert not (tmp_path / "data").exists()


def test_which_backup_is_meant_must_be_clear(made: Path, tmp_path: Path) -> None:
    refused(run("backup", str(tmp_path / "none"), "--list"), "there is no folder")
    refused(restore(tmp_path, tmp_path / "data"), "there is no folder")
    (tmp_path / "place").mkdir()
    refused(restore(tmp_path, tmp_path / "data"), "there is no backup in")
    ok(restore(made, tmp_path / "data"))
    shutil.copytree(made / "place", tmp_path / "both")
    other = backup(tmp_path / "both", tmp_path / "data")
    line = ("restore", str(tmp_path / "both"), "--data-dir", str(tmp_path / "new"))
    refused(run(*line), "has backups of several systems: choose one with --backup ID")
    refused(run(*line, "--backup", "nothing"), "there is no complete backup nothing")
    assert ok(run(*line, "--backup", other, "--json")).json["backup"]["backup_id"] == other
    refused(run("backup", str(tmp_path / "b"), "--data-dir", str(tmp_path)), "there is no store in")


async def test_a_restore_that_is_killed_is_refused_and_repeated(made: Path, tmp_path: Path) -> None:
    """It is killed when it has begun, when it has the stores, and when it has begun in NATS."""
    data_dir = tmp_path / "system" / "data"
    data_dir.parent.mkdir()
    async with external_nats(tmp_path / "nats", f"{JETSTREAM}\nmax_payload: 8MB") as nats:

        async def begun() -> bool:
            """Whether the restore has begun in NATS, and not ended there."""
            connection = await Connection.open(parse_urls(nats.url), name="test")
            try:
                note = await read_record(connection, RESTORE_SUBJECT)
                return note is not None and await read(connection) is None
            finally:
                connection.abort()

        async def ended() -> bool:
            return not (data_dir / "RESTORING").exists()

        async def begun_or_ended() -> bool:
            return await begun() or await ended()

        async def has(file: str) -> bool:
            return (data_dir / file).exists()

        line = command(
            "restore", str(made / "place"), "--data-dir", str(data_dir), "--nats", nats.url
        )
        conditions: Sequence[Callable[[], object]] = (
            lambda: has("RESTORING"),
            lambda: has("system.json"),
            begun_or_ended,
        )
        for condition in conditions:
            with running(line, tmp_path / "restore.log") as child:
                await eventually(condition)
                # It may have ended by now; then the repetition is refused, which the last line shows.
                child.process.send_signal(signal.SIGKILL)
                child.process.wait()
            if (data_dir / "RESTORING").exists():
                refused(
                    await asyncio.to_thread(start, data_dir, "--nats", nats.url), "has not ended"
                )
                if await begun():
                    empty = await asyncio.to_thread(start, tmp_path / "other", "--nats", nats.url)
                    refused(empty, "a restore into this NATS system has begun and not ended")
        if (data_dir / "RESTORING").exists():
            ok(await asyncio.to_thread(restore, made, data_dir, "--nats", nats.url))
        assert await asyncio.to_thread(handlers, data_dir.parent, "--nats", nats.url) >= 7


def test_a_restore_that_lacks_only_its_last_line_is_completed(made: Path, tmp_path: Path) -> None:
    """The embedded NATS system is in the data dir, so everything is made anew."""
    system = tmp_path / "data"
    first = ok(restore(made, system, "--json")).json["system_id"]
    (system / "RESTORING").write_text(json.dumps({"id": first}))
    refused(start(system), "has not ended; run `durable restore` again")
    ok(restore(made, system))
    assert handlers(tmp_path) >= 7


def test_the_copies_of_a_backup_that_was_killed_are_removed(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "data", tmp_path / "data")
    left = tmp_path / "data" / "backup.tmp-left"
    left.mkdir()
    (left / "partition-0").touch()
    # An operator may keep backups in the data dir, under any name.
    places = [tmp_path / "data" / it for it in ("backup-1", "backup-2")]
    for place in places:
        backup(place, tmp_path / "data")
    assert sorted((tmp_path / "data").glob("backup*")) == places
    assert ok(run("backup", str(places[0]), "--list", "--json")).json["backups"]


def test_a_backup_changes_nothing_in_the_stores(made: Path, tmp_path: Path) -> None:
    def content() -> list[bytes]:
        return [path.read_bytes() for path in sorted((made / "data").glob("*.db"))]

    before = content()
    backup(tmp_path / "place", made / "data")
    assert content() == before
    for path in (made / "data").glob("*.db"):
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
