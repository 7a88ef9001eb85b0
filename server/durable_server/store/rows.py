"""The mapping between invocations and rows of the store.

An invocation's columns are those that lists filter by, sort by or show, and those by which a new leader
finds the work that is pending. What only the rules need, and only few invocations have, is one
MessagePack blob. It is NULL for nearly all, so a change of state stays cheap to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..core.model import (
    Awakeable,
    Deployment,
    Failure,
    Handler,
    Invocation,
    Route,
    State,
    StepFailures,
)

STATIC = (
    "number, id, handler, key, input, headers, service, partition_key, idempotency_key, parent, "
    "priority, created_ms, kind"
)
DYNAMIC = (
    "state, attempt, worker_id, failures, started_ms, updated_ms, completed_ms, wake_ms, "
    "expire_ms, version, outcome, fault_type, fault_message, fault, pause_reason, "
    "pause_identity, pause_ms, turn, deadline_ms, build, pinned, rest"
)
ALL = f"{STATIC}, {DYNAMIC}"
LISTED = ALL.replace("input, headers", "NULL, NULL")
"""The columns of a list: without input and headers."""
LISTED_SIZE = "coalesce(length(outcome), 0) + coalesce(length(fault), 0)"
"""The size of those columns of a list that may be large."""
_COUNT = ALL.count(",") + 1
INSERT = f"INSERT INTO invocations ({ALL}) VALUES ({', '.join('?' * _COUNT)})"
UPDATE = (
    "UPDATE invocations SET "
    + ", ".join(f"{name} = ?" for name in DYNAMIC.split(", "))
    + " WHERE number = ?"
)
ENTRY = (
    "position, kind, name, argument, outcome, completion, created_ms, completed_ms, due_ms, "
    "target, attempt, signal, failed_tries, schema"
)
INSERT_ENTRY = f"INSERT INTO journal (number, {ENTRY}) VALUES (?{',?' * (ENTRY.count(',') + 1)})"
ATTEMPT = (
    "attempt, worker_id, build_id, version, started_ms, ended_ms, ended, run, failure_type,"
    " failure_message"
)
INSERT_ATTEMPT = (
    f"INSERT OR REPLACE INTO attempts (number, {ATTEMPT})"
    f" VALUES (?{',?' * (ATTEMPT.count(',') + 1)})"
)
AWAKEABLE = (
    "id, invocation, positions, created_ms, resolved_ms, outcome, schema, requests, released,"
    " revoked"
)
INSERT_AWAKEABLE = (
    f"INSERT OR REPLACE INTO awakeables ({AWAKEABLE}) VALUES (?{',?' * AWAKEABLE.count(',')})"
)


class _Extra(NamedTuple):
    """The blob in the column `rest`. New fields are added at the end, with a default."""

    cancel_reason: str = ""
    cancel_identity: str = ""
    cancel_ms: int = 0
    cancel_number: int = 0
    timed_out: bool = False
    failing_ms: int = 0
    step_failures: tuple[StepFailures, ...] = ()
    requests: tuple[tuple[str, int], ...] = ()
    recorded_by: str = ""
    claims: tuple[str, ...] = ()
    attempt_build: str | None = None
    """Only if it is not the build of the column."""
    attempt_ms: int = 0
    """Only if it is not when the invocation began."""
    run: int = 1
    run_ms: int = 0
    first_index: int = 0
    completions_before: int = 0
    source: str = ""
    source_index: int = 0
    repinned: bool = False
    signals_before: int = 0
    first_input: bytes = b""
    seed_id: str = ""


encode = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, str], ...]).decode
decode_handler = msgspec.msgpack.Decoder(Handler).decode
decode_deployment = msgspec.msgpack.Decoder(Deployment).decode
decode_route = msgspec.msgpack.Decoder(Route).decode
decode_extra = msgspec.msgpack.Decoder(_Extra).decode
_decode_texts = msgspec.msgpack.Decoder(tuple[str, ...]).decode
_decode_indexes = msgspec.msgpack.Decoder(tuple[int, ...]).decode


def full_row(it: Invocation) -> tuple[Any, ...]:
    """Returns the values of INSERT."""
    return (
        it.number,
        it.id,
        it.handler,
        it.key,
        it.input,
        encode(it.headers) if it.headers else None,
        it.service,
        it.partition_key,
        it.idempotency_key,
        it.parent,
        it.priority,
        it.created_ms,
        it.kind,
        *changed_row(it)[:-1],
    )


def changed_row(it: Invocation) -> tuple[Any, ...]:
    """Returns the values of UPDATE."""
    fault_type, fault_message, fault = it.failure or (None, None, None)
    extra = None
    attempt_build = None if it.attempt_build == it.build else it.attempt_build
    attempt_ms = 0 if it.attempt_ms == it.started_ms else it.attempt_ms
    if (
        (it.cancel_ms or it.failing_ms or it.step_failures)
        or (it.requests or it.recorded_by or it.claims)
        or (attempt_build is not None or attempt_ms or it.run > 1)
        or (it.source or it.repinned)
    ):
        extra = encode(
            _Extra(
                it.cancel_reason,
                it.cancel_identity,
                it.cancel_ms,
                it.cancel_number,
                it.timed_out,
                it.failing_ms,
                it.step_failures,
                it.requests,
                it.recorded_by,
                it.claims,
                attempt_build,
                attempt_ms,
                it.run,
                it.run_ms,
                it.first_index,
                it.completions_before,
                it.source,
                it.source_index,
                it.repinned,
                it.signals_before,
                it.first_input,
                it.seed_id,
            )
        )
    return (
        it.state,
        it.attempt,
        it.last_worker_id,
        it.failures,
        it.started_ms,
        it.updated_ms,
        it.completed_ms,
        it.wake_ms,
        it.expire_ms,
        it.version,
        it.outcome,
        fault_type,
        fault_message,
        fault,
        it.pause_reason,
        it.pause_identity,
        it.pause_ms,
        it.lock_place,
        it.deadline_ms,
        it.build,
        it.pinned,
        extra,
        it.number,
    )


def invocation(row: Sequence[Any]) -> Invocation:
    """Returns the invocation of a row of ALL, without its parts in other tables."""
    it = Invocation(
        id=row[1],
        number=row[0],
        handler=row[2],
        key=row[3],
        input=row[4],
        headers=_decode_headers(row[5]) if row[5] else (),
        service=row[6],
        partition_key=row[7],
        idempotency_key=row[8],
        parent=row[9],
        priority=row[10],
        created_ms=row[11],
        kind=row[12],
        state=State(row[13]),
        attempt=row[14],
        worker_id=row[15] if row[13] == State.RUNNING else "",
        last_worker_id=row[15],
        failures=row[16],
        started_ms=row[17],
        updated_ms=row[18],
        completed_ms=row[19],
        wake_ms=row[20],
        expire_ms=row[21],
        version=row[22],
        outcome=row[23],
        failure=None if row[24] is None else Failure(row[24], row[25], row[26]),
        pause_reason=row[27],
        pause_identity=row[28],
        pause_ms=row[29],
        lock_place=row[30],
        deadline_ms=row[31],
        build=row[32],
        pinned=bool(row[33]),
        attempt_build=row[32],
        attempt_ms=row[17],
    )
    if row[34] is not None:
        extra = decode_extra(row[34])
        it.cancel_reason = extra.cancel_reason
        it.cancel_identity = extra.cancel_identity
        it.cancel_ms = extra.cancel_ms
        it.cancel_number = extra.cancel_number
        it.timed_out = extra.timed_out
        it.failing_ms = extra.failing_ms
        it.step_failures = extra.step_failures
        it.requests = extra.requests
        it.recorded_by = extra.recorded_by
        it.claims = extra.claims
        if extra.attempt_build is not None:
            it.attempt_build = extra.attempt_build
        it.attempt_ms = extra.attempt_ms or it.started_ms
        it.run = extra.run
        it.run_ms = extra.run_ms
        it.first_index = extra.first_index
        it.completions_before = extra.completions_before
        it.source = extra.source
        it.source_index = extra.source_index
        it.repinned = extra.repinned
        it.signals_before = extra.signals_before
        it.first_input = extra.first_input
        it.seed_id = extra.seed_id
    return it


def awakeable_row(it: Awakeable) -> tuple[Any, ...]:
    """Returns the values of AWAKEABLE."""
    indexes = encode(it.indexes) if it.indexes else None
    return (
        *(it.id, it.invocation_id, indexes, it.created_ms, it.resolved_ms, it.outcome),
        it.schema,
        encode(it.requests) if it.requests else None,
        it.released,
        encode(it.revoked) if it.revoked else None,
    )


def awakeable(row: Sequence[Any]) -> Awakeable:
    """Returns the awakeable of a row of AWAKEABLE."""
    indexes = _decode_indexes(row[2]) if row[2] else ()
    requests = _decode_texts(row[7]) if row[7] else ()
    it = Awakeable(row[0], row[1], indexes, row[3], row[4], row[5], row[6], requests)
    it.released = bool(row[8])
    it.revoked = _decode_texts(row[9]) if row[9] else ()
    return it


def was_repinned(rest: bytes) -> bool:
    """Returns whether the column `rest` of an invocation says that it was repinned, for SQL."""
    return decode_extra(rest).repinned
