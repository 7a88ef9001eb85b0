"""Coverage-guided fuzzing of the decoders: `python -m tests.hostile.guided NAME [atheris's options]`.

It needs `atheris`, which exists for some versions of Python only, and is not among the tools of
development. It runs until an input raises what the decoder may not raise, and writes that input to a
file. The records of the log are not among the targets: msgspec, which reads them, is C and shows no
coverage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["durable_server"]):
    from durable_server.http import strict_json
    from durable_server.log import frame
    from durable_server.webhooks.tokens import Keyring

_KEYS = Keyring([b"k" * 32])


def _frame(data: bytes) -> None:
    try:
        found = frame.decode(data)
    except frame.CorruptFrameError:
        return
    assert frame.encode(*found) == data


def _token(data: bytes) -> None:
    assert _KEYS.read(data.decode("latin-1")) is None


def _json(data: bytes) -> None:
    try:
        strict_json.parse(data)
    except strict_json.JsonError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frame": _frame,
    "token": _token,
    "json": _json,
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.hostile.guided {'|'.join(TARGETS)} [OPTION...]")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
