"""The session writer: translates what is sent to one worker into frames of messages.

The processor and the session rules add messages by plain calls, which take effect at once. One task
writes the frames, so a frame holds everything that has accumulated while the one before was being
written. worker.proto is the specification; `session_reader` has the other direction.

A worker that reads nothing, or too slowly, costs `unread_bytes` at most; then its session ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from durable_proto.v1 import worker_pb2

from ..core.effects import Acknowledge, Complete
from ..core.limits import Limits
from ..core.model import EntryRow, Invocation
from ..sessions.times import SessionTimes
from . import convert
from .protocol import PROTOCOL_VERSION
from .start import fill_start

_FRAME_SOFT_BYTES = 1024 * 1024
"""A frame is closed when it holds more than this, so one message may exceed it."""


class Sink(Protocol):
    """Where frames are written to."""

    async def write(self, message: worker_pb2.SessionResponse, /) -> None:
        """Writes a frame; returns when the next one may be written."""
        ...


class SessionWriter:
    """The writer of one session: `sessions.Stream`, and with it the processor's Outbound."""

    def __init__(self, limits: Limits, times: SessionTimes) -> None:
        self.on_replaced: Callable[[], None] = _nothing
        """Called when a newer session of the same worker has replaced this one."""
        self.on_full: Callable[[], None] = _nothing
        """Called once when more than `unread_bytes` wait for the worker; nothing is added any more."""
        self.taken = 0
        """How many frames the worker has taken."""
        self.waiting = 0
        """How many bytes wait, those of the frame that is being written among them."""
        self._full = False
        self._sent = True
        """Whether a frame was sent since the last heartbeat."""
        self._limits = limits
        self._times = times
        self._frame = worker_pb2.SessionResponse()
        self._frame_bytes = 0
        self._closed: deque[tuple[worker_pb2.SessionResponse, int]] = deque()
        self._pending = asyncio.Event()

    # Outbound

    def start(
        self,
        invocation: Invocation,
        journal: list[EntryRow],
        state: Mapping[str, bytes],
        state_complete: bool,
    ) -> None:
        """Sends an attempt to the worker."""
        start = self._message(invocation.id, invocation.attempt).start
        size = fill_start(start, invocation, journal, state, state_complete)
        self._added(size)

    def acknowledge(self, effect: Acknowledge) -> None:
        """Confirms that an entry is in the log."""
        ack = self._message(effect.invocation_id, effect.attempt).ack
        ack.index = effect.entry_index
        ack.completion_number = effect.completion
        ack.time.seconds, ms = divmod(effect.time_ms, 1000)
        ack.time.nanos = ms * 1_000_000
        self._added(64)

    def complete(self, effect: Complete) -> None:
        """Sends the outcome of an open entry."""
        completion = self._message(effect.invocation_id, effect.attempt).completion
        completion.index = effect.entry_index
        completion.outcome.SetInParent()  # an absent state value is an empty outcome
        completion.outcome.MergeFromString(effect.outcome)
        completion.completion_number = effect.completion
        completion.time.seconds, ms = divmod(effect.time_ms, 1000)
        completion.time.nanos = ms * 1_000_000
        self._added(len(effect.outcome) + 64)

    def request_pause(self, invocation_id: str, attempt: int) -> None:
        """Asks the worker to pause the attempt."""
        self._message(invocation_id, attempt).pause_requested.SetInParent()
        self._added(64)

    def request_cancel(self, invocation: Invocation) -> None:
        """Asks the worker to cancel the invocation."""
        message = self._message(invocation.id, invocation.attempt)
        convert.cancel_requested(invocation, message.cancel_requested)
        self._added(64 + len(invocation.cancel_reason))

    def suspended(self, invocation_id: str, attempt: int) -> None:
        """Confirms that the attempt is suspended."""
        self._message(invocation_id, attempt).suspended.SetInParent()
        self._added(64)

    def abandon(self, invocation_id: str, attempt: int, reason: str) -> None:
        """Takes the attempt away from the worker."""
        self._message(invocation_id, attempt).abandon.reason = reason
        self._added(64 + len(reason))

    def drain(self, delay_seconds: float = 0.0, *, elsewhere: bool = False) -> None:
        """Asks the worker to reconnect after a delay; `elsewhere` to another node, if it knows one."""
        drain = self._message("", 0).drain
        drain.elsewhere = elsewhere
        drain.delay.SetInParent()
        drain.delay.FromMilliseconds(round(delay_seconds * 1000))
        self._added(16)

    def replaced(self) -> None:
        """Notes that a newer session of the same worker has replaced this one."""
        self.on_replaced()

    def relay(self, frame: bytes) -> None:
        """Adds the messages of a frame that another node has made for the worker."""
        self._frame.MergeFromString(frame)
        self._added(len(frame))

    def heartbeat(self) -> None:
        """Sends a heartbeat, unless another message was sent since the last one."""
        if not self._sent:
            self._message("", 0).heartbeat.SetInParent()
            self._added(16)
        self._sent = False

    def welcome(self, epoch: int) -> None:
        """Accepts the worker."""
        limits, times = self._limits, self._times
        welcome = self._message("", 0).welcome
        welcome.protocol_version = PROTOCOL_VERSION
        welcome.epoch = epoch
        welcome.heartbeat_interval.FromTimedelta(timedelta(seconds=times.heartbeat))
        welcome.session_timeout.FromTimedelta(timedelta(seconds=times.timeout))
        welcome.reconnect_grace.FromTimedelta(timedelta(seconds=times.grace))
        for name in ("payload_bytes", "frame_bytes", "journal_entries", "journal_bytes"):
            welcome.limits[name] = getattr(limits, name)
        self._added(128)

    def _message(self, invocation_id: str, attempt: int) -> worker_pb2.ServerMessage:
        return self._frame.messages.add(invocation_id=invocation_id, attempt=attempt)

    def _added(self, size: int) -> None:
        self._frame_bytes += size
        self.waiting += size
        if self.waiting > self._limits.unread_bytes or self._full:
            self._overflow()
            return
        if self._frame_bytes > _FRAME_SOFT_BYTES:
            self._closed.append((self._frame, self._frame_bytes))
            self._frame = worker_pb2.SessionResponse()
            self._frame_bytes = 0
        self._pending.set()

    def _overflow(self) -> None:
        """Forgets what waits: the session ends, and what counts is sent again to the next one."""
        self._closed.clear()
        self._frame = worker_pb2.SessionResponse()
        self._frame_bytes = 0
        if not self._full:
            self._full = True
            self.on_full()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be written."""
        return not (self._frame_bytes or self._closed)

    async def write(self, sink: Sink) -> None:
        """Writes frames as messages are added, until it is cancelled."""
        while True:
            await self._pending.wait()
            self._pending.clear()
            while self._closed or self._frame_bytes:
                if self._closed:
                    frame, size = self._closed.popleft()
                else:
                    frame, size = self._frame, self._frame_bytes
                    self._frame, self._frame_bytes = worker_pb2.SessionResponse(), 0
                self._sent = True
                await sink.write(frame)
                self.waiting -= size
                self.taken += 1


def _nothing() -> None:
    pass
