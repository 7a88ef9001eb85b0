"""The interface of codecs: `Codec`, and how an encoded payload is told from any other.

An encoded payload has a content type of its own that begins with ENCODED_PREFIX. So a value that was
never encoded, because `curl` or a webhook gave it, is read as it is; the control plane compares
only values that it can read with JSON Schemas; and a program without the codec knows that it lacks
one.

A payload that cannot be decoded stays as it is, with a note of the reason, because nobody may want
its value. The error is raised where the value is read (`serde.decode_as`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from durable_proto.v1 import payload_pb2

from ..errors import UndecodableValueError, text_of

ENCODED_PREFIX: Final = "application/x-durable-"
"""How the content type of every encoded payload begins."""
OVERHEAD_BYTES: Final = 1024
"""How much larger an encoded payload may be than its value, unless the codec says otherwise."""
_REASON: Final = "durable.codec-error"
_KEY_ID: Final = "durable.codec-key"


class Codec(ABC):
    """Encodes all payloads that a client or a worker sends, and decodes those that it receives.

    Give the same codec to clients and workers. A codec is called from any thread, and on the event
    loop of a worker, so it must be quick and must not wait for a network.
    """

    overhead_bytes: int = OVERHEAD_BYTES
    """How many bytes an encoded payload may have more than its value. The largest value that a
    program may pass is smaller than the control plane's limit by so much."""

    @abstractmethod
    def encode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        """Returns the encoded payload. Its content type begins with `application/x-durable-`.

        An error that it raises fails the client's call, or the attempt, which is retried.
        """

    @abstractmethod
    def decode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        """Returns the payload that `encode` was given.

        It gets every payload whose content type begins with `application/x-durable-`. Raises
        UndecodableValueError for one that it cannot decode, as for an unknown key. Any other error
        counts as one.
        """

    def decode_all(
        self, payloads: Sequence[payload_pb2.Payload]
    ) -> Sequence[payload_pb2.Payload | UndecodableValueError]:
        """Returns for each payload what `decode` returns or raises.

        A codec that asks another process overrides this one, to ask once for all payloads. An error
        that it raises fails the client's call, and counts for all payloads in a worker.
        """
        return [self._decoded(payload) for payload in payloads]

    def _decoded(self, payload: payload_pb2.Payload) -> payload_pb2.Payload | UndecodableValueError:
        try:
            return self.decode(payload)
        except UndecodableValueError as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever a user's codec raises
            return failure_of(self, error)


def check_codec(codec: Any) -> Codec | None:
    """Returns the argument `codec` of a client or worker.

    Raises TypeError for what is no Codec.
    """
    if codec is None or isinstance(codec, Codec):
        return codec
    raise TypeError(f"codec must be a durable.Codec, not {codec!r}")


def failure_of(codec: Codec, error: Exception) -> UndecodableValueError:
    """Returns the error for a payload for which a codec itself has failed."""
    return UndecodableValueError(
        f"the codec {type(codec).__name__} failed: {type(error).__name__}: {text_of(error)}"
    )


def is_encoded(payload: payload_pb2.Payload) -> bool:
    """Returns True for a payload that some codec has encoded."""
    return payload.content_type.startswith(ENCODED_PREFIX)


def note_problem(payload: payload_pb2.Payload, error: UndecodableValueError) -> None:
    """Notes in an encoded payload why it cannot be decoded."""
    payload.metadata[_REASON] = str(error)
    payload.metadata[_KEY_ID] = error.key_id


def problem_of(payload: payload_pb2.Payload, place: str) -> UndecodableValueError:
    """Returns the error for an encoded payload that is to be read as `place`."""
    reason = payload.metadata.get(_REASON)
    if reason is None:
        reason = (
            f"it is encoded ({payload.content_type}), and there is no codec here; pass the one that"
            " it was encoded with as codec="
        )
    return UndecodableValueError(
        f"{place} cannot be decoded: {reason}", key_id=payload.metadata.get(_KEY_ID, "")
    )
