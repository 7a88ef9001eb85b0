"""The lines of the audit, and the messages of its stream: pure functions."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_server.access.audit import AuditedCall
from durable_server.audit.lines import DamagedLineError, decode, encode
from durable_server.audit.packing import MESSAGE_BYTES, packed, unpacked

from .calls import call

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
CALLS = st.builds(AuditedCall, st.integers(0, 4_000_000_000_000), *[TEXTS] * 11)


@given(CALLS)
def test_a_line_holds_the_whole_call_and_no_line_break(made: AuditedCall) -> None:
    line = encode(made)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert len(line.splitlines()) == 1
    assert decode(line) == made


def test_a_line_is_json_with_the_fields_that_have_a_value() -> None:
    assert json.loads(encode(call())) == {
        "time": "2026-11-29T20:08:10.123000Z",
        "identity": "ops",
        "kind": "token",
        "source": "10.0.0.1:2000",
        "method": "Cancel",
        "subject": "i",
        "code": "OK",
    }


def test_fields_of_a_later_version_are_ignored() -> None:
    line = encode(call()).replace(b'{"time"', b'{"colour":"red","time"')
    assert decode(line) == call()


@given(st.lists(CALLS, max_size=30))
def test_messages_hold_all_calls_in_order(made: list[AuditedCall]) -> None:
    assert [it for message in packed(made) for it in unpacked(message)] == made


def test_many_calls_are_several_messages_and_small_ones() -> None:
    made = [call(f"{number:032x}", reason="because " * 100) for number in range(1000)]
    messages = list(packed(made))
    assert len(messages) > 1
    assert sum(map(len, messages)) * 10 < sum(len(encode(it)) for it in made)
    assert all(len(zlib.decompress(it)) <= MESSAGE_BYTES for it in messages)
    assert [it for message in messages for it in unpacked(message)] == made


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"nonsense",
        b"{}",
        b'{"time":1,"code":"OK"}',
        b'{"time":"2026-11-29T20:08:10","code":"OK"}',
        b'{"time":"2026-11-29T20:08:10Z","code":3}',
        b'{"time":"2026-11-29T20:08:10Z","code":"\xff"}',
        encode(call()) + b"{",
        zlib.compress(encode(call()))[:-3],
        zlib.compress(encode(call()) * (MESSAGE_BYTES // 50)),
    ],
)
def test_a_message_that_is_none_is_refused(message: bytes) -> None:
    with pytest.raises(DamagedLineError):
        unpacked(message)
