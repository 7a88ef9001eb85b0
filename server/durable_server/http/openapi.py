"""The OpenAPI 3.1 document, made from the table of routes, so that it describes what is served.

Nothing about a single endpoint is written here. A route declares its parameters, body and answers;
their schemas come from the msgspec types of `api_types` and from the protobuf descriptors. The errors
with which any request may be refused are added to each route.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor

from ..access.rules import rule_of_route
from . import schemas
from .errors import Error
from .parameters import Parameter
from .routing import Body, Route

VERSION = "v1"
_REF = "#/components/schemas/{name}"
_ABOUT = (
    "Durable execution over HTTP. Under `/api` everything is plain JSON; under `/v1` is every unary "
    "RPC of durable.v1.DurableControl and DurableAccess as canonical protobuf JSON. The comments of "
    "control.proto and access.proto in proto/durable/v1 are the specification of the latter."
)
_REFUSALS = {
    400: "Malformed, or not allowed in the state that things are in.",
    401: "The control plane authenticates its callers, and there is no valid credential.",
    403: "The caller may not do this; or a web page of another origin, or a host that is not served.",
    404: "There is no such thing.",
    408: "The rest of the body has not come in time.",
    409: "Something else with this key, or another outcome, was there first.",
    413: "The body, or a value in it, is over its limit.",
    415: "The body is compressed, not UTF-8, or of a media type that is not JSON.",
    429: "A limit of the control plane is reached; retry with backoff.",
    500: "A defect of the control plane.",
    501: "This version does not offer it.",
    503: "The control plane is starting or stopping; retry.",
    504: "The control plane did not answer in time; retry.",
}
_WITH_CALLER = (401,)
_WITH_VARIABLES = (404,)
_WITH_EFFECT = (408, 409, 413, 415)


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Returns the document as JSON data."""
    components: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, components)
        paths.setdefault(route.template, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Durable", "version": VERSION, "description": _ABOUT},
        "paths": paths,
        # A control plane that does not authenticate its callers needs no token.
        "security": [{}, {"token": []}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(components.items())),
            "responses": {
                str(code): _answer(Body(text, Error), components)
                for code, text in _REFUSALS.items()
            },
        },
    }


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    answers = {str(code): _answer(body, components) for code, body in sorted(route.answers.items())}
    for code in _refusals(route):
        answers[str(code)] = {"$ref": f"#/components/responses/{code}"}
    if route.failure is not None:
        failed = _answer(route.failure, components)
        content = failed["content"][route.failure.media_type]
        content["schema"] = {"anyOf": [content["schema"], _schema(Error, components)]}
        for codes in ("4XX", "5XX", *(it for it in answers if it >= "400")):
            answers[codes] = failed
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.template.split("/")[1]],
        "parameters": [
            *(_variable(name) for name in route.variables),
            *(_parameter(it) for it in route.parameters),
        ],
        "responses": answers,
    }
    if route.body is not None:
        operation["requestBody"] = {
            "description": route.body.description,
            "required": route.body.required,
            "content": {route.body.media_type: {"schema": _schema(route.body.type, components)}},
        }
    return operation


def _refusals(route: Route) -> list[int]:
    left_out: set[int] = set()
    rule = rule_of_route(route.name, route.rpc)
    if rule is not None and rule.open:
        left_out.update(_WITH_CALLER)
    if not route.variables:
        left_out.update(_WITH_VARIABLES)
    if route.method == "GET":
        left_out.update(_WITH_EFFECT)
    return [code for code in _REFUSALS if code not in left_out]


def _variable(name: str) -> dict[str, Any]:
    schema = schemas.VARIABLES.get(name, schemas.ANY_VARIABLE)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(it: Parameter) -> dict[str, Any]:
    schema: Mapping[str, Any] = it.schema
    if it.repeated:
        schema = {"type": "array", "items": schema}
    return {"name": it.name, "in": it.location, "description": it.description, "schema": schema}


def _answer(body: Body, components: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": body.description}
    if body.media_type:
        answer["content"] = {body.media_type: {"schema": _schema(body.type, components)}}
    return answer


def _schema(shape: Any, components: dict[str, Any]) -> dict[str, Any]:
    if shape is None:
        return {}
    if isinstance(shape, Descriptor):
        return schemas.message(shape, components)
    if isinstance(shape, schemas.Part):
        return {**schemas.fields(shape, components), "additionalProperties": False}
    (schema,), found = msgspec.json.schema_components([shape], ref_template=_REF)
    for name, component in found.items():
        component["description"] = inspect.cleandoc(component["description"])
        for field in component.get("properties", {}).values():
            _drop_key_names(field)
        components[name] = component
    return schema


def _drop_key_names(schema: dict[str, Any]) -> None:
    """Removes the possible keys of a mapping, and of mappings in it.

    Only newer versions of msgspec list them, and the document must not depend on the installed version.
    """
    schema.pop("propertyNames", None)
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        _drop_key_names(values)
