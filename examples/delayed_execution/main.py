"""Schedules a greeting, shows that it has not started yet, and waits for its result."""

import click

from durable import Client
from examples.delayed_execution.workflows import SchedulerInput, delayed_greeting, scheduler
from examples.launcher import running


def schedule_and_wait(client: Client, delay: float) -> None:
    """Schedules a greeting and waits for it."""
    scheduled = client.invoke(scheduler, SchedulerInput("Hello from the past", delay))
    print(scheduled.message)
    print(f"Status: {client.get(scheduled.invocation_id).status}")
    print("⏳ Waiting for the delayed greeting...")
    result = client.get_result(scheduled.invocation_id, delayed_greeting, timeout=delay + 60)
    print(f"✅ {result.value()}")
    greeting = client.get(scheduled.invocation_id)
    if greeting.create_time and greeting.start_time:
        waited = (greeting.start_time - greeting.create_time).total_seconds()
        print(f"It began {waited:.1f} s after it was scheduled")


@click.command()
@click.option("--delay", default=3.0, show_default=True, help="Seconds until the greeting.")
def main(delay: float) -> None:
    """Run the example."""
    with running("examples.delayed_execution.workflows") as address, Client(address) as client:
        schedule_and_wait(client, delay)


if __name__ == "__main__":
    main()
