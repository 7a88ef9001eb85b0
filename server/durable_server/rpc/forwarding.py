"""Forwarding: sends the request of a client to the node that leads its partition.

A client may send any request to any node. The node tries it itself. If it does not lead the partition,
it sends the request to the node that does, and passes the answer or the error on as it is.

The leader may change at any moment. A request that meets no leader, one that cannot be reached, or one
that does not lead any more is tried again as soon as the topology changes, and a few times in between.
After the length of a takeover without any new leader it ends with UNAVAILABLE.

Rules:
- A request may be tried more than once although an earlier try had its effect, because a link may break
  before the answer. So each request that can have a request id gets one before its first try. A Purge
  has none; if the invocation is not found after a try with an unknown outcome, it is purged.
- `wait_timeout` counts from the arrival at the first node, over all tries.
- At most `admission` requests wait for a leader at a time, because nothing else bounds them.
- A try at a node that does not lead the partition any more is given up after a moment, in which an
  answer that is under way may arrive. Otherwise a process that is stopped but not dead could hold the
  request for as long as its link lives.
- A watch goes on at the next leader. It says which journal entries the client has, so that these are
  not sent again. The state of the invocation is sent again.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final, Protocol, TypeVar

from google.protobuf import message_factory
from google.protobuf.message import Message

from durable_proto.node_v1 import parts_pb2
from durable_proto.v1 import control_pb2

from ..core.limits import Limits
from ..peers.interface import PeerRefusedError, Peers, PeerUnavailableError
from ..processor.errors import (
    InvocationNotFoundError,
    LimitReachedError,
    NotLeadingError,
    ProcessorEndedError,
)
from . import convert
from .refusal import Method, Refusal, unavailable
from .topology import Changes, Node, Topology

TAKEOVER_SECONDS: Final = 15.0
"""How long a request waits for a leader: a lease and a takeover, with a margin."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_LATE_SECONDS: Final = 1.0
"""How long a try goes on at a node that does not lead the partition any more."""

T = TypeVar("T")
Here = Callable[[Any], Awaitable[Message]]
"""A unary RPC as this node executes it. Raises Refusal and RequestError."""
WatchHere = Callable[
    [control_pb2.WatchInvocationRequest, dict[int, int]],
    AsyncGenerator[control_pb2.WatchInvocationResponse, None],
]
"""A watch as this node executes it; takes the journal entries that the client has."""
NewRequestId = Callable[[str, str, str, Callable[[], Collection[int]]], str]
"""Returns a new request id for an Invoke by its handler, key and partition key. With it this node can
execute the Invoke, if that is possible. The last argument returns the partitions that others lead.
"""


METHODS: Final[dict[str, Method[Any]]] = {}
"""The RPCs that are forwarded, as this node executes them, by name; `forwarded` adds them."""


class Forwards(Protocol):
    """A servicer whose requests are forwarded, if it belongs to a cluster."""

    forwarding: Forwarding | None


def forwarded(method: Method[T]) -> Method[T]:
    """Makes a unary RPC method forward what belongs to another node."""
    name = method.__name__
    METHODS[name] = method
    service = control_pb2.DESCRIPTOR.services_by_name["DurableControl"]
    answer_type: Any = message_factory.GetMessageClass(service.methods_by_name[name].output_type)

    @functools.wraps(method)
    def forward(self: Forwards, request: Any, context: Any) -> Awaitable[T]:
        if self.forwarding is None:
            return method(self, request, context)

        def here(request: Any) -> Awaitable[Any]:
            return method(self, request, context)

        return self.forwarding.answer(name, request, here, answer_type)

    return forward


