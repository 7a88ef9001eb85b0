"""The recipes of docs/languages.md: built and run with `--recipes`, else only generated.

A cold build of Rust or Kotlin takes minutes, so those run with `--recipes` only. For Ruby and C# the
messages are generated, with the protoc of Maven Central.
"""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.clients.building import copied, java, needs, run, script
from tests.support.processes import Child
from tests.support.repository import ROOT

TEXT = (ROOT / "docs/languages.md").read_text()
ADDRESS = "127.0.0.1:50051"


class Recipe:
    """A section of the document: its files, its commands, and their output."""

    def __init__(self, language: str) -> None:
        section = re.search(
            rf"^### {re.escape(language)}\n(.*?)(?=^### |\Z)", TEXT, flags=re.M | re.S
        )
        assert section, language
        self.files: dict[str, str] = dict(
            re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```", section[1], flags=re.M | re.S)
        )
        assert self.files, language
        (console,) = re.findall(r"```console\n(.*?)```", section[1], flags=re.S)
        self.commands: list[str] = re.findall(r"^\$ (.*)$", console, flags=re.M)
        self.printed = re.sub(r"^\$ .*\n", "", console, flags=re.M)

    def write(self, folder: Path) -> None:
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """An empty folder beside a clone called `durable`."""
    copied(tmp_path / "durable", "proto")
    (tmp_path / "client").mkdir()
    return tmp_path / "client"


@pytest.fixture(scope="module")
def protoc() -> list[str]:
    """A protoc that writes more than Python, and where the well-known protos are."""
    needs("mvn")
    # It fetches what it needs; that it has nothing to say is another test's concern.
    run([sys.executable, "gen/generate.py", "--check", "--only", "java"], ROOT)
    *_, found = sorted((ROOT / "gen/.tools").glob("java-*/protoc"))
    return [str(found), f"--proto_path={files('grpc_tools') / '_proto'}"]


def test_each_has_a_recipe() -> None:
    assert set(re.findall(r"^### (.*)$", TEXT, flags=re.M)) == {"Rust", "Kotlin", "Ruby", "C#"}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("language", ["Rust", "Kotlin"])
def test_recipe_runs(
    language: str, client: Path, dev: tuple[Child, str], pytestconfig: pytest.Config
) -> None:
    if not pytestconfig.getoption("--recipes"):
        pytest.skip("builds for minutes; --recipes runs it")
    needs("cargo" if language == "Rust" else "mvn")
    environment = java(client.parent / "durable") if language == "Kotlin" else {}
    recipe = Recipe(language)
    recipe.write(client)
    _, address = dev
    commands = [it.replace(ADDRESS, address) for it in recipe.commands]
    assert commands != recipe.commands
    assert script(client, commands, **environment) == recipe.printed


def test_ruby_messages(client: Path, protoc: list[str]) -> None:
    recipe = Recipe("Ruby")
    (command,) = (it for it in recipe.commands if it.startswith("grpc_tools_ruby_protoc"))
    tool, path = protoc
    command = command.replace("grpc_tools_ruby_protoc", f"{tool} {path}").replace(
        "--grpc_out=lib ", ""
    )
    script(client, ["mkdir -p lib", command])
    made = "".join(it.read_text() for it in (client / "lib/durable/v1").glob("*_pb.rb"))
    (program,) = recipe.files.values()
    used = set(re.findall(r"Durable::V1::(\w+)", program)) - {"DurableControl"}
    assert used == {"InvokeRequest", "Payload"}
    assert all(f"    {name} = ::Google::Protobuf" in made for name in used)


def test_c_sharp_messages(client: Path, protoc: list[str]) -> None:
    recipe = Recipe("C#")
    assert 'Include="../durable/proto/**/*.proto" ProtoRoot="../durable/proto"' in "".join(
        recipe.files.values()
    )
    protos = "../durable/proto/durable/v1/*.proto ../durable/proto/google/api/*.proto"
    command = " ".join([*protoc, "--proto_path=../durable/proto", "--csharp_out=."])
    script(client, [f"{command} {protos}"])
    made = "".join(it.read_text() for it in client.glob("*.cs"))
    assert "namespace Durable.V1 {" in made
    for name in ("InvokeRequest", "Payload", "Outcome"):
        assert f"public sealed partial class {name} " in made
    for name in ("Handler", "Input", "WaitTimeout", "InvocationId", "ResultCase"):
        assert re.search(rf"public \S+ {name} {{", made), name
