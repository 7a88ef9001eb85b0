"""`durable sql`: it reads the store of a running control plane, and cannot change it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from durable_server.sql import query
from tests.support.processes import until

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


def test_attempts(cli: Cli, tmp_path: Path) -> None:
    """Those that have ended, the one that runs, and the last one of what has ended, each once."""
    question = "SELECT attempt, why, failure_type FROM attempts WHERE invocation = '{}'"

    def rows(invocation_id: str) -> list[tuple[object, ...]]:
        found = ask(cli, question.format(invocation_id), "--json").json
        return [(it["attempt"], it["why"], it["failure_type"]) for it in found]

    path = tmp_path / "file"
    unsteady = cli.start("unsteady", f'"{path}"')
    until(lambda: cli.status(unsteady) == "backing_off", "its failure")
    assert rows(unsteady) == [(1, "retried", "ConnectionError")]
    path.write_text("open")
    cli.ok("resume", unsteady)
    until(lambda: cli.status(unsteady) == "completed", "its end")
    assert rows(unsteady) == [(1, "retried", "ConnectionError"), (2, "completed", None)]
    running = cli.start("slow", "600")
    until(lambda: cli.status(running) == "running", "its attempt")
    assert rows(running) == [(1, None, None)]
    cli.ok("cancel", running, "--force")
    assert rows(running) == [(1, "cancelled", "durable.Cancelled")]
    (it,) = ask(cli, f"SELECT * FROM attempts WHERE invocation = '{running}'", "--json").json
    (whole,) = ask(cli, f"SELECT * FROM invocations WHERE id = '{running}'", "--json").json
    for name in ("handler", "started", "took_ms", "worker_id", "version", "build"):
        assert it[name] == whole[name], name
    assert it["ended"] == whole["completed"]

    text = cli.ok("describe", unsteady).out
    table = text[text.index("\nattempts\n") :].splitlines()[2:5]
    assert table[0].split()[:4] == ["ATTEMPT", "ENDED", "BEGAN", "TOOK"]
    assert table[1].split()[:2] == ["1", "retried"]
    assert table[1].endswith("ConnectionError: the bank is closed")
    assert table[2].split()[:2] == ["2", "completed"]
    shown = cli.ok("describe", unsteady, "--json").json["attempts"]
    assert [(it["attempt"], it["end"]) for it in shown] == [(1, "retried"), (2, "completed")]
    # The only attempt of what has ended says nothing that the invocation does not say.
    assert "\nattempts\n" not in cli.ok("describe", running).out


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
