"""The small rules: the lifecycle table, entry kinds, the retry arithmetic, ids, outcomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_proto.v1 import invocation_pb2, payload_pb2
from durable_server.core import ids, retry
from durable_server.core.entry_kinds import KINDS, EntryKind
from durable_server.core.journal import ENTRY_RULES
from durable_server.core.model import Failure, HandlerKind, RetryPolicy, State
from durable_server.core.outcomes import (
    NULL_OUTCOME,
    failure_outcome,
    names_outcome,
    read_value,
    terminal_outcome,
    text_outcome,
    value_outcome,
)
from durable_server.core.states import (
    COLD,
    FINAL,
    SETTLED,
    TRANSITIONS,
    Event,
    TransitionError,
    after,
)


def test_the_table_is_complete_and_ends() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {state for state, row in TRANSITIONS.items() if not row} == FINAL
    assert FINAL < SETTLED < COLD


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_what_is_not_in_the_table_is_an_error(state: State, event: Event) -> None:
    if event in TRANSITIONS[state]:
        assert after(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(TransitionError, match=state.name):
            after(state, event)


def test_each_kind_of_entry_has_its_facts_and_a_way_to_be_completed() -> None:
    assert set(KINDS) == set(EntryKind)
    for kind, facts in KINDS.items():
        alone = facts.by_worker or facts.is_timer or facts.at_once
        assert alone == (kind not in ENTRY_RULES), kind


def test_the_numbers_are_those_of_the_protos() -> None:
    for ours, theirs, prefix in (
        (State, invocation_pb2.InvocationState, "INVOCATION_STATE_"),
        (EntryKind, invocation_pb2.EntryKind, "ENTRY_KIND_"),
        (HandlerKind, invocation_pb2.HandlerKind, "HANDLER_KIND_"),
    ):
        public = {name.removeprefix(prefix): number for name, number in theirs.items() if number}
        assert {it.name: it.value for it in ours} == public


@given(
    st.integers(1, 10_000),
    st.floats(1, 10),
    st.integers(1, 3_600_000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 10_000),
)
def test_a_delay_is_within_its_policy(
    initial: int, multiplier: float, longest: int, jitter: float, chance: float, failures: int
) -> None:
    policy = RetryPolicy(initial, multiplier, longest, 50, jitter)
    delay = retry.delay_ms(policy, failures, chance)
    assert 1 <= delay <= max(1, longest)
    assert retry.delay_ms(policy, failures + 1, 0.0) >= delay


def test_attempts_are_counted_or_not() -> None:
    assert not retry.exhausted(RetryPolicy(max_attempts=2), 1, 10**9)
    assert retry.exhausted(RetryPolicy(max_attempts=2), 2, 0)
    assert not retry.exhausted(RetryPolicy(max_attempts=-1), 1_000_000, 10**9)
    assert not retry.exhausted(RetryPolicy(max_attempts=-1, max_duration_ms=10), 9, 9)
    assert retry.exhausted(RetryPolicy(max_attempts=-1, max_duration_ms=10), 2, 10)


def test_ids_route_themselves_and_names_repeat() -> None:
    named = ids.from_name("request", "three", "", "r-1", "user-123")
    assert ids.PATTERN.fullmatch(named)
    assert named == ids.from_name("request", "three", "", "r-1", "user-123")
    assert named != ids.from_name("key", "three", "", "r-1", "user-123")
    assert named[:4] == ids.from_chance("f" * 32, "user-123")[:4]
    assert ids.from_chance("f" * 32) == "f" * 32


def test_a_timer_ends_with_json_null() -> None:
    outcome = payload_pb2.Outcome.FromString(NULL_OUTCOME)
    assert outcome == payload_pb2.Outcome(value=payload_pb2.Payload(data=b"null"))


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 20_000])
def test_the_last_failure_becomes_a_terminal_outcome(size: int) -> None:
    failure = payload_pb2.Failure(type="ValueError", message="x" * size, code=7)
    outcome = payload_pb2.Outcome.FromString(
        terminal_outcome(Failure("ValueError", "", failure.SerializeToString()))
    )
    failure.terminal = True
    assert outcome.failure == failure


def test_what_the_rules_write_is_what_the_protos_read() -> None:
    read = payload_pb2.Outcome.FromString
    payload = payload_pb2.Payload(data=b"7")
    assert read(text_outcome('a"b')).value.data == b'"a\\"b"'
    assert read(names_outcome(["a", "b"])).value.data == b'["a", "b"]'
    assert read(value_outcome(payload.SerializeToString())).value == payload
    assert read(value_outcome(None)) == payload_pb2.Outcome()
    failure = payload_pb2.Failure(type="T", message="m" * 300, terminal=True)
    assert read(failure_outcome("T", "m" * 300)).failure == failure


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300, 70_000])
def test_the_rules_read_the_values_that_the_protos_write(size: int) -> None:
    payload = payload_pb2.Payload(content_type="text/plain", data=b"x" * size)
    payload.metadata["codec"] = "none"
    outcome = payload_pb2.Outcome(value=payload).SerializeToString()
    assert read_value(outcome) == ("text/plain", payload.data)


def test_the_rules_pass_over_what_a_newer_proto_writes() -> None:
    newer = b"\x28\xff\x01" + b"\x31" + bytes(8) + b"\x3d" + bytes(4) + b"\x82\x01\x02no"
    payload = newer + payload_pb2.Payload(data=b"7").SerializeToString() + newer
    outcome = newer + value_outcome(payload) + newer
    assert payload_pb2.Outcome.FromString(outcome).value.data == b"7"
    assert read_value(outcome) == ("", b"7")


def test_an_outcome_without_a_value_has_none_to_read() -> None:
    assert read_value(failure_outcome("T", "m")) is None
    assert read_value(b"") is None


def test_an_awakeable_id_may_name_its_invocation() -> None:
    invocation_id = "0123456789abcdef" * 2
    assert ids.owner(f"{invocation_id}-3") == invocation_id
    assert ids.owner(f"{invocation_id}.paid") == invocation_id
    assert ids.owner(invocation_id) == ids.owner("approval-7") == ids.owner("x" * 40) == ""
