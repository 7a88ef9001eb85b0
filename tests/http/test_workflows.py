"""The `/api` endpoints: the documented curl lines, and the fields of their answers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import grpc
import pytest

from durable_proto.v1 import invocation_pb2
from tests.support.manual_worker import ManualWorker, message_about, open_entry, step_entry

from .web import Web, curl

CALL = invocation_pb2.ENTRY_KIND_CALL


async def start(web: Web, path: str = "three", body: Any = None) -> str:
    answer = await web.post(f"/api/workflows/{path}/invoke?async=true", body)
    assert answer.code == 202, answer
    assert answer.body["status"] in ("pending", "running")
    return str(answer.body["invocation_id"])


async def waiting(web: Web, worker: ManualWorker, awakeable_id: str) -> tuple[str, Any]:
    """Brings an invocation to where it waits for an awakeable, as in the example."""
    invocation_id = await start(web)
    begun = await worker.receive("start")
    call = step_entry(begun, 0, b'"hi"', "HelloService.SayHello")
    call.entry.kind = CALL
    await worker.send(call)
    await worker.receive("ack")
    await worker.send(open_entry(begun, 1, "AWAKEABLE", awakeable_id))
    await worker.receive("ack")
    return invocation_id, begun


async def test_an_invocation_that_waits_has_the_fields_of_the_example(
    web: Web, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id, begun = await waiting(web, worker, "approval-xyz")
        await worker.send(
            open_entry(begun, 2, "SET_STATE", "cart", argument=b'["TICKET-001","TICKET-002"]')
        )
        await worker.receive("ack")
        shown = await curl(f"{web.base}/api/workflows/{invocation_id}")
    assert shown["invocation_id"] == invocation_id
    assert shown["handler"] == "three"
    assert shown["status"] == "running"
    assert (shown["total_steps"], shown["current_step"]) == (3, 2)
    assert shown["current_step_type"] == "AWAKEABLE:approval-xyz"
    assert [(it["step_number"], it["step_type"]) for it in shown["journal"]] == [
        (0, "HelloService.SayHello"),
        (1, "AWAKEABLE:approval-xyz"),
        (2, "SET_STATE:cart"),
    ]
    assert [it.get("duration_ms") for it in shown["journal"]] == [0, None, 0]
    assert shown["workflow_state"] == {"cart": '["TICKET-001","TICKET-002"]'}
    awakeable = shown["awakeables"]["approval-xyz"]
    assert awakeable["resolved"] is False
    assert abs(awakeable["created_at"] - time.time()) < 60


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (r'{"result": "{\"approved\": true, \"comments\": \"Good!\"}"}',
         {"approved": True, "comments": "Good!"}),
        ('{"result": {"approved": false}}', {"approved": False}),
        ('{"result": "yes, do"}', "yes, do"),
        ('{"result": "NaN"}', "NaN"),
        ('{"result": null}', None),
    ],
)  # fmt: skip
async def test_an_awakeable_is_resolved_with_json(
    web: Web, channel: grpc.aio.Channel, body: str, data: Any
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id, _ = await waiting(web, worker, "approval-abc123")
        answer = await curl(
            "-X", "POST", f"{web.base}/api/awakeables/approval-abc123/resolve",
            "-H", "Content-Type: application/json", "-d", body,
        )  # fmt: skip
        assert answer == {
            "awakeable_id": "approval-abc123",
            "invocation_id": invocation_id,
            "status": "resolved",
        }
        heard = (await worker.receive("completion")).completion
        assert json.loads(heard.outcome.value.data) == data
        shown = (await web.get(f"/api/workflows/{invocation_id}")).body
        assert shown["awakeables"]["approval-abc123"]["resolved"] is True


async def test_an_awakeable_is_rejected_once(web: Web, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        await waiting(web, worker, "approval-abc123")
        path = "/api/awakeables/approval-abc123"
        answer = await curl("-X", "POST", f"{web.base}{path}/reject",
                            "-d", '{"error": "Amount too high"}')  # fmt: skip
        assert answer["status"] == "rejected"
        failure = (await worker.receive("completion")).completion.outcome.failure
        assert (failure.message, failure.terminal) == ("Amount too high", True)
        other = await web.post(f"{path}/resolve", {"result": 1})
        assert (other.code, other.body["status"]) == (409, "ALREADY_EXISTS")
        assert other.body["details"][0]["reason"] == "AWAKEABLE_ALREADY_RESOLVED"


async def test_lists_are_filtered_and_limited(web: Web, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel, handlers=("three", "expense_approval")) as worker:
        for name in ("three", "expense_approval", "three"):
            invocation_id = await start(web, name)
            await worker.finish(await worker.receive("start"))
            await web.get(f"/v1/invocations/{invocation_id}/result?wait_timeout=30s")
        await start(web)
        await worker.receive("start")
        done = await curl(f"{web.base}/api/workflows?status=completed")
        assert done["count"] == 3
        assert {it["status"] for it in done["workflows"]} == {"completed"}
        assert {it["result"] for it in done["workflows"]} == {"done"}
        assert (await curl(f"{web.base}/api/workflows"))["count"] == 4
        assert (await curl(f"{web.base}/api/workflows?status=failed"))["count"] == 0
        both = await curl(f"{web.base}/api/workflows?status=running,failed,completed")
        assert both["count"] == 4
        neither = await curl(f"{web.base}/api/workflows?status=paused&state=running")
        assert (neither["count"], neither["workflows"]) == (0, [])
        one = await curl(f"{web.base}/api/workflows?handler=expense_approval")
        assert [it["handler"] for it in one["workflows"]] == ["expense_approval"]
        page = await curl(f"{web.base}/api/workflows?limit=3")
        assert page["count"] == 3
        rest = await curl(f"{web.base}/api/workflows?limit=3&page_token={page['next_page_token']}")
        assert (rest["count"], rest["next_page_token"]) == (1, "")
        stats = await curl(f"{web.base}/api/workflows/stats")
        assert (stats["total"], stats["workers"]) == (4, 1)
        assert (stats["by_status"]["completed"], stats["by_status"]["failed"]) == (3, 0)
        assert stats["by_handler"]["three"] == {"completed": 2, "running": 1}
    assert (await curl(f"{web.base}/health"))["status"] == "ok"


async def test_an_invoke_waits_and_has_the_body_as_input(
    web: Web, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        asked = asyncio.ensure_future(
            web.post("/api/workflows/three/invoke?wait=20", b' {"n": 1.50} ', Idempotency_Key="a")
        )
        begun = await worker.receive("start")
        assert begun.start.input.data == b'{"n": 1.50}'
        await worker.step(begun, 0)
        await worker.finish(begun, b'{"x": [1]}')
        answer = await asked
        assert (answer.code, answer.body["status"]) == (200, "completed")
        assert (answer.body["result"], answer.body["created"]) == ({"x": [1]}, True)
        shown = (await web.get(f"/api/workflows/{answer.body['invocation_id']}")).body
        assert (shown["result"], shown["input"]) == ({"x": [1]}, {"n": 1.5})
        assert (shown["total_steps"], shown["current_step_type"]) == (1, "RUN:step")
        again = await web.post("/api/workflows/three/invoke", {"n": 1}, Idempotency_Key="a")
        assert again.body["details"][0]["reason"] == "IDEMPOTENCY_MISMATCH"
        short = await web.post("/api/workflows/three/invoke?wait=100ms")
        assert (short.code, short.body["status"]) == (202, "running")
        assert not (await worker.receive("start")).start.HasField("input")
        later = await web.post("/api/workflows/three/invoke?async=true&delay=1h")
        assert (later.body["status"], later.body["state"]) == ("pending", "scheduled")


@pytest.mark.parametrize(("code", "http"), [(0, 500), (422, 422), (7, 500)])
async def test_a_failure_has_the_status_that_the_handler_chose(
    web: Web, channel: grpc.aio.Channel, code: int, http: int
) -> None:
    async with ManualWorker(channel) as worker:
        asked = asyncio.ensure_future(web.post("/api/workflows/three/invoke"))
        message = message_about(await worker.receive("start"))
        failure = message.finished.outcome.failure
        failure.message, failure.code, failure.terminal = "no stock", code, True
        await worker.send(message)
        answer = await asked
    assert (answer.code, answer.body["status"]) == (http, "failed")
    assert (answer.body["error"], answer.body["error_code"]) == ("no stock", code)


async def test_pause_resume_cancel(web: Web, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel):
        path = f"/api/workflows/{await start(web, 'three')}"
        later = await web.post("/api/workflows/three/invoke?async=true&delay=1h")
        path = f"/api/workflows/{later.body['invocation_id']}"
        paused = await curl("-X", "POST", f"{web.base}{path}/pause", "-d", '{"reason": "lunch"}')
        invocation_id = later.body["invocation_id"]
        assert paused == {"invocation_id": invocation_id, "status": "paused", "state": "paused"}
        assert (await web.get(path)).body["pause_reason"] == "lunch"
        assert (await curl("-X", "POST", f"{web.base}{path}/resume"))["state"] == "scheduled"
        wrong = await web.post(f"{path}/resume")
        assert (wrong.code, wrong.body["status"]) == (400, "FAILED_PRECONDITION")
        assert wrong.body["details"][0]["metadata"]["state"] == "scheduled"
        assert (await curl("-X", "POST", f"{web.base}{path}/cancel"))["status"] == "cancelled"
