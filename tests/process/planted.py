"""Secrets that are planted wherever a secret may be given, and the search for them everywhere else.

To plant another one: make its value with `value`, and give it in `Planted.environment` (as a variable
or as the path of a file) or in the options of a command of `test_planted_secrets`. The search needs no
change: it looks for MARK, which every value begins with, in each form that a leak may have.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import trustme

from tests.support.processes import Child, durable

MARK = "Zq7PlantedSecret"
"""The beginning of each value. Nothing else in this repository contains it."""
_PATIENCE_SECONDS = 30


def value(name: str) -> str:
    """Returns a secret of more than 32 characters, of letters and digits only."""
    return f"{MARK}{name.title()}".ljust(48, "x")


class Planted:
    """A folder in which secrets have files of their own, beside the folder in which programs work."""

    def __init__(self, folder: Path) -> None:
        self.own = folder / "secrets"
        self.work = folder / "work"
        for it in (self.own, self.work):
            it.mkdir()
        self.needles = _forms(MARK)
        """What must be found nowhere else."""
        self._outputs: list[tuple[str, str]] = []
        """What was printed, with what printed it."""

    def file(self, name: str, content: str | bytes = "") -> str:
        """Returns the path of a file of mode 0600 with a secret, by default one line."""
        path = self.own / name
        path.parent.mkdir(exist_ok=True)
        data = content or value(name) + "\n"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(0o600)
        return str(path)

    def certificate(self) -> dict[str, str]:
        """Returns the paths of a certificate, its key and its authority, and looks for the key too."""
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1", "localhost")
        chain = b"".join(it.bytes() for it in made.cert_chain_pems)
        key = made.private_key_pem.bytes()
        self.needles |= {it for it in key.splitlines() if len(it) > 40}
        return {
            "cert": self.file("tls.pem", chain),
            "key": self.file("tls.key", key),
            "ca": self.file("ca.pem", authority.cert_pem.bytes()),
        }

    def token(self, name: str) -> str:
        """Returns the text of an API token, and looks for its bytes too."""
        secret = f"{MARK}Token".ljust(43, "A")
        data = base64.urlsafe_b64decode(secret + "=")
        self.needles |= {data, data.hex().encode()}
        return f"durable_{name.ljust(12, '0')}_{secret}"

    def environment(self) -> dict[str, str]:
        """Returns the variables with secrets that any of the commands may have."""
        return {
            "AWS_ACCESS_KEY_ID": value("access"),
            "AWS_SECRET_ACCESS_KEY": value("object-store"),
            "AWS_SESSION_TOKEN": value("session"),
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{value('otel')}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        }

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        """Runs `durable` to its end and keeps what it prints; returns its exit code."""
        done = subprocess.run(
            durable("-v", *arguments),
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | self.environment() | dict(environment or {}),
            cwd=self.work,
            timeout=_PATIENCE_SECONDS,
        )
        self.printed(f"durable {arguments[0]}", done.stdout + done.stderr)
        return done.returncode

    def printed(self, what: str, output: bytes | str) -> None:
        """Adds an output to what is searched."""
        text = output if isinstance(output, str) else output.decode(errors="replace")
        self._outputs.append((what, text))

    def printed_by(self, what: str) -> str:
        """Returns what was printed by all whose name ends with this."""
        return "".join(text for name, text in self._outputs if name.endswith(what))

    def seen_by_others(self, child: Child) -> None:
        """Adds the arguments of a process and of its descendants, and the environments of these."""
        for process in (psutil.Process(child.pid), *child.descendants()):
            arguments = " ".join(process.cmdline())
            self.printed(f"arguments of {process.name()}", arguments)
            if process.pid != child.pid and "nats-server" in arguments:
                pairs = [f"{name}={text}" for name, text in process.environ().items()]
                self.printed(f"environment of {process.name()}", "\n".join(pairs))

    def leaks(self) -> list[str]:
        """Returns where a secret is that it should not be, with the lines."""
        found = []
        for what, text in self._sources():
            for needle in self.needles:
                if needle in text:
                    line = next(it for it in text.splitlines() if needle in it)
                    found.append(f"{what}: {line.decode(errors='replace')[:300]}")
                    break
        return found

    def _sources(self) -> Iterator[tuple[str, bytes]]:
        for what, text in self._outputs:
            yield what, text.encode()
        for path in sorted(self.work.rglob("*")):
            if path.is_file():
                yield str(path.relative_to(self.work)), path.read_bytes()


def _forms(text: str) -> set[bytes]:
    """Returns a text as it is, in hexadecimal, and in base64 wherever it begins there."""
    data = text.encode()
    forms = {data, data.hex().encode(), data.hex().upper().encode()}
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data)
        # Its ends also depend on the neighbours.
        forms.add(whole[(0, 2, 3)[before] : len(whole) - 4])
    return forms


def test_forms_are_found_wherever_they_begin() -> None:
    for before in range(6):
        encoded = base64.b64encode(b"u" * before + MARK.encode() + b"more")
        assert any(it in encoded for it in _forms(MARK)), before
    assert re.fullmatch(r"\w+", MARK)
