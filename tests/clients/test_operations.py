"""docs/operations.md, line by line, with each tool that is present."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clients.building import needs, run
from tests.process.processes import PATIENCE_SECONDS, Child, running, until
from tests.repo.tree import ROOT

TEXT = (ROOT / "docs/operations.md").read_text()
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
TOOLS = {
    tool: line
    for line in re.findall(r"^call\(\) .*$", TEXT, flags=re.M)
    for tool in re.findall(r"(buf|grpcurl|evans) ", line)
}
SESSION = re.findall(
    r"^\$ (call .*)\n((?:(?!\$ ).+\n)+)",
    "".join(re.findall(r"```console\n(.*?)```", TEXT, flags=re.S)),
    flags=re.M,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with buf, and with grpcurl if it is there or can be built."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("grpcurl") is None and shutil.which("go") is not None:
        cache = ROOT / "gen/.tools" / GRPCURL.rpartition("/")[2]
        if not (cache / "grpcurl").exists():
            run(["go", "install", GRPCURL], tmp_path_factory.mktemp("go"), GOBIN=str(cache))
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
            # What only looks may be asked again: the worker needs its time.
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
    lines = re.findall(r"^(?:buf|grpcurl) .*Health/Check\"?$", TEXT, flags=re.M)
    assert len(lines) == 2
    for line in lines:
        if shutil.which(line.split()[0], path=path):
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


def test_refusals_with_their_reason(dev: tuple[Child, str], path: str, tmp_path: Path) -> None:
    if shutil.which("grpcurl", path=path) is None:
        needs("grpcurl")
    request = '{"invocationId": "' + "0" * 32 + '"}'
    line = f"{TOOLS['grpcurl']}\ncall Resume '{request}' && exit 1; test $? -eq $((64 + 5))"
    shell(line, dev[1], path, tmp_path)
    said = shell(
        f"{TOOLS['grpcurl']}\ncall Resume '{request}' 2>&1 || true", dev[1], path, tmp_path
    )
    assert "Code: NotFound" in said
    assert '"reason": "INVOCATION_NOT_FOUND"' in said
