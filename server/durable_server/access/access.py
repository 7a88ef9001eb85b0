"""The access of a caller: who it is, and what it may do with which handlers.

A grant is a scope for the handlers whose names match a pattern. A namespace is a prefix of handler
names, beside the patterns: what lies outside of it does not exist for the caller. Whatever the caller
has no scope for at all does not exist for it either, so nobody learns ids or names of others by trying.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

PATTERN_CHARACTERS = 256
"""The longest pattern."""
GRANTS_MAX = 64
"""The most grants of one caller."""
_PATTERN = re.compile(r"[^\s,:\x00-\x1f]+")


class Scope(StrEnum):
    """What a caller may do."""

    INVOKE = "invoke"
    """Start invocations, and learn how these end."""
    READ = "read"
    """See invocations, handlers, workers, state and counts."""
    OPERATE = "operate"
    """Pause, resume, cancel, restart and purge invocations, and change state."""
    RESOLVE = "resolve"
    """Resolve awakeables and send signals."""
    WORKER = "worker"
    """Serve handlers."""
    ADMIN = "admin"
    """Everything, and who may do what."""


class AccessError(ValueError):
    """A scope, pattern or namespace is malformed; the message says what is wrong with it."""


class Grant(NamedTuple):
    """A scope for some handlers."""

    scope: Scope
    pattern: str = "*"
    """The names of the handlers; `*` stands for any characters."""

    @classmethod
    def parse(cls, text: str, default: str = "*") -> Grant:
        """Returns the grant of `SCOPE` or `SCOPE:PATTERN`. Raises AccessError."""
        name, separator, pattern = text.partition(":")
        try:
            scope = Scope(name)
        except ValueError:
            known = ", ".join(it.value for it in Scope)
            raise AccessError(f"{name[:40]!r} is no scope; the scopes are {known}") from None
        return cls(scope, check_pattern(pattern if separator else default))

    def __str__(self) -> str:
        return f"{self.scope.value}:{self.pattern}"


def check_pattern(pattern: str) -> str:
    """Returns a pattern of handler names. Raises AccessError."""
    if len(pattern) > PATTERN_CHARACTERS or _PATTERN.fullmatch(pattern) is None:
        raise AccessError(
            f"{pattern[:40]!r} is no pattern of handler names: 1 to {PATTERN_CHARACTERS} characters,"
            " without spaces, commas and colons, in which * stands for any characters"
        )
    return pattern


@dataclass(frozen=True, slots=True)
class Access:
    """Who a caller is, and what it may do."""

    name: str
    """The name of the token, or the subject of the JWT or of the certificate."""
    kind: str
    """How it has shown who it is: `token`, `jwt`, `certificate`, `session`, `webhook` or `none`."""
    grants: tuple[Grant, ...]
    namespace: str = ""
    """The prefix of the names of handlers to which it is bound; empty for none."""
    id: str = ""
    """What a revocation names: the id of the token; empty for what cannot be revoked."""
    source: str = field(default="", compare=False)
    """The address that it came from."""
    expires: float = 0.0
    """Until when it is valid, in seconds since 1970; 0 for no end."""

    def has(self, scopes: Collection[Scope]) -> bool:
        """Returns whether it has one of some scopes, for any handler; True for no scopes."""
        return not scopes or any(
            it.scope in scopes or it.scope is Scope.ADMIN for it in self.grants
        )

    def may(self, scopes: Collection[Scope], handler: str) -> bool:
        """Returns whether it has one of some scopes for a handler."""
        return handler.startswith(self.namespace) and any(
            (it.scope in scopes or it.scope is Scope.ADMIN) and matches(it.pattern, handler)
            for it in self.grants
        )

    def knows(self, handler: str) -> bool:
        """Returns whether it has any scope for a handler; else nothing of that exists for it."""
        return handler.startswith(self.namespace) and any(
            matches(it.pattern, handler) for it in self.grants
        )

    def everywhere(self, scopes: Collection[Scope]) -> bool:
        """Returns whether it has one of some scopes for all handlers, of whatever name."""
        return not self.namespace and any(
            (it.scope in scopes or it.scope is Scope.ADMIN) and it.pattern.strip("*") == ""
            for it in self.grants
        )

    def covers(self, grants: Iterable[Grant], namespace: str) -> bool:
        """Returns whether everything that some grants in a namespace permit is permitted to it too."""
        if not namespace.startswith(self.namespace):
            return False
        return all(
            any(
                own.scope in (it.scope, Scope.ADMIN) and _within(it.pattern, own.pattern)
                for own in self.grants
            )
            for it in grants
        )


EVERYTHING = Access("", "none", (Grant(Scope.ADMIN),))
"""The access of every caller of a control plane that does not authenticate, and of its own parts."""


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Each piece between two `*` takes its first place and keeps it (an atomic group), so that a pattern
    # with many `*` costs no more than the length of the name for each.
    head, *pieces = map(re.escape, pattern.split("*"))
    if not pieces:
        return re.compile(head)
    middle = "".join(f"(?>.*?{it})" for it in pieces[:-1])
    return re.compile(f"{head}{middle}.*{pieces[-1]}", re.DOTALL)


def matches(pattern: str, handler: str) -> bool:
    """Returns whether a name is one of those for which a pattern stands."""
    return pattern == "*" or _compiled(pattern).fullmatch(handler) is not None


def _within(pattern: str, other: str) -> bool:
    """Returns whether `other` matches all that `pattern` matches.

    A `*` of `pattern` can only be matched by a `*` of `other`. So `other` matches the pattern itself,
    read as a name, if and only if it matches all that the pattern stands for.
    """
    return matches(other, pattern)
