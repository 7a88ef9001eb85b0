"""The requests about invocations: start, pause, resume, cancel, restart, purge and signal.

Each request proposes one record; the core's rules decide what it leads to, and its reply becomes a
value or an error. A request that its client may repeat carries a request id or an idempotency key, and
the rules answer the repetition like the first one.
"""

from __future__ import annotations

import asyncio
import difflib
import secrets
from collections.abc import Callable, Collection
from typing import NamedTuple

from ..access.current import current
from ..core import ids
from ..core.limits import Limits
from ..core.model import Handler, HandlerKind, Invocation, State
from ..core.records import (
    CancelAsked,
    Invoked,
    PauseAsked,
    Record,
    Removed,
    Restarted,
    Resumed,
    Signalled,
)
from ..core.replies import (
    Attached,
    Created,
    Done,
    Full,
    Mismatch,
    Missing,
    Refused,
    Reply,
    Unfit,
)
from ..core.restart import restart_id
from ..processor.checks import HANDLER_NAME
from ..processor.errors import (
    HandlerNotFoundError,
    IdempotencyMismatchError,
    InvalidFieldError,
    InvalidStateError,
    InvocationNotFoundError,
    LimitReachedError,
    RecordTooLargeError,
)
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.schema_check import check_signal
from .proposals import Proposals
from .reads import Reads

UNFINISHED = "scheduled, pending, running, suspended, backing_off, paused"
_FINISHED = "completed, failed, cancelled"
_SIMILAR_NAMES = 10
"""How many names a request for an unknown handler gets as hints."""
_DRAWS_MAX = 100
"""How many random ids are tried to find one of a certain partition: more would take longer than to ask
another node.
"""


class NewInvocation(NamedTuple):
    """What a client wants to start."""

    handler: str
    input: bytes | None
    key: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""
    partition_key: str = ""
    idempotency_key: str = ""
    request_id: str = ""
    delay_ms: int = 0
    start_ms: int = 0
    """When it starts, unless `delay_ms` says so; 0 for now."""
    priority: int = 0


class Reason(NamedTuple):
    """Who asks for a change, and why."""

    text: str
    identity: str
    request_id: str


