"""A Ctrl-C at any moment reaches a program that has imported the SDK."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, signal, time
import durable

gc.collect()  # what an import leaves behind may call Python code, and is not of interest
signal.signal(signal.SIGALRM, signal.default_int_handler)
lost = 0

def collect(seconds):  # not in the `try` itself, whose loops Python 3.13 does not wholly protect
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    end = time.monotonic() + seconds
    while not lost and time.monotonic() < end:
        gc.collect(0)

for _ in range(200):
    try:
        collect(5)
        lost += 1
    except KeyboardInterrupt:
        pass
print(lost)
"""


def test_none_is_lost_while_garbage_is_collected() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
