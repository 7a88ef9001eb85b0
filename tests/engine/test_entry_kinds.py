"""The table of entry kinds against the protocol, and how operations are named in messages."""

from __future__ import annotations

from durable._engine.entry_kinds import KINDS, RUN, SLEEP, describe
from durable_proto.v1 import invocation_pb2


def test_the_table_has_every_kind_of_the_protocol_under_its_name() -> None:
    declared = {
        number: name.removeprefix("ENTRY_KIND_")
        for name, number in invocation_pb2.EntryKind.items()
        if number != invocation_pb2.ENTRY_KIND_UNSPECIFIED
    }
    assert {number: kind.name for number, kind in KINDS.items()} == declared


def test_a_kind_that_a_newer_sdk_has_written_is_named_by_its_number() -> None:
    assert describe(RUN, "charge") == "RUN 'charge'"
    assert describe(SLEEP, "") == "SLEEP"
    assert describe(99, "x") == "KIND_99 'x'"