class Invocations:
    """Executes the requests of clients about invocations."""

    def __init__(self, router: Router, reads: Reads, proposals: Proposals, limits: Limits) -> None:
        self._router = router
        self._reads = reads
        self._proposals = proposals
        self._limits = limits

    # Start and result

    async def start(self, new: NewInvocation, wait: float) -> tuple[Invocation, bool]:
        """Starts an invocation; returns it with whether it is new.

        With a wait it returns when the invocation is settled, or after so many seconds.
        """
        self._proposals.admit()
        invocation_id = _new_id(new)
        processor = self._router.for_id(invocation_id)
        handler = self._router.handler(processor, new.handler)
        if handler is None:
            handler = await self._router.find_handler(processor, new.handler)
        if handler is None:
            raise _unknown_handler(new.handler, processor)
        _check(new, handler)
        start_ms = processor.now_ms() + new.delay_ms if new.delay_ms else new.start_ms
        record = Invoked(
            invocation_id,
            new.handler,
            new.input,
            new.key,
            new.headers,
            new.service,
            new.partition_key,
            new.idempotency_key,
            start_ms,
            "",
            new.priority,
        )
        reply = await self._proposals.propose_and_wait(processor, record, invocation_id, wait)
        if isinstance(reply, Mismatch):
            key = "idempotency_key" if new.idempotency_key else "request_id"
            raise IdempotencyMismatchError(key, reply.field, reply.invocation.id)
        if isinstance(reply, Attached):
            # An earlier request has created it. This one waits for it like any other.
            found = reply.invocation
            return (await self._settled(found, wait) if wait > 0 else found), False
        if isinstance(reply, Created):
            return reply.invocation, True
        return self._reads.find(invocation_id), True

    def unknown_handler(self, name: str) -> InvalidFieldError | HandlerNotFoundError:
        """Returns the error for a handler that does not exist for the caller.

        Raises NotLeadingError.
        """
        return _unknown_handler(name, self._router.any())

    def new_request_id(
        self, handler: str, key: str, partition_key: str, elsewhere: Callable[[], Collection[int]]
    ) -> str:
        """Returns a random request id for a new invocation.

        Unless a key decides about the partition, it leads to one of those that this process leads, each
        with the same chance. If it leads none, it leads to one of those that others lead, which
        `elsewhere` returns.
        """
        count, led = self._router.count, {it.partition.index for it in self._router.all()}
        led = led or {*elsewhere()}
        routing = key or partition_key
        request_id = secrets.token_hex(16)
        # No handler has a longer name, and the draws would hash it again and again.
        if routing or not led or len(handler) > self._limits.id_bytes:
            return request_id
        for _ in range(_DRAWS_MAX):
            invocation_id = ids.from_name("request", handler, key, request_id, routing)
            if ids.partition(invocation_id, count) in led:
                break
            request_id = secrets.token_hex(16)
        return request_id

    async def result(self, invocation_id: str, wait: float) -> Invocation:
        """Returns an invocation when it is settled, or as it is after so many seconds."""
        self._proposals.admit()
        found = self._reads.find(invocation_id)
        return await self._settled(found, wait) if wait > 0 else found

    async def _settled(self, found: Invocation, wait: float) -> Invocation:
        settled = await self._proposals.settled(found, wait)
        return self._reads.find(found.id) if settled is None else settled

    # Changes

    async def pause(self, invocation_id: str, reason: Reason, wait: float) -> State:
        """Pauses an invocation. With a wait, returns when no step of it runs any more."""
        found = self._reads.find(invocation_id)
        state = await self._change(PauseAsked(found.id, *reason), found.id, "pause", UNFINISHED)
        if wait > 0 and state is State.RUNNING:
            state = await self._paused(found.id, wait)
        return state

    async def _paused(self, invocation_id: str, wait: float) -> State:
        """Waits until a requested pause has happened or cannot happen any more."""
        changed = asyncio.Event()
        watched = self._proposals.watch(invocation_id, changed)
        deadline = asyncio.get_running_loop().time() + wait
        try:
            while True:
                found = self._reads.find(invocation_id)
                if found.state is not State.RUNNING or not found.pause_ms:
                    return found.state
                try:
                    async with asyncio.timeout_at(deadline):
                        await changed.wait()
                except TimeoutError:
                    return self._reads.find(invocation_id).state
                changed.clear()
                watched.check()
        finally:
            watched.end()

    async def resume(self, invocation_id: str, reason: Reason) -> State:
        """Resumes a paused invocation, or begins the next attempt of one that backs off, now."""
        found = self._reads.find(invocation_id)
        return await self._change(
            Resumed(found.id, *reason), found.id, "resume", "paused, backing_off"
        )

    async def cancel(self, invocation_id: str, reason: Reason, *, force: bool) -> State:
        """Asks an invocation to end; with `force` it ends without a chance to compensate."""
        found = self._reads.find(invocation_id)
        record = CancelAsked(found.id, *reason, force)
        return await self._change(record, found.id, "cancel", f"{UNFINISHED}, cancelled")

    async def restart(
        self,
        invocation_id: str,
        request_id: str,
        from_index: int,
        value: bytes | None,
        outcomes: tuple[tuple[int, bytes], ...],
        *,
        while_running: bool,
    ) -> str:
        """Starts an invocation like an old one; returns its id.

        It keeps the journal before `from_index`, with other `outcomes` of entries by index; `value` is
        another input, None for the old one.
        """
        found = self._reads.find(invocation_id)
        limit = self._limits.journal_bytes
        size = found.journal_bytes + sum(len(it) for _, it in outcomes)
        if outcomes and size > limit:
            problem = (
                f"the journal would have {size} bytes, more than the limit journal_bytes ({limit})"
            )
            raise InvalidFieldError("outcomes", problem, value=f"{size} bytes", limit=limit)
        new_id = restart_id(found.id, request_id or secrets.token_hex(16))
        record = Restarted(new_id, found.id, from_index, value, outcomes, while_running)
        try:
            reply = await self._propose(record, found.id)
        except RecordTooLargeError as error:
            limit = self._limits.batch_bytes
            raise InvalidFieldError("outcomes", str(error), limit=limit) from error
        if isinstance(reply, Created | Attached):
            return reply.invocation.id
        if isinstance(reply, Unfit):
            raise InvalidFieldError(reply.field, reply.problem, value=reply.value)
        raise _error(reply, found.id, "restart", f"{_FINISHED}, paused")

    async def purge(self, invocation_id: str) -> None:
        """Removes a finished invocation."""
        found = self._reads.find(invocation_id)
        await self._change(Removed(found.id), found.id, "purge", _FINISHED)

    async def signal(
        self,
        found: Invocation,
        name: str,
        outcome: bytes,
        request_id: str,
        value: tuple[str, bytes] | None,
    ) -> None:
        """Delivers a signal; `value` is the content type and data of its outcome, if it has one."""
        limit = self._limits.signals
        # One that is repeated has been taken, and another entry may wait now.
        repeated = any(known == request_id for known, _ in found.requests)
        if value is not None and not repeated:
            violation = check_signal(self._router.for_id(found.id), found.id, name, *value)
            if violation is not None:
                raise violation.as_error()
        record = Signalled(found.id, name, outcome, request_id, limit)
        reply = await self._propose(record, found.id)
        if isinstance(reply, Full):
            raise LimitReachedError("signals", limit, "that many wait in the invocation")
        if not isinstance(reply, Done):
            raise _error(reply, found.id, "signal", UNFINISHED)

    async def _change(
        self, record: Record, invocation_id: str, operation: str, allowed: str
    ) -> State:
        """Proposes a record; returns the lifecycle state that it led to."""
        reply = await self._propose(record, invocation_id)
        if not isinstance(reply, Done):
            raise _error(reply, invocation_id, operation, allowed)
        return reply.state

    async def _propose(self, record: Record, invocation_id: str) -> Reply:
        return await self._proposals.propose(self._router.for_id(invocation_id), record)


