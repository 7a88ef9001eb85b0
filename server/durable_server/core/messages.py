"""The messages between partitions: what the rules of one partition want of another one.

A rule may change its own partition only. What it wants of another one goes there as a message: as a row
of the outbox, stored with the batch that has sent it, and then in a `Received` record of the other
partition's log. Messages from one partition to another are numbered without gaps, so each takes effect
once, in the order in which they were sent. A message to the own partition is not sent: its rule is
called at once, within the same batch.

An answer is a message back, `CompleteEntry`. Whoever waits for one is an entry of a journal: an
invocation id and an entry index.

Old outboxes and logs are read by new code, so the rules of `records` for numbers and fields hold here
too.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from .model import Deployment, Route

REFUSED_BYTES: Final = 600
"""The most bytes of `SendSignal.refused`: so much more than it was sent a message may have in a log."""


class StartChild(NamedTuple):
    """Start a child, or find the invocation that has its id already."""

    child_id: str
    handler: str
    input: bytes | None
    key: str
    headers: tuple[tuple[str, str], ...]
    service: str
    partition_key: str
    idempotency_key: str
    start_ms: int
    """The earliest time of its first attempt; 0 for at once."""
    priority: int
    parent: str
    entry_index: int
    """The parent's INVOKE or SEND entry."""
    awaited: bool
    """Whether the answer comes when the child ends; else it comes at once and is the child's id."""


class AwaitEnd(NamedTuple):
    """Answer with the outcome of an invocation when it ends."""

    target: str
    invocation_id: str
    entry_index: int


class CancelInvocation(NamedTuple):
    """Request the cancellation of an invocation that has not ended."""

    target: str
    reason: str
    identity: str
    parent: str = ""
    """If it is set, only a child of this invocation is cancelled."""
    entry_index: int = -1
    """The entry of that parent which is answered if the target is not its child; -1 for none."""
    force: bool = False


class SendSignal(NamedTuple):
    """Deliver a signal, and answer whether that was possible."""

    target: str
    name: str
    outcome: bytes
    invocation_id: str
    entry_index: int
    refused: str = ""
    """Why the value does not fit the schema there, in which case nothing is delivered, and `outcome` is
    empty. The leader that receives the message says so, because it knows the schema. It has at most
    REFUSED_BYTES."""


class ResolveAwakeable(NamedTuple):
    """Give an awakeable its outcome, and answer whether that was possible."""

    awakeable_id: str
    outcome: bytes
    invocation_id: str
    entry_index: int
    refused: str = ""
    """See `SendSignal.refused`."""


class ClaimAwakeable(NamedTuple):
    """Answer with the outcome of an awakeable when it has one."""

    awakeable_id: str
    invocation_id: str
    entry_index: int
    schema: str = ""
    renew: bool = False
    """See `EntryRecorded.renew`."""


class ReleaseAwakeable(NamedTuple):
    """The invocation that has claimed an awakeable has ended, is removed, or has begun another run."""

    awakeable_id: str
    invocation_id: str
    removed: bool = False
    continues: bool = False
    """Whether it has begun another run, of which no entry waits for the awakeable yet."""
    read: bool = False
    """Whether its program has got the outcome in the run that is over."""


class CompleteEntry(NamedTuple):
    """The answer: complete an entry, if it is open and about the same as the question was.

    The invocation may be a later one with the same id, if the one that has asked was removed meanwhile.
    """

    invocation_id: str
    entry_index: int
    outcome: bytes
    about: str
    """The id of the invocation or awakeable that the entry is about."""


class DeploymentsChanged(NamedTuple):
    """Builds and routes have changed in partition 0; without an answer."""

    deployments: tuple[Deployment, ...]
    """Those that are new or changed."""
    routes: tuple[Route, ...]
    """The same; one without a current build is removed."""
    forgotten: tuple[str, ...] = ()
    """Builds that are forgotten."""


Message: TypeAlias = (
    StartChild
    | AwaitEnd
    | CancelInvocation
    | SendSignal
    | ResolveAwakeable
    | ClaimAwakeable
    | ReleaseAwakeable
    | CompleteEntry
    | DeploymentsChanged
)

MESSAGE_NUMBERS: dict[type[Message], int] = {
    StartChild: 1,
    AwaitEnd: 2,
    CancelInvocation: 3,
    SendSignal: 4,
    ResolveAwakeable: 5,
    ClaimAwakeable: 6,
    ReleaseAwakeable: 7,
    CompleteEntry: 8,
    DeploymentsChanged: 9,
}
"""The number of each message type in outboxes and logs."""


class OutboxMessage(NamedTuple):
    """A message with its place in the outbox of the partition that sends it."""

    destination: int
    """The partition that it is for."""
    sequence: int
    """Its number among all messages to that partition, from 1."""
    message: Message
