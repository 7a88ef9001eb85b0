"""Conversions between the core's values and the public messages, in both directions.

They check what any value of a message must fulfil: sizes of texts and payloads, and ranges of times. A
value that does not is refused with an error that names its field.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from ..core.entry_kinds import KINDS
from ..core.limits import SPAN_SECONDS, Limits
from ..core.model import (
    DEFAULT_RETENTION_MS,
    Awakeable,
    EndedAttempt,
    EntryRow,
    Failure,
    Handler,
    HandlerKind,
    Invocation,
    RetryPolicy,
    State,
)
from ..core.states import FINAL
from ..processor.checks import HANDLER_NAME, text_bytes, too_long
from ..requests.invocations import Reason
from .refusal import invalid, payload_too_large

_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_FAILURE_BYTES = 64 * 1024
"""The largest failure that is kept as an invocation's last one. The failure of an outcome is kept
whole, up to the limit `payload_bytes`."""
_DEFAULT_RETRY = RetryPolicy()
_VERSIONINGS = invocation_pb2.Versioning.values()


def word(state: State) -> str:
    """Returns a lifecycle state as people see it."""
    return state.name.lower()


def state_number(state: State) -> invocation_pb2.InvocationState:
    """Returns a lifecycle state as messages hold it: the numbers are the same."""
    return cast("invocation_pb2.InvocationState", int(state))


def timestamp(ms: int) -> Timestamp:
    """Returns a time in ms as a message."""
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def from_timestamp(field: str, time: Timestamp) -> int:
    """Returns a message's time in ms; refuses one that a Timestamp may not hold."""
    if not _FIRST_SECOND <= time.seconds <= _LAST_SECOND:
        raise invalid(
            field, "a time must be of the years 1 to 9999", value=f"{time.seconds} s since 1970"
        )
    return time.seconds * 1000 + time.nanos // 1_000_000


def wait_seconds(timeout: Duration, limit: int) -> float:
    """Returns how many seconds a request may wait: what it asks for, up to the limit."""
    if timeout.seconds >= limit:
        return float(limit)
    return from_duration("wait_timeout", timeout) / 1000


