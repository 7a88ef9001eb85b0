"""Dockerfile, compose.yaml and manifests, as far as they can be tested without a container engine.

A linter and a schema read them; what they would run in a container is run as plain processes.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import click
import pytest
from dockerfile_parse import DockerfileParser
from ruamel.yaml import YAML

from durable._common.addresses import parse_addresses
from durable_cli.main import cli
from durable_server.cli import server
from durable_server.config import Config
from durable_server.http.endpoints import ROUTES
from durable_server.nats.binary import find_nats_server
from durable_server.nats.routes import parse_peers
from tests.support.processes import durable, running, until
from tests.support.repository import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KUBERNETES = ROOT / "docs/kubernetes/durable.yaml"
WORKERS = ROOT / "docs/kubernetes/workers.yaml"
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


def test_the_workflow_for_github_fits_its_schema(tmp_path: Path) -> None:
    check = SCRIPTS / "check-jsonschema"
    text = (ROOT / "docs" / "deploying.md").read_text()
    [snippet] = [it for it in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "jobs:" in it]
    file = tmp_path / "preflight.yml"
    file.write_text(snippet)
    command = [str(check), "--builtin-schema", "vendor.github-workflows", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = YAML(typ="safe").load(snippet)["jobs"]["preflight"]["steps"]
    [run] = [it["run"] for it in steps if "durable" in it.get("run", "")]
    assert run.split()[:2] == ["durable", "preflight"]


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
    # That one begins when a majority is there, and is not about NATS after that.
    served = {route.template for route in ROUTES}
    for probe, path in (
        ("startupProbe", "/health/live"),
        ("livenessProbe", "/health/live"),
        ("readinessProbe", "/health/ready"),
    ):
        wanted = {"scheme": "HTTPS", "port": ports["https"], "path": path}
        assert container[probe]["httpGet"] == wanted
        assert path in served
    [claim] = spec["volumeClaimTemplates"]
    mount, tls = container["volumeMounts"]
    assert mount["name"] == claim["metadata"]["name"]
    assert [it["name"] for it in pod["spec"]["volumes"]] == [tls["name"]]

    pods = [f"{name}-{number}" for number in range(spec["replicas"])]
    environment = {it["name"]: it.get("value", "") for it in container["env"]}
    assert environment.keys() == {"DURABLE_NODE", "DURABLE_CLUSTER_SECRET"}
    for pod_name in pods:
        arguments = [it.replace("$(DURABLE_NODE)", pod_name) for it in container["args"]]
        assert f"--data-dir={mount['mountPath']}" in arguments
        options = dict(it.removeprefix("--").split("=", 1) for it in arguments[1:])
        assert parse_peers(options["peers"]) == {
            it: f"{it}.{name}:{ports['routes']}" for it in pods
        }
        config = Config(
            node=pod_name,
            listen=options["listen"],
            node_listen=options["node-listen"],
            advertise=options["advertise"],
            peers=options["peers"],
            http=options["http"],
            tls_cert=Path(options["tls-cert"]),
            tls_key=Path(options["tls-key"]),
            tls_node_ca=Path(options["tls-node-ca"]),
            cluster_secret="of at least 16 characters",
        )
        config.check()
        assert config.listen.endswith(f":{ports['grpc']}")
        assert config.node_listen.endswith(f":{ports['nodes']}")
        assert config.http.endswith(f":{ports['https']}")
        assert config.tls is not None
        assert {str(it.parent) for it in config.tls if it is not None} == {tls["mountPath"]}
        assert config.routes is not None
        assert config.routes.tls is not None
        offered = {option for it in server.params for option in it.opts}
        assert {f"--{it}" for it in options} <= offered


def test_the_workers_of_two_builds_fit_each_other_and_the_program() -> None:
    manifests = list(YAML(typ="safe").load_all(WORKERS.read_text()))
    assert [it["kind"] for it in manifests] == ["Deployment", "Deployment"]
    stateful = list(YAML(typ="safe").load_all(KUBERNETES.read_text()))[-1]
    service, port = stateful["metadata"]["name"], 50051
    nodes = [
        f"{service}-{number}.{service}:{port}" for number in range(stateful["spec"]["replicas"])
    ]
    command = cli.get_command(click.Context(cli), "worker")
    assert command is not None
    builds, rest = [], []
    for it in manifests:
        spec, pod = it["spec"], it["spec"]["template"]
        [container] = pod["spec"]["containers"]
        environment = {given["name"]: given["value"] for given in container["env"]}
        build = environment.pop("DURABLE_BUILD_ID")
        builds.append(build)
        # The name and the labels differ, so that neither takes the pods of the other.
        assert it["metadata"]["name"] == f"shop-{build}"
        assert (
            spec["selector"]["matchLabels"] == pod["metadata"]["labels"] == it["metadata"]["labels"]
        )
        assert pod["metadata"]["labels"]["build"] == build
        assert container["image"] == f"shop:{build}"
        name, *arguments = container["args"]
        assert name == "worker"
        given = command.make_context(name, list(arguments), resilient_parsing=False).params
        assert given["modules"] == ("shop.workflows",)
        assert given["versioning"] == "pinned"
        assert [node.target for node in parse_addresses(given["address"], tls=True)] == nodes
        assert pod["spec"]["terminationGracePeriodSeconds"] > given["drain_timeout"].total_seconds()
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts.keys() == {volume["name"] for volume in pod["spec"]["volumes"]}
        assert {str(Path(path).parent) for path in environment.values()} == set(mounts.values())
        rest.append((arguments, environment, container["resources"], pod["spec"]["volumes"]))
    assert builds == ["v1", "v2"]
    assert rest[0] == rest[1]
