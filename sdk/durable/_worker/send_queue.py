"""The send queue: the worker's messages that wait to be written to the control plane, in order.

The queue outlives sessions: while there is none, attempts and steps go on and the queue fills. What it
then holds is replaced when the next session opens, because the control plane gets everything again
that it may not have (see `AttemptRunner.session_opened`).
"""

from __future__ import annotations

from collections.abc import Callable

from durable_proto.v1 import worker_pb2


class SendQueue:
    """Messages to send. A session sets `wake`, which is called after each `put`."""

    __slots__ = ("messages", "wake")

    def __init__(self) -> None:
        self.messages: list[worker_pb2.WorkerMessage] = []
        self.wake: Callable[[], None] = wakes_nobody
        """Called when there is something to send."""

    def put(self, message: worker_pb2.WorkerMessage) -> None:
        """Adds a message."""
        self.messages.append(message)
        self.wake()

    def put_all(self, messages: list[worker_pb2.WorkerMessage]) -> None:
        """Adds messages, in their order."""
        self.messages += messages
        self.wake()

    def take(self) -> list[worker_pb2.WorkerMessage]:
        """Returns all messages and empties the queue."""
        taken, self.messages = self.messages, []
        return taken


def wakes_nobody() -> None:
    """The `wake` of a queue that no session reads."""
