"""Audited calls for tests, and the lines of a file of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from durable_server.access.audit import AuditedCall


def call(subject: str = "i", **fields: object) -> AuditedCall:
    """A call with this subject."""
    made = AuditedCall(
        *(1_795_982_890_123, "ops", "token", "10.0.0.1:2000", "Cancel", subject, "", ""),
        *("", "OK", ""),
    )
    return made._replace(**fields)  # type: ignore[arg-type]  # any field of the call


def lines(path: Path) -> list[dict[str, Any]]:
    """The calls in a file, each a JSON object; none while there is no file."""
    return [json.loads(it) for it in path.read_bytes().splitlines()] if path.exists() else []


def planted(path: Path, secret: str) -> bool:
    """Whether a file has this text."""
    return secret in path.read_text()
