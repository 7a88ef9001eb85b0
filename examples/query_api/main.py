"""Queries invocations by their status, and reads the journal of one."""

import subprocess
import time
import uuid

from durable import Client
from examples.launcher import started
from examples.query_api.workflows import order_workflow, payment_id

HANDLER = "order_workflow"


def submit(client: Client) -> list[str]:
    """Submits three orders: one is paid, one fails, one still waits."""
    ids = [client.invoke_async(order_workflow, f"order-{number}") for number in (1, 2, 3)]
    client.resolve_awakeable(payment_id(ids[0]))
    for invocation_id in ids[:2]:
        client.get_result(invocation_id)
    while client.get(ids[2]).status != "suspended":
        time.sleep(0.1)
    return ids


def ask(client: Client, label: str, waiting: str) -> None:
    """Queries with the Python client."""
    counts = client.stats().by_handler[HANDLER]
    told = ", ".join(f"{status} {count}" for status, count in sorted(counts.items()))
    print(f"📊 Stats of {HANDLER}: {told}")

    for status in ("completed", "failed", "suspended"):
        page = client.query(handler=HANDLER, service=label, status=status, page_size=10)
        for it in page.invocations:
            print(f"🔎 {status}: {client.get(it.invocation_id).input}")
            if it.failure:
                print(f"   {it.failure.message}")

    order = client.get(waiting)
    print(f"📖 Journal of {order.input}")
    for entry in order.journal:
        print(f"   {entry.step_number} {entry.step_type}")
    print(f"📦 State of {order.input}: {order.workflow_state}")
    for awakeable in order.awakeables:
        print(f"🔔 {order.input} waits for {awakeable.awakeable_id}")


def ask_with_curl(http: str, waiting: str) -> None:
    """Makes the same queries over HTTP; prints the curl commands and their answers."""
    for path in (
        "/api/workflows/stats",
        f"/api/workflows?handler={HANDLER}&status=failed&limit=10",
        f"/api/workflows/{waiting}",
    ):
        url = f"http://{http}{path}"
        command = ["curl", "--silent", "--show-error", "--fail", url]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        print(f'$ curl "{url}"\n{answer.strip()}')


def main() -> None:
    """Runs the example."""
    label = uuid.uuid4().hex  # a label for the orders of this run, to query for
    with started("examples.query_api.workflows") as it, Client(it.address) as client:
        waiting = submit(client.options(service=label))[2]
        ask(client, label, waiting)
        if it.http:
            ask_with_curl(it.http, waiting)
        client.cancel(waiting)


if __name__ == "__main__":
    main()
