"""Watching an invocation: what a stream of its changes means, and what a broken one does not change.

Theory. The server sends the present form first and then each change, until the final state. A stream
may break at any time; the next one begins with the present form and the whole journal again.
`Watching` makes one sequence of it, without I/O: each client opens a stream, hands in what arrives, and
asks at its end what that means.

Rules.
- What was shown is not shown again: entries that are known are left out of the first message of a new
  stream, and a message that then says nothing new is no change.
- The timeout bounds how long the control plane may be away, not how long the invocation takes.
- It is over when a stream has shown the final state and was ended by the server: a long journal comes
  in several messages, and all of the last ones have the final state.
- A server that ends a stream too early, without an error, counts as away: no tight loop.
"""

from __future__ import annotations

import time
from typing import Final

import grpc

from durable_proto.v1 import control_pb2, invocation_pb2

from .._common.errors import RpcError, UnavailableError
from .._common.transport import backoff_seconds, is_retryable
from .views import Invocation


class Watching:
    """One invocation that is watched, over as many streams as it takes."""

    def __init__(self, invocation_id: str, timeout: float | None) -> None:
        self.request: Final = control_pb2.WatchInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )
        self._final = False
        self._timeout = timeout
        self._attempt = 0
        self._away_since: float | None = None
        self._seen: dict[int, int] = {}
        self._last: bytes | None = None
        self._again = False

    def received(self, message: control_pb2.WatchInvocationResponse) -> Invocation | None:
        """Takes in a message; returns the invocation if anything about it is new."""
        self._attempt, self._away_since = 0, None
        found = message.invocation
        fresh = [
            entry
            for entry in found.journal
            if self._seen.get(entry.index) != entry.completion_number
        ]
        self._seen.update((entry.index, entry.completion_number) for entry in fresh)
        shown = Invocation(found)
        self._final = shown.finished
        form = _without_journal(found)
        known, self._last = self._last == form, form
        again, self._again = self._again, False
        if again and known and not fresh:
            return None
        if len(fresh) < len(found.journal):
            kept = invocation_pb2.Invocation.FromString(form)
            kept.journal.extend(fresh)
            return Invocation(kept)
        return shown

    def ended(self, error: RpcError | None) -> float | None:
        """Says how long to wait before the next stream, or raises why there is none.

        `error` is what ended the stream; None when the server ended it. The answer is None when all
        has been said.
        """
        if self._final and error is None:
            return None
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        # A server that stops cancels its streams.
        stopped = error is None or error.code is grpc.StatusCode.CANCELLED
        if error is not None and not stopped and not is_retryable(error):
            raise error
        delay = backoff_seconds(self._attempt)
        if self._timeout is not None and now + delay - self._away_since >= self._timeout:
            raise error or UnavailableError(
                "the control plane ends the watch of an invocation that goes on",
                code=grpc.StatusCode.UNAVAILABLE,
            )
        self._attempt += 1
        self._again = True
        return delay


def _without_journal(message: invocation_pb2.Invocation) -> bytes:
    bare = invocation_pb2.Invocation()
    bare.CopyFrom(message)
    bare.ClearField("journal")
    return bare.SerializeToString(deterministic=True)