def _new_id(new: NewInvocation) -> str:
    """Returns the id of a new invocation: made of the request's name if it has one, else random."""
    routing = new.key or new.partition_key
    if new.idempotency_key:
        return ids.from_name("key", new.handler, new.key, new.idempotency_key, routing)
    if new.request_id:
        return ids.from_name("request", new.handler, new.key, new.request_id, routing)
    return ids.from_chance(secrets.token_hex(16), routing)


def _check(new: NewInvocation, handler: Handler) -> None:
    """Checks whether a handler needs a key."""
    name = new.handler
    if new.key:
        if handler.kind == HandlerKind.WORKFLOW:
            raise InvalidFieldError("key", f"{name} is not a keyed handler; leave the key out")
        if new.partition_key:
            raise InvalidFieldError(
                "partition_key", "the key chooses the partition; leave one of them out"
            )
    elif handler.kind != HandlerKind.WORKFLOW:
        raise InvalidFieldError("key", f"{name} is a keyed handler; say which key it is for")


def _unknown_handler(name: str, processor: Processor) -> InvalidFieldError | HandlerNotFoundError:
    """Returns the error for a handler that does not exist; it hints at what the caller knows."""
    if not name:
        return InvalidFieldError("handler", "is empty; name the handler to invoke")
    if not HANDLER_NAME.fullmatch(name):
        problem = f"must match {HANDLER_NAME.pattern}"
        return InvalidFieldError("handler", problem, value=f"{len(name)} characters")
    known = filter(current().knows, processor.partition.handlers)
    return HandlerNotFoundError(name, difflib.get_close_matches(name, known, _SIMILAR_NAMES))


def _error(
    reply: Reply, invocation_id: str, operation: str, allowed: str
) -> InvalidStateError | InvocationNotFoundError:
    """Returns the error for a reply that is not what the request wanted."""
    if isinstance(reply, Refused):
        it = reply.invocation
        return InvalidStateError(it.id, it.state, operation, allowed)
    assert isinstance(reply, Missing)
    return InvocationNotFoundError(invocation_id)
