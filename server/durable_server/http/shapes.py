"""What `/api` takes and answers, field by field: the document is made from these, and the answers are
these.

A field that has nothing to say is left out. Times are whole seconds since 1970; `/v1` has them
exactly. `Any` is a value of the user's: the JSON that it is, or else its bytes as
`{"content_type": ..., "base64": ...}`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

Status: TypeAlias = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]
"""Where an invocation stands, for people."""
State: TypeAlias = Literal[
    "scheduled", "pending", "running", "suspended", "backing_off",
    "paused", "completed", "failed", "cancelled",
]  # fmt: skip
"""Where it stands exactly."""
Final: TypeAlias = Literal[
    "cancelled", "timed_out", "invalid_input", "terminal_error", "rejected", "given_up",
    "other_invocation", "refused", "tries_failed", "not_retried",
]  # fmt: skip
"""Why a failure is final. `tries_failed`: several tries of a step have failed, and its retry policy
permits no more or does not retry the last error. `not_retried`: a terminal error of a class of its own,
an error that the policy does not retry, or, of a program, one in the last attempt that it permits."""
Time: TypeAlias = int | UnsetType


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    """What a request may say, and nothing else."""


class _Shown(msgspec.Struct, omit_defaults=True):
    """What an answer says; more fields may come."""


class Resolution(_Given, kw_only=True):
    """A value; a string that is JSON text itself counts as that JSON."""

    result: Any


class Rejection(_Given, kw_only=True):
    """Why."""

    error: Annotated[str, msgspec.Meta(min_length=1)]


class Steering(_Given, kw_only=True):
    """Why, and who asks, for people."""

    reason: str = ""
    identity: str = ""


class Health(_Shown, kw_only=True):
    """All is well."""

    status: Literal["ok"]
    version: str


class Unready(_Shown, kw_only=True):
    """Nothing can be accepted now."""

    status: Literal["unavailable"]
    version: str
    reason: str
    """Why, for people."""


class Ending(_Shown, kw_only=True):
    """How something ended: `result`, or `error` for people and the rest for programs."""

    result: Any = UNSET
    error: str | UnsetType = UNSET
    error_type: str | UnsetType = UNSET
    error_code: int | UnsetType = UNSET
    error_metadata: dict[str, str] | UnsetType = UNSET
    error_final: Final | UnsetType = UNSET


class Invoked(Ending, kw_only=True):
    """What became of an invoke; `created` is false when an earlier request had started it."""

    invocation_id: str
    status: Status
    state: State
    created: bool


class Steered(_Shown, kw_only=True):
    """Where an invocation stands after it."""

    invocation_id: str
    status: Status
    state: State


class Settled(_Shown, kw_only=True):
    """The awakeable's outcome is in the log; without an invocation none has asked for it yet."""

    awakeable_id: str
    invocation_id: str
    status: Literal["resolved", "rejected"]


class Delivered(_Shown, kw_only=True):
    """It counts, or an earlier one did; `ignored` when the sender only tried the address."""

    status: Literal["resolved", "ignored"]


class Workflow(Ending, kw_only=True):
    """An invocation as lists show it."""

    invocation_id: str
    handler: str
    status: Status
    state: State
    attempt: int
    total_steps: int
    key: str = ""
    service: str = ""
    idempotency_key: str = ""
    parent_invocation_id: str = ""
    version: str = ""
    created_at: Time = UNSET
    started_at: Time = UNSET
    updated_at: Time = UNSET
    completed_at: Time = UNSET
    wakes_at: Time = UNSET
    expires_at: Time = UNSET
    last_error: str | UnsetType = UNSET
    pause_reason: str | UnsetType = UNSET
    cancel_reason: str | UnsetType = UNSET


class Step(Ending, kw_only=True):
    """One step of a journal, numbered from 0; once it has ended, with how long it took."""

    step_number: int
    step_type: str
    completed: bool
    invocation_id: str = ""
    argument: Any = UNSET
    created_at: Time = UNSET
    completed_at: Time = UNSET
    duration_ms: int | UnsetType = UNSET
    due_at: Time = UNSET
    failed_try_count: int = 0


class FailingStep(_Shown, kw_only=True):
    """A step that is not in the journal: its tries have failed so far, the last one with `error`.

    When the next one begins is `wakes_at` of the invocation.
    """

    step_number: int
    step_type: str
    failed_try_count: int
    first_failure_at: Time = UNSET
    last_failure_at: Time = UNSET
    error: str | UnsetType = UNSET
    error_type: str | UnsetType = UNSET


class Awakeable(Ending, kw_only=True):
    """Something that is waited for from outside."""

    resolved: bool
    created_at: Time = UNSET
    resolved_at: Time = UNSET


class WorkflowDetail(Workflow, kw_only=True):
    """An invocation with its journal, state and awakeables.

    `current_step` counts from 1: it is the first step that has not ended, and `current_step_type` says
    which; when all have ended it is the last.
    """

    current_step: int
    current_step_type: str
    journal: list[Step]
    workflow_state: dict[str, str]
    awakeables: dict[str, Awakeable]
    failing_steps: list[FailingStep] = []
    input: Any = UNSET


class WorkflowPage(_Shown, kw_only=True):
    """A page of invocations, newest first; an empty token at the end."""

    workflows: list[Workflow]
    count: int
    next_page_token: str


class Statistics(_Shown, kw_only=True):
    """Counts over all invocations that are kept."""

    total: int
    by_status: dict[Status, int]
    by_state: dict[State, int]
    by_handler: dict[str, dict[Status, int]]
    workers: int
