"""Codecs: the format of encrypted payloads, keys, and the payloads of every message."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

import durable
from durable._common.codecs.encryption import ENCRYPTED, key_id_of
from durable._common.codecs.messages import decode_message, encode_message
from durable._common.values.serde import decode, encode
from durable_proto.v1 import access_pb2, control_pb2, worker_pb2
from durable_proto.v1.payload_pb2 import Payload

FAILURE = "durable.v1.Outcome.failure"
SECRET = b"the patient's name"
ONE, TWO = bytes(range(32)), bytes(range(32, 64))


def codec_of(*ids: str, **options: Any) -> durable.EncryptionCodec:
    keys = {"one": ONE, "two": TWO}
    return durable.EncryptionCodec({it: keys[it] for it in ids}, **options)


@pytest.mark.parametrize("algorithm", ["aes-256-gcm", "chacha20-poly1305"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_a_value_comes_back_with_its_type(algorithm: Any, compress: bool, size: int) -> None:
    codec = codec_of("one", algorithm=algorithm, compress=compress)
    payload = Payload(content_type="text/plain", data=b"x" * size, metadata={"a": "b"})
    encoded = codec.encode(payload)
    assert encoded.content_type == ENCRYPTED
    assert b"text/plain" not in encoded.SerializeToString()
    # Either algorithm is read, and both compressions.
    assert codec_of("two", "one").decode(encoded) == payload
    assert (len(encoded.data) < size // 100) == (compress and size > 1000)


def test_each_encoding_differs() -> None:
    codec = codec_of("one")
    payload = Payload(data=SECRET)
    assert len({codec.encode(payload).data for _ in range(100)}) == 100


def test_every_changed_byte_is_noticed() -> None:
    codec = codec_of("one", "two", compress=True)
    encoded = codec.encode(Payload(data=SECRET * 50))
    for index in range(len(encoded.data)):
        for bit in (1, 128):
            data = bytearray(encoded.data)
            data[index] ^= bit
            with pytest.raises(durable.UndecodableValueError):
                codec.decode(Payload(content_type=ENCRYPTED, data=bytes(data)))


def test_every_shortened_value_is_noticed() -> None:
    codec = codec_of("one")
    data = codec.encode(Payload(data=SECRET)).data
    for length in range(len(data)):
        with pytest.raises(durable.UndecodableValueError):
            codec.decode(Payload(content_type=ENCRYPTED, data=data[:length]))


def test_the_key_id_is_bound() -> None:
    """Two ids of one key: only the associated data tells them apart."""
    codec = durable.EncryptionCodec({"ons": ONE, "one": ONE})
    data = codec.encode(Payload(data=SECRET)).data
    renamed = data[:4] + b"ons" + data[7:]
    with pytest.raises(durable.UndecodableValueError, match="'ons'"):
        codec.decode(Payload(content_type=ENCRYPTED, data=renamed))


def test_a_rotation() -> None:
    before = codec_of("one").encode(Payload(data=SECRET))
    rotated = codec_of("one", "two")
    after = rotated.encode(Payload(data=SECRET))
    assert (key_id_of(before), key_id_of(after)) == ("one", "two")
    assert rotated.decode(before) == rotated.decode(after) == Payload(data=SECRET)
    with pytest.raises(
        durable.UndecodableValueError, match="the key 'two', which is not known"
    ) as it:
        codec_of("one").decode(after)
    assert it.value.key_id == "two"


def test_keys_are_in_no_text(tmp_path: Path) -> None:
    durable.KeyFile.add(tmp_path / "keys", "one")
    line = (tmp_path / "keys").read_text().split()[1]
    file = durable.KeyFile(tmp_path / "keys")
    codec = durable.EncryptionCodec(file)
    other = codec_of("one").encode(Payload(data=SECRET))
    with pytest.raises(durable.UndecodableValueError) as error:
        codec.decode(other)
    texts = repr(file) + repr(codec) + repr(codec_of("one")) + str(error.value)
    key = base64.b64decode(line)
    for text in (line, repr(key)[2:-1], key.hex(), repr(ONE)[2:-1], ONE.hex()):
        assert text not in texts


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "no key"),
        ({"one": b"short"}, "'one' has 5 bytes"),
        ({"a b": ONE}, "key id 'a b'"),
        ({"": ONE}, "key id ''"),
        ({"x" * 129: ONE}, "1 to 128"),
    ],
)
def test_bad_keys(keys: dict[str, bytes], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        durable.EncryptionCodec(keys)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="algorithm must be 'aes-256-gcm' or"):
        codec_of("one", algorithm="rot13")
    with pytest.raises(TypeError, match=r"codec must be a durable\.Codec"):
        durable.Client(codec="rot13")  # type: ignore[arg-type]


def test_a_key_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    durable.KeyFile.add(path, "2026-11")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = durable.KeyFile(path)
    first = keys.key("2026-11")
    assert keys.newest() == "2026-11"
    assert first is not None
    assert len(first) == 32
    durable.KeyFile.add(path, "2026-12", newest=False)
    assert (keys.newest(), keys.key("2026-12") is None) == ("2026-11", False)
    durable.KeyFile.add(path, "2027-01")
    assert (keys.newest(), keys.key("2026-11")) == ("2027-01", first)
    with pytest.raises(ValueError, match="'2026-11' already"):
        durable.KeyFile.add(path, "2026-11")
    path.unlink()
    assert keys.newest() == "2027-01"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# nothing\n\n", "has no key"),
        (f"one {base64.b64encode(ONE).decode()}\ntwo c2hvcnQ=\n", "line 2"),
        ("one not-base64!\n", "line 1"),
        (f"one {base64.b64encode(ONE).decode()}\n" * 2, "line 2 .* a second time"),
    ],
)
def test_bad_key_files(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "keys"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(ValueError, match=problem) as error:
        durable.KeyFile(path)
    assert not any(word in str(error.value) for word in text.split() if len(word) > 8)


def test_a_key_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    durable.KeyFile.add(path, "one")
    os.chmod(path, 0o640)
    with pytest.raises(ValueError, match="chmod 600"):
        durable.KeyFile(path)


# Messages


def message_types() -> Iterator[Descriptor]:
    for file in (control_pb2, worker_pb2, access_pb2):
        yield from file.DESCRIPTOR.message_types_by_name.values()


def filled(message: Message, depth: int = 6) -> Message:
    """Puts a payload wherever the message may hold one; of an outcome's fields, into the value."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is None or depth == 0 or field.full_name == FAILURE:
            continue
        _fill(message, field, depth)
    return message


