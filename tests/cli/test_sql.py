"""`durable sql`: it reads the store of a running control plane, and cannot change it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from durable_server.sql import query

from .conftest import Cli, Run, run

CONTENT = (
    "SELECT (SELECT group_concat(sql) FROM main.sqlite_master), "
    "(SELECT group_concat(id || state) FROM main.invocations), (SELECT count(*) FROM main.state)"
)
FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "


def ask(cli: Cli, *arguments: str) -> Run:
    return run("sql", "--data-dir", str(cli.data_dir), *arguments)


def test_questions(cli: Cli) -> None:
    cli.ok("invoke", "greet", '"sql"', "--service", "sql")
    cli("invoke", "broken", "--service", "sql")
    question = (
        "SELECT handler, status, input, json_extract(output, '$') AS said, failure_message "
        "FROM invocations WHERE service = 'sql' ORDER BY created"
    )
    done = ask(cli, question, "--json")
    assert done.code == 0, done
    assert done.json == [
        {
            "handler": "greet",
            "status": "completed",
            "input": '"sql"',
            "said": "Hello, sql!",
            "failure_message": None,
        },
        {
            "handler": "broken",
            "status": "failed",
            "input": None,
            "said": None,
            "failure_message": "reserve: durable.TerminalError: no stock",
        },
    ]
    table = ask(cli, "SELECT kind, name, failure FROM journal WHERE handler = 'broken' LIMIT 1")
    assert table.out.splitlines()[1].split(maxsplit=2)[:2] == ["RUN", "reserve"]


def test_views_of_other_things(cli: Cli) -> None:
    waiting = cli.start("approval", steps=2)
    cli.ok("invoke", "cart.add", '"sql"', "--key", "sql")
    where = f"WHERE invocation = '{waiting}'"
    (awakeable,) = ask(cli, f"SELECT * FROM awakeables {where}", "--json").json
    assert (awakeable["id"], awakeable["resolved"]) == (f"{waiting}.approved", None)
    (state,) = ask(cli, "SELECT * FROM state WHERE key = 'sql'", "--json").json
    assert state == {"owner": "cart", "key": "sql", "name": "sql", "value": "1", "partition": 0}
    cli.ok("signal", waiting, "news", '{"a": 1}')
    (signal,) = ask(cli, f"SELECT name, value FROM signals {where}", "--json").json
    assert signal == {"name": "news", "value": '{"a":1}'}
    cli.ok("cancel", waiting, "--force")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM main.invocations",
        "DELETE FROM invocations",
        "UPDATE main.invocations SET state = 7",
        "INSERT INTO main.state VALUES ('a', 'b', x'00')",
        "CREATE TABLE mine (a)",
        "CREATE TEMP TABLE mine (a)",
        "DROP VIEW invocations",
        "ATTACH 'attached.db' AS other",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = ON",
        "VACUUM",
        "BEGIN IMMEDIATE",
        "SELECT load_extension('x')",
        "SELECT 1; DELETE FROM main.invocations",
    ],
)
def test_nothing_but_select(cli: Cli, statement: str) -> None:
    before = query(cli.data_dir, CONTENT, 100, timedelta(seconds=10))
    done = ask(cli, statement)
    assert (done.code, done.out) == (2, ""), done
    assert "Traceback" not in done.err
    assert not Path("attached.db").exists()
    assert query(cli.data_dir, CONTENT, 100, timedelta(seconds=10)) == before


def test_a_query_is_bounded(cli: Cli, tmp_path: Path) -> None:
    slow = ask(cli, FOREVER + "count(*) FROM n", "--timeout", "300ms")
    assert slow.code == 2
    assert "longer than 0.3 s" in slow.err
    many = ask(cli, FOREVER + "i FROM n", "--limit", "3")
    assert many.out.split() == ["i", "1", "2", "3"]
    assert "--limit" in many.err
    assert "too big" in ask(cli, "SELECT randomblob(100000000)").err
    nothing = run("sql", "SELECT 1", "--data-dir", str(tmp_path))
    assert nothing.code == 2
    assert "--data-dir" in nothing.err
