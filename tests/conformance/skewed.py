"""The `durable` command with a wrong clock: SKEW_SECONDS ahead of the real time."""

from __future__ import annotations

import os
import time

from durable_server.__main__ import main


def skew(seconds: int) -> None:
    """Puts this process's clock forward, or back."""
    shown, shown_ns = time.time, time.time_ns
    time.time = lambda: shown() + seconds
    time.time_ns = lambda: shown_ns() + seconds * 1_000_000_000


if __name__ == "__main__":
    skew(int(os.environ["SKEW_SECONDS"]))
    main()
