"""One invocation that a client follows: its messages, of bounded size.

Theory. Whoever follows hears of states, not of events: while a message is on its way, changes come
together, and the next message has them all. One who does not read costs the message that waits for
it and no more; so a message must be small, and a journal is not. What is new in it is therefore
looked up once for a change, by number, and its entries are read only when their turn has come.

Rules.
- All messages of one change have the form that the invocation had when the change was seen; the
  journal entries are spread over them in order.
- A message has at least one entry of what is left, and then at most MESSAGE_BYTES of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from durable_proto.v1 import control_pb2

from ..core.model import Invocation
from ..store.interface import Store
from . import convert

MESSAGE_BYTES: Final = 256 * 1024
"""Journal values of one message; with one of the largest more it stays under the 4 MB that gRPC
clients take unless told otherwise."""


class Following:
    """What one watcher has been told."""

    def __init__(self, store: Store, *, journal: bool) -> None:
        self._store = store
        self._journal = journal
        self._told: dict[int, int] = {}
        """The completion of each entry as it was told, by index."""

    def messages(self, found: Invocation) -> Iterator[control_pb2.WatchInvocationResponse]:
        """Returns the messages about an invocation as it is now; take them one by one."""
        form = convert.invocation(found)
        fresh: deque[int] = deque()
        if self._journal:
            convert.failing_steps(found, form)
            now = self._store.completions(found.number)
            fresh.extend(it for it, completion in now.items() if self._told.get(it) != completion)
        while True:
            message = control_pb2.WatchInvocationResponse(invocation=form)
            size = 0
            while fresh and size < MESSAGE_BYTES:
                row = self._store.entry(found.number, fresh.popleft())
                if row is not None:
                    self._told[row.entry_index] = row.completion
                    size += len(row.argument or b"") + len(row.outcome or b"")
                    convert.entry(row, message.invocation.journal.add())
            yield message
            if not fresh:
                return
