"""docs/operations.md: each command of its sessions, with each tool that is installed."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.clients.building import needs, run
from tests.clients.conftest import control_plane
from tests.support.processes import PATIENCE_SECONDS, Child, running, until
from tests.support.repository import ROOT

TEXT = (ROOT / "docs/operations.md").read_text()
PACKAGES = {
    "grpcurl": ("github.com/fullstorydev/grpcurl", "v1.9.3", "/cmd/grpcurl"),
    "evans": ("github.com/ktr0731/evans", "v0.10.11", ""),
}
"""Tools in Go: module, version, and where in it the program is."""


def used(line: str) -> str:
    """The tool that a line uses."""
    found = re.search(r"\b(buf|grpcurl|evans) ", line)
    assert found, line
    return found[1]


TOOLS = {used(line): line for line in re.findall(r"^call\(\) .*$", TEXT, flags=re.M)}
SESSION = re.findall(
    r"^\$ (call .*)\n((?:(?!\$ ).+\n)+)",
    "".join(re.findall(r"```console\n(.*?)```", TEXT, flags=re.S)),
    flags=re.M,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with buf, and with those of grpcurl and evans that are there or can be built."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    for tool, (module, release, folder) in PACKAGES.items():
        if shutil.which(tool) is None and shutil.which("go") is not None:
            cache = ROOT / f"gen/.tools/{tool}-{release}"
            if not (cache / tool).exists():
                # Not `go install`, which also fetches the list of all versions.
                work = tmp_path_factory.mktemp(tool)
                (work / "go.mod").write_text(
                    f"module tool\n\ngo 1.24.0\n\nrequire {module} {release}\n"
                )
                command = ["go", "build", "-mod=mod", "-o", str(cache / tool), module + folder]
                run(command, work)
            path = f"{cache}{os.pathsep}{path}"
    return path


def camel(value: Any) -> Any:
    """JSON with names as buf writes them."""
    if isinstance(value, dict):
        return {
            re.sub(r"_([a-z])", lambda it: it[1].upper(), key): camel(item)
            for key, item in value.items()
        }
    return [camel(item) for item in value] if isinstance(value, list) else value


def shows(promised: Any, answer: Any) -> bool:
    """Whether an answer has all that is promised; `...` stands for any text."""
    if isinstance(promised, dict):
        return isinstance(answer, dict) and all(
            key in answer and shows(item, answer[key]) for key, item in promised.items()
        )
    if isinstance(promised, list):
        return all(any(shows(item, one) for one in answer) for item in promised)
    if isinstance(promised, str):
        return fnmatch.fnmatchcase(str(answer), promised.replace("...", "*"))
    return bool(promised == answer)


def shell(line: str, address: str, path: str, home: Path, **variables: str) -> str:
    """Runs a line as a person types it; returns what it printed."""
    environment = {"PATH": path, "HOME": str(home), "DURABLE": address, **variables}
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def last_document(text: str) -> Any:
    """The last JSON value of a stream of them."""
    decoder, found, rest = json.JSONDecoder(), None, text.strip()
    while rest:
        found, end = decoder.raw_decode(rest)
        rest = rest[end:].lstrip()
    return found


def test_the_document_has_a_session_for_three_tools() -> None:
    assert set(TOOLS) == {"buf", "grpcurl", "evans"}
    assert len(SESSION) >= 18
    assert len(re.findall(r"^## \d+\. ", TEXT, flags=re.M)) == 10


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tool", TOOLS)
def test_session(tool: str, dev: tuple[Child, str], path: str, tmp_path: Path) -> None:
    if shutil.which(tool, path=path) is None:
        pytest.skip(f"no `{tool}` on the PATH")
    _, address = dev
    variables: dict[str, str] = {"ID": ""}
    for line, promise in SESSION:
        promised = camel(json.loads(promise))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            said = shell(f"{TOOLS[tool]}\n{line}", address, path, tmp_path, **variables)
            answer = camel(last_document(said))
            # A read may be repeated: the worker may not have got there yet.
            if shows(promised, answer):
                break
            looks = re.match(r"call (Get|List|Query)", line)
            assert looks, f"{line}\n{said}"
            assert time.monotonic() < deadline, f"{line}\n{said}"
            time.sleep(0.2)
        if line.startswith(("call Invoke", "call Restart")):
            variables["ID"] = answer["invocationId"]


@pytest.mark.parametrize("service", ["", "durable.v1.DurableControl", "durable.v1.DurableWorker"])
def test_health_of_each_service(
    service: str, dev: tuple[Child, str], path: str, tmp_path: Path
) -> None:
    lines = re.findall(r"^(?:buf|grpcurl|echo) .*Health[/.]Check\"?$", TEXT, flags=re.M)
    assert len(lines) == 3
    for line in lines:
        if shutil.which(used(line), path=path):
            line = line.replace("durable.v1.DurableControl", service)
            assert json.loads(shell(line, dev[1], path, tmp_path)) == {"status": "SERVING"}


def test_who_watches_the_health_hears_of_the_end(
    dev: tuple[Child, str], path: str, tmp_path: Path
) -> None:
    child, address = dev
    command = [
        "buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", "{}",
        f"http://{address}/grpc.health.v1.Health/Watch",
    ]  # fmt: skip
    needed = {"PATH": path, "HOME": str(tmp_path)}
    buf = shutil.which("buf", path=path)
    assert buf
    with running([buf, *command[1:]], tmp_path / "watch", environment=needed) as watch:
        until(lambda: '"SERVING"' in watch.text(), "health", watch)
        assert child.terminate() == 0
        until(lambda: '"NOT_SERVING"' in watch.text(), "end of health")


@pytest.mark.parametrize(
    ("tool", "option", "code", "reason"),
    [
        ("grpcurl", "", 64 + 5, '"reason": "INVOCATION_NOT_FOUND"'),
        ("buf", "", 8 * 5, '"type": "google.rpc.ErrorInfo"'),
        ("evans", "", 1, "NotFound"),
        ("evans", "--enrich", 1, '"reason": "INVOCATION_NOT_FOUND"'),
    ],
)
def test_a_refusal_has_its_exit_code_and_its_reason(
    tool: str,
    option: str,
    code: int,
    reason: str,
    dev: tuple[Child, str],
    path: str,
    tmp_path: Path,
) -> None:
    if shutil.which(tool, path=path) is None:
        pytest.skip(f"no `{tool}` on the PATH")
    definition = TOOLS[tool].replace(" cli call ", f" cli call {option} ")
    request = '{"invocationId": "' + "0" * 32 + '"}'
    line = f"{definition}\ncall Resume '{request}' 2>&1; test $? -eq {code}"
    assert reason in shell(line, dev[1], path, tmp_path)


def test_tools_list_the_services(dev: tuple[Child, str], path: str, tmp_path: Path) -> None:
    lines = re.findall(r"^.* (?:describe|desc|--list-methods) .*$", TEXT, flags=re.M)
    assert {used(line) for line in lines} == {"buf", "grpcurl", "evans"}
    for line in lines:
        if shutil.which(used(line), path=path):
            said = shell(line, dev[1], path, tmp_path)
            assert "wait_timeout" in said or "durable.v1.DurableControl/Pause" in said, line


def test_channelz(tmp_path: Path, path: str) -> None:
    """Down to one connection, with the numbers that each answer gives for the next question."""
    if shutil.which("grpcurl", path=path) is None:
        needs("grpcurl")
    lines = re.findall(r"^grpcurl .*Channelz/\w+$", TEXT, flags=re.M)
    with control_plane(tmp_path, "--channelz") as (_, address):

        def ask(line: str, **ids: str) -> Any:
            for name, value in ids.items():
                line = re.sub(rf'"{name}": \d+', f'"{name}": {value}', line)
            return json.loads(shell(line, address, path, tmp_path))

        servers, sockets, socket = lines
        (server,) = ask(servers)["server"]
        assert int(server["data"]["calls_started"]) > 0
        found = ask(sockets, server_id=server["ref"]["server_id"])["socket_ref"]
        assert found
        if version("grpcio-channelz").split(".")[1] == version("grpcio").split(".")[1]:
            shown = ask(socket, socket_id=found[0]["socket_id"])["socket"]
            assert int(shown["data"]["messages_received"]) > 0
