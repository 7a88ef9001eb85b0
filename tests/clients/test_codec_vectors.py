"""The codecs in Go and TypeScript: they read what Python has encrypted, and Python reads theirs."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

import durable
from durable_proto.v1.payload_pb2 import Payload
from tests.clients.building import copied, needs, run
from tests.support.repository import ROOT

VECTORS = ROOT / "tests/vectors/codec.json"


def go(workspace: Path) -> list[str]:
    """Builds the check in Go; returns its command line."""
    needs("go")
    copied(workspace, "gen/go", "examples/clients/go")
    program = str(workspace / "check")
    run(["go", "build", "-o", program, "./codec/check"], workspace / "examples/clients/go")
    return [program]


def typescript(workspace: Path) -> list[str]:
    """Compiles the check in TypeScript; returns its command line."""
    needs("node", "npm")
    copied(workspace, "gen/typescript", "examples/clients/typescript")
    folder = workspace / "examples/clients/typescript"
    run(["npm", "ci", "--no-audit", "--no-fund"], folder)
    run(["npm", "run", "build"], folder)
    return ["node", str(folder / "dist/codec_check.js")]


CHECKS: dict[str, Callable[[Path], list[str]]] = {"go": go, "typescript": typescript}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", CHECKS)
def test_the_same_format(language: str, tmp_path: Path) -> None:
    check = CHECKS[language](tmp_path)
    vectors = str(shutil.copy(VECTORS, tmp_path / "codec.json"))
    given: Any = json.loads(VECTORS.read_text())
    keys = {key_id: base64.b64decode(key) for key_id, key in given["keys"].items()}
    codec = durable.EncryptionCodec(keys)
    values = {it["name"]: json_format.ParseDict(it["payload"], Payload()) for it in given["valid"]}
    numbers = set()
    for line in run([*check, vectors], tmp_path).splitlines():
        name, _, encoded = line.partition("\t")
        payload = json_format.Parse(encoded, Payload())
        assert codec.decode(payload) == values[name], name
        numbers.add((*payload.data[1:3], payload.data[4:5]))
    # Both algorithms, with and without compression, with both keys.
    assert len(numbers) == 8
    # A check that cannot fail would prove nothing: a changed vector must stop it.
    for kind in ("valid", "invalid"):
        wrong = {**given, kind: [{**given["valid"][0], "payload": {"data": "AAAA"}}]}
        (tmp_path / "codec.json").write_text(json.dumps(wrong))
        with pytest.raises(AssertionError, match=given["valid"][0]["name"]):
            run([*check, vectors], tmp_path)
