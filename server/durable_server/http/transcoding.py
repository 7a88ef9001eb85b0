"""gRPC transcoding: each unary RPC of DurableControl and DurableAccess over HTTP, by its annotation.

The annotation is that of `google.api.http`. The routes are made from the descriptors at the start, so
a new RPC is served as soon as its proto has an annotation. Requests and responses are proto3's
canonical JSON. A field comes from the path if the template names it, else from the body (`body: "*"`),
else from the query. A form of annotation or field that our protos do not use is an error at the start,
so that it is never served wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from google.api import annotations_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from starlette.responses import Response

from durable_proto.v1 import access_pb2, control_pb2

from . import parameters, requests, schemas
from .errors import invalid, json_response
from .parameters import Parameter
from .requests import EndpointRequest
from .routing import VARIABLE, Body, Route

_SERVICES = (
    control_pb2.DESCRIPTOR.services_by_name["DurableControl"],
    access_pb2.DESCRIPTOR.services_by_name["DurableAccess"],
)
_VERBS = ("get", "put", "post", "delete", "patch")
_PROBLEM_CHARS = 400
_LOST_PLUS = re.compile(r"(\S+T\S+) (\d\d:\d\d)\Z")
"""A time whose plus sign was decoded as a space, as in every query."""
_EXAMPLES = {
    "google.protobuf.Timestamp": "time; write 2026-01-31T12:00:00Z, or with %2B02:00 for Z",
    "google.protobuf.Duration": "span of time; write 30s or 0.5s",
}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_INTEGERS = {FieldDescriptor.TYPE_INT32: 31, FieldDescriptor.TYPE_INT64: 63}


def routes() -> Iterator[Route]:
    """Returns a route for each binding of each unary RPC."""
    for method in (it for service in _SERVICES for it in service.methods):
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for number, binding in enumerate((rule, *rule.additional_bindings)):
            verb = binding.WhichOneof("pattern")
            if verb is None:  # WatchInvocation: see `watch`
                continue
            if verb not in _VERBS or binding.body not in ("", "*") or binding.response_body:
                raise ValueError(f"a form of google.api.http that is not served: {method.name}")
            template = getattr(binding, verb)
            name = method.name + (str(number + 1) if number else "")
            yield _route(method, name, verb.upper(), template, has_body=binding.body == "*")


def message_json(message: Message) -> Any:
    """Returns a message as canonical JSON data."""
    return json_format.MessageToDict(message)


def _route(
    method: MethodDescriptor, name: str, verb: str, template: str, *, has_body: bool
) -> Route:
    kind: Any = method.input_type
    response: Any = method.output_type
    variables = VARIABLE.findall(template)
    query_fields = [field for field in kind.fields if field.name not in variables]
    body = schemas.Part(kind, frozenset(variables)) if has_body else None
    message_class = message_factory.GetMessageClass(kind)

    async def answer(request: EndpointRequest) -> Response:
        if has_body:
            if field := _key_field(kind):
                _check_key(request, field)
            data = await request.json()
            _check(kind, data, variables)
        else:
            data = {name: value for name, value in request.values.items() if value}
        message = message_class()
        try:
            json_format.ParseDict(data, message)
        except (json_format.ParseError, ValueError, TypeError) as error:
            problem = str(error)[:_PROBLEM_CHARS]  # it may contain a value of any length
            raise invalid(_field_in(problem) or kind.name, problem) from error
        for variable, value in request.variables.items():
            setattr(message, variable, value)
        return json_response(message_json(await request.control.call(method.name, message)))

    return Route(
        method=verb,
        template=template,
        handler=answer,
        name=name,
        rpc=f"/{method.containing_service.full_name}/{method.name}",
        summary=re.sub(r"(?<=[a-z])(?=[A-Z])", " ", method.name).capitalize(),
        parameters=() if has_body else tuple(_parameter(field) for field in query_fields),
        body=Body(f"{kind.full_name} without the fields of the path.", body, required=body.required)
        if body
        else None,
        answers={200: Body(f"{response.full_name}.", response)},
    )


def _parameter(field: FieldDescriptor) -> Parameter:
    """Returns the query parameter of a field."""
    descriptor: Any = field
    what = f"`{field.name}` of {descriptor.containing_type.full_name}."
    if field.type == FieldDescriptor.TYPE_BOOL:
        found = parameters.boolean(field.name, what)
    elif field.type in _INTEGERS:
        bits = _INTEGERS[field.type]
        found = parameters.integer(
            field.name, what, 0, (1 << bits) - 1
        )  # all such fields are counts
    elif field.type == FieldDescriptor.TYPE_STRING:
        found = parameters.string(field.name, what)
    else:
        found = Parameter(
            name=field.name,
            description=what,
            schema=schemas.value(field),
            read=_reader(field),
        )
    other_name = "" if descriptor.camelcase_name == field.name else descriptor.camelcase_name
    return replace(found, repeated=descriptor.is_repeated, other_name=other_name)


def _reader(field: FieldDescriptor) -> Any:
    descriptor: Any = field
    if descriptor.enum_type is not None:
        names = [it.name for it in descriptor.enum_type.values]

        def word(given: str) -> str:
            if given not in names:
                raise ValueError(f"{given[:40]!r} is not one of {', '.join(names)}")
            return given

        return word
    if descriptor.message_type is not None and descriptor.message_type.full_name in schemas.TEXTS:
        kind: Any = message_factory.GetMessageClass(descriptor.message_type)
        example = _EXAMPLES[descriptor.message_type.full_name]

        def text(given: str) -> str:
            given = _LOST_PLUS.sub(r"\1+\2", given, count=1)
            try:
                kind().FromJsonString(given)
            except ValueError:
                raise ValueError(f"{given[:60]!r} is no {example}") from None
            return given

        return text
    raise ValueError(f"a query cannot say the field {descriptor.full_name}")


def _key_field(kind: Descriptor) -> str:
    """Returns the name of the idempotency field; empty without one."""
    names = kind.fields_by_name
    return next((it for it in ("idempotency_key", "request_id") if it in names), "")


def _check_key(request: EndpointRequest, field: str) -> None:
    if requests.headers(request.http, "idempotency-key"):
        raise invalid("Idempotency-Key", f"is a header of /api; here the body has `{field}`")


def _check(kind: Descriptor, data: Any, variables: list[str]) -> None:
    """Refuses what protobuf's parser would accept silently."""
    if not isinstance(data, dict):
        raise invalid("body", f"must be a JSON object, a {kind.full_name}")
    for variable in variables:
        field: Any = kind.fields_by_name[variable]
        if variable in data or field.camelcase_name in data:
            raise invalid(variable, "the path says it already")
    _check_fields(kind, data, "")


