"""The errors of the SDK, ordered by who must act.

    Exception
    ├── DurableError                    base of all below
    │   ├── TerminalError               raised by user code: the work failed, no retry
    │   │   ├── StepFailedError         a step's or call's journaled failure, as the program sees it
    │   │   │   └── ChildFailedError    another invocation's failure
    │   │   │       └── ChildCancelledError
    │   │   └── CompensationFailedError a saga could not undo everything
    │   ├── RetryableError              raised by user code: try again, after the given delay
    │   ├── DeterminismError            the journal does not fit the code: deploy code that does
    │   ├── NonDurableAwaitError        the program awaits what cannot be replayed: use ctx.run
    │   ├── CodecError                  a value cannot be encoded, or a payload not decoded
    │   │   ├── UnencodableValueError   the value of a step; the invocation is held
    │   │   └── UndecodableValueError   an encoded value without its codec or key; it is held, too
    │   ├── InvocationFailedError       the work of an invocation failed; `failure` says how
    │   ├── InvocationCancelledError    the invocation was cancelled
    │   ├── InvocationPausedError       the invocation is paused until it is resumed
    │   ├── ServerNotInstalledError     local mode needs the control plane: install it
    │   ├── WaitTimeoutError            the caller's timeout is over; the work continues
    │   └── RpcError                    the control plane refused a request or is unreachable
    │       ├── NotFoundError
    │       ├── InvalidArgumentError
    │       ├── PreconditionError
    │       ├── AlreadyExistsError
    │       ├── UnauthenticatedError    the credential is missing or not valid: use another one
    │       ├── PermissionDeniedError   the credential does not permit the request
    │       ├── LimitError              retry with backoff
    │       └── UnavailableError        retry with backoff
    BaseException
    └── AttemptEnded                    the attempt is over, the workflow may not be: do not catch it

`AttemptEnded` is not an Exception, so that `except Exception` in a workflow does not catch it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from operator import index
from typing import Any

import grpc

from durable_proto.v1 import payload_pb2

from .durations import span

_CODE_MAX = 2**31 - 1


class DurableError(Exception):
    """Base of the SDK's errors."""


class TerminalError(DurableError):
    """The work has failed and must not be retried: raise it in a handler or a step.

    Callers may act on `code`, an integer of 32 bits, 0 for none (HTTP uses 400-599 as the status),
    and on the facts in `metadata`. A message that is not a str is converted, as in Python's own
    exceptions. Raises TypeError for any other code and for metadata that is not a mapping of str to
    str, ValueError for a code of more than 32 bits.
    """

    def __init__(
        self, message: str = "", *, code: int = 0, metadata: Mapping[str, str] | None = None
    ) -> None:
        text = "" if message is None else text_of(message)
        super().__init__(text)
        self.message = text
        self.code = _code(code)
        self.metadata: dict[str, str] = _metadata(metadata)


class StepFailedError(TerminalError):
    """A step has failed and is not retried; its failure is in the journal, and replay raises it
    again.

    `type` is the failure's type as its language names it.
    """

    def __init__(self, step: str, failure: payload_pb2.Failure) -> None:
        super().__init__(failure.message, code=failure.code, metadata=dict(failure.metadata))
        self.step = step
        self.type = failure.type
        self.failure = failure

    def __str__(self) -> str:
        return f"{self.step}: {self.type}: {self.message}"


class ChildFailedError(StepFailedError):
    """An invocation that this one waited for has failed; `step` is its handler's name."""


class ChildCancelledError(ChildFailedError):
    """An invocation that this one waited for was cancelled."""


class CompensationFailedError(TerminalError):
    """An error ended a saga, and some of its compensations failed; see `durable.saga`.

    `error` is the one that ended the saga, also the `__cause__`; `failures` are those of the
    compensations, in the order in which they ran. Code and metadata are those of `error`.
    """

    def __init__(self, error: BaseException, failures: Sequence[Exception], count: int) -> None:
        parts = "; ".join(f"{type(it).__name__}: {text_of(it)}" for it in failures)
        super().__init__(
            f"{len(failures)} of {count} compensations failed ({parts}), which were run because of"
            f" {type(error).__name__}: {text_of(error)}"
        )
        if isinstance(error, TerminalError):
            self.code, self.metadata = error.code, error.metadata
        self.error = error
        self.failures = tuple(failures)


