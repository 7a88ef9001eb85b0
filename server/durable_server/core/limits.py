"""Every limit: its name, its default, and why it is what it is.

Reaching one is a typed error that names it. The names are public: GetServerInfo lists them.
"""

from __future__ import annotations

from typing import NamedTuple

SPAN_SECONDS = 3_155_760_000
"""Any delay, timeout, interval or retention: a hundred years, so that each due time can be shown."""
LIMIT_REACHED = "durable.LimitReached"
"""The type of the failure of an invocation that has reached a limit."""


ASSIGNMENT_BYTES = 64 * 1024
"""What a batch may hold beside its inputs: the assignments that ride along with them."""
_OVERHEAD_BYTES = 192 * 1024
"""What a record may hold beside one value: names, headers, and for a failure its text twice more."""
_SMALLEST_BATCH = 384 * 1024
"""With less than this hardly a value would be left."""


class Limits(NamedTuple):
    """The limits of one control plane."""

    payload_bytes: int = 1024 * 1024
    """One value. A journal is read back whole for a retry; larger things belong elsewhere."""
    frame_bytes: int = 4 * 1024 * 1024
    """One frame of a worker: a few of the largest values."""
    batch_bytes: int = 4 * 1024 * 1024
    """One append, at which a batch is closed. It stays under the 8 MB that the embedded NATS server
    accepts, and is lowered to what another one accepts."""
    batch_records: int = 2000
    """One append, in records: it bounds how long the event loop applies before it looks around."""
    journal_entries: int = 10_000
    """One invocation's journal: a retry replays it all."""
    journal_bytes: int = 32 * 1024 * 1024
    """The values in one invocation's journal. A retry has them all in one frame, of at most 64 MiB."""
    header_count: int = 32
    header_bytes: int = 8 * 1024
    """All headers of an invocation: they travel with every call that it makes."""
    id_bytes: int = 256
    """Keys, idempotency keys, request ids, labels and names."""
    text_bytes: int = 1024
    """Reasons and identities: a sentence for a person."""
    wait_seconds: int = 55
    """One wait for a result: under the minute after which proxies cut a call."""
    state_bytes: int = 64 * 1024
    """The state of one invocation or object key that travels with an attempt; what is larger is
    asked for name by name."""
    signals: int = 1000
    """Signals that wait in one invocation."""
    early_awakeables: int = 10_000
    """Awakeables that were resolved and that nobody has asked for, each for a day."""
    webhook_seconds: int = 366 * 24 * 3600
    """How long a webhook's URL is good for: it is a secret that others keep, and a year is long."""
    page_size: int = 500
    """One page of a list."""
    admission: int = 100_000
    """Requests that wait for their commit or their result at once."""
    trim_bytes: int = 64 * 1024 * 1024
    """How much is appended between two trims of the log. Each costs a checkpoint of the store, and
    what is not trimmed is read again at a start from an older store."""
    handlers: int = 1000
    """Handlers of one worker."""
    slots: int = 100_000
    """Invocations that one worker holds."""

    def fitted(self, frame_bytes: int) -> Limits:
        """Returns these limits for a log whose frames have so many bytes at most.

        Raises ValueError when there is no room for anything useful.
        """
        batch_bytes = min(self.batch_bytes, frame_bytes - ASSIGNMENT_BYTES)
        if batch_bytes < min(self.batch_bytes, _SMALLEST_BATCH):
            raise ValueError(f"{frame_bytes} bytes are too few for a batch")
        payload_bytes = min(self.payload_bytes, batch_bytes - _OVERHEAD_BYTES)
        return self._replace(batch_bytes=batch_bytes, payload_bytes=payload_bytes)

    def journal_too_large(self, size: int) -> str:
        """Says that values of so many bytes are too many for a journal."""
        return (
            f"the values in the journal have {size} bytes, more than the limit journal_bytes "
            f"({self.journal_bytes}); keep large values elsewhere, or split the work into children"
        )
