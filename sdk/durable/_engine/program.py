"""The program of one attempt: the workflow's code, and the parts of the engine that it works on.

A `Context` turns each call of the workflow into a call of one of these parts. `attempt.Attempt`
works on the same parts from the other side: it delivers completions, runs the loop, and decides how
the attempt ends.
"""

from __future__ import annotations

from functools import cached_property
from random import Random
from typing import Any, ClassVar, Final, NoReturn

from durable_proto.v1 import worker_pb2

from .._definitions.retry import DEFAULT_POLICY
from .._definitions.workflow import Workflow
from . import locks
from .compensations import Compensations
from .journal import Journal
from .limits import too_large
from .loop import LoopOwner, WorkflowLoop
from .operations import Operations
from .outbox import Outbox
from .own_code import OwnCode
from .patches import Patches
from .random import ReplayRandom
from .server_operations import ServerOperations
from .state import State
from .steps import Environment, Steps


class Program:
    """The parts of one attempt that its workflow works on."""

    journal_type: ClassVar[type[Journal]] = Journal
    operations_type: ClassVar[type[Operations]] = Operations

    def __init__(
        self,
        workflow: Workflow[..., Any],
        invocation_id: str,
        attempt: int,
        start: worker_pb2.Start,
        environment: Environment,
        loop_owner: LoopOwner,
    ) -> None:
        locks.install()
        self.workflow: Final = workflow
        self.policy: Final = workflow.retry or DEFAULT_POLICY
        """The policy for the program, and for steps without one of their own."""
        self.invocation_id: Final = invocation_id
        self.attempt: Final = attempt
        self.start: Final = start
        # The methods that typeshed misses are set when the class is made: they all refuse.
        self.loop: Final = WorkflowLoop(loop_owner)  # type: ignore[abstract]
        self.code: Final = OwnCode(self.loop)
        self.journal: Final = self.journal_type(start)
        self.outbox: Final = Outbox(invocation_id, attempt)
        self.compensations: Final = Compensations()
        self.operations: Final = self.operations_type(
            workflow,
            start,
            self.loop,
            self.journal,
            self.outbox,
            self.code,
            self.compensations,
        )
        self.steps: Final = Steps(
            self.operations, self.compensations, environment, invocation_id, start.headers
        )
        self.state: Final = State(self.operations, start, environment.payload_bytes_max)
        self.patches: Final = Patches(self.operations)
        self.server: Final = ServerOperations(self.operations, self.steps, invocation_id)
        self.continuation: worker_pb2.Continued | None = None
        """What the next run begins with, if the program has continued as new."""

    def continue_as(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        """Ends the run and asks for the next one; see `Context.continue_as`."""
        self.code.check("ctx.continue_as()", "call it in the workflow when the step has ended")
        given = self.workflow.encode_input(args, kwargs)
        limit = self.steps.environment.payload_bytes_max
        if given is not None and len(given.data) > limit:
            raise too_large("the input of the next run", len(given.data), limit)
        if self.continuation is None and not self.loop.closing:
            self.server.give_back_signals()
            self.continuation = worker_pb2.Continued(
                input=given,
                completion_number=self.journal.delivered,
                next_index=self.operations.past_deprecated(),
            )
        self.loop.leave()

    @cached_property
    def random(self) -> Random:
        """Random numbers that are the same in each replay; one sequence for an attempt."""
        return ReplayRandom(self.start.random_seed, self.check_random)

    def check_random(self) -> None:
        """Raises NonDurableAwaitError unless the workflow's own code runs."""
        self.code.check("ctx.random", "draw before, and hand the value to the step")
