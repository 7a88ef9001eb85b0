"""What one control plane has for webhooks: its keys, the senders' secrets, its public address."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from .files import SecretFiles, Secrets, own_keys, parse_keys, read_keys
from .tokens import Claim, Keyring

PATH = "/webhooks/"
"""Where deliveries go; the token follows."""


class NotServedError(Exception):
    """HTTP cannot be served, so that nothing would answer at a URL; the message says the way out."""


@dataclass(slots=True)
class Webhooks:
    """Makes URLs, and has what is needed to answer at them."""

    keyring: Keyring
    secrets: Secrets
    now: Callable[[], float] = time.time
    """The clock that URLs expire by, in seconds since 1970."""
    serve: Callable[[], Awaitable[None]] | None = None
    """Begins to serve HTTP where that waits for the first URL; sets `base_url`, or raises
    NotServedError. None where HTTP is served from the start."""
    base_url: str = ""
    """What stands before PATH for the outside world; empty until HTTP is served."""
    off: bool = False
    """HTTP will not be served."""

    def url(self, claim: Claim) -> str:
        """Returns the URL of a claim. It is a secret."""
        return f"{self.base_url}{PATH}{self.keyring.sign(claim)}"


def open_webhooks(
    data_dir: Path, *, key_file: Path | None, key_text: str, secrets_dir: Path | None
) -> Webhooks:
    """Reads the keys: the file, else the text, else the data dir's own; raises WebhookKeyError."""
    if key_file is not None:
        keys = read_keys(key_file)
    elif key_text:
        keys = parse_keys(key_text, "DURABLE_WEBHOOK_KEY")
    else:
        keys = own_keys(data_dir)
    return Webhooks(Keyring(keys), SecretFiles(secrets_dir))
