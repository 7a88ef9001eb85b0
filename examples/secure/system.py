"""A control plane with TLS and authentication, with certificates of a private authority for the lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import grpc

import durable
from examples.launcher import ROOT, durable_command, start, wait

NAMES = ("orders.place", "payroll.run")
HOST = "127.0.0.2"
"""A second loopback address: another machine would use a real one."""


class Answer(NamedTuple):
    """How a command ended."""

    code: int
    output: str
    """What it has written, to stderr if it has failed."""


class System:
    """The control plane; it ends with `stack`."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self.folder = folder
        self.certificates = folder / "certs"
        self.data = folder / "data"
        self.address = self.http = ""

    def start(self) -> None:
        """Makes certificates, starts the control plane, and returns when it serves."""
        self.run("certs", str(self.certificates), "--host", HOST, check=True)
        ready, log = self.folder / "ready", self.folder / "server.log"
        command = durable_command(
            "server", "--listen", f"{HOST}:0", "--http", f"{HOST}:0", "--auth",
            "--tls-cert", str(self.certificates / "server.pem"),
            "--tls-key", str(self.certificates / "server.key"),
            "--data-dir", str(self.data), "--ready-file", str(ready),
        )  # fmt: skip
        wait(ready.exists, start(self._stack, command, log), log)
        served = json.loads(ready.read_text())
        self.address, self.http = f"grpcs://{served['address']}", f"https://{served['http']}"

    def worker(self, name: str, token: Path) -> None:
        """Starts a worker of this module's workflows that shows a token."""
        command = durable_command("worker", "examples.secure.workflows", "--address", self.address)
        log = self.folder / f"{name}.log"
        wait(self._served, start(self._stack, command, log, self.environment(token)), log)

    def _served(self) -> bool:
        """Says whether a worker serves the workflows."""
        tls = grpc.ssl_channel_credentials((self.certificates / "ca.pem").read_bytes())
        token = self.admin.read_text().strip()
        with durable.Client(self.address, tls=tls, token=token) as client:
            return len(client.list_handlers()) == len(NAMES)

    def environment(self, token: Path | None = None) -> dict[str, str]:
        """Returns the environment of a client: the authority that it trusts, and its token."""
        found = {"DURABLE_TLS_CA": str(self.certificates / "ca.pem")}
        if token is not None:
            found["DURABLE_TOKEN_FILE"] = str(token)
        return found

    def token(self, name: str, *options: str) -> Path:
        """Makes a token, as the administrator, and returns the file that holds it."""
        file = self.folder / f"{name}.token"
        self.cli(
            "token", "create", name, *options, "--output", str(file), token=self.admin, check=True
        )
        return file

    @property
    def admin(self) -> Path:
        """The file with the first token of the system, which the control plane has made."""
        return self.data / "admin-token"

    def cli(
        self,
        *arguments: str,
        token: Path | None = None,
        environment: Mapping[str, str] | None = None,
        address: str = "",
        check: bool = False,
    ) -> Answer:
        """Runs a command of `durable` against the control plane."""
        given = {**self.environment(token), **(environment or {})}
        given["DURABLE_ADDRESS"] = address or self.address
        return self.run(*arguments, environment=given, check=check)

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, check: bool = False
    ) -> Answer:
        """Runs a command of `durable`."""
        return call(durable_command(*arguments), self.folder, environment, check=check)

    def curl(self, method: str, path: str, *options: str, token: Path | None = None) -> Answer:
        """Makes an HTTP request with curl; the code is the HTTP status."""
        command = ["curl", "--silent", "--show-error", "--max-time", "20", "--request", method]
        command += ["--write-out", "\n%{http_code}", *options]
        if token is not None:
            # A file, because every user of the machine can read the arguments of a command.
            header = self.folder / "curl-header"
            header.touch(0o600)
            header.write_text(f"authorization: Bearer {token.read_text().strip()}\n")
            command += ["--header", f"@{header}"]
        ended = call([*command, self.http + path], self.folder)
        if ended.code:
            return ended
        body, _, status = ended.output.rpartition("\n")
        return Answer(int(status), body)


def call(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    check: bool = False,
) -> Answer:
    """Runs a command to its end; with `check` a failure raises."""
    clean = {name: it for name, it in os.environ.items() if not name.startswith("DURABLE_")}
    clean |= {"XDG_CONFIG_HOME": str(folder / "config"), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, env={**clean, **(environment or {})}, text=True, capture_output=True, check=False
    )
    if check and ended.returncode:
        sys.exit(f"{' '.join(command[2:])} failed: {ended.stderr}")
    output = ended.stderr if ended.returncode else ended.stdout
    return Answer(ended.returncode, output.strip())
