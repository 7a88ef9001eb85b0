"""The version of the worker protocol (`worker.proto`) that this control plane speaks."""

from __future__ import annotations

PROTOCOL_VERSION = 1
