"""`durable log` and `durable sql` where there are several partitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durable_server.core import ids
from durable_server.store.files import store_path
from durable_server.store.sqlite import SqliteStore
from tests.support.processes import control_plane, durable, running, until

from .conftest import Cli, Run, run

COUNT = 3


def user_in(partition: int) -> str:
    """Returns a key whose cart is in this partition."""
    users = (f"user-{number}" for number in range(1000))
    return next(it for it in users if ids.object_partition(it, COUNT) == partition)


USERS = [user_in(it) for it in range(COUNT)]


class Shop:
    """A control plane with three partitions, after one invocation that had a child in each."""

    def __init__(self, cli: Cli) -> None:
        self.data_dir = cli.data_dir
        self.parent: str = cli.ok("invoke", "shopper", json.dumps(USERS), "--async").out.strip()
        until(lambda: cli.status(self.parent) == "completed", "end")
        self.home = ids.partition(self.parent, COUNT)
        rows = self.sql(
            f"SELECT id, key, partition FROM invocations WHERE parent = '{self.parent}'"
        )
        self.children = {row["key"]: row["id"] for row in rows}
        self.places = {row["key"]: row["partition"] for row in rows}

    def ask(self, command: str, *arguments: str) -> Run:
        return run(command, "--data-dir", str(self.data_dir), *arguments)

    def sql(self, *arguments: str) -> Any:
        done = self.ask("sql", *arguments, "--json")
        assert done.code == 0, done
        return done.json

    def log(self, *arguments: str) -> list[dict[str, Any]]:
        done = self.ask("log", *arguments, "--json")
        assert done.code == 0, done
        return [record for line in done.out.splitlines() for record in json.loads(line)["records"]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("shop")
    with control_plane(folder, "--partitions", str(COUNT)) as (_, address):
        command = durable("worker", "tests.cli.flows", "--address", address)
        with running(command, folder / "worker.log") as worker:
            cli = Cli(address, folder / "data")
            until(lambda: cli.ok("workers", "--json").json, "worker", worker)
            yield Shop(cli)


def test_a_query_is_over_all_partitions(shop: Shop) -> None:
    assert shop.places == {user: number for number, user in enumerate(USERS)}
    question = "SELECT key, value, partition FROM state ORDER BY partition"
    rows = [{"key": user, "value": "1", "partition": it} for it, user in enumerate(USERS)]
    assert shop.sql(question) == rows
    (count,) = shop.sql(
        "SELECT count(*) AS n FROM journal AS j JOIN invocations AS i ON j.invocation = i.id"
        f" WHERE i.id = '{shop.parent}' AND j.partition = {shop.home}"
    )
    assert count == {"n": COUNT}
    assert shop.sql("SELECT count(*) AS n FROM p2.state") == [{"n": 1}]


def test_a_query_is_over_one_partition_if_that_is_named(shop: Shop) -> None:
    rows = [{"key": USERS[2], "partition": 2}]
    assert shop.sql("SELECT key, partition FROM state", "--partition", "2") == rows
    assert shop.sql("SELECT count(*) AS n FROM main.state", "--partition", "2") == [{"n": 1}]
    refused = shop.ask("sql", "SELECT 1", "--partition", "3")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        f"durable: --partition 3: there is no such store in {shop.data_dir}; it has 0 to 2\n"
    )


@pytest.mark.parametrize(
    "statement", ["DELETE FROM p1.state", "DETACH p1", "PRAGMA p1.user_version"]
)
def test_other_partitions_cannot_be_changed_either(shop: Shop, statement: str) -> None:
    done = shop.ask("sql", statement)
    assert (done.code, done.out) == (2, "")
    assert "only SELECT" in done.err


def test_the_log_of_an_invocation_is_that_of_its_partition(shop: Shop) -> None:
    own = shop.log("--invocation", shop.parent)
    assert {"Invoked", "Finished", "Received"} <= {it["type"] for it in own}
    answers = [it for record in own for it in record.get("messages", ())]
    assert {it["type"] for it in answers} == {"CompleteEntry"}
    assert len(answers) == COUNT - 1
    for user, child in shop.children.items():
        seen = shop.log("--invocation", child)
        requests = [it for record in seen for it in record.get("messages", ())]
        if shop.places[user] == shop.home:
            assert requests == []
        else:
            (request,) = requests
            assert (request["type"], request["child_id"]) == ("StartChild", child)
            assert (request["handler"], request["input"]) == ("cart.add", '"tea"')
        assert seen[-1]["type"] == "Finished"


def test_messages_stand_below_the_record_that_has_received_them(shop: Shop) -> None:
    user, child = next(it for it in shop.children.items() if shop.places[it[0]] != shop.home)
    lines = shop.ask("log", "--invocation", child).out.splitlines()
    (first,) = [number for number, it in enumerate(lines) if "is to start as a child" in it]
    # Partition 0 has told the others of the worker's build before.
    number = 2 if shop.home == 0 else 1
    assert lines[first - 1] == f"  partition {shop.home} has sent message {number}"
    assert lines[first].startswith(f"    {number}: {child} is to start as a child: cart.add input=")
    assert f" key={user} parent={shop.parent} " in lines[first]
    # The acknowledgement is written with the next batch, or alone a little later.
    home = str(shop.home)
    acknowledged = f"partition {shop.places[user]} has the messages up to {number}\n"
    until(lambda: acknowledged in shop.ask("log", "--partition", home).out, "acknowledgement")


def test_a_log_that_nobody_named_says_which_it_is(shop: Shop) -> None:
    told = shop.ask("log")
    assert "partition 0 of 3, which are numbered from 0; --partition N for another\n" in told.err
    named = shop.ask("log", "--partition", "2")
    assert named.err == ""
    assert "epoch 1 begins" in named.out
    refused = shop.ask("log", "--partition", "3")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err == "durable: --partition 3: this system has 3 partitions, 0 to 2\n"


def test_more_partitions_than_sqlite_reads_at_a_time(tmp_path: Path) -> None:
    for partition in range(12):
        with closing(SqliteStore(store_path(tmp_path, partition))):
            pass
    everything = ("sql", "SELECT count(*) AS n FROM invocations", "--data-dir", str(tmp_path))
    refused = run(*everything)
    assert refused.code == 2
    assert refused.err == (
        "durable: this system has 12 partitions, and SQLite reads 11 files at a time;"
        " choose one with --partition N\n"
    )
    assert run(*everything, "--partition", "11", "--json").json == [{"n": 0}]
    store_path(tmp_path, 11).unlink()
    assert run(*everything, "--json").json == [{"n": 0}]
    store_path(tmp_path, 5).unlink()
    refused = run(*everything)
    assert refused.code == 2
    assert refused.err.startswith(f"durable: {store_path(tmp_path, 5)} is missing;")