class Forwarding:
    """Executes the requests of clients here or at other nodes."""

    def __init__(
        self,
        topology: Topology,
        peers: Peers,
        changes: Changes,
        new_request_id: NewRequestId,
        limits: Limits,
        *,
        takeover_seconds: float,
    ) -> None:
        self._topology = topology
        self._peers = peers
        self._changes = changes
        self._new_request_id = new_request_id
        self._wait_limit = limits.wait_seconds
        self._admission = limits.admission
        self._takeover_seconds = takeover_seconds
        self.tries = dict.fromkeys(("answered", "refused", "moved", "unreachable"), 0)
        """How many requests were sent to another node, by what came of it: an answer, an error for the
        client, that the node leads the partition no more, or nothing.
        """
        self.given_up = 0
        """How many requests have ended because no leader was found."""
        self.waiting = 0
        """How many requests wait for their next try."""
        self._closed = False
        self._tries: dict[asyncio.Timeout, tuple[int, str]] = {}
        """The partition and the node of each try that is under way at another node."""
        self._end = topology.listen(self._moved)

    def close(self) -> None:
        """Ends all waits for a leader, because this node stops."""
        self._closed = True
        self._end()
        self._changes.close()

    async def answer(self, name: str, request: Any, here: Here, answer_type: type[Any]) -> Any:
        """Returns the answer to a unary RPC. Raises Refusal and RequestError."""
        named = self._add_request_id(name, request)
        wait = _Wait(request, self._wait_limit) if name in _WITH_WAIT else None
        patience = _Patience(self._takeover_seconds)
        uncertain = False
        """Whether an earlier try may have had its effect."""
        while True:
            try:
                answer = await self._try(name, request, here, answer_type)
                break
            except _FailedTryError as failed:
                uncertain = uncertain or failed.uncertain
                await self._pause(patience, failed)
            except (Refusal, InvocationNotFoundError) as error:
                if uncertain and name == "Purge" and _not_found(error):
                    return answer_type()
                raise
            if wait is not None:
                wait.shorten()
        if named and name == "Invoke":
            # Nobody else knows its request id, so one of the tries has created it.
            answer.created = True
        return answer

    async def _try(self, name: str, request: Any, here: Here, answer_type: type[Any]) -> Any:
        """Executes a request once. Raises _FailedTryError, Refusal and RequestError."""
        try:
            return await here(request)
        except NotLeadingError as error:
            partition = error.partition
        except ProcessorEndedError as error:
            raise self._ended_here(error) from None
        node = self._leader_elsewhere(partition)
        with self._failures(node, partition):
            call = self._peers.call(node.name, name, request.SerializeToString(), None)
            answer = answer_type.FromString(await self._while_leading(call, node, partition))
        self.tries["answered"] += 1
        return answer

    async def watch(
        self, request: control_pb2.WatchInvocationRequest, here: WatchHere
    ) -> AsyncGenerator[control_pb2.WatchInvocationResponse, None]:
        """Yields the messages of a watch. Raises Refusal and RequestError."""
        known: dict[int, int] = {}
        patience = _Patience(self._takeover_seconds)
        while True:
            try:
                async with aclosing(self._watch_once(request, here, known)) as messages:
                    async for message in messages:
                        patience.renew()
                        for entry in message.invocation.journal:
                            known[entry.index] = entry.completion_number
                        yield message
                return
            except _FailedTryError as failed:
                await self._pause(patience, failed)

    async def _watch_once(
        self,
        request: control_pb2.WatchInvocationRequest,
        here: WatchHere,
        known: dict[int, int],
    ) -> AsyncGenerator[control_pb2.WatchInvocationResponse, None]:
        """Yields the messages of a watch at one leader. Raises as `_try` does."""
        try:
            async with aclosing(here(request, known)) as messages:
                async for message in messages:
                    yield message
            return
        except NotLeadingError as error:
            partition = error.partition
        except ProcessorEndedError as error:
            raise self._ended_here(error) from None
        node = self._leader_elsewhere(partition)
        body = parts_pb2.WatchPart(request=request.SerializeToString(), known=known)
        stream = self._peers.open(node.name, "WatchInvocation", body.SerializeToString())
        try:
            while True:
                with self._failures(node, partition):
                    data = await self._while_leading(stream.receive(), node, partition)
                if data is None:
                    self.tries["answered"] += 1
                    return
                yield control_pb2.WatchInvocationResponse.FromString(data)
                # The client has taken it. One that does not read costs this one message.
                stream.send(b"")
        finally:
            stream.cancel()

    # One try

    def _ended_here(self, error: ProcessorEndedError) -> Exception:
        """Returns what to raise when this node has led the partition until now."""
        if self._closed:
            return error
        return _FailedTryError(str(error), leader=(self._topology.name, -1), uncertain=True)

    def _leader_elsewhere(self, partition: int) -> Node:
        """Returns the other node that leads a partition. Raises _FailedTryError."""
        own_name = self._topology.name
        if partition < 0:
            live = self._topology.live.values()
            leading = [it for it in live if it.leads and it.name != own_name]
            if not leading:
                raise _FailedTryError("no node leads a partition now")
            return secrets.choice(leading)
        node = self._topology.leader(partition)
        if node is None:
            raise _FailedTryError(f"no node leads partition {partition} now")
        if node.name == own_name:
            # Either it has the partition in a moment, or its lease is over.
            problem = f"node {own_name} leads partition {partition} and cannot answer now"
            raise _FailedTryError(problem, leader=_claim(node, partition))
        return node

    @contextmanager
    def _failures(self, node: Node, partition: int) -> Iterator[None]:
        """Translates the errors of a peer."""
        claim = _claim(node, partition)
        try:
            yield
        except PeerUnavailableError:
            self.tries["unreachable"] += 1
            what = f"partition {partition}" if partition >= 0 else "partitions"
            raise _FailedTryError(
                f"node {node.name} at {node.address} leads {what} and cannot be reached from node"
                f" {self._topology.name}",
                leader=claim,
                uncertain=True,
            ) from None
        except PeerRefusedError as error:
            refused = Refusal.of_status(error.status)
            phase = refused.metadata.get("phase")
            if refused.reason != "UNAVAILABLE" or phase not in ("not_leading", "ended"):
                self.tries["refused"] += 1
                raise refused from None
            self.tries["moved"] += 1
            raise _FailedTryError(
                f"node {node.name} at {node.address} does not lead partition {partition} any more",
                leader=claim,
                uncertain=phase == "ended",
            ) from None

    async def _while_leading(self, awaitable: Awaitable[T], node: Node, partition: int) -> T:
        """Awaits something of a node; PeerUnavailableError when it leads the partition no more."""
        try:
            async with asyncio.timeout(None) as scope:
                self._tries[scope] = partition, node.name
                try:
                    return await awaitable
                finally:
                    del self._tries[scope]
        except TimeoutError:
            raise PeerUnavailableError from None

    def _moved(self) -> None:
        """Gives the tries at nodes that do not lead their partitions any more a moment to end."""
        late = asyncio.get_running_loop().time() + _LATE_SECONDS
        for scope, (partition, name) in self._tries.items():
            if scope.expired():
                continue  # it is about to end
            if self._leads(name, partition):
                scope.reschedule(None)
            elif scope.when() is None:
                scope.reschedule(late)

    def _leads(self, name: str, partition: int) -> bool:
        if partition < 0:
            return name in self._topology.live
        leader = self._topology.leader(partition)
        return leader is not None and leader.name == name

    # Between two tries

    async def _pause(self, patience: _Patience, failed: _FailedTryError) -> None:
        """Waits until another try makes sense; raises Refusal when there were enough."""
        if self._closed:
            raise unavailable("ended", f"node {self._topology.name} stops, and {failed}")
        pause = patience.pause(failed.leader)
        if pause is None:
            self.given_up += 1
            raise unavailable("no_leader", str(failed))
        if self.waiting >= self._admission:
            raise LimitReachedError(
                "admission", self._admission, "that many requests wait for a leader already"
            )
        self.waiting += 1
        try:
            await self._changes.wait(pause)
        finally:
            self.waiting -= 1
        patience.resume()

    def _add_request_id(self, name: str, request: Any) -> bool:
        """Gives a request a request id, if it can have one and nothing else names it."""
        if name not in _WITH_REQUEST_ID or request.request_id:
            return False
        if name != "Invoke":
            request.request_id = secrets.token_hex(16)
            return True
        if request.idempotency_key:
            return False
        request.request_id = self._new_request_id(
            request.handler, request.key, request.partition_key, self._led
        )
        return True

    def _led(self) -> Collection[int]:
        """Returns the partitions that have a leader."""
        return {partition for it in self._topology.live.values() for partition in it.leads}


