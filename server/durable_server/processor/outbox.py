"""The outbox of a partition: sends its messages to the other partitions until their logs have them.

    commit ──► add ──► queue for each destination ──► link ──► Received in the other log
      │                     ▲     ▲                                  │
      └──► store ── read ───┘     └── dropped up to the number ◄─────┘ Seen(number)

A queue keeps the next few messages in memory. A partition that cannot be reached for long has more
messages to come than that: those stay in the store, and are read from there as the ones before them
arrive. Usually a message is sent at once and the store is not read.

One delivery to a destination is in flight at a time; what is added meanwhile goes together with the
next one. A delivery whose outcome is unknown is repeated, because the other partition passes over what
it has seen.

That messages have arrived is recorded too (`OutboxAcknowledged`), so that the store can drop them and
the next leader does not send them again. This is not urgent: the record goes with the next batch, or
after a second in a batch of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from ..core.limits import Limits
from ..core.messages import (
    REFUSED_BYTES,
    Message,
    OutboxMessage,
    ResolveAwakeable,
    SendSignal,
)
from ..core.records import OutboxAcknowledged, Received, Record
from ..core.replies import Reply
from ..log.message_codec import encode_message
from .errors import MessagesLostError, ProcessorEndedError

logger = logging.getLogger("durable.processor")

_ACKNOWLEDGE_SECONDS = 1.0
"""How long an acknowledgement waits for a batch that is appended anyway."""
_FIRST_PAUSE = 0.02
"""Seconds before the first repetition of a delivery; doubles from there."""
_LONGEST_PAUSE = 1.0
_RECEIVED_BYTES = 64
"""What a `Received` has beside its messages."""
_HELD_BYTES = 4 * 1024 * 1024
"""About how much of the messages one outbox keeps in memory; its destinations share it equally."""
_OBJECT_BYTES = 512
"""What a message takes in memory beside its encoded size, about."""


class Link(Protocol):
    """The way to the leaders of other partitions."""

    def __call__(self, destination: int, received: Received) -> Awaitable[int]:
        """Delivers messages; returns the number up to which that partition has seen them.

        Raises ProcessorEndedError when there is no leader now; then the messages may have arrived. Any
        other error ends the partition that sends.
        """
        ...


class ReadMessages(Protocol):
    """Reads messages back; see `Store.outbox`."""

    def __call__(self, destination: int, first: int, size: int) -> list[OutboxMessage]:
        """See `Store.outbox`."""
        ...


class _Queue:
    """The messages to one destination that it has not confirmed: `first` to `last`."""

    __slots__ = ("destination", "first", "held", "held_bytes", "last", "sending")

    def __init__(self, destination: int, first: int) -> None:
        self.destination = destination
        self.first = first
        self.last = first - 1
        self.held: deque[tuple[Message, int]] = deque()
        """Those from `first` on that are in memory, each with its largest size in the other log."""
        self.held_bytes = 0
        self.sending: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many messages it has, in memory or not."""
        return self.last - self.first + 1

    def hold(self, message: Message) -> None:
        """Keeps the message in memory that follows those that are there."""
        size = len(encode_message(message))
        if isinstance(message, ResolveAwakeable | SendSignal):
            size += REFUSED_BYTES  # which `check_received` may add
        self.held.append((message, size))
        self.held_bytes += size + _OBJECT_BYTES

    def drop(self, last: int) -> None:
        """Drops the messages up to a number."""
        for _ in range(min(last - self.first + 1, len(self.held))):
            self.held_bytes -= self.held.popleft()[1] + _OBJECT_BYTES
        self.first = last + 1


