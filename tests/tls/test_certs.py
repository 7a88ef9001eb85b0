"""`durable certs`: what it makes serves a control plane and its clients at once."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from ..support.processes import control_plane, durable


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        durable(*arguments, module="durable_cli"),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab") / "a lab"
    made = run(
        "certs", str(folder), "--host", "node-a.example", "--client", "ann", "--client", "bo"
    )
    assert made.returncode == 0, made.stderr
    assert "for a lab only" in made.stdout
    assert f"--tls-cert '{folder}'/server.pem" in made.stdout
    return folder


def test_keys_are_for_their_owner_alone(lab: Path) -> None:
    modes = {it.name: stat.S_IMODE(it.stat().st_mode) for it in lab.iterdir()}
    assert set(modes) == {
        *("ca.pem", "server.pem", "server.key"),
        *("ann.pem", "ann.key", "bo.pem", "bo.key"),
    }
    assert {mode for name, mode in modes.items() if name.endswith(".key")} == {0o600}
    assert stat.S_IMODE(lab.stat().st_mode) == 0o700


def test_nothing_is_overwritten(lab: Path) -> None:
    before = {it.name: it.read_bytes() for it in lab.iterdir()}
    again = run("certs", str(lab), "--host", "node-a.example", "--client", "carl")
    assert again.returncode == 1
    (line,) = again.stderr.splitlines()
    assert "ca.pem, server.pem, server.key already, and nothing is overwritten" in line
    assert {it.name: it.read_bytes() for it in lab.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing option '--host'"),
        (["--host", "a b"], "--host 'a b' is not a host name"),
        (["--host", "a", "--client", "server"], "--client 'server' is not a name"),
        (["--host", "a", "--client", "../x"], "--client '../x' is not a name"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], problem: str) -> None:
    refused = run("certs", str(tmp_path / "lab"), *arguments)
    assert refused.returncode == 2
    assert problem in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "lab").exists()


def test_they_serve_a_control_plane_and_its_clients(lab: Path, tmp_path: Path) -> None:
    options = (
        *("--tls-cert", str(lab / "server.pem"), "--tls-key", str(lab / "server.key")),
        *("--tls-client-ca", str(lab / "ca.pem")),
    )
    with control_plane(tmp_path, *options) as (_, address):
        ann = {
            "DURABLE_ADDRESS": address,
            "DURABLE_TLS_CA": str(lab / "ca.pem"),
            "DURABLE_TLS_CERT": str(lab / "ann.pem"),
            "DURABLE_TLS_KEY": str(lab / "ann.key"),
        }
        asked = run("stats", **ann)
        assert asked.returncode == 0, asked.stderr
        # A certificate of a server is one of a client too; none is not enough.
        node = {**ann, "DURABLE_TLS_CERT": str(lab / "server.pem")}
        node["DURABLE_TLS_KEY"] = str(lab / "server.key")
        assert run("stats", **node).returncode == 0
        nobody = {**ann, "DURABLE_TLS_CERT": "", "DURABLE_TLS_KEY": ""}
        refused = run("stats", **nobody)
        assert refused.returncode == 4
        assert "asks clients for a certificate" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        half = run("stats", **{**ann, "DURABLE_TLS_KEY": ""})
        assert half.returncode == 2
        assert "DURABLE_TLS_CERT is set and DURABLE_TLS_KEY is not" in half.stderr
