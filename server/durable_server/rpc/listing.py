"""The reading half of DurableControl: lists, counts, who is there.

Page tokens are opaque, URL-safe and bound to their query: a token used with other filters or another
order is an error and not a wrong page. They say where a page ended and not how many were before it, so
that what comes and goes meanwhile does not move the pages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from durable_proto.v1 import control_pb2, invocation_pb2

from ..core.model import State
from ..processor.loop import Processor
from ..store.interface import Filter, Order, PageCursor, Sort
from . import convert
from .refusal import invalid

_PAGE_SIZE = 50
_TEXT_CHARACTERS = 3
"""The shortest text to look for: the index is of trigrams, and without it all failures are read."""
_DIGITS = 18
"""Of a number in a token: what surely fits into 64 bits."""


class Listing:
    """Answers lists from what is committed."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def query(self, request: control_pb2.QueryRequest) -> control_pb2.QueryResponse:
        """Returns a page of invocations."""
        states: set[State] = set()
        for number in request.states:
            if number not in State._value2member_map_:
                raise invalid("states", f"{number} is not a state", value=number)
            states.add(State(number))
        limit = self._processor.limits.id_bytes
        for field in (
            *("handler", "key", "service", "failure_text"),
            "parent_invocation_id",
        ):
            convert.check_text(field, getattr(request, field), limit, "id_bytes")
        if 0 < len(request.failure_text) < _TEXT_CHARACTERS:
            raise invalid(
                "failure_text",
                f"needs {_TEXT_CHARACTERS} characters or more: a shorter text is in too many",
                value=f"{len(request.failure_text)} characters",
            )
        where = Filter(
            states=tuple(sorted(states)),
            handler=request.handler,
            key=request.key,
            service=request.service,
            created_min_ms=convert.from_timestamp("create_time_min", request.create_time_min),
            created_max_ms=convert.from_timestamp("create_time_max", request.create_time_max),
            failure_text=request.failure_text,
            parent=request.parent_invocation_id,
        )
        order = _order(request)
        binding = f"{where!r}{order!r}"
        listed = self._processor.store.page(
            where,
            order,
            _cursor(_open_token(request.page_token, binding)),
            self._size(request.page_size),
        )
        response = control_pb2.QueryResponse()
        for found in listed.invocations:
            message = convert.invocation(found, whole=False)
            message.journal_length = listed.lengths.get(found.number, 0)
            response.invocations.append(message)
        if listed.end is not None:
            response.next_page_token = _token(f"{listed.end.ms}.{listed.end.number}", binding)
        return response

    def stats(self) -> control_pb2.GetStatsResponse:
        """Returns the counts of invocations by handler and state."""
        response = control_pb2.GetStatsResponse()
        for handler, state, count in self._processor.store.counts():
            response.counts.add(handler=handler, state=convert.state_number(state), count=count)
            response.total_count += count
        response.worker_count = sum(1 for it in self._processor.workers if it.outbound is not None)
        return response

    def handlers(
        self, request: control_pb2.ListHandlersRequest
    ) -> control_pb2.ListHandlersResponse:
        """Returns a page of handlers by name."""
        after = _open_token(request.page_token, "handlers")
        known = [it for it in self._processor.store.handlers() if it[0].name > after]
        size = self._size(request.page_size)
        counts = {
            (handler, state): count for handler, state, count in self._processor.store.counts()
        }
        response = control_pb2.ListHandlersResponse()
        for handler, created_ms in known[:size]:
            info = invocation_pb2.HandlerInfo(
                spec=convert.handler_spec(handler),
                worker_count=self._processor.workers.serving(handler.name),
                pending_count=counts.get((handler.name, State.PENDING), 0),
                running_count=counts.get((handler.name, State.RUNNING), 0),
                create_time=convert.timestamp(created_ms),
            )
            response.handlers.append(info)
        if len(known) > size:
            response.next_page_token = _token(known[size - 1][0].name, "handlers")
        return response

    def workers(self) -> control_pb2.ListWorkersResponse:
        """Returns the connected workers by connect time."""
        response = control_pb2.ListWorkersResponse()
        for it in sorted(self._processor.workers, key=lambda worker: worker.connected_ms):
            if it.outbound is not None:
                response.workers.add(
                    worker_id=it.id,
                    identity=it.identity,
                    build_id=it.build_id,
                    handlers=sorted(it.handlers),
                    slot_count=it.slots,
                    running_count=len(it.owned),
                    connect_time=convert.timestamp(it.connected_ms),
                    draining=it.draining,
                )
        return response

    def _size(self, asked: int) -> int:
        if asked < 0:
            raise invalid("page_size", "must not be negative", value=asked)
        return min(asked or _PAGE_SIZE, self._processor.limits.page_size)


def _order(request: control_pb2.QueryRequest) -> Order:
    """Returns the order that is asked for, in one of the two ways to ask."""
    if not request.order_by:
        return Order(ascending=request.oldest_first)
    if request.oldest_first:
        raise invalid("oldest_first", "goes without order_by: leave ' desc' away for oldest first")
    field, _, direction = " ".join(request.order_by.split()).partition(" ")
    sorts = {sort.value: sort for sort in Sort}
    if field not in sorts or direction not in ("", "desc"):
        names = ", ".join(sorts)
        raise invalid(
            "order_by",
            f"{request.order_by[:80]!r} is not one of {names}, which ' desc' may follow",
            value=request.order_by[:80],
        )
    return Order(sorts[field], not direction)


def _cursor(text: str) -> PageCursor | None:
    """Returns the cursor in a token: two numbers that the store can hold."""
    if not text:
        return None
    ms, _, number = text.partition(".")
    if not all(it.isdecimal() and len(it) <= _DIGITS for it in (ms, number)):
        raise invalid("page_token", "is damaged; start again without one")
    return PageCursor(int(ms), int(number))


def _token(after: str, binding: str) -> str:
    return base64.urlsafe_b64encode(f"{_digest(binding)}{after}".encode()).decode().rstrip("=")


def _open_token(token: str, binding: str) -> str:
    """Returns where a page begins; an empty string without a token."""
    if not token:
        return ""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    digest = _digest(binding)
    if not text.startswith(digest):
        raise invalid("page_token", "does not belong to this query; start again without one")
    return text.removeprefix(digest)


def _digest(binding: str) -> str:
    return hashlib.blake2b(binding.encode(), digest_size=4).hexdigest()
