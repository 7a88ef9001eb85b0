"""The request and response types of `/api`; the OpenAPI document is made from them.

A field without a value is left out. Times are whole seconds since 1970; `/v1` has them exactly. `Any`
is a value of the user's: the JSON that it is, or else its bytes as `{"content_type": ..., "base64":
...}`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

Status: TypeAlias = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]
"""The status of an invocation: a few words for people."""
State: TypeAlias = Literal[
    "scheduled", "pending", "running", "suspended", "backing_off",
    "paused", "completed", "failed", "cancelled",
]  # fmt: skip
"""Its exact lifecycle state."""
Final: TypeAlias = Literal[
    "cancelled", "timed_out", "invalid_input", "terminal_error", "rejected", "given_up",
    "other_invocation", "refused", "tries_failed", "not_retried",
]  # fmt: skip
"""Why a failure is final. `tries_failed`: several tries of a step have failed, and its retry policy
permits no more or does not retry the last error. `not_retried`: a terminal error of a class of its own,
an error that the policy does not retry, or, of a program, one in the last attempt that it permits."""
Time: TypeAlias = int | UnsetType


class _RequestBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request; an unknown field is refused."""


class _ResponseBody(msgspec.Struct, omit_defaults=True):
    """The body of a response; later versions may add fields."""


class Resolution(_RequestBody, kw_only=True):
    """A value; a string that contains JSON text counts as that JSON."""

    result: Any


class Rejection(_RequestBody, kw_only=True):
    """Why the awakeable is rejected."""

    error: Annotated[str, msgspec.Meta(min_length=1)]


class Steering(_RequestBody, kw_only=True):
    """The reason and the caller's identity, for people."""

    reason: str = ""
    identity: str = ""


class Health(_ResponseBody, kw_only=True):
    """The control plane can accept requests."""

    status: Literal["ok"]
    version: str


class Unready(_ResponseBody, kw_only=True):
    """The control plane cannot accept requests now."""

    status: Literal["unavailable"]
    version: str
    reason: str
    """Why, for people."""


class Ending(_ResponseBody, kw_only=True):
    """The outcome: `result`, or `error` for people and the other fields for programs."""

    result: Any = UNSET
    error: str | UnsetType = UNSET
    error_type: str | UnsetType = UNSET
    error_code: int | UnsetType = UNSET
    error_metadata: dict[str, str] | UnsetType = UNSET
    error_final: Final | UnsetType = UNSET


class Invoked(Ending, kw_only=True):
    """The invocation of an invoke request; `created` is false when an earlier request started it."""

    invocation_id: str
    status: Status
    state: State
    created: bool


class Steered(_ResponseBody, kw_only=True):
    """The state of an invocation after the command."""

    invocation_id: str
    status: Status
    state: State


class Settled(_ResponseBody, kw_only=True):
    """The awakeable's outcome is in the log. `invocation_id` is empty if no invocation has created it
    yet.
    """

    awakeable_id: str
    invocation_id: str
    status: Literal["resolved", "rejected"]


class Delivered(_ResponseBody, kw_only=True):
    """The delivery, or an earlier one, resolved the awakeable; `ignored` if it only tested the
    address.
    """

    status: Literal["resolved", "ignored"]


class Workflow(Ending, kw_only=True):
    """An invocation in a list."""

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
    """One step of a journal, numbered from 0; `duration_ms` is set once it has completed."""

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


class FailingStep(_ResponseBody, kw_only=True):
    """A step that is not in the journal because its tries so far have failed, the last with `error`.

    The next try starts at `wakes_at` of the invocation.
    """

    step_number: int
    step_type: str
    failed_try_count: int
    first_failure_at: Time = UNSET
    last_failure_at: Time = UNSET
    error: str | UnsetType = UNSET
    error_type: str | UnsetType = UNSET


class Awakeable(Ending, kw_only=True):
    """A promise that is resolved from outside."""

    resolved: bool
    created_at: Time = UNSET
    resolved_at: Time = UNSET


class WorkflowDetail(Workflow, kw_only=True):
    """An invocation with its journal, state and awakeables.

    `current_step` counts from 1: it is the first step that has not completed, or else the last step;
    `current_step_type` is its type.
    """

    current_step: int
    current_step_type: str
    journal: list[Step]
    workflow_state: dict[str, str]
    awakeables: dict[str, Awakeable]
    failing_steps: list[FailingStep] = []
    input: Any = UNSET


class WorkflowPage(_ResponseBody, kw_only=True):
    """A page of invocations, newest first; the token is empty on the last page."""

    workflows: list[Workflow]
    count: int
    next_page_token: str


class Statistics(_ResponseBody, kw_only=True):
    """Counts of all kept invocations."""

    total: int
    by_status: dict[Status, int]
    by_state: dict[State, int]
    by_handler: dict[str, dict[Status, int]]
    workers: int
