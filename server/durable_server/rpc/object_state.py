"""The requests about states of objects and workflows, translated for DurableControl."""

from __future__ import annotations

from durable_proto.v1 import control_pb2

from ..requests.build import Requests
from . import convert
from .refusal import invalid


class ObjectStates:
    """Translates GetState and SetState."""

    def __init__(self, requests: Requests) -> None:
        self._object_state = requests.object_state
        self._reads = requests.reads
        self._limits = requests.limits

    def get(self, request: control_pb2.GetStateRequest) -> control_pb2.GetStateResponse:
        """Returns a state as it was last committed."""
        if request.invocation_id:
            if request.object or request.key:
                raise invalid("invocation_id", "cannot be together with object and key")
            values = self._reads.state(self._reads.find(request.invocation_id))
        else:
            self._check_object(request)
            values = self._object_state.get(request.object, request.key)
        response = control_pb2.GetStateResponse()
        for name, value in values.items():
            response.state[name].MergeFromString(value)
        return response

    async def set(self, request: control_pb2.SetStateRequest) -> control_pb2.SetStateResponse:
        """Changes a state between two invocations."""
        self._check_object(request)
        values: list[tuple[str, bytes | None]] = [
            (self._checked_name(name), None) for name in request.cleared_names
        ]
        for name, value in request.state.items():
            field = f"state[{self._checked_name(name)!r}]"
            values.append((name, convert.payload_bytes(field, value, self._limits.payload_bytes)))
        limit = self._limits.id_bytes
        await self._object_state.set(
            request.object,
            request.key,
            values,
            clear_all=request.clear_all,
            request_id=convert.check_text("request_id", request.request_id, limit, "id_bytes"),
        )
        return control_pb2.SetStateResponse()

    def _check_object(
        self, request: control_pb2.GetStateRequest | control_pb2.SetStateRequest
    ) -> None:
        for field, text in (("object", request.object), ("key", request.key)):
            if not text:
                raise invalid(field, "is empty")
            convert.check_text(field, text, self._limits.id_bytes, "id_bytes")
            if "\0" in text:
                raise invalid(field, "must not contain a NUL character")

    def _checked_name(self, name: str) -> str:
        if not name:
            raise invalid("state", "a name is empty")
        return convert.check_text("state", name, self._limits.id_bytes, "id_bytes")
