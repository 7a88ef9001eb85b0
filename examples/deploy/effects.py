"""Side effects that leave a line in a file, so that each can be counted."""

import os


def write(line: str) -> None:
    """Stands for a side effect; the file shows how often it happened."""
    with open(os.environ["EFFECTS_FILE"], "a") as file:
        file.write(f"{line}\n")
