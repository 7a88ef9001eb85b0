"""The test vectors of the encryption codec, which every language reads: `tests/vectors/codec.json`.

They are written once (`--rewrite`) and must be decoded for ever: values are kept for years.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf import json_format

import durable
from durable._common.codecs.encryption import ENCRYPTED
from durable_proto.v1.payload_pb2 import Payload
from tests.support.repository import ROOT

PATH = ROOT / "tests/vectors/codec.json"
KEYS = {"2026-11": bytes(range(32)), "tenant/7": bytes(range(100, 132))}
VALUES = {
    "json": Payload(data=b'{"name":"Ada","count":3}'),
    "json with its type": Payload(content_type="application/json", data="\"Zoë ✓\"".encode()),
    "bytes": Payload(content_type="application/octet-stream", data=bytes(range(256))),
    "no data": Payload(content_type="application/octet-stream"),
    "nothing at all": Payload(),
    "metadata": Payload(data=b"null", metadata={"a": "1"}),
    "long": Payload(data=b'"' + b"again and again " * 64 + b'"'),
}  # fmt: skip


class Invalid(NamedTuple):
    """A value that nobody may decode."""

    name: str
    data: bytes
    content_type: str = ENCRYPTED


def invalid() -> Iterator[Invalid]:
    """Values that were changed, or were never what they say."""
    key_id, key = next(iter(KEYS.items()))
    good = durable.EncryptionCodec({key_id: key}).encode(VALUES["json"]).data
    start = 4 + len(key_id)

    def changed(index: int) -> bytes:
        return good[:index] + bytes((good[index] ^ 1,)) + good[index + 1 :]

    yield Invalid("no data", b"")
    yield Invalid("only a header", good[:start])
    yield Invalid("without its end", good[:-1])
    yield Invalid("a later version", bytes((2,)) + good[1:])
    yield Invalid("an unknown algorithm", good[:1] + b"\3" + good[2:])
    yield Invalid("another algorithm", good[:1] + b"\2" + good[2:])
    yield Invalid("another compression", good[:2] + b"\1" + good[3:])
    yield Invalid("another key id", good[:4] + b"2026-12" + good[start:])
    yield Invalid("a changed nonce", changed(start))
    yield Invalid("a changed byte", changed(start + 12))
    yield Invalid("a changed tag", changed(len(good) - 1))
    yield Invalid("another content type", good, "application/x-durable-other")
    # Whoever has the key made these, but not by the format.
    value = VALUES["json"].SerializeToString()
    header, nonce = good[:start], bytes(12)
    cipher = AESGCM(key)
    yield Invalid("no associated data", header + nonce + cipher.encrypt(nonce, value, None))
    zlibbed = header[:2] + b"\1" + header[3:]
    associated = ENCRYPTED.encode() + zlibbed
    yield Invalid("no zlib", zlibbed + nonce + cipher.encrypt(nonce, value, associated))
    short = zlib.compress(value)[:-4]
    yield Invalid("half of zlib", zlibbed + nonce + cipher.encrypt(nonce, short, associated))


def made() -> dict[str, Any]:
    """Makes the vectors anew."""
    valid = []
    for key_id, key in KEYS.items():
        for algorithm in ("aes-256-gcm", "chacha20-poly1305"):
            for compress in (False, True):
                codec = durable.EncryptionCodec(
                    {key_id: key},
                    algorithm=algorithm,
                    compress=compress,
                )
                valid += [
                    {
                        "name": f"{name}, {key_id}, {algorithm}{', zlib' if compress else ''}",
                        "payload": json_format.MessageToDict(value),
                        "encoded": json_format.MessageToDict(codec.encode(value)),
                    }
                    for name, value in VALUES.items()
                    if not compress or len(value.data) >= 256
                ]
    refused = [
        {
            "name": it.name,
            "encoded": json_format.MessageToDict(
                Payload(content_type=it.content_type, data=it.data)
            ),
        }
        for it in invalid()
    ]
    keys = {key_id: base64.b64encode(key).decode() for key_id, key in KEYS.items()}
    return {"keys": keys, "valid": valid, "invalid": refused}


@pytest.fixture(scope="module")
def vectors(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.config.getoption("--rewrite"):
        PATH.write_text(json.dumps(made(), indent=1) + "\n")
    found: dict[str, Any] = json.loads(PATH.read_text())
    return found


def codec_of(vectors: dict[str, Any]) -> durable.EncryptionCodec:
    keys = {key_id: base64.b64decode(key) for key_id, key in vectors["keys"].items()}
    return durable.EncryptionCodec(keys)


def payload(form: Any) -> Payload:
    return json_format.ParseDict(form, Payload())


def test_every_vector_is_decoded(vectors: dict[str, Any]) -> None:
    codec = codec_of(vectors)
    assert len(vectors["valid"]) > 30
    for it in vectors["valid"]:
        assert codec.decode(payload(it["encoded"])) == payload(it["payload"]), it["name"]
    numbers = {tuple(payload(it["encoded"]).data[1:3]) for it in vectors["valid"]}
    assert numbers == {(1, 0), (1, 1), (2, 0), (2, 1)}


def test_every_invalid_vector_is_refused(vectors: dict[str, Any]) -> None:
    codec = codec_of(vectors)
    assert len(vectors["invalid"]) == len(list(invalid()))
    for it in vectors["invalid"]:
        with pytest.raises(durable.UndecodableValueError):
            raise AssertionError(f"{it['name']}: {codec.decode(payload(it['encoded']))}")
