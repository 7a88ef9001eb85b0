"""The limits: each with its name, its default and the reason for it.

Reaching a limit is a typed error that names it. The names are public: GetServerInfo lists them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

SPAN_SECONDS = 3_155_760_000
"""The longest delay, timeout, interval or retention: a hundred years, so that each due time is a valid
date."""
LIMIT_REACHED = "durable.LimitReached"
"""The type of the failure of an invocation that has reached a limit."""


ASSIGNMENT_BYTES = 64 * 1024
"""What a batch may hold beside its inputs: the `Started` records that the dispatcher adds."""
_OVERHEAD_BYTES = 192 * 1024
"""What a record may hold beside one value: names, headers, and two more copies of a failure's text."""
_SMALLEST_BATCH = 384 * 1024
"""The smallest useful size: with less, hardly any room would be left for a value."""


CLIENT_LIMITS = (
    *("connections", "streams", "slow_requests", "unread_bytes"),
    *("identity_rate", "identity_calls"),
)
"""The limits on what clients cost, which `--limit` sets."""


class Limits(NamedTuple):
    """The limits of one control plane."""

    payload_bytes: int = 1024 * 1024
    """One value. A retry reads the whole journal back; larger values belong elsewhere."""
    frame_bytes: int = 4 * 1024 * 1024
    """One frame of a worker: a few of the largest values."""
    batch_bytes: int = 4 * 1024 * 1024
    """One append: a batch is closed at this size. It is below the 8 MB that the embedded NATS server
    accepts, and is lowered to what an external one accepts."""
    batch_records: int = 2000
    """One append, in records. It bounds how long applying a batch blocks the event loop."""
    journal_entries: int = 10_000
    """One invocation's journal, which a retry replays from its beginning."""
    journal_bytes: int = 32 * 1024 * 1024
    """The values in one invocation's journal. A retry sends them in one frame, of at most 64 MiB."""
    header_count: int = 32
    header_bytes: int = 8 * 1024
    """All headers of an invocation, which are sent with every call that it makes."""
    id_bytes: int = 256
    """Keys, idempotency keys, request ids, labels and names."""
    text_bytes: int = 1024
    """Reasons and identities: a sentence for people."""
    wait_seconds: int = 55
    """One wait for a result. Many proxies end a call after a minute."""
    state_bytes: int = 64 * 1024
    """The state of one invocation or object key that is sent with an attempt. A larger one is sent in
    part, and the worker reads the rest name by name."""
    signals: int = 1000
    """Signals that one invocation keeps until entries wait for them."""
    early_awakeables: int = 10_000
    """Awakeables that were resolved before an entry waited for them, each kept for a day, or whose
    webhooks were revoked, each kept for `webhook_seconds`."""
    webhook_seconds: int = 366 * 24 * 3600
    """The longest validity of a webhook's URL. Others keep this secret, and a year is long for that."""
    revoked_webhooks: int = 100
    """Webhooks of one awakeable that are revoked one by one. Its row has their ids."""
    page_size: int = 500
    """One page of a list."""
    admission: int = 100_000
    """Requests that wait at the same time for their commit or their result."""
    trim_bytes: int = 64 * 1024 * 1024
    """How much is appended between two trims of the log. Each trim costs a checkpoint of the store, and
    a start from an older store reads again what was not trimmed."""
    handlers: int = 1000
    """Handlers of one worker."""
    slots: int = 100_000
    """Invocations that one worker owns at the same time."""
    connections: int = 10_000
    """Connections of clients and workers, by gRPC and by HTTP each: every one is an open file."""
    streams: int = 100_000
    """RPCs that are open at the same time, those among them whose client does not take the end. Each
    holds 20 to 40 KB."""
    slow_requests: int = 128
    """Requests that arrive slowly at the same time. Each holds up to two of the largest frames."""
    unread_bytes: int = 256 * 1024 * 1024
    """Messages that clients do not take. Over it, connections that have not read for long are ended."""
    identity_rate: int = 0
    """Calls per second of one identity at one node, if the control plane authenticates; 0 is none."""
    identity_calls: int = 10_000
    """Calls and streams of one identity in flight at one node, if it authenticates; 0 is none."""

    def with_client_limits(self, given: Iterable[str]) -> Limits:
        """Returns these limits with others for clients, each as NAME=N.

        Raises ValueError with what is wrong.
        """
        limits = self
        for text in given:
            name, _, number = text.partition("=")
            if name not in CLIENT_LIMITS:
                known = ", ".join(CLIENT_LIMITS)
                raise ValueError(f"{text!r} is not NAME=N with one of the names {known}")
            if not (number.isascii() and number.isdecimal() and 0 < int(number) < 2**31):
                raise ValueError(f"{text!r}: {number!r} is not a number from 1 to {2**31 - 1}")
            limits = limits._replace(**{name: int(number)})
        return limits

    def fitted(self, frame_bytes: int) -> Limits:
        """Returns these limits, lowered for a log whose frames have at most so many bytes.

        Raises ValueError if no useful batch would fit.
        """
        batch_bytes = min(self.batch_bytes, frame_bytes - ASSIGNMENT_BYTES)
        if batch_bytes < min(self.batch_bytes, _SMALLEST_BATCH):
            raise ValueError(f"{frame_bytes} bytes are too few for a batch")
        payload_bytes = min(self.payload_bytes, batch_bytes - _OVERHEAD_BYTES)
        return self._replace(batch_bytes=batch_bytes, payload_bytes=payload_bytes)

    def journal_too_large(self, size: int) -> str:
        """Returns the error text for a journal whose values have so many bytes."""
        return (
            f"the values in the journal have {size} bytes, more than the limit journal_bytes "
            f"({self.journal_bytes}); keep large values elsewhere, end the run in time with "
            "ctx.continue_as, or split the work into child invocations"
        )
