"""Dockerfile and compose.yaml, as far as they can be tested without a container engine.

A linter and a schema read them; what they would run in a container is run as plain processes.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser
from ruamel.yaml import YAML

from durable_server.cli import server
from durable_server.config import Config
from durable_server.nats.binary import find_nats_server
from durable_server.nats.routes import parse_peers
from tests.support.processes import durable, running, until
from tests.support.repository import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KUBERNETES = ROOT / "docs/kubernetes/durable.yaml"
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())
CHECKS = {
    "Dockerfile": [str(SCRIPTS / "hadolint"), "--no-color", "Dockerfile"],
    "compose.yaml": [
        str(SCRIPTS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml",
    ],
}  # fmt: skip


def last(instruction: str) -> str:
    """The value of the last such instruction of the Dockerfile."""
    parser = DockerfileParser(fileobj=io.BytesIO(DOCKERFILE.encode()))
    found = [it["value"] for it in parser.structure if it["instruction"] == instruction]
    assert found, instruction
    return str(found[-1])


def inside(command: list[str], folder: Path, address: str) -> list[str]:
    """What stands in a container's command, for this machine."""
    places = {
        "0.0.0.0:50051": address,
        "control-plane:50051": address,
        "/data": str(folder / "data"),
    }
    return [places.get(it, it) for it in command]


@pytest.mark.parametrize("file", CHECKS)
def test_linter_reports_nothing(file: str) -> None:
    if not Path(CHECKS[file][0]).exists():
        pytest.skip(f"no `{CHECKS[file][0]}`: there is none for this platform")
    done = subprocess.run(CHECKS[file], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_reads_it() -> None:
    if shutil.which("docker") is None:
        pytest.skip("no `docker` on the PATH")
    if subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    ).returncode:
        pytest.skip("docker has no `compose` here")
    command = ["docker", "compose", "--file", "compose.yaml", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_image_is_small_and_not_root() -> None:
    assert DOCKERFILE.count("\nFROM ") == 2
    assert last("FROM") == "python:3.13-slim"
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {it[1:] for it in (ROOT / ".dockerignore").read_text().split() if it.startswith("!")}
    parser = DockerfileParser(fileobj=io.BytesIO(DOCKERFILE.encode()))
    copies = [it["value"].split() for it in parser.structure if it["instruction"] == "COPY"]
    sources = {source for words in copies if "--from=build" not in words for source in words[:-1]}
    assert sources == kept
    assert all((ROOT / it).exists() for it in sources)


def test_control_plane_health_check_and_worker(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    assert json.loads(last("ENTRYPOINT")) == ["durable"]
    command = inside(json.loads(last("CMD")), tmp_path, "127.0.0.1:0")
    with running(durable(*command, "--ready-file", str(ready)), tmp_path / "server.log") as server:
        until(ready.exists, "ready file", server)
        address = json.loads(ready.read_text())["address"]
        assert health(address) == 0
        worker = inside(COMPOSE["services"]["worker"]["command"], tmp_path, address)
        with running(
            durable("-v", *worker), tmp_path / "worker.log", environment={"PYTHONPATH": str(ROOT)}
        ) as child:
            until(lambda: "serves" in child.text(), "session", child)
            assert child.terminate() == 0
        assert server.terminate() == 0
    assert health(address) != 0


def health(address: str) -> int:
    """The exit code of the image's health check."""
    python, *rest = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])
    assert python == "python"
    rest = [it.replace("127.0.0.1:50051", address) for it in rest]
    return subprocess.run([sys.executable, *rest], capture_output=True, check=False).returncode


def test_compose_commands_are_ours() -> None:
    control_plane = COMPOSE["services"]["control-plane"]
    image = json.loads(last("CMD"))
    assert control_plane["command"][: len(image)] == image
    assert control_plane["command"][len(image) :] == ["--replicas", "3"]
    nats = [name for name in COMPOSE["services"] if name.startswith("nats-")]
    urls = control_plane["environment"]["DURABLE_NATS_URL"].split(",")
    assert urls == [f"nats://{name}:4222" for name in nats]
    _, hello = COMPOSE["services"]["hello-service"]["entrypoint"]
    assert (ROOT / hello).exists()


def test_nats_takes_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "nats.conf"
    file.write_text(COMPOSE["configs"]["nats"]["content"].replace("/data", str(tmp_path)))
    command = [str(find_nats_server().path), "--config", str(file), "-t"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_for_kubernetes_fits_itself_and_the_program() -> None:
    service, budget, stateful = YAML(typ="safe").load_all(KUBERNETES.read_text())
    assert [it["kind"] for it in (service, budget, stateful)] == [
        "Service",
        "PodDisruptionBudget",
        "StatefulSet",
    ]
    spec, pod = stateful["spec"], stateful["spec"]["template"]
    name = stateful["metadata"]["name"]
    assert (spec["serviceName"], spec["podManagementPolicy"]) == (name, "Parallel")
    assert service["metadata"]["name"] == name
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    labels = pod["metadata"]["labels"]
    assert service["spec"]["selector"] == labels
    assert budget["spec"]["selector"] == spec["selector"] == {"matchLabels": labels}

    [container] = pod["spec"]["containers"]
    ports = {it["name"]: it["containerPort"] for it in container["ports"]}
    assert ports == {it["name"]: it["port"] for it in service["spec"]["ports"]}
    assert container["readinessProbe"]["grpc"]["port"] == ports["grpc"]
    [claim] = spec["volumeClaimTemplates"]
    [mount] = container["volumeMounts"]
    assert mount["name"] == claim["metadata"]["name"]

    pods = [f"{name}-{number}" for number in range(spec["replicas"])]
    environment = {it["name"]: it.get("value", "") for it in container["env"]}
    assert environment.keys() == {"DURABLE_NODE", "DURABLE_CLUSTER_SECRET"}
    for pod_name in pods:
        arguments = [it.replace("$(DURABLE_NODE)", pod_name) for it in container["args"]]
        assert f"--data-dir={mount['mountPath']}" in arguments
        options = dict(it.removeprefix("--").split("=", 1) for it in arguments[1:-1])
        assert parse_peers(options["peers"]) == {
            it: f"{it}.{name}:{ports['routes']}" for it in pods
        }
        config = Config(
            node=pod_name,
            listen=options["listen"],
            node_listen=options["node-listen"],
            advertise=options["advertise"],
            peers=options["peers"],
            insecure=arguments[-1] == "--insecure",
            cluster_secret="of at least 16 characters",
        )
        config.check()
        assert config.listen.endswith(f":{ports['grpc']}")
        assert config.node_listen.endswith(f":{ports['nodes']}")
        offered = {option for it in server.params for option in it.opts}
        assert {f"--{it}" for it in options} | {"--insecure"} <= offered
