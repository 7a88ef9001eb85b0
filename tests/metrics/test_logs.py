"""Logs of real processes: JSON lines with the invocation's id; a replay logs nothing twice."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import durable
from durable_cli.logging_setup import JsonFormatter
from tests.support.processes import control_plane, running, until
from tests.support.processes import durable as command

from . import flows


def run(
    tmp_path: Path, *options: str, environment: dict[str, str] | None = None
) -> tuple[str, str]:
    """Runs `talkative` in a worker process; returns its id and the worker's output."""
    with control_plane(tmp_path) as (_, address):
        worker = command("-v", "worker", "tests.metrics.flows", "--address", address, *options)
        with (
            running(worker, tmp_path / "worker.log", environment=environment) as child,
            durable.Client(address) as client,
        ):
            until(client.list_workers, "a worker", child)
            started = client.invoke_async(flows.talkative, "Ann")
            assert client.get_result(started).value() == "Ann"
            assert child.terminate() == 0
            return started, child.text()


def test_json_has_a_record_a_line_and_names_the_invocation(tmp_path: Path) -> None:
    started, text = run(tmp_path, "--log-format", "json")
    records: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for record in records:
        assert datetime.fromisoformat(record["time"]).utcoffset() == timedelta(0)
        assert record["level"] in ("info", "warning")
        assert record["logger"].startswith("durable.")
    own = [it for it in records if it["logger"] == "durable.workflow.talkative"]
    assert [(it["message"], it["attempt"]) for it in own] == [
        ("begins with Ann", 1),
        ("has set it", 1),
        # Live again: the journal ends with the entry before it.
        ("has set it", 2),
        ("has run", 2),
    ]
    for record in own:
        assert record["invocation_id"] == started
        assert record["handler"] == "talkative"
    assert own[0]["order"] == 17
    assert any(it["message"].startswith("worker ") for it in records)


def test_text_is_for_people_and_the_environment_may_choose(tmp_path: Path) -> None:
    started, text = run(tmp_path)
    assert f"INFO durable.workflow.talkative: [{started[:8]}] begins with Ann" in text
    (tmp_path / "other").mkdir()
    _, text = run(tmp_path / "other", environment={"DURABLE_LOG_FORMAT": "json"})
    assert json.loads(text.splitlines()[0])["level"] == "info"


def test_the_worker_of_dev_logs_alike(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import durable\n\n"
        "@durable.workflow\n"
        "async def warns(ctx: durable.Context) -> None:\n"
        "    ctx.logger.warning('look')\n"
    )
    ready = tmp_path / "ready"
    listen = ["--listen", "127.0.0.1:0", "--no-http", "--no-reload"]
    dev = command(
        "dev", str(tmp_path / "app.py"), *listen, "--log-format", "json",
        "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    with running(dev, tmp_path / "dev.log") as child:
        until(ready.exists, "ready file", child)
        with durable.Client(json.loads(ready.read_text())["address"]) as client:
            client.invoke("warns")
        until(lambda: "look" in child.text(), "the line", child)
        line = next(it for it in child.text().splitlines() if "look" in it)
        assert json.loads(line)["message"] == "look"


def test_another_format_is_refused() -> None:
    done = subprocess.run(
        command("worker", "tests.metrics.flows", "--log-format", "xml"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "'xml' is not one of 'text', 'json'" in done.stderr


def test_an_error_has_its_traceback_and_any_text_can_be_logged() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.LogRecord(
            "it", logging.ERROR, "file", 1, "two\nlines %s", ("é",), sys.exc_info()
        )
    record.thing = object()
    line = JsonFormatter().format(record)
    assert "\n" not in line
    said = json.loads(line)
    assert said["message"] == "two\nlines é"
    assert said["error"].endswith("ValueError: no")
    assert said["thing"].startswith("<object")


def test_what_is_wrong_with_tracing_is_logged_in_the_chosen_form() -> None:
    done = subprocess.run(
        command("worker", "no_such_module", "--log-format", "json"),
        env={**os.environ, "OTEL_TRACES_EXPORTER": "none-of-these"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    first, last = done.stderr.splitlines()
    record = json.loads(first)
    assert (record["level"], record["logger"]) == ("warning", "durable.telemetry")
    assert last.startswith("durable: ")
