"""Submits an expense, prints how to approve it, and waits for the decision."""

import sys

import click

from durable import Client
from examples.approval_workflow.workflows import (
    Approval,
    ExpenseRequest,
    approval_id,
    expense_approval,
)
from examples.launcher import Started, started

WITH_CURL = """
Manager can approve via HTTP:
  curl -X POST http://{http}/api/awakeables/{id}/resolve \\
    -H 'Content-Type: application/json' \\
    -d '{{"result": "{{\\"approved\\": true, \\"comments\\": \\"OK!\\"}}"}}'

or reject it:
  curl -X POST http://{http}/api/awakeables/{id}/reject \\
    -H 'Content-Type: application/json' \\
    -d '{{"error": "Amount too high"}}'
"""
WITH_PYTHON = """
Manager can approve from Python:
  {python} -c 'import durable; \\
    client = durable.Client("{address}"); \\
    client.resolve_awakeable("{id}", {{"approved": True, "comments": "OK!"}})'
"""


def say_how(it: Started, awakeable_id: str) -> None:
    """Prints the commands that approve or reject; each works as printed."""
    print(f"⏳ Waiting for manager approval (ID: {awakeable_id})")
    if it.http:
        print(WITH_CURL.format(http=it.http, id=awakeable_id))
    print(
        WITH_PYTHON.format(python=sys.executable, address=it.address, id=awakeable_id), flush=True
    )


@click.command()
@click.option("--decide", type=click.Choice(["approve", "reject"]), help="Decide by itself.")
@click.option("--wait", default=600.0, show_default=True, help="Seconds to wait for a decision.")
def main(decide: str | None, wait: float) -> None:
    """Run the example."""
    module = "examples.approval_workflow.workflows"
    with started(module) as it, Client(it.address, timeout=wait) as client:
        expense = ExpenseRequest("emp-123", 1250.0, "A train to the conference")
        invocation_id = client.invoke_async(expense_approval, expense)
        awakeable_id = approval_id(invocation_id)
        say_how(it, awakeable_id)
        if decide == "approve":
            client.resolve_awakeable(awakeable_id, Approval(approved=True, comments="OK!"))
        elif decide == "reject":
            client.reject_awakeable(awakeable_id, "Amount too high")
        print(client.get_result(invocation_id, expense_approval).value())


if __name__ == "__main__":
    main()
