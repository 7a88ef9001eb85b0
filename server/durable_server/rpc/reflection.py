"""Server reflection: gives generic tools the descriptors of the services that they call.

The library serves `grpc.reflection.v1alpha`, but current tools try `grpc.reflection.v1` first. The
two protos differ only in the name of their package, so one servicer answers both, and the
descriptor of v1 is made from that of v1alpha.

Two things differ from the library:
- The pool of descriptors has only the services that are served and the files to which they refer, not
  everything that this process has loaded.
- A method's name finds its file, as the protocol requires. Protobuf's pool does not look inside
  services, and evans finds methods in no other way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from durable_proto.v1 import errors_pb2

from .bounded import BoundedServer

ALPHA: Final = reflection_pb2.DESCRIPTOR.package
SERVICE_NAMES: Final = tuple(
    f"{package}.ServerReflection" for package in (ALPHA, "grpc.reflection.v1")
)


def _v1() -> bytes:
    """Returns the descriptor file of v1, serialized."""
    file = descriptor_pb2.FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)

    def renamed(name: str) -> str:
        return name.replace(f".{ALPHA}.", ".grpc.reflection.v1.")

    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = "grpc.reflection.v1"
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = renamed(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type = renamed(method.input_type)
            method.output_type = renamed(method.output_type)
    return file.SerializeToString()


class _Symbols:
    """A pool of some files and those that they import, which finds methods too."""

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        self._pool = DescriptorPool()
        self._known: set[str] = set()
        for file in files:
            self._add(file)
        self._pool.AddSerializedFile(_v1())

    def _add(self, file: FileDescriptor) -> None:
        if file.name not in self._known:
            self._known.add(file.name)
            for imported in file.dependencies:
                self._add(imported)
            self._pool.AddSerializedFile(file.serialized_pb)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:
        """Returns the file that defines a type, service, field or method. Raises KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            owner, _, name = symbol.rpartition(".")
            service = self._pool.FindServiceByName(owner)
            if name not in service.methods_by_name:
                raise
            return service.file


def serve_reflection(
    server: BoundedServer, names: Iterable[str], files: Iterable[FileDescriptor]
) -> None:
    """Adds both versions of reflection to a server, for these services and their files.

    The files of the error details are added, for tools that decode them.
    """
    details = (errors_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)
    servicer = reflection.aio.ReflectionServicer(
        (*names, *SERVICE_NAMES),
        pool=_Symbols((*files, *details, reflection_pb2.DESCRIPTOR)),
    )
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
            for name in SERVICE_NAMES
        )
    )
