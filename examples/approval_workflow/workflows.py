"""A workflow that waits for a manager's approval, for months if need be."""

from dataclasses import dataclass

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@dataclass
class ExpenseRequest:
    """Who wants how much, and what for."""

    employee_id: str
    amount: float
    description: str


@dataclass
class Approval:
    """What the manager says."""

    approved: bool
    comments: str = ""


def approval_id(invocation_id: str) -> str:
    """Returns the id of the awakeable that the manager resolves or rejects."""
    return f"approval-{invocation_id}"


@durable.workflow
async def expense_approval(ctx: durable.Context, expense: ExpenseRequest) -> str:
    """Asks the manager, waits for the decision, notifies the employee."""
    hello_service = ctx.stub(HelloServiceStub)
    await hello_service.SayHello(HelloRequest(name=f"Expense from {expense.employee_id}"))

    what = f"${expense.amount:.2f} for {expense.employee_id}"
    try:
        approval = await ctx.awakeable(approval_id(ctx.invocation_id), type=Approval)
    except durable.TerminalError as rejection:
        return f"❌ Rejected: {what} ({rejection.message})"
    if not approval.approved:
        return f"❌ Rejected: {what} ({approval.comments})"

    await hello_service.SayHello(HelloRequest(name=f"Approved: {expense.employee_id}"))
    return f"✅ Approved: {what} ({approval.comments})"
