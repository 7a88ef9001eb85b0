"""Views of who may do what: the caller itself, and API tokens."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from durable_proto.v1 import access_pb2

from .json_form import time_field, time_text


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the caller is, and what it may do."""

    name: str
    """Its name: of the token, or the subject of the JWT or of the certificate; empty if the control
    plane does not authenticate."""
    kind: str
    """How it shows who it is: "token", "jwt", "certificate", "session" or "none"."""
    scopes: tuple[str, ...]
    """What it may do, as SCOPE:PATTERN, where the pattern is of names of handlers."""
    namespace: str
    """The prefix of the names of handlers to which it is bound; empty for none."""
    expire_time: datetime | None
    """Until when; None for no end."""
    authenticates: bool
    """Whether the control plane authenticates its callers. If not, each may do everything."""

    @classmethod
    def of(cls, message: access_pb2.GetIdentityResponse) -> Identity:
        """Returns the view of a message."""
        return cls(
            name=message.name,
            kind=message.kind,
            scopes=tuple(message.scopes),
            namespace=message.namespace,
            expire_time=time_field(message, "expire_time"),
            authenticates=message.authenticates,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return {**asdict(self), "expire_time": time_text(self.expire_time)}


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token, without its text."""

    name: str
    """Its name."""
    id: str
    """The part of its text that is no secret."""
    scopes: tuple[str, ...]
    """What it permits, as SCOPE:PATTERN, where the pattern is of names of handlers."""
    namespace: str
    """The prefix of the names of handlers to which it is bound; empty for none."""
    create_time: datetime | None
    """When it was made."""
    creator: str
    """By whom."""
    expire_time: datetime | None
    """Until when it is valid; None for no end."""
    revoke_time: datetime | None
    """When it was revoked; None while it is not."""

    @classmethod
    def of(cls, message: access_pb2.Token) -> ApiToken:
        """Returns the view of a message."""
        return cls(
            name=message.name,
            id=message.id,
            scopes=tuple(message.scopes),
            namespace=message.namespace,
            create_time=time_field(message, "create_time"),
            creator=message.creator,
            expire_time=time_field(message, "expire_time"),
            revoke_time=time_field(message, "revoke_time"),
        )

    @property
    def state(self) -> str:
        """What it is, in one word: "valid", "revoked" or "expired", by the clock of this machine."""
        if self.revoke_time is not None:
            return "revoked"
        ended = self.expire_time is not None and self.expire_time <= datetime.now(UTC)
        return "expired" if ended else "valid"

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        times = {
            name: time_text(getattr(self, name))
            for name in ("create_time", "expire_time", "revoke_time")
        }
        return {**asdict(self), **times, "state": self.state}


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """An API token that was just made."""

    token: ApiToken
    """The token, as a list shows it."""
    text: str = field(repr=False)
    """Its text, with which clients and workers show who they are. Nobody keeps it."""
