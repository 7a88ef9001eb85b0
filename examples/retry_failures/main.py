"""Finds out which invocations have failed, and runs each again as a new invocation."""

from durable import Client, Result
from examples.launcher import running
from examples.retry_failures.workflows import flaky_workflow

TASKS = ["task-success-1", "task-flaky-1", "task-success-2", "task-flaky-2"]


def submit(client: Client, tasks: list[str]) -> dict[str, str]:
    """Submits the tasks; returns the invocation id of each."""
    return {task: client.invoke_async(flaky_workflow, task) for task in tasks}


def show(word: str, task: str, result: Result[str], good: str, bad: str) -> None:
    """Prints how an invocation has ended."""
    print(f"  {word}: {task}")
    print(f"    Status: {result.status} {good if result.status == 'completed' else bad}\n")


def retry_failures(client: Client) -> None:
    """Submits tasks, collects the failed ones, submits those again, checks the results."""
    print("🚀 PHASE 1: Submitting workflows...")
    ids = submit(client, TASKS)
    for task, invocation_id in ids.items():
        print(f"  ✓ Submitted: {task} (invocation_id: {invocation_id[:8]}...)")

    print("\n📊 PHASE 2: Checking workflow status...")
    results = {task: client.get_result(ids[task], flaky_workflow) for task in TASKS}
    for task, result in results.items():
        show("Workflow", task, result, "✅ SUCCESS", "❌ FAILED")

    print("📋 PHASE 3: Collecting failures...")
    failed = [task for task, result in results.items() if result.status == "failed"]
    for task in failed:
        failure = results[task].failure
        print(f"  {task}: {failure.message if failure else ''}")

    print("\n🔄 PHASE 4: Retrying failed workflows...")
    retry_ids = submit(client, [f"{task}-retry" for task in failed])
    for task, (retry, invocation_id) in zip(failed, retry_ids.items(), strict=True):
        print(f"  Retrying: {task} → {retry}")
        print(f"    ✓ Resubmitted (invocation_id: {invocation_id[:8]}...)\n")

    print("✅ PHASE 5: Verifying retry results...")
    retries = {task: client.get_result(retry_ids[task], flaky_workflow) for task in retry_ids}
    for task, result in retries.items():
        show("Retry", task, result, "✅ RETRY SUCCEEDED!", "❌ RETRY FAILED")

    ended = [*results.values(), *retries.values()]
    good = sum(result.status == "completed" for result in ended)
    print(f"Overall Success Rate: {good}/{len(TASKS)} ({100 * good / len(TASKS):.1f}%)")


def main() -> None:
    """Runs the example."""
    with running("examples.retry_failures.workflows") as address, Client(address) as client:
        retry_failures(client)


if __name__ == "__main__":
    main()