class RetryableError(DurableError):
    """The work has failed and is to be retried, whatever `retry_on` of the retry policy says.

    `retry_after` is the delay in seconds or as a timedelta, 0 for at once; None for the policy's
    delay. The policy still limits the tries. Raises TypeError for anything but a span of time,
    ValueError for a negative or infinite one.
    """

    def __init__(self, message: str = "", *, retry_after: float | timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = None if retry_after is None else span(retry_after, "retry_after")


class DeterminismError(DurableError):
    """The journal of an invocation does not fit the program that replays it."""


class NonDurableAwaitError(DurableError):
    """A workflow awaits something that a replay cannot repeat; wrap it in ctx.run."""


class CodecError(DurableError):
    """A value cannot be encoded, or a payload cannot be decoded; the message says where."""

    recorded = False
    """True for a value that the invocation has recorded itself: only other code can read it."""


class UnencodableValueError(CodecError):
    """A step has returned a value that cannot be encoded."""


class UndecodableValueError(CodecError):
    """A value that a codec has encoded cannot be decoded here.

    There is no codec, the codec does not have the key, or the bytes were changed. `key_id` is the
    id of the key, "" when it is not known. A program never gets this error: its invocation is held
    until somebody has provided the key and resumed it.
    """

    def __init__(self, message: str, *, key_id: str = "") -> None:
        super().__init__(message)
        self.key_id = key_id


class ServerNotInstalledError(DurableError):
    """Local mode needs the control plane; the message says how to install it."""


class InvocationFailedError(DurableError):
    """An invocation has failed.

    `message`, `code` and `metadata` are those of the TerminalError that ended it, if it was one;
    `type` is the failure's type as its language names it; `failure` is the whole
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
    """The invocation is paused, and continues only after a resume."""

    def __init__(self, invocation_id: str, failure: payload_pb2.Failure | None = None) -> None:
        why = f" after {failure.type}: {failure.message}" if failure is not None else ""
        super().__init__(f"invocation {invocation_id} is paused{why}; it goes on when resumed")
        self.invocation_id = invocation_id
        self.failure = failure


class WaitTimeoutError(DurableError, TimeoutError):
    """The caller's timeout is over. The invocation continues; ask again with its id."""

    def __init__(self, invocation_id: str, status: str) -> None:
        super().__init__(
            f"invocation {invocation_id} is still {status}; it goes on, ask again with its id"
        )
        self.invocation_id = invocation_id
        self.status = status


class RpcError(DurableError):
    """The control plane refused a request, or could not be reached.

    `code` is the gRPC code, `reason` the ErrorReason without its prefix (empty when the error came
    from the transport), `metadata` the variable parts of the message, `hint` what to do.
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
    """The status of the invocation does not allow the request."""


class AlreadyExistsError(RpcError):
    """The key or id was used for a different request before."""


class UnauthenticatedError(RpcError):
    """The control plane asks who the caller is, and the token or certificate is missing or not valid.

    `metadata["problem"]` is `missing`, `malformed`, `unknown`, `expired` or `revoked`.
    """


class PermissionDeniedError(RpcError):
    """The caller may not do this: its token, JWT or certificate lacks the scope, or the handler."""


class LimitError(RpcError):
    """A limit, which the error names, is reached; retry with backoff."""


class UnavailableError(RpcError):
    """The control plane cannot be reached or cannot serve now; retry with backoff."""


class AttemptEnded(BaseException):
    """The attempt is over: raised wherever the workflow's code waits, to unwind it.

    An attempt ends with its workflow, and also when the workflow is suspended, moved to another
    worker or retried; then it continues from its journal in another attempt. So a `finally` or an
    `except BaseException` may run many times, and durable operations do not work there. Re-raise
    it: `except durable.AttemptEnded: raise`.
    """


def text_of(value: object) -> str:
    """Returns the text of an error or a value, also when its `__str__` raises."""
    try:
        return str(value)
    except Exception as broken:  # noqa: BLE001  # whatever a user's __str__ raises
        return f"<its text cannot be made: {type(broken).__name__}>"


def _code(code: Any) -> int:
    if isinstance(code, bool) or not hasattr(code, "__index__"):
        raise TypeError(f"code is a whole number, 0 for none, not {code!r}; facts go into metadata")
    number = index(code)
    if not -_CODE_MAX - 1 <= number <= _CODE_MAX:
        raise ValueError(f"code is {number}, and must fit 32 bits; larger ones go into metadata")
    return number


def _metadata(metadata: Any) -> dict[str, str]:
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata is a mapping of str to str, not {type(metadata).__name__}")
    facts = dict(metadata)
    for name, value in facts.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise TypeError(
                f"metadata is a mapping of str to str, and has {name!r}: {value!r}; make it a str"
            )
    return facts
