"""Secrets are in no output, log, error, file or argument but their own (see `planted`)."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from durable_server.config import Config
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import Child, durable, running, until

from .planted import MARK, Planted, test_forms_are_found_wherever_they_begin, value

__all__ = ["test_forms_are_found_wherever_they_begin"]

DEBUG = {"PYTHONASYNCIODEBUG": "1", "PYTHONFAULTHANDLER": "1"}
"""What makes Python say more: about slow callbacks, and at a crash."""


COMMANDS = [
    ["stats"],
    ["doctor", "--data-dir", "data"],
    ["webhook", "order-1", "--scheme", "stripe", "--secret", "shop"],
    ["webhook", "order-1", "--scheme", "stripe", "--secret", "missing"],
    ["webhooks", "revoke", "https://127.0.0.1/webhooks/AAAA"],
    ["log", "--data-dir", "data"],
]
"""Commands that succeed or fail, in the folder in which the control plane has its data."""


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path)


@contextmanager
def serving(
    planted: Planted, name: str, *options: str, environment: dict[str, str]
) -> Iterator[tuple[Child, dict[str, str]]]:
    """Runs a control plane with all of its secrets; gives what its ready file says."""
    ready = planted.work / f"{name}.ready"
    command = durable("-v", "server", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
    command += ["--data-dir", str(planted.work / "data"), "--ready-file", str(ready), *options]
    whole = planted.environment() | DEBUG | environment
    with running(command, planted.work / f"{name}.log", environment=whole) as child:
        until(ready.exists, "ready file", child)
        yield child, json.loads(ready.read_text())


def request(
    planted: Planted, url: str, body: bytes | None = None, ca: str | None = None, **headers: str
) -> None:
    """Sends an HTTP request, whatever the answer, and keeps the answer."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    names = {name.replace("_", "-"): it for name, it in headers.items()}
    made = urllib.request.Request(url, body, names)
    try:
        with urllib.request.urlopen(made, timeout=20, context=context) as answer:
            planted.printed(url, str(answer.headers).encode() + answer.read())
    except urllib.error.HTTPError as error:
        planted.printed(url, str(error.headers).encode() + error.read())


def drive(
    planted: Planted,
    address: str,
    http: str,
    environment: dict[str, str],
    commands: list[list[str]],
) -> None:
    """Lets a control plane and its clients succeed and fail in many ways."""
    ca = environment.get("DURABLE_TLS_CA")
    secret = {"authorization": f"Bearer {value('bearer')}", "cookie": f"session={value('cookie')}"}
    here = environment | {"DURABLE_ADDRESS": address}
    worker = durable("-v", "worker", "tests.process.flows", "--suspend-after", "0s")
    log = planted.work / "worker.log"
    with running(worker, log, environment=planted.environment() | DEBUG | here) as child:
        until(lambda: " serves " in log.read_text(), "worker", child)

        def run(*arguments: str) -> int:
            return planted.run(*arguments, environment=here)

        assert run("invoke", "napping", "0.01") == 0
        assert run("invoke", "failing") != 0
        for arguments in commands:
            run(*arguments)
        for path in ("/metrics", "/health", "/v1/server", "/api/nothing", "/", "/v1/invocations"):
            request(planted, http + path, ca=ca, **secret)
        for path in ("/webhooks/AAAA", "/v1/handlers/napping:invoke", "/v1/handlers/none:invoke"):
            request(planted, http + path, b"{", ca=ca, content_type="application/json", **secret)
        planted.seen_by_others(child)


def test_nothing_leaks_from_an_embedded_system(planted: Planted) -> None:
    planted.file("senders/shop", value("sender"))
    options = ("--webhook-key-file", planted.file("webhook-key"))
    options += ("--webhook-secrets-dir", str(planted.own / "senders"))
    options += ("--snapshots", "s3://bucket/prefix")
    store = {"AWS_ENDPOINT": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "1"}
    with serving(planted, "first", *options, environment=store) as (child, ready):
        drive(planted, ready["address"], f"http://{ready['http']}", {}, COMMANDS)
        planted.seen_by_others(child)
        # A crash that tells where each thread was.
        child.process.send_signal(signal.SIGABRT)
        child.process.wait(60)
    assert "Fatal Python error" in (planted.work / "first.log").read_text()
    assert planted.leaks() == []


def test_nothing_leaks_from_an_external_system_with_tls(planted: Planted) -> None:
    tls = planted.certificate()
    options = ("--tls-cert", tls["cert"], "--tls-key", tls["key"])
    password = value("nats")
    config = f"{JETSTREAM}\nauthorization {{ user: durable, password: {password} }}"

    async def run() -> None:
        async with external_nats(planted.own / "nats", config) as nats:
            url = f"nats://durable:{password}@127.0.0.1:{nats.port}"
            environment = {"DURABLE_NATS_URL": url, "DURABLE_WEBHOOK_KEY": value("webhook")}
            await asyncio.to_thread(scenario, environment, nats.kill)

    def scenario(environment: dict[str, str], kill_nats: Callable[[], None]) -> None:
        with serving(planted, "server", *options, environment=environment) as (child, ready):
            client = {
                "DURABLE_TLS_CA": tls["ca"],
                "DURABLE_NATS_URL": environment["DURABLE_NATS_URL"],
            }
            address, http = f"grpcs://{ready['address']}", f"https://{ready['http']}"
            drive(planted, address, http, client, [["doctor"], ["webhook", "order-1"]])
            planted.seen_by_others(child)
            wrong = environment["DURABLE_NATS_URL"].replace("durable:", "nobody:")
            for url in (wrong, wrong.replace("nats:", "http:")):
                assert planted.run("log", environment={"DURABLE_NATS_URL": url}) != 0
            before = len(child.text())
            kill_nats()
            until(lambda: "the log is away" in child.text()[before:], "the loss", child)

    asyncio.run(run())
    assert planted.leaks() == []


