"""Two codecs, one wire format: every message of v1 in Google's protobuf and in betterproto2."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

import durable_betterproto.durable.v1 as better
from durable_proto.v1 import (
    access_pb2,
    control_pb2,
    errors_pb2,
    invocation_pb2,
    payload_pb2,
    worker_pb2,
)

MODULES: tuple[ModuleType, ...] = (
    access_pb2, control_pb2, errors_pb2, invocation_pb2, payload_pb2, worker_pb2,
)  # fmt: skip
MESSAGES: dict[str, type[Message]] = {
    name: getattr(module, name)
    for module in MODULES
    for name in module.DESCRIPTOR.message_types_by_name
}
SAMPLES = 40
DEPTH = 4


def scalar(field: FieldDescriptor, chance: random.Random) -> Any:
    """Returns a value for a field that is no message."""
    kind = field.cpp_type
    if field.enum_type is not None:
        return chance.choice([value.number for value in field.enum_type.values])
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if kind == FieldDescriptor.CPPTYPE_DOUBLE:
        return chance.choice([0.0, 1.5, -2.25, 1e300, float("inf")])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice([0, 1, 200]))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return chance.choice(["", "a", "naïve ☃ 𝄞", "x" * 200])
    bits = 31 if kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32) else 63
    number = chance.choice([0, 1, 127, 128, 2**bits - 1])
    signed = kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
    return -number if signed and chance.random() < 0.5 else number


def fill(message: Any, chance: random.Random, depth: int = DEPTH) -> None:
    """Sets fields by chance, with what both codecs can hold: times of whole microseconds."""
    descriptor: Descriptor = message.DESCRIPTOR
    if descriptor.full_name in ("google.protobuf.Duration", "google.protobuf.Timestamp"):
        message.seconds = chance.choice([0, 1, 1_800_000_000])
        message.nanos = chance.choice([0, 1_000, 999_999_000])
        return
    for field in descriptor.fields:
        if chance.random() < 0.3 or (field.message_type and depth == 0):
            continue
        value = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            keys, values = field.message_type.fields
            for _ in range(chance.randrange(3)):
                key = scalar(keys, chance)
                if values.message_type:
                    fill(value[key], chance, depth - 1)
                else:
                    value[key] = scalar(values, chance)
        elif field.is_repeated and field.message_type:
            for _ in range(chance.randrange(3)):
                fill(value.add(), chance, depth - 1)
        elif field.is_repeated:
            value.extend(scalar(field, chance) for _ in range(chance.randrange(3)))
        elif field.message_type:
            value.SetInParent()
            fill(value, chance, depth - 1)
        else:
            setattr(message, field.name, scalar(field, chance))


def sorted_bytes(message: Message) -> bytes:
    """A map has no order of its own; both codecs can be made to write one."""
    return message.SerializeToString(deterministic=True)


def test_both_have_the_same_messages() -> None:
    names = {name for name in better.__all__ if hasattr(getattr(better, name), "parse")}
    nested = {"RetryPolicyExhaustion"}
    assert names - nested == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_codecs_agree_byte_for_byte(name: str) -> None:
    official, dataclass = MESSAGES[name], getattr(better, name)
    assert bytes(dataclass()) == b"" == official().SerializeToString()
    chance = random.Random(name)
    for _ in range(SAMPLES):
        message = official()
        fill(message, chance)
        wire = sorted_bytes(message)
        # What one writes, the other reads and writes again.
        assert bytes(dataclass.parse(wire)) == wire
        # The same message, made without the wire.
        text = json_format.MessageToJson(message)
        made = bytes(dataclass.from_json(text))
        assert sorted_bytes(official.FromString(made)) == wire
        assert len(made) == len(wire)
