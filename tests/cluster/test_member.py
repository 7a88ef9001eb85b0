"""The record of a member: what is written is read, and what is damaged is refused."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_server.cluster.member import (
    DEFAULT_LEASE,
    Member,
    MemberRecordError,
    decode,
    encode,
    leaders,
)

from .nodes import PROPERTY, member

COUNTS = st.integers(0, 1 << 63)
MEMBERS = st.builds(
    Member,
    name=st.text("aZ09_-", min_size=1, max_size=63),
    incarnation=st.text(),
    address=st.text(),
    http_address=st.text(),
    internal_address=st.text(),
    version=st.text(),
    format_level=COUNTS,
    draining=st.booleans(),
    left=st.booleans(),
    leads=st.dictionaries(st.integers(0, 11), st.tuples(COUNTS, COUNTS)),
    follows=st.dictionaries(st.integers(0, 11), COUNTS),
    lease=st.floats(1, 60),
)


@PROPERTY
@given(MEMBERS)
def test_a_record_is_read_as_it_was_written(member: Member) -> None:
    assert decode(encode(member), 12) == member


def test_a_record_of_an_earlier_version_has_no_http_address() -> None:
    own = member("a", http_address="a:8080")
    record = json.loads(encode(own))
    del record["http_address"]
    assert decode(json.dumps(record).encode(), 12) == replace(own, http_address="")


def test_a_field_of_a_later_version_is_passed_over() -> None:
    own = member("a")
    assert decode(json.dumps({**json.loads(encode(own)), "zone": "x"}).encode(), 12) == own


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name is None"),
        ({"name": "a.b"}, "letters, digits"),
        ({"incarnation": 5}, "incarnation is 5, not of type str"),
        ({"address": ["x"]}, "address"),
        ({"http_address": 1}, "http_address"),
        ({"internal_address": None}, "internal_address"),
        ({"version": {}}, "version"),
        ({"format_level": True}, "format_level is True, not of type int"),
        ({"draining": 0}, "draining"),
        ({"left": "no"}, "left"),
        ({"leads": []}, "leads"),
        ({"leads": {"12": [1, 1]}}, "leads names partition '12'; there are 12"),
        ({"leads": {"-1": [1, 1]}}, "leads names partition"),
        ({"leads": {"²": [1, 1]}}, "leads names partition"),
        ({"leads": {"1": 1}}, "an epoch and a sequence"),
        ({"leads": {"1": [1]}}, "an epoch and a sequence"),
        ({"leads": {"1": [1, -1]}}, "a number from 0"),
        ({"leads": {"1": [1.5, 1]}}, "a number from 0"),
        ({"follows": {"1": "2"}}, "a number from 0"),
        ({"lease": 0}, "lease has 0 instead of seconds"),
        ({"lease": True}, "lease has True"),
        ({"lease": float("nan")}, "lease has nan"),
        ({"follows": {"x": 2}}, "follows names partition"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], message: str) -> None:
    record = {**json.loads(encode(member("a"))), **changes}
    with pytest.raises(MemberRecordError, match=message):
        decode(json.dumps(record).encode(), 12)


LATER = {"http_address", "lease", "level_hold", "stopping", "system_level", "time_ms"}
"""Fields that the records of the first version do not have."""


def test_a_field_that_came_later_may_be_missing() -> None:
    record = json.loads(encode(member("a", level_hold=1, system_level=1, time_ms=7)))
    found = decode(json.dumps({it: record[it] for it in record.keys() - LATER}).encode(), 12)
    assert (found.level_hold, found.system_level, found.time_ms) == (0, 0, 0)
    assert found.agreed_level == found.format_level


def test_a_record_without_a_lease_has_the_default_one() -> None:
    record = json.loads(encode(member("a", lease=7.5)))
    assert decode(json.dumps(record).encode(), 12).lease == 7.5
    del record["lease"]
    assert decode(json.dumps(record).encode(), 12).lease == DEFAULT_LEASE


def test_a_missing_field_is_named() -> None:
    for name in json.loads(encode(member("a"))).keys() - LATER:
        record = json.loads(encode(member("a")))
        del record[name]
        with pytest.raises(MemberRecordError, match=f"the field {name} is None"):
            decode(json.dumps(record).encode(), 12)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"7", b"[" * 100_000, b"9" * 5000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(MemberRecordError, match="JSON"):
        decode(data, 12)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = (
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text("01x", max_size=2), SCALARS)
)


@PROPERTY
@given(st.sampled_from([*json.loads(encode(member("a")))]), VALUES)
def test_no_value_of_a_field_crashes_the_reader(field: str, value: object) -> None:
    record = {**json.loads(encode(member("a"))), field: value}
    with contextlib.suppress(MemberRecordError):
        assert encode(decode(json.dumps(record).encode(), 12))


def test_of_two_claims_the_higher_epoch_counts() -> None:
    members = {
        it.name: it
        for it in (member("a", leads={0: (2, 9), 1: (1, 1)}), member("b", leads={0: (3, 1)}))
    }
    assert leaders(members) == {0: "b", 1: "a"}
    assert leaders(dict(reversed(members.items()))) == {0: "b", 1: "a"}
