"""Every error of the SDK, by who must act.

    Exception
    ├── DurableError                    base of all below
    │   ├── TerminalError               raised by user code: the work failed for good, no retry
    │   │   └── StepFailedError         a step's or call's journaled failure, as the program sees it
    │   │       └── ChildFailedError    another invocation's failure
    │   │           └── ChildCancelledError
    │   ├── RetryableError              raised by user code: try again, after a delay of its choice
    │   ├── DeterminismError            the journal does not fit the program: deploy code that fits
    │   ├── NonDurableAwaitError        the program awaits what cannot be replayed: use ctx.run
    │   ├── CodecError                  a value cannot be encoded, or a payload not decoded
    │   ├── InvocationFailedError       the work of an invocation failed; `failure` says how
    │   ├── InvocationCancelledError    the invocation was cancelled
    │   ├── InvocationPausedError       the invocation is held; it goes on after a resume
    │   ├── ServerNotInstalledError     local mode needs the control plane: install it
    │   ├── WaitTimeoutError            the caller's time is up; the work goes on
    │   └── RpcError                    the control plane refused a request, or could not be asked
    │       ├── NotFoundError
    │       ├── InvalidArgumentError
    │       ├── PreconditionError
    │       ├── AlreadyExistsError
    │       ├── LimitError              retry with backoff
    │       └── UnavailableError        retry with backoff
    BaseException
    └── AttemptEnded                    control flow of the engine: the attempt is over; never catch

`AttemptEnded` is no Exception, so that `except Exception` in a workflow does not swallow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import grpc

from durable_proto.v1 import payload_pb2


class DurableError(Exception):
    """Base of the SDK's errors."""


class TerminalError(DurableError):
    """The work has failed for good: raise it in a handler or a step to prevent any retry.

    `code` is a number that callers may act on (HTTP surfaces use 400-599 as the status); `metadata`
    holds facts that they may act on.
    """

    def __init__(
        self, message: str = "", *, code: int = 0, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.metadata: dict[str, str] = dict(metadata or {})


class StepFailedError(TerminalError):
    """A step has failed for good, and its failure is in the journal: replay raises it again.

    `type` is the kind of the failure as its language names it.
    """

    def __init__(self, step: str, failure: payload_pb2.Failure) -> None:
        super().__init__(failure.message, code=failure.code, metadata=failure.metadata)
        self.step = step
        self.type = failure.type
        self.failure = failure

    def __str__(self) -> str:
        return f"{self.step}: {self.type}: {self.message}"


class ChildFailedError(StepFailedError):
    """An invocation that this one waited for has failed; `step` is its handler's name."""


class ChildCancelledError(ChildFailedError):
    """An invocation that this one waited for was cancelled."""


class RetryableError(DurableError):
    """The attempt has failed and is to be repeated after `retry_after` (None: the policy's delay)."""

    def __init__(self, message: str = "", *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeterminismError(DurableError):
    """The journal of an invocation does not fit the program that replays it."""


class NonDurableAwaitError(DurableError):
    """A workflow does something that a replay could not repeat; wrap it in ctx.run."""


class CodecError(DurableError):
    """A value cannot be encoded, or a payload cannot be decoded; the message says where."""


class ServerNotInstalledError(DurableError):
    """Local mode needs the control plane, which is not installed; the message says how to."""


class InvocationFailedError(DurableError):
    """The work of an invocation has failed.

    `message`, `code` and `metadata` are those of the TerminalError that ended it, where it was one;
    `type` is the kind of the failure as its language names it; `failure` is all of it, a
    `durable.v1.Failure`.
    """

    def __init__(self, failure: payload_pb2.Failure, invocation_id: str) -> None:
        super().__init__(f"invocation {invocation_id} failed: {failure.type}: {failure.message}")
        self.failure = failure
        self.invocation_id = invocation_id
        self.type = failure.type
        self.message = failure.message
        self.code = failure.code
        self.metadata: dict[str, str] = dict(failure.metadata)


class InvocationCancelledError(DurableError):
    """The invocation was cancelled."""

    def __init__(self, invocation_id: str, reason: str = "") -> None:
        because = f": {reason}" if reason else ""
        super().__init__(f"invocation {invocation_id} was cancelled{because}")
        self.invocation_id = invocation_id
        self.reason = reason


class InvocationPausedError(DurableError):
    """The invocation is held and does not go on before it is resumed."""

    def __init__(self, invocation_id: str, failure: payload_pb2.Failure | None = None) -> None:
        why = f" after {failure.type}: {failure.message}" if failure is not None else ""
        super().__init__(f"invocation {invocation_id} is paused{why}; it goes on when resumed")
        self.invocation_id = invocation_id
        self.failure = failure


class WaitTimeoutError(DurableError, TimeoutError):
    """The time that the caller would wait is up. The invocation goes on; ask again with its id."""

    def __init__(self, invocation_id: str, status: str) -> None:
        super().__init__(
            f"invocation {invocation_id} is still {status}; it goes on, ask again with its id"
        )
        self.invocation_id = invocation_id
        self.status = status


class RpcError(DurableError):
    """The control plane refused a request, or could not be asked.

    `code` is the gRPC code, `reason` the ErrorReason without its prefix (empty when the error came
    from the transport), `metadata` the message's changing parts, `hint` what to do.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})
        self.hint = hint


class NotFoundError(RpcError):
    """There is no such handler, invocation or awakeable."""


class InvalidArgumentError(RpcError):
    """A field of the request is missing, malformed or out of range."""


class PreconditionError(RpcError):
    """The state of the invocation does not allow it."""


class AlreadyExistsError(RpcError):
    """The same key or id was used for something else before."""


class LimitError(RpcError):
    """A named limit is reached; retry with backoff."""


class UnavailableError(RpcError):
    """The control plane cannot be reached or cannot serve now; retry with backoff."""


class AttemptEnded(BaseException):
    """The attempt is over; what still runs of the program is unwound with this."""
