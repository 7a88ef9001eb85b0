"""The records of API tokens: one message of the stream `DURABLE_ACCESS` for each, as JSON.

The subject has the name of the token, so that of several tokens of one name that are made at once
only one lands. JSON lets an operator read it, and a later version add fields, which this one keeps.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ..access.access import AccessError, Grant
from ..access.tokens import Token, TokenNameError, check_token_name
from ..cluster.records import RecordStream

STREAM = RecordStream("DURABLE_ACCESS", "durable.access.>", 32 << 20, 1 << 20)
"""32 MiB have room for TOKENS_MAX tokens with a few dozen grants each."""
TOKEN_PREFIX = "durable.access.tokens."
TOKEN_SUBJECTS = f"{TOKEN_PREFIX}*"


class TokenRecordError(Exception):
    """A record is not one of a token; the message says what is wrong with it."""


def subject_of(name: str) -> str:
    """Returns the subject of the token with a name. A dot would divide it, and `~` is in no name."""
    return TOKEN_PREFIX + name.replace(".", "~")


def name_of(subject: str) -> str:
    """Returns the name of the token with a subject."""
    return subject.removeprefix(TOKEN_PREFIX).replace("~", ".")


def encode(token: Token, before: bytes = b"") -> bytes:
    """Returns the record of a token; fields of `before` that this version does not know stay."""
    fields: dict[str, Any] = json.loads(before) if before else {}
    fields |= {
        "name": token.name,
        "id": token.id,
        "salt": _text(token.salt),
        "digest": _text(token.digest),
        "scopes": [str(it) for it in token.grants],
        "namespace": token.namespace,
        "create_ms": token.create_ms,
        "creator": token.creator,
        "expire_ms": token.expire_ms,
        "revoke_ms": token.revoke_ms,
        "replaced": list(token.replaced),
    }
    return json.dumps(fields).encode()


def decode(data: bytes) -> Token:
    """Reads a record. Raises TokenRecordError."""
    try:
        fields = json.loads(data)
        return Token(
            name=check_token_name(fields["name"]),
            id=str(fields["id"]),
            salt=base64.b64decode(fields["salt"]),
            digest=base64.b64decode(fields["digest"]),
            grants=tuple(Grant.parse(it) for it in fields["scopes"]),
            namespace=str(fields.get("namespace", "")),
            create_ms=int(fields.get("create_ms", 0)),
            creator=str(fields.get("creator", "")),
            expire_ms=int(fields.get("expire_ms", 0)),
            revoke_ms=int(fields.get("revoke_ms", 0)),
            replaced=tuple(map(str, fields.get("replaced", ()))),
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        if isinstance(error, AccessError | TokenNameError):
            raise TokenRecordError(str(error)) from error
        raise TokenRecordError(f"{type(error).__name__}: {error}") from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
