"""The workers of the example, each in a process of its own."""

from contextlib import ExitStack
from pathlib import Path

from examples.launcher import durable_command, start

WORKERS = 2


def start_workers(stack: ExitStack, folder: Path, address: str, effects: Path) -> None:
    """Starts the workers; their side effects go to the file `effects`."""
    for number in range(WORKERS):
        command = durable_command("worker", "examples.cluster.workflows", "--address", address)
        start(stack, command, folder / f"worker-{number}.log", {"EFFECTS_FILE": str(effects)})
