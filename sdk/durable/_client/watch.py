"""The watch of one invocation: several streams of changes, merged into one without repeats.

The server sends the invocation as it is, and then again at each change, until the final state. A
stream may break at any time, and the next one begins with the whole invocation and its journal
again. A `Watch` turns them into one sequence, without I/O: a connection opens a stream, hands in
each message, and asks at the end of the stream whether to open another one.

Rules.
- No change is yielded twice. Journal entries that are known already are left out of the first
  message of a new stream, and so are known attempts. A message without anything new is dropped.
- The timeout bounds how long the control plane may be away, not how long the invocation takes.
- The watch is over when a stream has shown the final state and the server has ended it. Both are
  needed: a long journal comes in several messages, and all of the last ones have the final state.
- A server that ends a stream too early, without an error, counts as away; this prevents a tight
  loop.
"""

from __future__ import annotations

import time
from typing import Final

import grpc

from durable_proto.v1 import control_pb2, invocation_pb2

from .._common.errors import RpcError, UnavailableError
from .._common.transport import backoff_seconds, is_retryable
from .invocation_views import Invocation


class Watch:
    """The watch of one invocation, over as many streams as it takes."""

    def __init__(self, invocation_id: str, timeout: float | None, address_count: int) -> None:
        """Only the delay after a round over `address_count` addresses grows."""
        self.request: Final = control_pb2.WatchInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )
        self._final = False
        self._timeout = timeout
        self._address_count: Final = address_count
        self._attempt = 0
        self._away_since: float | None = None
        self._seen: dict[int, int] = {}
        self._first_index = 0
        self._ends: dict[int, int] = {}
        self._last: bytes | None = None
        self._reconnected = False

    def received(self, message: control_pb2.WatchInvocationResponse) -> Invocation | None:
        """Takes a message of the stream; returns the invocation if anything in it is new."""
        self._attempt, self._away_since = 0, None
        found = message.invocation
        if found.first_index != self._first_index:  # the entries before belong to earlier runs
            self._first_index = found.first_index
            self._seen.clear()
        new = [
            entry
            for entry in found.journal
            if self._seen.get(entry.index) != entry.completion_number
        ]
        self._seen.update((entry.index, entry.completion_number) for entry in new)
        attempts = [it for it in found.attempts if self._ends.get(it.attempt) != it.end]
        self._ends.update((it.attempt, it.end) for it in attempts)
        shown = Invocation(found)
        self._final = shown.finished
        form = _without_lists(found)
        known, self._last = self._last == form, form
        reconnected, self._reconnected = self._reconnected, False
        if reconnected and known and not new and not attempts:
            return None
        if len(new) < len(found.journal) or len(attempts) < len(found.attempts):
            kept = invocation_pb2.Invocation.FromString(form)
            kept.journal.extend(new)
            kept.attempts.extend(attempts)
            return Invocation(kept)
        return shown

    def ended(self, error: RpcError | None) -> float | None:
        """Takes the end of a stream; returns the seconds to wait before the next one, None for the
        end.

        `error` is what broke the stream; None when the server ended it. Raises it when it is not
        retryable, or when the control plane has been away for longer than the timeout.
        """
        if self._final and error is None:
            return None
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        # A control plane that shuts down cancels its streams.
        stopped = error is None or error.code is grpc.StatusCode.CANCELLED
        if error is not None and not stopped and not is_retryable(error):
            raise error
        delay = backoff_seconds(self._attempt, addresses=self._address_count)
        if self._timeout is not None and now + delay - self._away_since >= self._timeout:
            raise error or UnavailableError(
                "the control plane ends the watch of an invocation that goes on",
                code=grpc.StatusCode.UNAVAILABLE,
            )
        self._attempt += 1
        self._reconnected = True
        return delay


def _without_lists(message: invocation_pb2.Invocation) -> bytes:
    bare = invocation_pb2.Invocation()
    bare.CopyFrom(message)
    bare.ClearField("journal")
    bare.ClearField("attempts")
    return bare.SerializeToString(deterministic=True)
