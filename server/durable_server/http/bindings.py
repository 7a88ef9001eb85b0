"""Every unary RPC of DurableControl over HTTP, by its `google.api.http` annotation.

The routes are made from the descriptors at the start, so that a new RPC is here as soon as its proto
says where. Requests and responses are proto3's canonical JSON. A field comes from the path if the
template names it, else from the body (`body: "*"`), else from the query, where a nested field has a
dotted name. A form of annotation that is not used by our protos is an error at the start, and not
served wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.api import annotations_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from durable_proto.v1 import control_pb2

from . import reading
from .control import Control
from .errors import bad_request, json_response
from .routing import Route

_TEXT_MESSAGES = ("google.protobuf.Duration", "google.protobuf.Timestamp")
_VERBS = ("get", "put", "post", "delete", "patch")


def routes(control: Control, body_limit: int) -> Iterator[Route]:
    """Returns a route for each binding of each unary RPC."""
    service = control_pb2.DESCRIPTOR.services_by_name["DurableControl"]
    for method in service.methods:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for binding in (rule, *rule.additional_bindings):
            verb = binding.WhichOneof("pattern")
            if verb is None:  # WatchInvocation: see `events`
                continue
            if verb not in _VERBS or binding.body not in ("", "*") or binding.response_body:
                raise ValueError(f"a form of google.api.http that is not served: {method.name}")
            endpoint = _Endpoint(control, method, binding.body == "*", body_limit)
            yield Route(verb.upper(), getattr(binding, verb), endpoint.answer)


def message_json(message: Message) -> Any:
    """Returns a message as canonical JSON data."""
    return json_format.MessageToDict(message)


class _Endpoint:
    """One binding of one RPC."""

    def __init__(
        self, control: Control, method: MethodDescriptor, has_body: bool, body_limit: int
    ) -> None:
        self._control = control
        self._method = method.name
        self._input: Any = method.input_type
        self._class = message_factory.GetMessageClass(self._input)
        self._has_body = has_body
        self._body_limit = body_limit

    async def answer(self, request: Request, variables: dict[str, str]) -> Response:
        """Makes the call."""
        data: Any = {}
        raw = await reading.body(request, self._body_limit)
        if self._has_body and raw.strip():
            data = reading.parse(raw)
            if not isinstance(data, dict):
                raise bad_request(f"the body must be a JSON object, a {self._input.name}")
        for name in dict.fromkeys(request.query_params.keys()):
            if self._has_body:
                raise bad_request(f"{name}: fields go into the body here, not into the query")
            if name in variables:
                raise bad_request(f"{name}: the path says it already")
            values = request.query_params.getlist(name)
            _put(self._input, name, [reading.check_text(name, it) for it in values], data)
        message = _message(self._class(), data)
        for name, value in variables.items():
            setattr(message, name, value)
        return json_response(message_json(await self._control.call(self._method, message)))


def _message(message: Message, data: Any) -> Message:
    """Fills a message from JSON data; raises HttpError."""
    try:
        return json_format.ParseDict(data, message)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise bad_request(f"{message.DESCRIPTOR.name}: {error}") from error


def _put(kind: Descriptor, path: str, values: list[str], into: dict[str, Any]) -> None:
    """Puts a query parameter where ParseDict looks for it."""
    first, _, rest = path.partition(".")
    field = kind.fields_by_name.get(first) or kind.fields_by_camelcase_name.get(first)
    if field is None:
        known = ", ".join(it.name for it in kind.fields)
        raise bad_request(f"{kind.name} has no field {first!r}; it has: {known or 'none'}")
    nested: Any = field.message_type
    is_plain = nested is None or nested.full_name in _TEXT_MESSAGES
    if is_plain == bool(rest) or (rest and field.is_repeated):
        raise bad_request(f"{path}: a query cannot say this field")
    if rest:
        _put(nested, rest, values, into.setdefault(field.name, {}))
        return
    plain = [_value(path, field, it) for it in values]
    if not field.is_repeated and len(plain) > 1:
        raise bad_request(f"{path}: given {len(plain)} times")
    if field.name in into:
        raise bad_request(f"{path}: given under two names")
    into[field.name] = plain if field.is_repeated else plain[0]


def _value(path: str, field: Any, text: str) -> Any:
    if field.type != FieldDescriptor.TYPE_BOOL:
        return text  # ParseDict reads numbers and enums from strings too
    return reading.flag({path: [text]}, path)
