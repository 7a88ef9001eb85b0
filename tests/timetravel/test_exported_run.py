"""Exported runs: the file format, what is no such file, and redaction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import durable
from durable.testing import Environment, preflight
from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

from . import before

SECRET = "tell-nobody"  # what the test looks for


def test_a_file_is_the_run(run: durable.ExportedRun, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    durable.ExportedRun.write(path, [run])
    (again,) = durable.ExportedRun.read(path)
    assert again.message == run.message
    assert (again.invocation_id, again.handler, again.attempt) == (
        *(run.invocation_id, "order", 1),
    )
    assert (again.finished, again.journal_length) == (False, 3)
    assert again.export_time.tzinfo is not None


def test_runs_follow_one_another_in_any_layout(run: durable.ExportedRun, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    text = run.to_json()
    path.write_text(f"\n{json.dumps(json.loads(text), indent=2)}\n\n{text}{text}\n")
    assert [it.message for it in durable.ExportedRun.read(path)] == [run.message] * 3
    with pytest.raises(ValueError, match="has 3 runs, not one"):
        durable.ExportedRun.from_json(path.read_text())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("hello", "line 1 is not JSON"),
        ("[]", "it has no field 'format', not 'durable.run/1'; `durable export ID` makes one"),
        ('{"a": 1}', "it has no field 'format'"),
        ('{"format": "durable.run/9"}', "it has the format 'durable.run/9', not 'durable.run/1'"),
        ('{"format": "durable.run/1"}', "has no `start.handler`"),
        ('{"format": "durable.run/1", "start": {"later": 1}}', "may be of a newer version"),
        ('{"format": "durable.run/1", "start": 7}', "cannot be read"),
        pytest.param("[" * 100_000, "too many brackets within one another", id="nested"),
        pytest.param('{"format": ' + "9" * 5_000, "a number that is too long", id="number"),
    ],
)
def test_what_is_no_run_is_told_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="run") as caught:
        durable.ExportedRun.read(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "run.json" in str(caught.value)


def test_bytes_are_no_run(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="it is not text"):
        durable.ExportedRun.read(path)


def test_a_redacted_run_has_the_shape_and_no_secret(env: Environment) -> None:
    invocation_id = env.client.options(
        headers={"authorization": SECRET}, idempotency_key=f"key-{SECRET}", service=SECRET
    ).invoke_async(before.approval, {"name": SECRET, "eur": 31337, "ok": True, "none": None})
    env.settle()
    run = env.client.export(invocation_id)
    _plant(run.message)
    data = run.message.SerializeToString()
    assert data.count(SECRET.encode()) > 15
    assert b"31337" in data
    redacted = run.redacted()
    data = redacted.message.SerializeToString()
    assert SECRET.encode() not in data
    assert b"31337" not in data
    assert run.message.SerializeToString().count(SECRET.encode()) > 15, "the run itself stays"
    x = "x" * len(SECRET)
    start = redacted.message.start
    assert json.loads(start.input.data) == {"name": x, "eur": 0, "ok": True, "none": None}
    assert start.headers == {"authorization": x}
    assert [it.name for it in start.journal][:1] == ["ask"]
    assert redacted.message.invocation.invocation_id == invocation_id
    assert start.journal[0].outcome.failure.type == "shop.Refused"
    assert start.journal[0].outcome.failure.stack_trace == '  File "a.py", line 7, in pay'
    assert start.journal[0].outcome.failure.code == 409


def _plant(message: control_pb2.ExportInvocationResponse) -> None:
    """Puts the secret wherever users may have put one."""
    failure = payload_pb2.Failure(
        type="shop.Refused",
        message=SECRET,
        code=409,
        stack_trace=f'  File "a.py", line 7, in pay\n    raise Refused("{SECRET}")\n',
        metadata={"why": SECRET},
    )
    failure.cause.message = SECRET
    start, invocation = message.start, message.invocation
    start.journal[0].outcome.failure.CopyFrom(failure)
    start.last_failure.CopyFrom(failure)
    start.key = start.partition_key = SECRET
    start.cancel_requested.reason = SECRET
    start.state["a"].data = f'["{SECRET}", 31337]'.encode()
    start.state["b"].data = SECRET.encode()
    start.state["c"].content_type = "application/octet-stream"
    start.state["c"].data = SECRET.encode()
    start.state["d"].content_type = "application/x-durable-encrypted"
    start.state["d"].data = SECRET.encode()
    start.state["d"].metadata["key"] = SECRET
    invocation.key = SECRET
    invocation.pause.identity = invocation.pause.reason = SECRET
    invocation.cancel.identity = invocation.cancel.reason = SECRET
    invocation.last_failure.CopyFrom(failure)
    invocation.outcome.failure.CopyFrom(failure)
    invocation.failing_steps.add().last_failure.CopyFrom(failure)
    invocation.awakeables.add().outcome.value.data = f'"{SECRET}"'.encode()
    invocation.attempts.add().failure.CopyFrom(failure)


@pytest.mark.parametrize("depth", [900, 100_000])
def test_a_value_that_is_nested_deeply_is_redacted(run: durable.ExportedRun, depth: int) -> None:
    message = control_pb2.ExportInvocationResponse()
    message.CopyFrom(run.message)
    message.start.input.data = b"[" * depth + f'"{SECRET}"'.encode() + b"]" * depth
    assert SECRET not in durable.ExportedRun(message).redacted().to_json()


def test_every_string_is_redacted_or_known(run: durable.ExportedRun) -> None:
    """Fails for a field that is added to the protocol and may hold what a user has put in."""
    message = control_pb2.ExportInvocationResponse()
    _fill(message, depth=0)
    left = set(_strings(durable.ExportedRun(message).redacted().message, ""))
    assert left == {
        *("handler", "name", "version", "server_version", "build_id", "waiting_for_build"),
        *("invocation_id", "parent_invocation_id", "source_invocation_id"),
        *("target_invocation_id", "worker_id", "type", "content_type"),
    }


def _fill(message: object, depth: int) -> None:
    from google.protobuf.descriptor import FieldDescriptor

    descriptor = message.DESCRIPTOR  # type: ignore[attr-defined]
    for field in descriptor.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            held = field.message_type.fields_by_name["value"]
            if held.message_type is not None:
                _fill(value["k" if field.message_type.fields[0].type == 9 else 1], depth)
            elif held.type == FieldDescriptor.TYPE_STRING:
                value["k"] = SECRET
        elif field.message_type is not None:
            if depth < 6:
                _fill(value.add() if field.is_repeated else value, depth + 1)
                if not field.is_repeated:
                    value.SetInParent()
        elif field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
            setattr(message, field.name, SECRET)


def _strings(message: object, name: str) -> list[str]:
    """Returns the names of the fields that hold the secret."""
    found: list[str] = []
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        parts = (
            list(value.values())
            if hasattr(value, "values")
            else list(value)
            if field.is_repeated
            else [value]
        )
        for part in parts:
            if isinstance(part, str):
                found += [field.name] if SECRET in part else []
            elif hasattr(part, "ListFields"):
                found += _strings(part, field.name)
    return found


def test_a_redacted_run_replays_where_values_do_not_decide(env: Environment) -> None:
    invocation_id = env.client.invoke_async(before.order, "tea", 3)
    env.settle()
    run = env.client.export(invocation_id).redacted()
    assert preflight([before.order], [run]).ok
    assert run.message.invocation.state == invocation_pb2.INVOCATION_STATE_RUNNING
