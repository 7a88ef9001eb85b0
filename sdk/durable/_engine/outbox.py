"""The outbox: the messages of one attempt to the server, and the entries among them without an ack.

The worker takes `messages` after each input and sends them in order. An entry stays in
`unacknowledged` until the server's ack says that the log has it: after a reconnect the worker sends
such entries again.

An entry of a compensation may have to wait until discarded steps have ended. It is then held, and
`release` sends all that are held, in their order.
"""

from __future__ import annotations

from typing import Final

from durable_proto.v1 import worker_pb2


class Outbox:
    """What an attempt sends."""

    __slots__ = ("_attempt", "_held", "_invocation_id", "messages", "unacknowledged")

    def __init__(self, invocation_id: str, attempt: int) -> None:
        self._invocation_id = invocation_id
        self._attempt = attempt
        self.messages: Final[list[worker_pb2.WorkerMessage]] = []
        """What is to be sent. The worker takes it out; the list itself stays the same."""
        self.unacknowledged: Final[dict[int, worker_pb2.WorkerMessage]] = {}
        """Entries that were sent and that the log may not have, by index."""
        self._held: Final[dict[int, worker_pb2.WorkerMessage]] = {}
        """Entries that wait for `release`, by index."""

    @property
    def has_held(self) -> bool:
        """True while entries wait for `release`."""
        return bool(self._held)

    def message(self) -> worker_pb2.WorkerMessage:
        """Returns a message of this attempt that is not queued."""
        return worker_pb2.WorkerMessage(invocation_id=self._invocation_id, attempt=self._attempt)

    def entry(
        self, index: int, kind: int, name: str, *, held: bool = False
    ) -> worker_pb2.EntryRecorded:
        """Queues an entry, or holds it; the caller completes it before it returns to the worker."""
        message = worker_pb2.WorkerMessage(invocation_id=self._invocation_id, attempt=self._attempt)
        entry = message.entry
        entry.index = index
        entry.kind = kind  # type: ignore[assignment]  # the enum's number
        entry.name = name
        if held:
            self._held[index] = message
        else:
            self.unacknowledged[index] = message
            self.messages.append(message)
        return entry

    def release(self) -> None:
        """Queues the entries that are held."""
        self.unacknowledged.update(self._held)
        self.messages.extend(self._held.values())
        self._held.clear()

    def drop_held(self) -> None:
        """Drops the entries that are held: the attempt ends, and the next one starts them again."""
        self._held.clear()

    def drop(self, index: int) -> None:
        """Takes an entry back that the worker has not taken yet, if there is one."""
        self._held.pop(index, None)
        message = self.unacknowledged.pop(index, None)
        if message is not None:
            self.messages.remove(message)
