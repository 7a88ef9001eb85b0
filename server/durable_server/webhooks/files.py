"""Keys and secrets in files: the control plane's signing keys, and the secrets of webhook senders.

Without `--webhook-key-file` and `DURABLE_WEBHOOK_KEY` the control plane has one key of its own in its
data dir, created when it is missing; the nodes of a cluster have one of their system's secret.
Operators who rotate keys give them: any number of words of at least KEY_CHARACTERS, the first of which
signs.

A secret is a file of its name in `--webhook-secrets-dir`, with one secret per line; several may be
valid at once. It is read at each use, so a secret is replaced without a restart, and mounted secrets
work as they are.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from ..files import write_whole

KEY_CHARACTERS: Final = 32
"""The shortest key: 128 bits as hexadecimal text."""
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_SECRET_FILE_BYTES: Final = 64 * 1024
_FILE_NAME: Final = "webhook.key"


class WebhookKeyError(Exception):
    """The keys of webhooks cannot be used; the message says where they are and what to do."""


class SecretError(Exception):
    """A secret is missing; the message says what to do."""


def parse_keys(text: str, where: str) -> list[bytes]:
    """Returns the keys in a text; raises WebhookKeyError for no key and for short ones."""
    words = text.split()
    short = [word for word in words if len(word) < KEY_CHARACTERS]
    if not words or short:
        what = f"a key of {len(short[0])} characters" if short else "no key"
        raise WebhookKeyError(
            f"{where} has {what}; a key has at least {KEY_CHARACTERS}: make one with"
            " `openssl rand -hex 32`"
        )
    return [word.encode() for word in words]


def read_keys(path: Path) -> list[bytes]:
    """Returns the keys in a file; raises WebhookKeyError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WebhookKeyError(f"the webhook key file {path} cannot be read: {error}") from error
    return parse_keys(text, f"the webhook key file {path}")


def own_keys(data_dir: Path) -> list[bytes]:
    """Returns the keys in a data dir that this process owns; creates one when there is none.

    Raises WebhookKeyError.
    """
    path = data_dir / _FILE_NAME
    if not path.exists():
        # A URL that was given out must stay valid after a power loss.
        write_whole(path, f"{secrets.token_hex(32)}\n".encode())
    return read_keys(path)


class Secrets(Protocol):
    """The senders' secrets, by name."""

    def read(self, name: str) -> list[bytes]:
        """Returns the valid secrets of a name, at least one; raises SecretError."""
        ...


class SecretTexts:
    """Secrets that are given as text, for a control plane without files."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Raises ValueError for an invalid name or an empty secret."""
        for name, text in texts.items():
            if _NAME.fullmatch(name) is None or not text.strip():
                problem = (
                    "is empty" if text.strip() == "" else f"has a name that is not {_NAME.pattern}"
                )
                raise ValueError(f"the webhook secret {name!r} {problem}")
        self._texts: Final = dict(texts)

    def read(self, name: str) -> list[bytes]:
        """Returns the valid secrets of a name, at least one; raises SecretError."""
        if name not in self._texts:
            raise SecretError(f"there is no secret {name!r}: give it in webhook_secrets")
        return [line.strip().encode() for line in self._texts[name].splitlines() if line.strip()]


class SecretFiles:
    """The secrets in the files of a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder: Final = folder

    def read(self, name: str) -> list[bytes]:
        """Returns the valid secrets of a name, at least one; raises SecretError."""
        if _NAME.fullmatch(name) is None:
            raise SecretError(f"is not a secret's name, {_NAME.pattern}")
        if self._folder is None:
            raise SecretError("this control plane has no secrets; give it --webhook-secrets-dir")
        try:
            with open(self._folder / name, "rb") as file:
                data = file.read(_SECRET_FILE_BYTES)
        except OSError as error:
            raise SecretError(
                f"there is no secret {name!r}: put it into a file of that name in the folder of"
                " --webhook-secrets-dir"
            ) from error
        found = [line.strip() for line in data.splitlines() if line.strip()]
        if not found:
            raise SecretError(f"the file of the secret {name!r} is empty")
        return found
