"""A watch of one invocation: makes the messages of WatchInvocation, each of bounded size.

A client that watches gets the invocation as it is, not each event. While a message is being sent,
changes add up, and the next message has them all. A client that does not read thus costs the one
message that waits for it. Therefore a message must be small, but a journal is not: the numbers of its
new entries are looked up once for each change, and an entry is read only when it is its turn to be
sent.

Rules:
- All messages about one change have the invocation as it was when the change was seen; the journal
  entries are spread over them in order.
- A message has at least one of the entries that remain, and then at most MESSAGE_BYTES of them.
- When the program continues as new, the journal of the run before is over: its entries that were not
  sent yet are not sent any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from durable_proto.v1 import control_pb2, invocation_pb2

from ..core.model import Invocation
from ..requests.reads import Reads
from . import convert

MESSAGE_BYTES: Final = 256 * 1024
"""The journal values of one message. With one more of the largest entries it stays under 4 MB, which is
what gRPC clients accept by default."""


class Watch:
    """What one watching client has got so far."""

    def __init__(self, reads: Reads, *, journal: bool, known: Mapping[int, int]) -> None:
        """`known` are the journal entries that the client has: completion numbers by index."""
        self._reads = reads
        self._journal = journal
        self._sent = dict(known)
        """The completion number of each entry when it was last sent, by index."""
        self._first = 0
        """The index of the first entry of the run that was sent last."""
        self._attempts = 0, False
        """The last attempt that was sent, and whether it had ended."""

    def messages(self, found: Invocation) -> Iterator[control_pb2.WatchInvocationResponse]:
        """Yields the messages about an invocation as it is now."""
        form = convert.invocation(found)
        form.waiting_for_build = self._reads.waiting_for_build(found)
        fresh: deque[int] = deque()
        if self._journal:
            if found.first_index != self._first:  # another run has begun, with another journal
                self._first = found.first_index
                self._sent = {it: last for it, last in self._sent.items() if it >= self._first}
            convert.failing_steps(found, form)
            self._add_attempts(found, form)
            now = self._reads.completions(found)
            fresh.extend(it for it, completion in now.items() if self._sent.get(it) != completion)
        while True:
            message = control_pb2.WatchInvocationResponse(invocation=form)
            size = 0
            while fresh and size < MESSAGE_BYTES:
                row = self._reads.entry(found, fresh.popleft())
                if row is not None:
                    self._sent[row.entry_index] = row.completion
                    size += len(row.argument or b"") + len(row.outcome or b"")
                    convert.entry(row, message.invocation.journal.add())
            yield message
            if not fresh:
                return
            form.ClearField("attempts")

    def _add_attempts(self, found: Invocation, form: invocation_pb2.Invocation) -> None:
        """Adds the attempts that have begun or ended since the last message."""
        now = found.attempt, not found.worker_id
        if now == self._attempts:
            return
        last, had_ended = self._attempts
        self._attempts = now
        for attempt in self._reads.attempts(found):
            if attempt.attempt > last - (not had_ended):
                convert.attempt(attempt, form.attempts.add())