def _fill(message: Message, field: FieldDescriptor, depth: int) -> None:
    held = getattr(message, field.name)
    if field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].message_type is Payload.DESCRIPTOR:
            held["a name"].data = SECRET
    elif field.is_repeated:
        filled(held.add(), depth - 1)
    elif field.message_type is Payload.DESCRIPTOR:
        held.data = SECRET
    else:
        held.SetInParent()
        filled(held, depth - 1)


def each_oneof(descriptor: Descriptor) -> Iterator[Message]:
    """The message of a type; one for each field of its oneof if it has one."""
    kind: Any = descriptor._concrete_class
    cases = [field for oneof in descriptor.oneofs for field in oneof.fields]
    for field in cases or [None]:
        message = kind()
        if field is None:
            yield filled(message)
        elif field.message_type is not None:
            _fill(message, field, 6)
            yield message


@pytest.mark.parametrize("descriptor", list(message_types()), ids=lambda it: it.name)
def test_no_message_has_a_plain_payload(descriptor: Descriptor) -> None:
    codec = codec_of("one")
    for message in each_oneof(descriptor):
        before = message.SerializeToString(deterministic=True)
        encode_message(codec, message)
        encoded = message.SerializeToString(deterministic=True)
        assert SECRET not in encoded
        assert (ENCRYPTED.encode() in encoded) == (SECRET in before)
        encode_message(codec, message)
        assert message.SerializeToString(deterministic=True) == encoded
        decode_message(codec, message)
        assert message.SerializeToString(deterministic=True) == before


def test_the_messages_of_that_test_have_payloads() -> None:
    names = {
        it.DESCRIPTOR.name
        for descriptor in message_types()
        for it in each_oneof(descriptor)
        if SECRET in it.SerializeToString()
    }
    assert names >= {
        "InvokeRequest", "InvokeResponse", "GetResultResponse", "GetInvocationResponse",
        "WatchInvocationResponse", "ResolveAwakeableRequest", "SignalRequest", "RestartRequest",
        "SetStateRequest", "GetStateResponse", "Start", "Completion", "EntryRecorded", "Finished",
        "WorkerMessage", "ServerMessage",
    }  # fmt: skip


def test_values_that_nobody_encoded_are_left_alone() -> None:
    message = control_pb2.GetStateResponse(state={"a": encode(1), "b": encode(b"2")})
    codec = codec_of("one")
    before = message.SerializeToString(deterministic=True)
    decode_message(codec, message)
    assert message.SerializeToString(deterministic=True) == before


def test_what_cannot_be_decoded_is_an_error_where_it_is_read() -> None:
    message = control_pb2.GetStateResponse(state={"a": encode(1), "b": encode(2)})
    encode_message(codec_of("two"), message)
    message.state["c"].CopyFrom(codec_of("one").encode(encode(3)))
    decode_message(codec_of("one"), message)
    assert decode(message.state["c"], int) == 3
    for hint in (int, bytes, Any, str | None):
        with pytest.raises(durable.UndecodableValueError, match="the key 'two'") as error:
            decode(message.state["a"], hint)
        assert error.value.key_id == "two"


def test_without_a_codec_the_error_says_so() -> None:
    for hint in (int, bytes, Any):
        with pytest.raises(durable.UndecodableValueError, match="no codec here"):
            decode(codec_of("one").encode(encode(1)), hint)


class Broken(durable.Codec):
    """A user's codec with two mistakes."""

    def encode(self, payload: Payload) -> Payload:
        return Payload(content_type="application/json", data=b"[]")

    def decode(self, payload: Payload) -> Payload:
        raise KeyError("mistake")


def test_a_broken_codec() -> None:
    message = control_pb2.InvokeRequest(input=encode(1))
    with pytest.raises(ValueError, match="'application/json', which must begin with"):
        encode_message(Broken(), message)
    encode_message(codec_of("one"), message)
    decode_message(Broken(), message)
    with pytest.raises(durable.UndecodableValueError, match="the codec Broken failed: KeyError"):
        decode(message.input)
