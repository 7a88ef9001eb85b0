"""The answering side of forwarding: the RPCs of DurableControl, called by other nodes.

A node that does not lead the partition of a request sends it here (`forwarding`). It is executed like
a request of a client, but never sent on: if this node does not lead the partition either, the answer
says so, and the first node looks again. So a request takes one hop, whatever the nodes believe.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from google.protobuf import message_factory

from durable_proto.node_v1 import parts_pb2
from durable_proto.v1 import control_pb2

from ..peers.interface import Answer, PeerRefusedError, PeerStream, PeerUnavailableError, Serve
from .control import FIND_OWNER, ControlService
from .forwarding import METHODS
from .refusal import Method, answerable

_SERVICE = control_pb2.DESCRIPTOR.services_by_name["DurableControl"]


class ControlMethods:
    """The RPCs of a servicer, as other nodes call them: `peers.Methods`."""

    def __init__(self, service: ControlService) -> None:
        self.calls: Mapping[str, Answer] = {
            **{name: _call(service, name, method) for name, method in METHODS.items()},
            **service.parts.calls(),
            "DrainNode": _call(service, "DrainNode", ControlService.drain_here),
            FIND_OWNER: _call(service, "ResolveAwakeable", ControlService.find_owner),
        }
        self.streams: Mapping[str, Serve] = {"WatchInvocation": self._watch}
        self._service = service

    async def _watch(self, body: bytes, stream: PeerStream) -> None:
        part = parts_pb2.WatchPart.FromString(body)
        request = control_pb2.WatchInvocationRequest.FromString(part.request)
        try:
            async with aclosing(self._service.watch(request, dict(part.known))) as messages:
                async for message in messages:
                    stream.send(message.SerializeToString())
                    # The other node asks for the next one when the client has taken this one.
                    if await stream.receive() is None:
                        return
        except PeerUnavailableError:
            return
        except Exception as error:
            raise _refused(error) from error


def _call(service: ControlService, name: str, method: Method[Any]) -> Answer:
    """Returns an RPC with bytes for its messages."""
    request_type: Any = message_factory.GetMessageClass(_SERVICE.methods_by_name[name].input_type)

    async def answer(body: bytes) -> bytes:
        try:
            response = await method(service, request_type.FromString(body), None)
            data: bytes = response.SerializeToString()
            return data
        except Exception as error:
            raise _refused(error) from error

    return answer


def _refused(error: Exception) -> PeerRefusedError:
    return PeerRefusedError(answerable(error).status().SerializeToString())
