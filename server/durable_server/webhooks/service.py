"""The webhooks of one control plane: its keys, the senders' secrets, and its public address."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from .files import SecretFiles, Secrets, own_keys, parse_keys, read_keys
from .tokens import Claim, Keyring

PATH = "/webhooks/"
"""The path of deliveries, before the token."""


class NotServedError(Exception):
    """HTTP cannot be served, so a URL would not work; the message says what to do."""


@dataclass(slots=True)
class Webhooks:
    """Makes URLs, and has what is needed to serve them."""

    keyring: Keyring
    secrets: Secrets
    now: Callable[[], float] = time.time
    """The clock by which URLs expire, in seconds since 1970."""
    serve: Callable[[], Awaitable[None]] | None = None
    """Starts to serve HTTP for the first URL and sets `base_url`, or raises NotServedError. None
    where HTTP is served from the start.
    """
    base_url: str = ""
    """The public URL before PATH; empty until HTTP is served."""
    disabled: bool = False
    """Whether HTTP will not be served."""

    def url(self, claim: Claim) -> str:
        """Returns the URL of a claim. It is a secret."""
        return f"{self.base_url}{PATH}{self.keyring.sign(claim)}"

    def claim(self, url: str) -> Claim | None:
        """Returns the claim of a URL, also of one that has expired; None if its token is not valid."""
        return self.keyring.read(url.rpartition(PATH)[2])


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
