"""The relay: sessions of workers over several nodes, on the node that a worker has dialled.

A worker has one connection, to its entry node. At its hello the entry node opens a session for it here
and a relayed one on each other node that leads a partition (`relayed`), each with the attempts of the
partitions that are led there and with a share of the worker's slots. From then on it passes messages
on: those of the worker by the partition of their invocation, those to the worker as they come.

    worker ── Session ──► entry node ──► session here
                              ├── peers ──► relayed session on B
                              └── peers ──► relayed session on C

Which node leads which partition is fixed for a session (`sessions.leaders`). When another node leads
one, or a node that had dropped out can be reached again, the entry node asks the worker to reconnect.
The rules of reconnecting do the rest: the worker names the attempts that it holds and sends again what
was not acknowledged. So whatever was lost while a partition moved comes again, and what comes twice is
recognized. Messages for a partition that nobody leads are dropped meanwhile.

Rules.
- A node whose relayed session breaks or does not open in time counts as unreachable, and sessions do
  without it, until it answers a call. So a node that hangs delays a worker once, not at each hello.
- A session that has been without a node for longer than others need to take over is renewed, because
  that node has slots of the worker. The next session divides them among the nodes that are there.
- Attempts of a partition without a leader keep their slots: the worker runs them.
- Changes are collected for a moment, because partitions usually move several at a time, and for longer
  while one of them has no leader.
- Workers that are not spread over the nodes move, one at a time (`balance`).
- A node that stops sends its workers to other nodes when its partitions have moved.
- Before a relayed session is closed, what the worker had sent is passed on.
- A node that NATS does not answer does not know who leads. If another node tells it that NATS works
  there, it sends its workers away, so that they are at one that knows before their attempts are given
  to others. Without such an answer NATS is away for all, and the workers stay.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence

import grpc
from google.protobuf.message import DecodeError

from durable_proto.node_v1 import sessions_pb2
from durable_proto.v1 import worker_pb2

from ..peers.interface import PeerRefusedError, Peers, PeerStream, PeerUnavailableError
from ..processor.shares import Grant, Report
from ..sessions.leaders import Leader, Leaders, outdated
from ..sessions.sessions import Hello, Sessions
from ..sessions.slots import SlotOwner
from .balance import Balance, count_by_node
from .refusal import Refusal, protocol_violation, unavailable
from .relayed import REACH, SERVES, SESSION
from .session_reader import SessionReader
from .session_writer import SessionWriter

OPEN_SECONDS = 5.0
"""How long the other nodes may take to open a relayed session before the worker is welcomed without."""
SETTLE_SECONDS = 0.1
"""How long changes are collected before workers are asked to reconnect."""
MOVING_SECONDS = 0.5
"""The same, at most, while partitions are on their way from one node to another."""
LEAVE_SECONDS = 1.0
"""How long a node that stops waits, at most, until its workers are at other nodes."""
SPREAD_SECONDS = 0.001
"""The time, for each worker that is asked to reconnect, over which they are spread."""
MISSING_SECONDS = 15.0
"""How long a session does without a node that it has counted on; longer than a takeover takes."""
DRAIN_SECONDS = 5.0
"""How long a worker that was asked to reconnect may take before its stream is ended."""
RETRY_SECONDS_FIRST = 0.1
RETRY_SECONDS_MAX = 5.0

logger = logging.getLogger("durable.workers")

End = Callable[[Refusal], None]
"""Ends the worker's stream."""
Received = Callable[[str, sessions_pb2.RelayedResponse], None]
"""Takes what a node has sent."""


