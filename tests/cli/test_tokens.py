"""`durable token`, `login`, `logout`, `whoami`, and workers, where callers are authenticated.

Most commands run in this process, because a process for each of the many would take a second.
"""

from __future__ import annotations

import io
import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from durable_cli import main
from durable_server.access.tokens import BOOTSTRAP_FILE
from tests.support.processes import control_plane, durable, running, until

from .conftest import Run


def called(
    *arguments: str, address: str, home: Path, stdin: str | None = None, **variables: str
) -> Run:
    """Runs a command in this process, for a user with this home and these variables."""
    out, err = io.StringIO(), io.StringIO()
    given = {"DURABLE_ADDRESS": address, "XDG_CONFIG_HOME": str(home), **variables}
    with (
        mock.patch.dict(os.environ, given),
        mock.patch.object(sys, "stdin", io.StringIO(stdin or "")),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = main.run(arguments)
    return Run(code, out.getvalue(), err.getvalue())


class Guarded:
    """The command line of one user against a control plane that asks for tokens."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.admin_file = folder / "data" / BOOTSTRAP_FILE

    def __call__(
        self, home: Path, *arguments: str, stdin: str | None = None, **variables: str
    ) -> Run:
        return called(*arguments, address=self.address, home=home, stdin=stdin, **variables)

    def admin(self, home: Path, *arguments: str) -> Run:
        done = self(home, *arguments, DURABLE_TOKEN_FILE=str(self.admin_file))
        assert done.code == 0, done
        return done


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    with control_plane(folder, "--auth") as (_, address):
        yield Guarded(address, folder)


def test_doctor_of_a_namespace_says_that_it_does_not_see_the_nodes(
    guarded: Guarded, tmp_path: Path
) -> None:
    made = guarded.admin(
        tmp_path, "token", "create", "tenant", "--namespace", "tenant.", "--scope", "read"
    )
    done = guarded(
        *(tmp_path, "doctor", "--json", "--data-dir", str(tmp_path)),
        DURABLE_TOKEN=made.out.strip(),
    )
    assert done.code == 0, done
    checks = {it["name"]: it for it in json.loads(done.out)}
    assert checks["server"]["verdict"] == "ok"
    assert checks["cluster"]["found"] == "not checked: this credential may not see the nodes"


def test_a_token_is_made_listed_and_revoked(guarded: Guarded, tmp_path: Path) -> None:
    made = guarded.admin(
        tmp_path, "token", "create", "ci", "--scope", "invoke", "--scope", "read:billing.*",
        "--handler", "orders.*", "--expires", "90d",
    )  # fmt: skip
    text = made.out.strip()
    assert made.out == f"{text}\n"
    assert text.startswith("durable_")
    assert "token ci: invoke:orders.* read:billing.*, until 20" in made.err
    assert "durable token revoke ci" in made.err
    assert text not in made.err

    listed = guarded.admin(tmp_path, "token", "list")
    assert "ci" in listed.out
    assert "invoke:orders.* read:billing.*" in listed.out
    as_json = guarded.admin(tmp_path, "token", "list", "--json").json
    (found,) = [it for it in as_json if it["name"] == "ci"]
    assert (found["state"], found["creator"]) == ("valid", "bootstrap")
    assert text not in json.dumps(as_json)

    again = guarded(
        tmp_path, "token", "create", "ci", "--scope", "read",
        DURABLE_TOKEN_FILE=str(guarded.admin_file),
    )  # fmt: skip
    assert (again.code, again.out) == (5, "")
    assert "there is an API token 'ci' already" in again.err

    assert guarded(tmp_path, "whoami", "--json", DURABLE_TOKEN=text).json["name"] == "ci"
    assert "token ci is revoked" in guarded.admin(tmp_path, "token", "revoke", "ci").err
    refused = guarded(tmp_path, "whoami", DURABLE_TOKEN=text)
    assert (refused.code, refused.out) == (7, "")
    assert "the API token 'ci' was revoked" in refused.err
    assert text not in refused.err
    gone = guarded(tmp_path, "token", "revoke", "none", DURABLE_TOKEN_FILE=str(guarded.admin_file))
    assert gone.code == 3


def test_a_token_goes_into_a_new_file(guarded: Guarded, tmp_path: Path) -> None:
    path = tmp_path / "token"
    made = guarded.admin(
        tmp_path, "token", "create", "file", "--scope", "read", "--output", str(path)
    )
    assert made.out == ""
    assert f"token file in {path}" in made.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    me = guarded(tmp_path, "whoami", DURABLE_TOKEN_FILE=str(path))
    assert me.code == 0
    assert "read:*" in me.out
    again = guarded(
        tmp_path, "token", "create", "other", "--scope", "read", "--output", str(path),
        DURABLE_TOKEN_FILE=str(guarded.admin_file),
    )  # fmt: skip
    assert again.code == 1
    assert "must be a new file" in again.err
    # What is refused leaves no file.
    denied = guarded(
        tmp_path, "token", "create", "x", "--scope", "read", "--output", str(tmp_path / "new"),
        DURABLE_TOKEN_FILE=str(path),
    )  # fmt: skip
    assert denied.code == 7
    assert not (tmp_path / "new").exists()
    assert guarded.admin(tmp_path, "token", "list", "--json").json[-1]["name"] != "other"


def test_a_login_is_kept_for_its_address(guarded: Guarded, tmp_path: Path) -> None:
    text = guarded.admin(
        tmp_path, "token", "create", "me", "--scope", "read", "--expires", "1h"
    ).out.strip()
    missing = guarded(tmp_path, "stats")
    assert missing.code == 7
    assert "DURABLE_TOKEN_FILE, or run `durable login`" in missing.err

    done = guarded(tmp_path, "login", stdin=f"{text}\n")
    assert done.code == 0, done
    assert f"logged in to {guarded.address} as me: read:*, until" in done.err
    assert text not in done.err
    path = tmp_path / "durable" / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["tokens"] == {guarded.address: text}
    assert guarded(tmp_path, "stats").code == 0
    assert guarded(tmp_path, "stats", "--address", f"grpc://{guarded.address}").code == 0
    shown = guarded(tmp_path, "whoami").out
    assert "me" in shown
    assert "expires" in shown
    # The environment goes before.
    assert guarded(tmp_path, "whoami", DURABLE_TOKEN="durable_x").code == 7

    wrong = guarded(tmp_path, "login", stdin="durable_wrong\n")
    assert wrong.code == 7
    assert json.loads(path.read_text())["tokens"] == {guarded.address: text}
    assert guarded(tmp_path, "login", stdin="\n").code == 2

    assert "is forgotten" in guarded(tmp_path, "logout").err
    assert json.loads(path.read_text())["tokens"] == {}
    assert "no token is kept" in guarded(tmp_path, "logout").err
    assert guarded(tmp_path, "stats").code == 7


@pytest.mark.skipif(sys.platform == "win32", reason="it has no terminals")
def test_a_login_at_a_terminal_does_not_show_the_token(guarded: Guarded, tmp_path: Path) -> None:
    text = guarded.admin_file.read_text().strip()
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "durable_cli", "login", "--address", guarded.address],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        start_new_session=True,
    )
    os.close(inner)
    shown = b""
    while b"Token for" not in shown:
        shown += os.read(outer, 1000)
    os.write(outer, f"{text}\n".encode())
    try:
        while part := os.read(outer, 1000):
            shown += part
    except OSError:  # its other end is closed
        pass
    os.close(outer)
    assert process.wait(30) == 0, shown
    assert text.encode() not in shown
    assert b"logged in to" in shown


def test_a_worker_without_a_valid_token_ends(guarded: Guarded, tmp_path: Path) -> None:
    command = durable(
        "worker", "tests.cli.flows", "--address", guarded.address, module="durable_cli"
    )
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    with running(command, tmp_path / "log", environment=environment) as worker:
        assert worker.process.wait(60) == 7
        # grpcio loses the status of a call that ends while its first message is written, and the worker
        # dials again.
        told = [it for it in worker.text().splitlines() if "Internal error from Core" not in it]
        assert len(told) == 1, worker.text()
        assert "the call has no credential" in told[0]
    text = guarded.admin(tmp_path, "token", "create", "worker", "--scope", "worker").out.strip()
    environment["DURABLE_TOKEN"] = text
    with running(command, tmp_path / "log2", environment=environment) as worker:
        until(lambda: guarded.admin(tmp_path, "workers", "--json").json, "worker", worker)
        guarded.admin(tmp_path, "token", "revoke", "worker")
        assert worker.process.wait(60) == 7
        assert "the API token 'worker' was revoked" in worker.text().splitlines()[-1]
        assert text not in worker.text()


def test_wrong_usage(guarded: Guarded, tmp_path: Path) -> None:
    token_file = str(guarded.admin_file)
    for arguments, text in (
        (("create", "a"), "Missing option '--scope'"),
        (("create", "a", "--scope", "write"), "'write' is no scope"),
        (("create", "a b", "--scope", "read"), "is no name of a token"),
        (("create", "a", "--scope", "read", "--expires", "soon"), "no duration"),
    ):
        done = guarded(tmp_path, "token", *arguments, DURABLE_TOKEN_FILE=token_file)
        assert done.code == 2, done
        assert text in done.err
    both = guarded(tmp_path, "whoami", DURABLE_TOKEN="a", DURABLE_TOKEN_FILE=token_file)
    assert both.code == 2
    assert "are both set; keep one" in both.err


def test_a_control_plane_that_does_not_authenticate(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (_, address):
        who = called("whoami", address=address, home=tmp_path)
        assert (who.code, who.out) == (0, "")
        assert "each may do everything" in who.err
        kept = called("login", address=address, home=tmp_path, stdin="anything\n")
        assert kept.code == 0
        assert "so no token is kept" in kept.err
        assert not (tmp_path / "durable").exists()
        made = called("token", "create", "a", "--scope", "read", address=address, home=tmp_path)
        assert made.code == 1
        assert made.err.count("start it with --auth") == 1