def _check_fields(kind: Any, data: Any, above: str) -> None:
    """Refuses a field that is given in both spellings, and text that is not base64."""
    if not isinstance(data, dict):
        return
    spellings: dict[str, str] = {}
    for name, value in data.items():
        field: Any = kind.fields_by_camelcase_name.get(name) or kind.fields_by_name.get(name)
        path = f"{above}{name}"
        if field is None:
            continue
        if (other := spellings.setdefault(field.name, name)) != name:
            raise invalid(path, f"is the field {above}{other} in another spelling; keep one")
        if value is None:
            continue
        if field.type == FieldDescriptor.TYPE_BYTES:
            if isinstance(value, str) and not _BASE64.fullmatch(value):
                raise invalid(path, "is not base64")
        elif field.message_type is None:
            continue
        elif field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"].message_type
            if inner is not None and isinstance(value, dict):
                for key, it in value.items():
                    _check_fields(inner, it, f"{path}.{key}.")
        else:
            for it in value if isinstance(value, list) else [value]:
                _check_fields(field.message_type, it, f"{path}.")


def _field_in(text: str) -> str:
    """Returns the field that protobuf's parser names in an error; empty without one."""
    match = re.search(r"(?:parse|field named|for field) \"?([\w.\[\]]+)", text)
    return match[1] if match else ""
