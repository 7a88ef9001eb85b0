"""The state of objects and workflows, seen and changed from outside."""

from __future__ import annotations

from durable_proto.v1 import control_pb2

from ..core.model import HandlerKind, object_scope
from ..core.records import StateEdited
from ..core.replies import Busy
from ..processor.inputs import RecordTooLargeError
from ..processor.loop import Processor
from . import convert
from .queries import Asking
from .refusal import invalid, invalid_state


class States:
    """Reads and edits the states of one processor."""

    def __init__(self, processor: Processor, asking: Asking) -> None:
        self._processor = processor
        self._asking = asking

    def get(self, request: control_pb2.GetStateRequest) -> control_pb2.GetStateResponse:
        """Returns a state as it was last committed."""
        if request.invocation_id:
            if request.object or request.key:
                raise invalid("invocation_id", "cannot be together with object and key")
            owner = self._asking.find(request.invocation_id).state_owner
        else:
            owner = self._owner(request.object, request.key)
        response = control_pb2.GetStateResponse()
        for name, value in self._processor.store.state(owner).items():
            response.state[name].MergeFromString(value)
        return response

    async def set(self, request: control_pb2.SetStateRequest) -> control_pb2.SetStateResponse:
        """Changes a state between two invocations."""
        limits = self._processor.limits
        owner = self._owner(request.object, request.key)
        values: list[tuple[str, bytes | None]] = [
            (self._name(name), None) for name in request.cleared_names
        ]
        for name, value in request.state.items():
            field = f"state[{self._name(name)!r}]"
            values.append((name, convert.payload_bytes(field, value, limits.payload_bytes)))
        record = StateEdited(owner, tuple(values), request.clear_all)
        try:
            reply = await self._asking.propose(record)
        except RecordTooLargeError as error:
            raise invalid("state", str(error), limit=limits.batch_bytes) from error
        if isinstance(reply, Busy):
            found = self._asking.find(reply.invocation_id)
            raise invalid_state(
                found.id, convert.word(found.state), "edit the state under", "ended"
            )
        return control_pb2.SetStateResponse()

    def _owner(self, name: str, key: str) -> str:
        limit = self._processor.limits.id_bytes
        for field, text in (("object", name), ("key", key)):
            if not text:
                raise invalid(field, "is empty")
            convert.check_text(field, text, limit, "id_bytes")
        for handler in self._processor.partition.handlers.values():
            if handler.kind != HandlerKind.WORKFLOW and handler.name.rpartition(".")[0] == name:
                return object_scope(name, key)
        raise invalid("object", f"no worker has ever registered a handler of an object {name!r}")

    def _name(self, name: str) -> str:
        if not name:
            raise invalid("state", "a name is empty")
        return convert.check_text("state", name, self._processor.limits.id_bytes, "id_bytes")