class Relay:
    """The sessions of all workers that have dialled this node."""

    def __init__(
        self,
        sessions: Sessions,
        peers: Peers,
        leaders: Leaders,
        *,
        missing_seconds: float = MISSING_SECONDS,
    ) -> None:
        assert sessions.demand is not None
        self.sessions = sessions
        self.demand = sessions.demand
        self.peers = peers
        self.leaders = leaders
        self.missing_seconds = missing_seconds
        self._open: dict[str, EntrySession] = {}
        """The newest session of each worker."""
        self._unreachable: dict[str, asyncio.Task[None]] = {}
        """The nodes that sessions do without, with the task that tries to reach each."""
        self._failures: dict[str, int] = {}
        """How often each node has been lost since a relayed session was last opened there."""
        self._settling: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        """The task that asks the other nodes whether NATS answers them."""
        self._settle_by = 0.0
        """When the changes that are collected now have been for long enough."""
        self._leaving = False
        """Whether this node serves workers no more, because it stops."""
        self._left = asyncio.Event()
        """Set when a session has ended."""
        self._cut_off = False
        """Whether NATS answers other nodes, and not this one."""
        self.balance = Balance(leaders.node, self._counts, lambda: self._open, self._send_away)
        self._stop_listening = leaders.listen(self.changed)

    async def open(
        self, message: worker_pb2.Hello, hello: Hello, writer: SessionWriter, end: End
    ) -> EntrySession:
        """Opens a worker's session. Raises RequestError and Refusal."""
        if self._cut_off:
            raise unavailable("cut_off", "NATS does not answer this node; others serve")
        if self._leaving or self.leaders.stopping:
            raise unavailable("leaving", "this node stops; others serve")
        self.sessions.check_newest(hello)
        old = self._open.get(hello.worker_id)
        if old is not None:
            # Its streams to other nodes end before those of the new session begin.
            old.end(unavailable("replaced", "the worker has opened another session"))
        self.sessions.keep(hello.worker_id, OPEN_SECONDS)
        session = EntrySession(self, message, hello, writer, end)
        self._open[hello.worker_id] = session
        try:
            await session.open()
        except BaseException:
            session.close(left=False)
            raise
        return session

    async def leave(self) -> None:
        """Sends the workers to other nodes; returns when they have gone, or soon."""
        self._leaving = True
        for session in tuple(self._open.values()):
            session.renew(elsewhere=True)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                while self._open:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            logger.info("%d workers have not gone to another node yet", len(self._open))

    async def close(self) -> None:
        """Ends what runs in the background."""
        self._stop_listening()
        self.balance.close()
        if self._settling is not None:
            self._settling.cancel()
        tasks = list(self._unreachable.values())
        if self._asking is not None:
            tasks.append(self._asking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def session_count(self) -> int:
        """How many workers have a session by way of this node."""
        return len(self._open)

    @property
    def unreachable_count(self) -> int:
        """How many nodes sessions do without."""
        return len(self._unreachable)

    def present(self) -> Sequence[Leader | None]:
        """Returns the leader of each partition; None where none is known that can be reached."""
        return self.leaders.now(self._unreachable)

    def forget(self, worker_id: str, session: EntrySession) -> None:
        """Notes that a session is over."""
        if self._open.get(worker_id) is session:
            del self._open[worker_id]
            self._left.set()

    def reached(self, node: str) -> None:
        """Notes that a node has opened a relayed session."""
        self._failures.pop(node, None)

    def lost(self, node: str) -> None:
        """Notes that a node has not opened a relayed session, or that one there has broken."""
        if node not in self._unreachable:
            self._failures[node] = self._failures.get(node, 0) + 1
            self._unreachable[node] = asyncio.create_task(self._reach(node))

    def changed(self) -> None:
        """Looks in a moment which sessions need other leaders than they have."""
        if self.leaders.current:
            self._cut_off = False
        if not self._open:
            return
        self.balance.changed()
        if not (self.leaders.current or self._cut_off or self._asking is not None):
            self._asking = asyncio.create_task(self._ask_others())
        if self._settling is None:
            loop = asyncio.get_running_loop()
            self._settle_by = loop.time() + MOVING_SECONDS
            self._settling = loop.call_later(SETTLE_SECONDS, self._settle)

    def _settle(self) -> None:
        now = self.present()
        loop = asyncio.get_running_loop()
        if None in now and loop.time() + SETTLE_SECONDS < self._settle_by:
            self._settling = loop.call_later(SETTLE_SECONDS, self._settle)
            return
        self._settling = None
        elsewhere = self._cut_off or self.leaders.stopping
        affected = [it for it in self._open.values() if elsewhere or outdated(it.leaders, now)]
        # A worker that reconnects late still has its attempts.
        spread = min(SPREAD_SECONDS * (len(affected) - 1), self.sessions.grace_seconds / 2)
        for session in affected:
            session.renew(random.uniform(0.0, spread), elsewhere=elsewhere)

    def _counts(self) -> Mapping[str, int] | None:
        """Returns how many workers each node has that does not stop; None if it is not known here."""
        leaders = self.leaders
        serving = leaders.serving()
        if leaders.node not in serving or not leaders.leads_here:
            return None
        return count_by_node(serving, self.sessions.entry_nodes(leaders.node))

    def _send_away(self, worker_id: str) -> None:
        self._open[worker_id].renew(elsewhere=True)

    async def _ask_others(self) -> None:
        """Asks the other nodes whether NATS answers them, until one says so or this one is current."""
        seconds = RETRY_SECONDS_FIRST
        try:
            while self._open and not (self._cut_off or self.leaders.current):
                answers = await asyncio.gather(*map(self._serves, self.leaders.others()))
                self._cut_off = any(answers) and not self.leaders.current
                if not self._cut_off:
                    await asyncio.sleep(seconds)
                    seconds = min(2 * seconds, RETRY_SECONDS_MAX)
        finally:
            self._asking = None
        if self._cut_off:
            logger.warning("NATS does not answer this node; its workers are sent to others")
            self.changed()

    async def _serves(self, node: str) -> bool:
        try:
            return await self.peers.call(node, REACH, b"", OPEN_SECONDS) == SERVES
        except (PeerUnavailableError, PeerRefusedError):
            return False

    async def _reach(self, node: str) -> None:
        """Tries to reach a node for as long as it leads something."""
        seconds = RETRY_SECONDS_FIRST * 2.0 ** min(self._failures.get(node, 0), 10)
        try:
            while self.leaders.leads_any(node):
                seconds = min(seconds, RETRY_SECONDS_MAX)
                await asyncio.sleep(random.uniform(seconds / 2, seconds))
                try:
                    await self.peers.call(node, REACH, b"", OPEN_SECONDS)
                except PeerUnavailableError:
                    seconds *= 2
                except PeerRefusedError:
                    break
                else:
                    break
        finally:
            del self._unreachable[node]
        self.changed()


class EntrySession:
    """The session of one worker, over this node and others."""

    def __init__(
        self,
        relay: Relay,
        message: worker_pb2.Hello,
        hello: Hello,
        writer: SessionWriter,
        end: End,
    ) -> None:
        self.leaders = list(relay.present())
        """The leader of each partition that this session uses; None where it has none."""
        self._relay = relay
        self._message = message
        self._hello = hello
        self._writer = writer
        self._end_stream = end
        self._branches: dict[str, _Branch] = {}
        """The relayed sessions that are open, by node."""
        self._slots: SlotOwner
        self._here: SessionReader | None = None
        self._renewing = False
        self._closed = False
        self._ending: asyncio.TimerHandle | None = None
        self._missing: asyncio.TimerHandle | None = None
        """The end of the time for which the session does without a node."""

    async def open(self) -> None:
        """Opens the session here and on the other nodes. Raises RequestError and Refusal."""
        relay = self._relay
        here = relay.leaders.node
        # This node first: it gets the slots that remain.
        leading = sorted(
            {it.node for it in self.leaders if it is not None}, key=lambda it: (it != here, it)
        )
        resumed: dict[str, dict[str, int]] = {node: {} for node in leading}
        without_leader = 0
        for invocation_id, attempt in self._hello.resumed.items():
            leader = self.leaders[relay.leaders.partition(invocation_id)]
            if leader is None:
                without_leader += 1
            else:
                resumed[leader.node][invocation_id] = attempt
        slots = self._slots = SlotOwner(
            max(0, self._hello.slot_count - without_leader),
            {node: len(attempts) for node, attempts in resumed.items()},
            self._grant,
        )
        share = slots.share(here) if here in resumed else 0
        hello = self._hello._replace(slot_count=share, epochs=self._epochs(here))
        opening = {
            asyncio.create_task(branch.open()): branch
            for branch in (
                _Branch(relay, node, self._relayed_hello(node, resumed[node]))
                for node in leading
                if node != here
            )
        }
        until = asyncio.get_running_loop().time() + OPEN_SECONDS
        try:
            await relay.sessions.register(hello)
            if opening:
                rest = max(0.0, until - asyncio.get_running_loop().time())
                await asyncio.wait(opening, timeout=rest)
        except BaseException:
            for task, branch in opening.items():
                task.cancel()
                branch.cancel()
            raise
        refusals = [it.refusal for it in opening.values() if it.refusal is not None]
        if refusals:
            for task, branch in opening.items():
                task.cancel()
                branch.cancel()
            raise refusals[0]
        for task, branch in opening.items():
            if task.done() and task.result():
                self._branches[branch.node] = branch
            else:
                task.cancel()
                branch.cancel()
                self._without(branch.node)
        self._writer.on_replaced = self.renew
        session = relay.sessions.admit(hello, self._writer)
        self._here = SessionReader(relay.sessions, session)
        if here in resumed:
            slots.own(here, relay.demand, session.worker)
        for branch in self._branches.values():
            branch.start(self._received, self._lost)
        # What has changed meanwhile.
        relay.changed()

    @property
    def draining(self) -> bool:
        """Whether the worker has announced that it leaves."""
        return self._here is not None and self._here.draining

    async def receive(self, frame: worker_pb2.SessionRequest) -> None:
        """Passes the messages of a frame on, in order; raises Refusal for one that ends the session."""
        assert self._here is not None
        if not self._branches:
            await self._here.receive(frame)
            return
        here = self._relay.leaders.node
        frames: dict[str, worker_pb2.SessionRequest] = {}
        for message in frame.messages:
            if message.invocation_id:
                leader = self.leaders[self._relay.leaders.partition(message.invocation_id)]
                nodes = [] if leader is None else [leader.node]
            elif message.HasField("draining"):
                nodes = [here, *self._branches]
            elif message.HasField("hello"):
                raise protocol_violation("a second hello; a session has one, at its beginning")
            else:
                nodes = []
            for node in nodes:
                if node not in frames:
                    frames[node] = worker_pb2.SessionRequest()
                frames[node].messages.append(message)
        own = frames.pop(here, None)
        for node, part in frames.items():
            self._branches[node].send(part)
        if own is not None:
            await self._here.receive(own)

    def renew(self, delay_seconds: float = 0.0, *, elsewhere: bool = False) -> None:
        """Asks the worker to reconnect, `elsewhere` to another node; if not, its stream is ended."""
        if self._renewing or self._here is None:
            return
        self._renewing = True
        self._writer.drain(delay_seconds, elsewhere=elsewhere)
        refusal = unavailable("moved", "partitions have moved to other nodes")
        self._ending = asyncio.get_running_loop().call_later(
            delay_seconds + DRAIN_SECONDS, self.end, refusal
        )

    def end(self, refusal: Refusal) -> None:
        """Ends the session and the worker's stream."""
        self.close(left=False)
        self._end_stream(refusal)

    def close(self, *, left: bool) -> None:
        """Ends the session; `left` says that the worker has announced it and closed the stream."""
        if self._closed:
            return
        self._closed = True
        self._relay.forget(self._hello.worker_id, self)
        for timer in (self._ending, self._missing):
            if timer is not None:
                timer.cancel()
        for branch in self._branches.values():
            branch.close(left=left)
        if self._here is not None:
            self._here.close(left=left)

    def _relayed_hello(self, node: str, resumed: dict[str, int]) -> bytes:
        hello = worker_pb2.Hello()
        hello.CopyFrom(self._message)
        del hello.resumed[:]
        for invocation_id, attempt in resumed.items():
            hello.resumed.add(invocation_id=invocation_id, attempt=attempt)
        return sessions_pb2.RelayedHello(
            hello=hello.SerializeToString(),
            share=self._slots.share(node),
            entry_node=self._relay.leaders.node,
            epochs=self._epochs(node),
        ).SerializeToString()

    def _epochs(self, node: str) -> dict[int, int]:
        """Returns the partitions that a node leads, each with the epoch."""
        return {
            number: leader.epoch
            for number, leader in enumerate(self.leaders)
            if leader is not None and leader.node == node
        }

    def _received(self, node: str, response: sessions_pb2.RelayedResponse) -> None:
        """Takes what another node has sent."""
        if response.frame:
            self._writer.relay(response.frame)
        if response.HasField("report"):
            report = response.report
            self._slots.report(node, Report(report.returned, report.wants, report.received))
        if response.replaced:
            self.renew()

    def _grant(self, node: str, grant: Grant) -> None:
        if node in self._branches:
            self._branches[node].grant(grant)

    def _lost(self, branch: _Branch) -> None:
        if not self._closed:
            del self._branches[branch.node]
            self._without(branch.node)

    def _without(self, node: str) -> None:
        """Goes on without a node, until the session is renewed."""
        self.leaders = [None if it is not None and it.node == node else it for it in self.leaders]
        self._slots.lost(node)
        if self._missing is None:
            loop = asyncio.get_running_loop()
            self._missing = loop.call_later(self._relay.missing_seconds, self.renew)
        self._relay.lost(node)


class _Branch:
    """A relayed session on another node, as its entry node sees it."""

    def __init__(self, relay: Relay, node: str, hello: bytes) -> None:
        self.node = node
        self.refusal: Refusal | None = None
        """Why the node has refused the session, if the reason is the worker's."""
        self._relay = relay
        self._stream: PeerStream = relay.peers.open(node, SESSION, hello)
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Returns whether the node has opened the session."""
        try:
            part = await self._stream.receive()
            opened = part is not None and sessions_pb2.RelayedResponse.FromString(part).opened
        except PeerRefusedError as error:
            refused = Refusal.of_status(error.status)
            if _is_of_worker(refused):
                self.refusal = refused
            logger.info("node %s has refused a worker's session: %s", self.node, error)
            return False
        except (PeerUnavailableError, DecodeError) as error:
            logger.warning("node %s has not opened a worker's session: %s", self.node, error)
            return False
        if opened:
            self._relay.reached(self.node)
        return opened

    def start(self, received: Received, lost: Callable[[_Branch], None]) -> None:
        """Takes from now on what the node sends."""
        self._reading = asyncio.create_task(self._read(received, lost))

    def send(self, frame: worker_pb2.SessionRequest) -> None:
        """Passes messages of the worker on."""
        request = sessions_pb2.RelayedRequest(frame=frame.SerializeToString())
        self._stream.send(request.SerializeToString())

    def grant(self, grant: Grant) -> None:
        """Changes how many slots the node may use."""
        message = sessions_pb2.SlotGrant(units=grant.units, keep=grant.keep)
        self._stream.send(sessions_pb2.RelayedRequest(grant=message).SerializeToString())

    def close(self, *, left: bool) -> None:
        """Ends the session after what was sent."""
        if self._reading is not None:
            self._reading.cancel()
        if left:
            self._stream.send(sessions_pb2.RelayedRequest(left=True).SerializeToString())
        self._stream.close()

    def cancel(self) -> None:
        """Gives the session up."""
        self._stream.cancel()

    async def _read(self, received: Received, lost: Callable[[_Branch], None]) -> None:
        try:
            while (part := await self._stream.receive()) is not None:
                received(self.node, sessions_pb2.RelayedResponse.FromString(part))
        except (PeerUnavailableError, PeerRefusedError, DecodeError) as error:
            # The link has warned, once for all sessions.
            logger.info("the session of a worker on node %s broke: %s", self.node, error)
        lost(self)


def _is_of_worker(refused: Refusal) -> bool:
    """Returns whether a node has refused a session because of its worker, and not by its own state.

    The node knows a newer session of the worker, or another worker of this id, or does not permit the
    session. It can be reached, so the sessions of others must not do without it.
    """
    return (
        refused.metadata.get("phase") == "replaced"
        or refused.metadata.get("field") == "worker_id"
        or refused.code is grpc.StatusCode.PERMISSION_DENIED
    )