def test_nothing_leaks_from_a_system_with_tokens(planted: Planted) -> None:
    good, unknown = planted.token("good"), planted.token("unknown")
    options = ("--auth", "--audit", str(planted.work / "audit.jsonl"))
    options += ("--admin-token-file", planted.file("admin-token", good))
    with serving(planted, "server", *options, environment={}) as (child, ready):
        for token in (good, unknown, good[:-1], f"{good} {good}"):
            credential = {"authorization": f"Bearer {token}", "content_type": "application/json"}
            for path in ("/v1/server", "/metrics", "/v1/invocations"):
                request(planted, f"http://{ready['http']}{path}", **credential)
            invocation = f"http://{ready['http']}/v1/handlers/none:invoke"
            request(planted, invocation, b"{}", **credential)
        variables = {"DURABLE_ADDRESS": ready["address"]}
        planted.run("stats", environment=variables | {"DURABLE_TOKEN": f"{good} {good}"})
        planted.run("cancel", "0" * 32, environment=variables | {"DURABLE_TOKEN": good})
        planted.seen_by_others(child)
        child.terminate()
    assert planted.printed_by("/v1/server").count('"version"') == 1
    assert planted.leaks() == []


NODE = ("--node", "a", "--peers", "a=127.0.0.1:1,b=127.0.0.1:2")
BAD_SETTINGS: list[tuple[list[str], dict[str, str]]] = [
    (["--webhook-key-file", "short-key"], {}),
    (["--webhook-key-file", "binary-key"], {}),
    (["--webhook-key-file", "good-key"], {"DURABLE_WEBHOOK_KEY": value("webhook")}),
    ([], {"DURABLE_WEBHOOK_KEY": MARK}),
    ([], {"DURABLE_NATS_URL": f"http://me:{value('nats')}@127.0.0.1:1"}),
    ([], {"DURABLE_NATS_URL": f"nats://me:{value('nats')}@127.0.0.1:port"}),
    ([], {"DURABLE_NATS_URL": f"nats://me:{value('nats')}@"}),
    ([], {"DURABLE_NATS_URL": f"nats://{value('token')}@[::1:4222"}),
    (["--nats", f"nats://me:{value('nats')}@127.0.0.1:1"], {}),
    ([*NODE], {"DURABLE_CLUSTER_SECRET": MARK}),
    (
        [
            "--node",
            "a",
            "--peers",
            "a=127.0.0.1:1,b=127.0.0.1:2",
            "--cluster-secret-file",
            "short-key",
        ],
        {},
    ),
    (
        [
            "--node",
            "a",
            "--peers",
            "a=127.0.0.1:1,b=127.0.0.1:2",
            "--cluster-secret-file",
            "binary-key",
        ],
        {},
    ),
    (["--tls-cert", "good-key", "--tls-key", "good-key"], {}),
    (["--tls-cert", "cert", "--tls-key", "short-key"], {}),
    (["--auth-file", "good-key"], {}),
]
"""Settings that a control plane refuses: options, in which names are those of files, and variables."""


@pytest.mark.parametrize(("options", "environment"), BAD_SETTINGS)
def test_no_refusal_repeats_a_secret(
    planted: Planted, options: list[str], environment: dict[str, str]
) -> None:
    files = {
        "short-key": planted.file("short", MARK),
        "binary-key": planted.file("binary", MARK.encode() + b"\xff\xfe"),
        "good-key": planted.file("good"),
        "cert": planted.certificate()["cert"],
    }
    given = [files.get(it, it) for it in options]
    where = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir", "data"]
    assert planted.run("server", *where, *given, environment=environment) != 0
    assert planted.leaks() == []


@pytest.mark.parametrize("arguments", [["server", "--help"], ["worker", "tests.process.no_module"]])
def test_neither_help_nor_a_traceback_tells_a_secret(
    planted: Planted, arguments: list[str]
) -> None:
    planted.run(*arguments, environment={"DURABLE_WEBHOOK_KEY": value("webhook")})
    assert planted.leaks() == []


def test_settings_with_secrets_are_not_in_the_text_of_a_configuration() -> None:
    names = {it.name for it in fields(Config)}
    secrets = {"webhook_key": value("webhook"), "cluster_secret": value("cluster")}
    secrets["nats_url"] = f"nats://me:{value('nats')}@host"
    assert secrets.keys() <= names
    config = Config(**secrets)  # type: ignore[arg-type]  # all of them are texts
    assert MARK not in repr(config)
