"""The OpenAPI document is true: schemathesis tests a real control plane and worker against it.

Its command line runs as a separate process, as a user would run it, with limits. A longer run:

    SCHEMATHESIS_SECONDS=600 python -m pytest tests/http/test_schemathesis.py --timeout 900

In the document that it gets, the objects of answers are closed, so that a field that is not
documented is found; for everyone else they are open, because fields may be added.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from tests.support.processes import durable, running

from .web import Web

DEFAULT_SECONDS = 20
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", DEFAULT_SECONDS))
CONFIG = """
max-stream-events = 2
request-timeout = 60.0
max-failures = 20

[headers]
Authorization = {bearer}

[generation]
database = "none"
max-examples = {examples}
deterministic = {deterministic}

# What exists, so that not everything is 404.
[dictionaries]
ids = {{ values = {ids} }}
handlers = {{ values = ["echo", "counter.add"] }}
awakeables = {{ values = ["early-1", "early-2"] }}
objects = {{ values = ["counter"] }}
spans = {{ values = ["50ms", "0.1"] }}

[parameters]
"path.invocation_id" = {{ dictionary = "ids", probability = 0.8 }}
"path.handler" = {{ dictionary = "handlers", probability = 0.8 }}
"path.awakeable_id" = {{ dictionary = "awakeables", probability = 0.5 }}
"query.wait" = {{ dictionary = "spans", probability = 1.0 }}
"query.delay" = {{ dictionary = "spans", probability = 1.0 }}
"path.object" = {{ dictionary = "objects", probability = 0.8 }}

[checks]
# A schema cannot say what exists, what state it is in, and how the limits are set.
positive_data_acceptance.enabled = false
# A removed or cancelled invocation is still found by other endpoints, which is right.
use_after_free.enabled = false
ensure_resource_availability.enabled = false

# Canonical protobuf JSON takes more than its schema says: null for absent, numbers in strings.
[[operations]]
include-path-regex = "^/v1/"
include-method = "POST"
checks.negative_data_rejection.enabled = false

# The answer to an invoke has the code of the failure that the handler chose.
[[operations]]
include-operation-id = "invokeWorkflow"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 500]
"""


def closed(schema: Any) -> Any:
    """Returns a schema in which objects have no more properties than it names."""
    if isinstance(schema, list):
        return [closed(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(it) for name, it in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


async def test_the_document_is_true(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=tmp_path / "data",
        limits=Limits(payload_bytes=64 * 1024, wait_seconds=1),
        # With an administrator's token nothing is refused, and the routes of tokens and the audit work.
        auth=True,
    )
    async with ControlPlane(config) as plane:
        token = config.data_dir / "admin-token"
        command = durable("worker", "tests.http.flows", "--address", plane.address)
        environment = {"DURABLE_TOKEN_FILE": str(token)}
        with running(command, tmp_path / "worker.log", environment=environment):
            await plane.router.any().workers.connected.wait()
            said, code = await look(Web(plane.http_address), tmp_path, token.read_text().strip())
    print(said)
    assert code == 0, said
    assert not [it for it in caplog.records if it.levelno >= logging.ERROR]


async def look(web: Web, folder: Path, token: str) -> tuple[str, int | None]:
    """Runs schemathesis; returns what it says and its exit code."""
    bearer = f"Bearer {token}"
    ids = []
    for number in range(20):  # many: some will be cancelled and removed
        for handler, body in (("echo", {"a": 1}), ("wait", f"approval-{number}")):
            answer = await web.post(
                f"/api/workflows/{handler}/invoke?async=true", body, authorization=bearer
            )
            ids.append(answer.body["invocation_id"])
    document = (await web.get("/openapi.json")).body
    (folder / "openapi.json").write_text(json.dumps(closed(document)))
    is_long = SECONDS > DEFAULT_SECONDS
    (folder / "schemathesis.toml").write_text(
        CONFIG.format(
            ids=json.dumps(ids),
            bearer=json.dumps(bearer),
            examples=500 if is_long else 4,
            deterministic=json.dumps(not is_long),
        )
    )
    asked = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("st")), "--config-file", "schemathesis.toml",
        "--no-color", "run", "openapi.json", "--url", web.base, "--max-time", str(SECONDS),
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_PROXY": "*"},
    )  # fmt: skip
    said, _ = await asked.communicate()
    return said.decode(), asked.returncode
