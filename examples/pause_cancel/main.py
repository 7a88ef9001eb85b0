"""Pauses an invocation and resumes it from its journal; cancels another one."""

import time

from durable import Client
from examples.launcher import running
from examples.pause_cancel.workflows import slow_workflow


def pause_and_resume(client: Client) -> None:
    """Pauses an invocation, shows that its journal does not grow, and resumes it under the same id."""
    print("📋 DEMO 1: Pause & Resume")
    invocation_id = client.invoke_async(slow_workflow, "my-task")
    print(f"✓ Submitted workflow (invocation_id: {invocation_id[:8]}...)\n")
    time.sleep(1)

    print("⏸️  PAUSING workflow...")
    client.pause(invocation_id, reason="shown in the example")
    paused = client.get_result(invocation_id)  # returns when the pause has taken effect
    print("✓ Workflow paused\n")
    print(f"Status check: {paused.status}")
    print(f"Journal entries: {len(paused.journal)}")
    time.sleep(1)
    later = client.get(invocation_id)
    print(f"Journal entries a second later: {later.journal_length}\n")

    print("▶️  RESUMING workflow...")
    client.resume(invocation_id)
    print("✓ Workflow resumed\n")
    result = client.get_result(invocation_id, slow_workflow)
    print(f"✅ Final Status: {result.status}")
    print(f"Journal entries: {len(result.journal)}")
    print(f"Result: {result.value()}\n")


def cancel(client: Client) -> None:
    """Cancels an invocation, which ends it."""
    print("📋 DEMO 2: Cancel Workflow")
    invocation_id = client.invoke_async(slow_workflow, "unwanted-task")
    print(f"✓ Submitted workflow (invocation_id: {invocation_id[:8]}...)\n")
    time.sleep(1)

    print("🛑 CANCELLING workflow...")
    client.cancel(invocation_id, reason="nobody wants it any more")
    result = client.get_result(invocation_id)
    print("✓ Workflow cancelled\n")
    print(f"✅ Final Status: {result.status}")
    print(f"Reason: {result.failure.message if result.failure else ''}")


def main() -> None:
    """Runs the example."""
    with running("examples.pause_cancel.workflows") as address, Client(address) as client:
        pause_and_resume(client)
        cancel(client)


if __name__ == "__main__":
    main()