class Outbox:
    """The outbox of one partition."""

    def __init__(
        self,
        source: int,
        limits: Limits,
        read: ReadMessages,
        wake: Callable[[], None],
        failed: Callable[[Exception], None],
        propose: Callable[[Record], asyncio.Future[Reply]],
    ) -> None:
        """`read` gets messages that are committed, `wake` makes the loop write what is overdue,
        `propose` adds a record to the next batch, and `failed` gets an error that no retry mends.
        """
        self.overdue = False
        """Whether acknowledgements have waited long enough for a batch."""
        self._source = source
        self._limits = limits
        self._read = read
        self._wake = wake
        self._failed = failed
        self._propose = propose
        self._link: Link | None = None
        self._queues: dict[int, _Queue] = {}
        self._acknowledged: dict[int, int] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many messages are not confirmed by their partition yet."""
        return sum(queue.waiting for queue in self._queues.values())

    def connect(self, link: Link) -> None:
        """Begins to send."""
        self._link = link
        for queue in self._queues.values():
            self._send(queue)

    def recover(self, unconfirmed: Mapping[int, range]) -> None:
        """Takes the numbers of the messages that the store has, by destination; see `Recovered`."""
        for destination, numbers in unconfirmed.items():
            queue = self._queues[destination] = _Queue(destination, numbers.start)
            queue.last = numbers.stop - 1

    def add(self, messages: Iterable[OutboxMessage]) -> None:
        """Adds messages that are committed, and sends them."""
        for destination, sequence, message in messages:
            queue = self._queues.get(destination)
            if queue is None:
                queue = self._queues[destination] = _Queue(destination, sequence)
            if len(queue.held) == queue.waiting and queue.held_bytes < self._share:
                queue.hold(message)
            queue.last = sequence
        for queue in self._queues.values():
            self._send(queue)

    def take_acknowledgements(self) -> list[OutboxAcknowledged]:
        """Returns the acknowledgements that wait for a batch, for the batch that is being closed."""
        if not self._acknowledged:
            return []
        taken = [OutboxAcknowledged(*it) for it in self._acknowledged.items()]
        self._acknowledged.clear()
        self.overdue = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        return taken

    def close(self) -> None:
        """Ends all sending."""
        self._closed = True
        for queue in self._queues.values():
            if queue.sending is not None:
                queue.sending.cancel()
        if self._alarm is not None:
            self._alarm.cancel()

    @property
    def _share(self) -> int:
        """How much of the messages to one destination is in memory, but for the last one of them."""
        return _HELD_BYTES // len(self._queues)

    def _send(self, queue: _Queue) -> None:
        if self._link is None or self._closed or not queue.waiting:
            return
        if queue.sending is None or queue.sending.done():
            name = f"durable-outbox-{self._source}-{queue.destination}"
            queue.sending = asyncio.create_task(self._send_all(queue, self._link), name=name)

    async def _send_all(self, queue: _Queue, link: Link) -> None:
        pause = _FIRST_PAUSE
        while queue.waiting:
            try:
                seen = await link(queue.destination, self._next(queue))
            except ProcessorEndedError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except Exception as error:  # noqa: BLE001  # the loop decides what it means
                # A message that is not taken would hold up all that follow it.
                self._failed(error)
                return
            pause = _FIRST_PAUSE
            problem = self._find_loss(queue, seen)
            if problem is not None:
                if await self._leads(queue):
                    self._failed(problem)
                return
            self._confirm(queue, seen)

    async def _leads(self, queue: _Queue) -> bool:
        """Returns whether this is still the leader, by an append.

        A leader that another one has replaced does not know what that one has sent.
        """
        record = OutboxAcknowledged(queue.destination, queue.first - 1)
        try:
            await self._propose(record)
        except ProcessorEndedError:
            return False
        return True

    def _find_loss(self, queue: _Queue, seen: int) -> MessagesLostError | None:
        """Returns an error if one of the two logs lacks messages that the other one knows of."""
        source, destination = self._source, queue.destination
        first, last = queue.first, queue.last
        if seen < first - 1:
            return MessagesLostError(
                destination,
                f"it had received the messages of partition {source} up to {first - 1}, and has them"
                f" up to {seen}",
            )
        if seen > last:
            return MessagesLostError(
                source,
                f"it has sent {last} messages to partition {destination}, which has received {seen}",
            )
        return None

    def _next(self, queue: _Queue) -> Received:
        """Returns the next messages, as many as fit into a batch, and at least one."""
        if not queue.held:
            for it in self._read(queue.destination, queue.first, self._share):
                queue.hold(it.message)
        limits = self._limits
        messages: list[Message] = []
        size = _RECEIVED_BYTES
        for message, message_bytes in queue.held:
            size += message_bytes
            if messages and (size > limits.batch_bytes or len(messages) == limits.batch_records):
                break
            messages.append(message)
        return Received(self._source, queue.first, tuple(messages))

    def _confirm(self, queue: _Queue, seen: int) -> None:
        if seen >= queue.first:
            queue.drop(seen)
            self._acknowledged[queue.destination] = seen
            if self._alarm is None:
                loop = asyncio.get_running_loop()
                self._alarm = loop.call_later(_ACKNOWLEDGE_SECONDS, self._acknowledge)

    def _acknowledge(self) -> None:
        self._alarm = None
        self.overdue = True
        self._wake()