def duration(ms: int) -> Duration:
    """Returns a span in ms as a message."""
    return Duration(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def from_duration(field: str, span: Duration) -> int:
    """Returns a message's span in ms, rounded up; refuses a negative one and one that is too long."""
    ms = span.seconds * 1000 + -(-span.nanos // 1_000_000)
    if ms < 0:
        raise invalid(field, "a duration must not be negative", value=f"{ms} ms")
    if problem := too_long(ms):
        raise invalid(field, problem, value=f"{span.seconds} s", limit=SPAN_SECONDS)
    return ms


def check_text(field: str, text: str, limit: int, limit_name: str) -> str:
    """Returns `text` if it is within a limit."""
    size = text_bytes(text)
    if size > limit:
        raise invalid(
            field,
            f"{size} bytes are more than the limit {limit_name} ({limit})",
            value=f"{size} bytes",
            limit=limit,
        )
    return text


def reason(text: str, identity: str, request_id: str, limits: Limits) -> Reason:
    """Returns why and by whom something is changed, if each text is within its limit."""
    return Reason(
        check_text("reason", text, limits.text_bytes, "text_bytes"),
        check_text("identity", identity, limits.text_bytes, "text_bytes"),
        check_text("request_id", request_id, limits.id_bytes, "id_bytes"),
    )


def payload_bytes(field: str, payload: payload_pb2.Payload, limit: int) -> bytes:
    """Returns a payload serialized; refuses one over the limit."""
    size = len(payload.data)
    if size > limit:
        raise payload_too_large(field, size, limit)
    if payload.metadata:
        if len(payload.metadata) > 16:
            count = len(payload.metadata)
            raise invalid(f"{field}.metadata", f"{count} entries are more than 16", value=count)
        for name, value in payload.metadata.items():
            if len(name) > 256 or len(value) > 256:
                raise invalid(f"{field}.metadata", "a key or value is over 256 bytes", limit=256)
        return payload.SerializeToString(deterministic=True)
    return payload.SerializeToString()


def headers(given: Iterable[tuple[str, str]], limits: Limits) -> tuple[tuple[str, str], ...]:
    """Returns headers in a stable order; refuses too many or too large ones."""
    pairs = tuple(sorted(given))
    if len(pairs) > limits.header_count:
        raise invalid(
            "headers",
            f"{len(pairs)} headers are more than the limit header_count ({limits.header_count})",
            value=len(pairs),
            limit=limits.header_count,
        )
    size = sum(len(name.encode()) + len(value.encode()) for name, value in pairs)
    if size > limits.header_bytes:
        raise invalid(
            "headers",
            f"{size} bytes are more than the limit header_bytes ({limits.header_bytes})",
            value=f"{size} bytes",
            limit=limits.header_bytes,
        )
    return pairs


def failure(message: payload_pb2.Failure) -> Failure:
    """Returns a failure as the core keeps it; its texts are cut to what a person can read."""
    if message.ByteSize() > _FAILURE_BYTES:
        message = payload_pb2.Failure(
            type=message.type[:256],
            message=message.message[:8_000],
            code=message.code,
            stack_trace=message.stack_trace[-32_000:],
            terminal=message.terminal,
        )
    return Failure(message.type, message.message, message.SerializeToString())


def handler(spec: invocation_pb2.HandlerSpec, limits: Limits) -> Handler:
    """Returns a worker's declaration with its defaults filled in; refuses a malformed one."""
    if not HANDLER_NAME.fullmatch(spec.name):
        raise invalid(
            "handlers.name",
            f"{spec.name[:140]!r} is not a handler name: {HANDLER_NAME.pattern}",
            value=f"{len(spec.name)} characters",
        )
    check_text("handlers.version", spec.version, limits.id_bytes, "id_bytes")
    check_text("handlers.description", spec.description, 4096, "4 KiB")
    check_text("handlers.input_schema", spec.input_schema, 65536, "64 KiB")
    check_text("handlers.output_schema", spec.output_schema, 65536, "64 KiB")
    retention = DEFAULT_RETENTION_MS
    if spec.HasField("retention"):
        retention = from_duration("handlers.retention", spec.retention)
    timeout = from_duration("handlers.timeout", spec.timeout)
    if spec.max_concurrent < 0:
        raise invalid("handlers.max_concurrent", "must not be negative", value=spec.max_concurrent)
    if spec.versioning not in _VERSIONINGS:
        raise invalid(
            "handlers.versioning",
            f"{spec.name} has one that is not known: give AUTO or PINNED",
            value=spec.versioning,
        )
    kind = spec.kind or HandlerKind.WORKFLOW
    if kind != HandlerKind.WORKFLOW and "." not in spec.name:
        raise invalid("handlers.name", f"{spec.name!r} is of an object: it must be object.handler")
    return Handler(
        name=spec.name,
        kind=kind,
        retry=retry_policy(spec.retry_policy),
        retention_ms=retention,
        version=spec.version,
        input_schema=spec.input_schema,
        output_schema=spec.output_schema,
        description=spec.description,
        timeout_ms=timeout,
        max_concurrent=spec.max_concurrent,
        pinned=spec.versioning == invocation_pb2.VERSIONING_PINNED,
    )


def retry_policy(policy: invocation_pb2.RetryPolicy) -> RetryPolicy:
    """Returns a retry policy with its defaults filled in; refuses one whose values are out of range."""
    name = "retry_policy"
    initial = from_duration(f"{name}.initial_interval", policy.initial_interval)
    longest = from_duration(f"{name}.max_interval", policy.max_interval)
    multiplier = policy.multiplier or _DEFAULT_RETRY.multiplier
    if not 1 <= multiplier <= 1000:
        raise invalid(f"{name}.multiplier", "must be from 1 to 1000", value=multiplier)
    attempts = policy.max_attempts or _DEFAULT_RETRY.max_attempts
    if attempts < -1:
        raise invalid(f"{name}.max_attempts", "must be -1 or more", value=attempts)
    jitter = policy.jitter or _DEFAULT_RETRY.jitter
    if jitter > 1:
        raise invalid(f"{name}.jitter", "must be at most 1", value=jitter)
    return RetryPolicy(
        initial_ms=initial or _DEFAULT_RETRY.initial_ms,
        multiplier=multiplier,
        max_ms=longest or _DEFAULT_RETRY.max_ms,
        max_attempts=attempts,
        jitter=max(0.0, jitter),
        pause_when_exhausted=policy.on_exhausted != invocation_pb2.RetryPolicy.EXHAUSTION_FAIL,
        max_duration_ms=from_duration(f"{name}.max_duration", policy.max_duration),
    )


def handler_spec(it: Handler) -> invocation_pb2.HandlerSpec:
    """Returns a handler as a worker would declare it, with every default filled in."""
    exhaustion = invocation_pb2.RetryPolicy
    spec = invocation_pb2.HandlerSpec(
        name=it.name,
        kind=cast("invocation_pb2.HandlerKind", it.kind),
        retry_policy=invocation_pb2.RetryPolicy(
            initial_interval=duration(it.retry.initial_ms),
            multiplier=it.retry.multiplier,
            max_interval=duration(it.retry.max_ms),
            max_attempts=it.retry.max_attempts,
            jitter=it.retry.jitter or -1,
            on_exhausted=exhaustion.EXHAUSTION_PAUSE
            if it.retry.pause_when_exhausted
            else exhaustion.EXHAUSTION_FAIL,
        ),
        retention=duration(it.retention_ms),
        version=it.version,
        input_schema=it.input_schema,
        output_schema=it.output_schema,
        description=it.description,
        max_concurrent=it.max_concurrent,
        versioning=invocation_pb2.VERSIONING_PINNED
        if it.pinned
        else invocation_pb2.VERSIONING_AUTO,
    )
    if it.timeout_ms:
        spec.timeout.CopyFrom(duration(it.timeout_ms))
    if it.retry.max_duration_ms:
        spec.retry_policy.max_duration.CopyFrom(duration(it.retry.max_duration_ms))
    return spec


def entry(row: EntryRow, into: invocation_pb2.JournalEntry) -> None:
    """Writes a journal entry into a message."""
    into.index = row.entry_index
    into.kind = cast("invocation_pb2.EntryKind", row.kind)
    into.name = row.name
    into.completion_number = max(row.completion, 0)
    into.attempt = row.attempt
    if KINDS[row.kind].names_build:
        into.build_id = row.target
    else:
        into.target_invocation_id = row.target
    into.failed_try_count = row.failed_tries
    if row.argument is not None:
        into.argument.MergeFromString(row.argument)
    if row.outcome is not None:
        into.outcome.SetInParent()  # an absent state value is an empty outcome
        into.outcome.MergeFromString(row.outcome)
    into.create_time.CopyFrom(timestamp(row.created_ms))
    if row.completed_ms:
        into.complete_time.CopyFrom(timestamp(row.completed_ms))
    if row.due_ms:
        into.due_time.CopyFrom(timestamp(row.due_ms))


def failing_steps(it: Invocation, into: invocation_pb2.Invocation) -> None:
    """Writes the steps that have failed and are retried into a message, in program order."""
    if it.state in FINAL:
        return
    for step in sorted(it.step_failures):
        message = into.failing_steps.add(
            index=step.entry_index,
            kind=cast("invocation_pb2.EntryKind", step.kind),
            name=step.name,
            failed_try_count=step.times,
        )
        if step.since_ms:
            message.first_failure_time.CopyFrom(timestamp(step.since_ms))
        if step.last_ms:
            message.last_failure_time.CopyFrom(timestamp(step.last_ms))
        if step.failure is not None:
            message.last_failure.MergeFromString(step.failure.data)


def attempt(it: EndedAttempt, into: invocation_pb2.InvocationAttempt) -> None:
    """Writes an attempt into a message."""
    into.attempt = it.attempt
    into.worker_id = it.worker_id
    into.build_id = it.build_id
    into.version = it.version
    into.run = it.run
    into.end = cast("invocation_pb2.AttemptEnd", it.end)
    into.start_time.CopyFrom(timestamp(it.started_ms))
    if it.ended_ms:
        into.end_time.CopyFrom(timestamp(it.ended_ms))
    if it.failure_type or it.failure_message:
        into.failure.type = it.failure_type
        into.failure.message = it.failure_message


def cancel_requested(it: Invocation, into: worker_pb2.CancelRequested) -> None:
    """Writes the request to cancel an invocation into a message."""
    into.reason = it.cancel_reason
    into.completion_number = it.cancel_number
    into.time.CopyFrom(timestamp(it.cancel_ms))


def awakeable(it: Awakeable) -> invocation_pb2.Awakeable:
    """Returns an awakeable as a message."""
    message = invocation_pb2.Awakeable(
        awakeable_id=it.id,
        invocation_id=it.invocation_id,
        create_time=timestamp(it.created_ms),
        schema=it.schema,
    )
    if it.outcome is not None:
        message.outcome.MergeFromString(it.outcome)
        message.resolve_time.CopyFrom(timestamp(it.resolved_ms))
    return message


def outcome_bytes(field: str, outcome: payload_pb2.Outcome, limit: int) -> bytes:
    """Returns an outcome serialized deterministically; refuses a large one, and an empty one."""
    kind = outcome.WhichOneof("result")
    if kind is None:
        raise invalid(field, "holds neither a value nor a failure")
    if kind == "value":
        payload_bytes(f"{field}.value", outcome.value, limit)
    elif (size := outcome.failure.ByteSize()) > limit:
        raise payload_too_large(f"{field}.failure", size, limit)
    return outcome.SerializeToString(deterministic=True)


def invocation(it: Invocation, *, whole: bool = True) -> invocation_pb2.Invocation:
    """Returns an invocation as a message; without input and headers if not `whole`."""
    message = invocation_pb2.Invocation(
        invocation_id=it.id,
        handler=it.handler,
        key=it.key,
        state=state_number(it.state),
        attempt=it.attempt,
        create_time=timestamp(it.created_ms),
        update_time=timestamp(it.updated_ms),
        journal_length=len(it.recorded),
        service=it.service,
        partition_key=it.partition_key,
        idempotency_key=it.idempotency_key,
        worker_id=it.last_worker_id,
        version=it.version,
        parent_invocation_id=it.parent,
        priority=it.priority,
        build_id=it.build,
        pinned=it.pinned,
        run=it.run,
        first_index=it.first_index,
        source_invocation_id=it.source,
        source_index=it.source_index,
    )
    if whole:
        message.headers.update(it.headers)
        if it.input is not None:
            message.input.MergeFromString(it.input)
    if it.outcome is not None:
        message.outcome.MergeFromString(it.outcome)
    if it.failure is not None:
        message.last_failure.MergeFromString(it.failure.data)
    for ms, into in (
        (it.started_ms, message.start_time),
        (it.completed_ms, message.complete_time),
        (it.wake_ms, message.wake_time),
        (it.expire_ms, message.expire_time),
    ):
        if ms:
            into.CopyFrom(timestamp(ms))
    if it.deadline_ms:
        message.deadline.CopyFrom(timestamp(it.deadline_ms))
    if it.cancel_ms:
        message.cancel.identity = it.cancel_identity
        message.cancel.reason = it.cancel_reason
        message.cancel.cancel_time.CopyFrom(timestamp(it.cancel_ms))
    if it.pause_ms:
        message.pause.identity = it.pause_identity
        message.pause.reason = it.pause_reason
        message.pause.pause_time.CopyFrom(timestamp(it.pause_ms))
    return message
