"""The lists and counts of DurableControl, translated: invocations, handlers, workers.

Page tokens are opaque, URL-safe and bound to their query: a token used with other filters or another
order is an error, not a wrong page. A token names the place of the last item of its page in the whole
list and not a count, so items that are added or removed between two requests do not shift the pages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from durable_proto.v1 import control_pb2, invocation_pb2

from ..access.access import EVERYTHING
from ..access.current import current
from ..core.limits import Limits
from ..core.model import State
from ..requests.page_merge import Place
from ..requests.reads import Reads
from ..store.interface import Filter, Order, Sort
from . import convert
from .page_tokens import numbers_of, open_token, page_token
from .refusal import invalid

_TEXT_CHARACTERS = 3
"""The shortest text to look for: the index has trigrams, so a shorter one would read all failures."""
_HANDLERS = "handlers"
"""What the page tokens of handlers are bound to."""


class ListQuery(NamedTuple):
    """A query whose fields are checked."""

    where: Filter
    order: Order
    after: Place | None
    size: int
    partitions: Collection[int]
    """The partitions that may have what it looks for."""
    binding: str
    """What its page tokens are bound to."""


class FoundPage(NamedTuple):
    """A page of what some partitions have."""

    invocations: list[invocation_pb2.Invocation]
    places: list[Place]
    """The place of each invocation."""
    end: Place | None
    """Where the next page begins; None when there is none."""


class Listing:
    """Translates Query, GetStats, ListHandlers and ListWorkers, for some or all partitions."""

    def __init__(self, reads: Reads, limits: Limits) -> None:
        self._reads = reads
        self._limits = limits

    # Invocations

    def query(self, request: control_pb2.QueryRequest) -> control_pb2.QueryResponse:
        """Returns a page of invocations."""
        query = self.parse_query(request)
        found = self.found(query, query.partitions)
        return self.page(query, found.invocations, found.end)

    def parse_query(self, request: control_pb2.QueryRequest) -> ListQuery:
        """Returns a query with its page token read; refuses a malformed one."""
        states: set[State] = set()
        for number in request.states:
            if number not in State._value2member_map_:
                raise invalid("states", f"{number} is not a state", value=number)
            states.add(State(number))
        limit = self._limits.id_bytes
        for field in (
            *("handler", "key", "service", "failure_text"),
            *("parent_invocation_id", "pinned_build_id"),
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
            pinned_build=request.pinned_build_id,
        )
        order = _order(request)
        # A place is one among this number of partitions.
        binding = f"{where!r}{order!r}{self._reads.partition_count}"
        if (access := current()) != EVERYTHING:
            # What one caller sees is no place in the list of another one.
            binding += f"{access.namespace!r}{[*map(str, access.grants)]}"
        return ListQuery(
            where,
            order,
            _place(open_token(request.page_token, binding)),
            self._reads.page_size(request.page_size),
            self._reads.partitions_of(where),
            binding,
        )

    def found(self, query: ListQuery, partitions: Collection[int]) -> FoundPage:
        """Returns a page of what some partitions have."""
        listed = self._reads.page(query.where, query.order, query.after, query.size, partitions)
        messages: list[invocation_pb2.Invocation] = []
        for found in listed.invocations:
            message = convert.invocation(found, whole=False)
            message.waiting_for_build = self._reads.waiting_for_build(found)
            message.journal_length = listed.lengths.get(found.id, 0)
            messages.append(message)
        places = [self._reads.place(found, query.order) for found in listed.invocations]
        return FoundPage(messages, places, listed.end)

    def page(
        self,
        query: ListQuery,
        invocations: Iterable[invocation_pb2.Invocation],
        end: Place | None,
    ) -> control_pb2.QueryResponse:
        """Returns the answer to a query; `end` is where the next page begins."""
        response = control_pb2.QueryResponse(invocations=invocations)
        if end is not None:
            response.next_page_token = page_token(".".join(map(str, end)), query.binding)
        return response

    # Counts

    def stats(self, partitions: Collection[int] | None = None) -> control_pb2.GetStatsResponse:
        """Returns the counts of invocations by handler and state."""
        response = control_pb2.GetStatsResponse()
        for handler, state, count in self._reads.counts(partitions):
            response.counts.add(handler=handler, state=convert.state_number(state), count=count)
            response.total_count += count
        response.worker_count = len(self._reads.workers())
        return response

    # Handlers

    def handlers(
        self, request: control_pb2.ListHandlersRequest
    ) -> control_pb2.ListHandlersResponse:
        """Returns a page of handlers by name."""
        after, size = self.parse_handlers(request)
        return self.handlers_page(*self.found_handlers(after, size))

    def parse_handlers(self, request: control_pb2.ListHandlersRequest) -> tuple[str, int]:
        """Returns the name after which a page begins, and its size."""
        after = open_token(request.page_token, _HANDLERS)
        return after, self._reads.page_size(request.page_size)

    def found_handlers(
        self, after: str, size: int, partitions: Collection[int] | None = None
    ) -> tuple[list[invocation_pb2.HandlerInfo], bool]:
        """Returns handlers by name, and whether there are more; the counts are of some partitions."""
        page, more = self._reads.handlers(after, size, partitions)
        found = [
            invocation_pb2.HandlerInfo(
                spec=convert.handler_spec(it.handler),
                worker_count=it.worker_count,
                pending_count=it.pending_count,
                running_count=it.running_count,
                create_time=convert.timestamp(it.created_ms),
            )
            for it in page
        ]
        return found, more

    def handlers_page(
        self, handlers: Sequence[invocation_pb2.HandlerInfo], more: bool
    ) -> control_pb2.ListHandlersResponse:
        """Returns the answer to a request for handlers."""
        response = control_pb2.ListHandlersResponse(handlers=handlers)
        if more:
            response.next_page_token = page_token(handlers[-1].spec.name, _HANDLERS)
        return response

    # Workers

    def workers(self) -> control_pb2.ListWorkersResponse:
        """Returns the connected workers by connect time."""
        response = control_pb2.ListWorkersResponse()
        for it, handlers in self._reads.workers():
            response.workers.add(
                worker_id=it.id,
                identity=it.identity,
                build_id=it.build_id,
                handlers=sorted(handlers),
                slot_count=it.slots,
                running_count=len(it.owned),
                connect_time=convert.timestamp(it.connected_ms),
                draining=it.draining,
            )
        return response


def _order(request: control_pb2.QueryRequest) -> Order:
    """Returns the order of a query, from either of the two fields that can name it."""
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


def _place(text: str) -> Place | None:
    """Returns the place in a token: three numbers that the store can hold."""
    return Place._make(numbers_of(text, len(Place._fields))) if text else None