class _FailedTryError(Exception):
    """A request found no leader that answers; the text says why, as a part of a sentence."""

    def __init__(
        self, problem: str, *, leader: tuple[str, int] | None = None, uncertain: bool = False
    ) -> None:
        super().__init__(problem)
        self.leader = leader
        """The name and the epoch of the leader that was tried; None when there was none."""
        self.uncertain = uncertain
        """Whether it may have had its effect."""


class _Patience:
    """How long one request waits for a leader: the time of a takeover, for each one that it meets.

    Once a leader has worked on it, what failed before does not count any more: a request may wait for
    longer than a takeover, and a watch goes on for as long as its invocation does.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._tried_at = asyncio.get_running_loop().time()
        """When the current try began."""
        self._failed: set[tuple[str, int] | None] = set()
        """The leaders at which a try has failed; None stands for no leader."""
        self._end = 0.0
        self._next = _FIRST_PAUSE

    def pause(self, leader: tuple[str, int] | None) -> float | None:
        """Returns for how many seconds to wait after a failed try; None when it was the last one."""
        now = asyncio.get_running_loop().time()
        if now >= self._tried_at + self._seconds:
            # No link is silent for so long, and no node live: a leader has worked on it.
            self.renew()
        if leader not in self._failed:
            self._failed.add(leader)
            self._end, self._next = now + self._seconds, _FIRST_PAUSE
        if now >= self._end:
            return None
        pause, self._next = self._next, min(2 * self._next, _LONGEST_PAUSE)
        return min(pause, self._end - now)

    def resume(self) -> None:
        """Takes that the next try begins."""
        self._tried_at = asyncio.get_running_loop().time()

    def renew(self) -> None:
        """Takes that a leader has worked on the request."""
        self._failed.clear()


class _Wait:
    """The `wait_timeout` of a request, which goes on counting while the request is tried again."""

    def __init__(self, request: Any, limit: int) -> None:
        self._request = request
        self._end = 0.0
        if request.HasField("wait_timeout"):
            asked = request.wait_timeout.seconds + request.wait_timeout.nanos / 1e9
            self._end = asyncio.get_running_loop().time() + min(asked, limit)

    def shorten(self) -> None:
        """Sets the field to what is left."""
        if self._end:
            left = self._end - asyncio.get_running_loop().time()
            self._request.wait_timeout.CopyFrom(convert.duration(max(0, round(left * 1000))))


def _having(field: str) -> frozenset[str]:
    """Returns the names of the RPCs whose request has a field."""
    service = control_pb2.DESCRIPTOR.services_by_name["DurableControl"]
    return frozenset(it.name for it in service.methods if field in it.input_type.fields_by_name)


_WITH_REQUEST_ID: Final = _having("request_id")
_WITH_WAIT: Final = _having("wait_timeout")


def _claim(node: Node, partition: int) -> tuple[str, int]:
    epoch, _ = node.leads.get(partition, (0, 0))
    return node.name, epoch


def _not_found(error: Exception) -> bool:
    if isinstance(error, Refusal):
        return error.reason == "INVOCATION_NOT_FOUND"
    return isinstance(error, InvocationNotFoundError)
