"""`/openapi.json`: equal to the committed document, and complete."""

from __future__ import annotations

import json
from pathlib import Path

from google.api import annotations_pb2

from durable_proto.v1 import control_pb2
from durable_server.http import asgi

from .web import Web

COMMITTED = Path(__file__).resolve().parents[2] / "gen/openapi/durable.v1.json"


async def test_what_is_served_is_what_is_committed(web: Web) -> None:
    answer = await web.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == json.loads(COMMITTED.read_text())


async def test_every_route_and_every_annotated_path_is_there(web: Web) -> None:
    document = (await web.get("/openapi.json")).body
    there = {(verb, path) for path, verbs in document["paths"].items() for verb in verbs}
    assert there == {(it.method.lower(), it.template) for it in asgi.ROUTES}
    for method in control_pb2.DESCRIPTOR.services_by_name["DurableControl"].methods:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for binding in (rule, *rule.additional_bindings):
            if verb := binding.WhichOneof("pattern"):
                assert (verb, getattr(binding, verb)) in there
    names = [it["operationId"] for verbs in document["paths"].values() for it in verbs.values()]
    assert len(set(names)) == len(names)


async def test_a_failure_may_have_any_code_that_its_handler_chose(web: Web) -> None:
    document = (await web.get("/openapi.json")).body
    answers = document["paths"]["/api/workflows/{handler}/invoke"]["post"]["responses"]
    for code in ("404", "4XX", "500", "5XX"):
        schema = answers[code]["content"]["application/json"]["schema"]
        assert [it["$ref"].rpartition("/")[2] for it in schema["anyOf"]] == ["Invoked", "Error"]
    other = document["paths"]["/api/workflows/{invocation_id}"]["get"]["responses"]
    assert set(other) == {"200", "400", "401", "403", "404", "429", "500", "501", "503", "504"}
