"""Real TLS proxies in front of the HTTP address, configured as in docs/operations.md."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import trustme

from tests.support.processes import running, until
from tests.support.repository import ROOT

NAME = "durable.example.com"
KINDS = ("caddy", "nginx")
_SHOWN = (ROOT / "docs/operations.md").read_text()
_UPSTREAM = "127.0.0.1:8080"


class Proxy(NamedTuple):
    """Where a proxy serves, and whom its clients must trust."""

    port: int
    authority: Path

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"


def find(kind: str) -> str | None:
    """Returns the path of a proxy's program, or None: Caddy comes with the development tools."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
    return shutil.which(kind, path=path)


@contextmanager
def proxy(kind: str, folder: Path, port: int, upstream: str) -> Iterator[Proxy]:
    """Runs a proxy for the length of the block."""
    program = find(kind)
    assert program is not None
    authority = trustme.CA()
    made = authority.issue_cert(NAME)
    made.cert_chain_pems[0].write_to_path(folder / "durable.crt")
    made.private_key_pem.write_to_path(folder / "durable.key")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    command = _caddy if kind == "caddy" else _nginx
    arguments = command(folder, port, upstream)
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with running([program, *arguments], folder / f"{kind}.log", environment=home) as child:
        until(lambda: _listens(port), f"{kind} on {port}", child)
        yield Proxy(port, folder / "authority.pem")


def _caddy(folder: Path, port: int, upstream: str) -> list[str]:
    site = _config("caddyfile").replace(_UPSTREAM, upstream)
    ours = (
        f"{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {folder}/durable.crt {folder}/durable.key"
    )
    assert site.startswith(f"{NAME} {{")
    site = site.replace(f"{NAME} {{", ours, 1)
    (folder / "Caddyfile").write_text(f"{{\n    admin off\n    auto_https off\n}}\n{site}")
    return ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def _nginx(folder: Path, port: int, upstream: str) -> list[str]:
    site = _config("nginx").replace(_UPSTREAM, upstream)
    assert "listen 443 ssl;" in site
    site = site.replace("listen 443", f"listen 127.0.0.1:{port}")
    site = site.replace("durable.crt", f"{folder}/durable.crt")
    site = site.replace("durable.key", f"{folder}/durable.key")
    kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{it}_temp_path {folder}/{it};\n" for it in kept)
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its worker may not use the folder
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{site}}}\n"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf")]


def _config(language: str) -> str:
    """Returns the configuration that the document shows."""
    found = re.search(rf"```{language}\n(.*?)```", _SHOWN, flags=re.DOTALL)
    assert found is not None
    return found[1]


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
