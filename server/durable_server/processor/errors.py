"""Errors that a request of a client or a hello of a worker can get; `rpc.refusal` translates them.

    RequestError
    ├── InvalidFieldError            a field is missing, malformed or out of range
    ├── HandlerNotFoundError         no worker has ever registered the handler
    ├── InvocationNotFoundError
    ├── AwakeableNotFoundError
    ├── InvalidStateError            the invocation's lifecycle state does not allow the operation
    ├── IdempotencyMismatchError     a known idempotency key or request id, with another request
    ├── AwakeableResolvedError       the awakeable has another outcome already
    ├── WebhookRevokedError          the webhook through which an outcome came is revoked
    ├── BuildNotFoundError           no worker has registered the build
    ├── BuildInUseError              the build is the current one of a handler
    ├── NothingToRollBackError       no promotion of the build can be taken back
    ├── LimitReachedError            a named limit is reached for now; the client may retry
    ├── JournalTooLargeError         a journal does not fit into one message
    ├── HttpNotServedError           nothing would answer at a webhook
    ├── NotReadyError                the control plane is still starting
    ├── NotPermittedError            the caller is known, and may not do this
    ├── SessionReplacedError         a newer session of the same worker is open
    ├── NotLeadingError              this process does not lead the partition; another one may
    └── ProcessorEndedError          the control plane stops; another leader may answer

RecordTooLargeError and MessagesLostError stand apart. The first is raised for any record, and each
caller knows which field it means. The second ends the partition.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..core.model import Awakeable, State


class RecordTooLargeError(Exception):
    """A record is larger than the limit `batch_bytes`, or holds a value that cannot be encoded."""


class MessagesLostError(Exception):
    """The log of a partition went back: it lacks messages that it had received or sent."""

    def __init__(self, partition: int, problem: str) -> None:
        super().__init__(
            f"the log of partition {partition} went back: {problem}; make a new system of a backup of"
            " all partitions with `durable restore`"
        )


class RequestError(Exception):
    """A request cannot be done; see the subclasses."""


class SessionReplacedError(RequestError):
    """A hello has come later than one that its worker has sent after it."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"the worker {worker_id} has opened a newer session")


class InvalidFieldError(RequestError):
    """A field is missing, malformed or out of range."""

    def __init__(self, field: str, problem: str, **details: object) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
        self.details = details


class HandlerNotFoundError(RequestError):
    """No worker has ever registered a handler of this name."""

    def __init__(self, name: str, similar: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.similar = similar
        """Registered names that are close to it."""


class InvocationNotFoundError(RequestError):
    """There is no such invocation, or its retention is over."""

    def __init__(self, invocation_id: str) -> None:
        super().__init__(invocation_id)
        self.invocation_id = invocation_id


class AwakeableNotFoundError(RequestError):
    """There is no such awakeable, or its invocation has ended."""

    def __init__(self, awakeable_id: str) -> None:
        super().__init__(awakeable_id)
        self.awakeable_id = awakeable_id


class InvalidStateError(RequestError):
    """The invocation's lifecycle state does not allow the operation."""

    def __init__(self, invocation_id: str, state: State, operation: str, allowed: str) -> None:
        super().__init__(invocation_id)
        self.invocation_id = invocation_id
        self.state = state
        self.operation = operation
        self.allowed = allowed
        """The states that allow it, for people."""


class IdempotencyMismatchError(RequestError):
    """An idempotency key or request id was used before, with another request."""

    def __init__(self, key: str, field: str, invocation_id: str) -> None:
        super().__init__(invocation_id)
        self.key = key
        """Which of the two: `idempotency_key` or `request_id`."""
        self.field = field
        """What differs."""
        self.invocation_id = invocation_id


class AwakeableResolvedError(RequestError):
    """The awakeable has another outcome already."""

    def __init__(self, awakeable: Awakeable) -> None:
        super().__init__(awakeable.id)
        self.awakeable = awakeable


class WebhookRevokedError(RequestError):
    """The webhook through which an outcome came is revoked."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(webhook_id)
        self.webhook_id = webhook_id


class BuildNotFoundError(RequestError):
    """No worker has registered a build of this id, or it was forgotten since."""

    def __init__(self, build_id: str, known: Sequence[str]) -> None:
        super().__init__(build_id)
        self.build_id = build_id
        self.known = known
        """Some builds that there are, latest first."""


class BuildInUseError(RequestError):
    """The build is the current one of a handler, or is being ramped up for one."""

    def __init__(self, build_id: str, handlers: Sequence[str]) -> None:
        super().__init__(build_id)
        self.build_id = build_id
        self.handlers = handlers


class NothingToRollBackError(RequestError):
    """No promotion of the build can be taken back."""

    def __init__(self, build_id: str) -> None:
        super().__init__(build_id)
        self.build_id = build_id


class LimitReachedError(RequestError):
    """A named limit of the control plane is reached for now."""

    def __init__(self, limit: str, value: int, problem: str) -> None:
        super().__init__(f"{limit}: {problem}")
        self.limit = limit
        self.value = value
        self.problem = problem


class JournalTooLargeError(RequestError):
    """A journal does not fit into one message."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size
        self.limit = limit


class NotPermittedError(RequestError):
    """The caller is known, and may not do this."""

    def __init__(self, identity: str, scopes: Collection[str], handler: str = "") -> None:
        super().__init__(identity)
        self.identity = identity
        self.scopes = scopes
        """The scopes of which one is needed."""
        self.handler = handler
        """For which handler; empty where it is not about one."""


class HttpNotServedError(RequestError):
    """This control plane serves no HTTP, so nothing would answer at a webhook."""


class NotReadyError(RequestError):
    """The control plane is still starting."""


class NotLeadingError(RequestError):
    """This process does not lead the partition to which the request belongs. Nothing was done."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"this node does not lead partition {partition}")
        self.partition = partition
        """Its number; -1 when any partition would do, and this process leads none."""


class ProcessorEndedError(RequestError):
    """The processor cannot answer any more, because the control plane stops."""
