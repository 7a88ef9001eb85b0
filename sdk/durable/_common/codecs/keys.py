"""Keys for encryption: `KeyProvider`, and `KeyFile`, a provider that reads keys from a file.

A key is 32 random bytes with an id. The id is stored with each value, in plain text, so it says
nothing about the key: `2026-11` is a good one. Neither keys nor parts of them appear in errors,
logs or reprs.

The file has one key a line, `ID BASE64`, the newest last; empty lines and lines that begin with `#`
do not count. Only its owner may read it. It is read again when it has changed, so a key is added
without a restart.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from ..private_files import replace_private

KEY_BYTES: Final = 32
KEY_ID_BYTES_MAX: Final = 128
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._:/@+-]+")


class KeyProvider(Protocol):
    """Where keys come from. Called from any thread, for each value: it must answer from memory."""

    def newest(self) -> str:
        """Returns the id of the key that values are encrypted with from now on."""
        ...

    def key(self, key_id: str) -> bytes | None:
        """Returns the key of 32 bytes with an id; None when it is not known."""
        ...


class FixedKeys:
    """Keys that do not change, by id; the last one is the newest."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Raises ValueError for no key, a bad id, and a key of another length than 32 bytes."""
        if not keys:
            raise ValueError("there is no key; give at least one, of 32 random bytes, by its id")
        self._keys: Final = {key_id: bytes(key) for key_id, key in keys.items()}
        for key_id, key in self._keys.items():
            check_key_id(key_id)
            if len(key) != KEY_BYTES:
                raise ValueError(
                    f"the key {key_id!r} has {len(key)} bytes, and must have {KEY_BYTES} random ones"
                )
        self._newest: Final = next(reversed(self._keys))

    def newest(self) -> str:
        """See KeyProvider."""
        return self._newest

    def key(self, key_id: str) -> bytes | None:
        """See KeyProvider."""
        return self._keys.get(key_id)


class KeyFile:
    """Keys in a file of its owner's (mode 0600), `ID BASE64` on each line, the newest last.

    The file is read again when it has changed. One that has become unreadable meanwhile leaves the
    keys as they were. Raises OSError when it cannot be read, ValueError for a line that is no key
    and for a file that others may read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path: Final = Path(path)
        self._lock: Final = threading.Lock()
        self._version = _version(self._path)
        self._keys = _read(self._path)

    @staticmethod
    def add(path: str | os.PathLike[str], key_id: str, *, newest: bool = True) -> None:
        """Adds a new random key; makes the file if there is none.

        With `newest` values are encrypted with it at once. Without, it is only known, as it has to
        be everywhere before it becomes the newest one: move its line to the end for that. Raises
        ValueError for an id that the file has already, OSError when it cannot be written.
        """
        check_key_id(key_id)
        file = Path(path)
        text = ""
        if file.exists():
            if _read(file).key(key_id) is not None:
                raise ValueError(f"{file} has a key with the id {key_id!r} already; choose another")
            text = file.read_text()
            text += "" if text.endswith("\n") else "\n"
        line = f"{key_id} {base64.b64encode(os.urandom(KEY_BYTES)).decode()}\n"
        text = text + line if newest else line + text
        replace_private(file, text.encode())

    def newest(self) -> str:
        """See KeyProvider."""
        return self._current().newest()

    def key(self, key_id: str) -> bytes | None:
        """See KeyProvider."""
        return self._current().key(key_id)

    def _current(self) -> FixedKeys:
        try:
            version = _version(self._path)
            if version != self._version:
                with self._lock:
                    self._keys, self._version = _read(self._path), version
        except (OSError, ValueError):
            pass  # somebody is editing it; the keys that were read before are still keys
        return self._keys

    def __repr__(self) -> str:
        return f"the key file {self._path}"


def check_key_id(key_id: str) -> bytes:
    """Returns a key id in UTF-8; raises ValueError for one that cannot be used."""
    name = key_id.encode()
    if not _KEY_ID.fullmatch(key_id) or len(name) > KEY_ID_BYTES_MAX:
        raise ValueError(
            f"the key id {key_id[:200]!r} is not 1 to {KEY_ID_BYTES_MAX} letters, digits and . _ - :"
            " / @ +"
        )
    return name


def _version(path: Path) -> tuple[int, int, int]:
    """Returns what differs when a file has changed."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> FixedKeys:
    """Reads a key file. Its errors name the line and never what is in it."""
    with path.open() as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if os.name == "posix" and mode & 0o077:
            raise ValueError(f"others may read {path} (mode {mode:04o}): chmod 600 {path}")
        lines = file.read().splitlines()
    keys: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key_id, _, encoded = text.partition(" ")
        try:
            key = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES or not _KEY_ID.fullmatch(key_id):
            raise ValueError(
                f"line {number} of {path} is not `ID BASE64` with the base64 of {KEY_BYTES} bytes"
            )
        if key_id in keys:
            raise ValueError(f"line {number} of {path} has the id {key_id!r} for a second time")
        keys[key_id] = key
    if not keys:
        raise ValueError(f"{path} has no key; each line is `ID BASE64`, the newest key last")
    return FixedKeys(keys)
