"""The sessions of the page: what a cookie says, and when it does not count."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from durable_server.access.access import Access, Grant, Scope
from durable_server.access.interface import UnauthenticatedError
from durable_server.identities.sessions import (
    SESSION_CHARACTERS,
    SESSION_SECONDS,
    Sessions,
    SessionTooLargeError,
)

KEY = bytes(range(32))
ADA = Access("ada", "token", (Grant(Scope.READ, "pay.*"),), "pay.", "id-1")


class Revoked:
    """Implements `access.interface.Revocations`."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def revoked(self, access_id: str) -> bool:
        return access_id in self.ids

    def listen(self, changed: Callable[[Collection[str]], None]) -> Callable[[], None]:
        return lambda: None


class Clock:
    seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def test_any_node_reads_the_session_of_another() -> None:
    text, end = Sessions(KEY, None, Clock()).begin(ADA)
    found = Sessions(KEY, None, Clock()).read(text, "192.0.2.1:7")
    assert (found.name, found.kind, found.source) == ("ada", "session", "192.0.2.1:7")
    assert (found.grants, found.namespace, found.id) == (ADA.grants, "pay.", "id-1")
    assert found.expires == end == Clock.seconds + SESSION_SECONDS


def test_it_ends_after_its_time_and_not_after_its_credential() -> None:
    clock = Clock()
    sessions = Sessions(KEY, None, clock)
    short, end = sessions.begin(Access("ada", "jwt", ADA.grants, expires=clock.seconds + 60))
    assert end == clock.seconds + 60
    sessions.read(short)
    clock.seconds += 60
    with pytest.raises(UnauthenticatedError) as caught:
        sessions.read(short)
    assert caught.value.problem == "expired"


def test_it_ends_with_its_token() -> None:
    revoked = Revoked()
    sessions = Sessions(KEY, revoked, Clock())
    text, _ = sessions.begin(ADA)
    sessions.read(text)
    revoked.ids.add("id-1")
    with pytest.raises(UnauthenticatedError) as caught:
        sessions.read(text)
    assert caught.value.problem == "revoked"


def test_what_was_not_made_with_the_key_or_for_this_use_is_no_session() -> None:
    sessions = Sessions(KEY, None, Clock())
    text, _ = sessions.begin(ADA)
    head, body, signature = text.split(".")
    key = OctKey.import_key(KEY)
    other_use = jws.serialize_compact(
        {"alg": "HS256", "typ": "JWT"}, b'{"exp": 9e9}', key, algorithms=["HS256"]
    )
    other_algorithm = jws.serialize_compact(
        {"alg": "HS512", "typ": "durable-session+jwt"}, b"{}", key, algorithms=["HS512"]
    )
    for wrong in (
        "",
        "x",
        f"{head}.{body}.",
        f"{head}.{body[:-2]}.{signature}",
        Sessions(bytes(32), None, Clock()).begin(ADA)[0],
        other_use,
        other_algorithm,
    ):
        with pytest.raises(UnauthenticatedError) as caught:
            sessions.read(wrong)
        assert caught.value.problem == "malformed"


def test_what_does_not_fit_into_a_cookie_is_refused() -> None:
    many = tuple(Grant(Scope.READ, f"{it:04}" + "x" * 200) for it in range(30))
    with pytest.raises(SessionTooLargeError, match="30 scopes"):
        Sessions(KEY, None, Clock()).begin(Access("ada", "jwt", many))
    text, _ = Sessions(KEY, None, Clock()).begin(Access("ada", "jwt", many[:10]))
    assert len(text) <= SESSION_CHARACTERS
