"""The Chromium of this machine: where it is, and how it is started.

Nothing is downloaded. `DURABLE_CHROMIUM` names another one.
"""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # root in a container has none
    "--disable-dev-shm-usage",  # and a small /dev/shm
    "--disable-gpu",
    "--host-resolver-rules=MAP durable.example.com 127.0.0.1",  # for the tests behind a proxy
)


def find() -> str | None:
    """Returns the path of a Chromium, or None when there is none."""
    if chosen := os.environ.get("DURABLE_CHROMIUM"):
        return chosen
    return next((path for name in NAMES if (path := shutil.which(name))), None)
