"""The access of a caller: scopes, patterns and namespaces."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_server.access.access import EVERYTHING, Access, AccessError, Grant, Scope

NAMES = st.text("ab.*", min_size=1, max_size=6)


def access(*scopes: str, namespace: str = "") -> Access:
    return Access("a", "token", tuple(map(Grant.parse, scopes)), namespace)


def test_a_scope_is_for_the_handlers_of_its_pattern() -> None:
    it = access("invoke:orders.*", "read")
    assert it.may([Scope.INVOKE], "orders.new")
    assert not it.may([Scope.INVOKE], "orders")
    assert it.may([Scope.INVOKE, Scope.READ], "orders")
    assert it.has([Scope.INVOKE])
    assert it.has([])
    assert not it.has([Scope.OPERATE])
    assert it.knows("anything")


def test_a_dot_in_a_pattern_is_a_dot() -> None:
    assert not access("read:a.b").may([Scope.READ], "axb")


def test_admin_is_everything_within_its_pattern() -> None:
    it = access("admin:acme.*")
    assert all(it.may([scope], "acme.x") for scope in Scope)
    assert not any(it.may([scope], "other") for scope in Scope)


def test_nothing_exists_outside_of_a_namespace() -> None:
    it = access("admin", namespace="acme.")
    assert it.knows("acme.x")
    assert not it.knows("other.x")
    assert not it.everywhere([Scope.READ])
    assert access("admin").everywhere([Scope.READ])
    assert not access("read:a*").everywhere([Scope.READ])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no scope"),
        ("reed", "invoke, read, operate, resolve, worker, admin"),
        ("read:", "no pattern"),
        ("read:a b", "no pattern"),
        ("read:a:b", "no pattern"),
        ("read:" + "a" * 257, "1 to 256"),
    ],
)
def test_a_malformed_scope_is_refused(text: str, problem: str) -> None:
    with pytest.raises(AccessError, match=problem):
        Grant.parse(text)


def test_a_default_pattern_is_for_scopes_without_one() -> None:
    assert Grant.parse("read", "a.*") == Grant(Scope.READ, "a.*")
    assert Grant.parse("read:b", "a.*") == Grant(Scope.READ, "b")
    assert str(Grant.parse("read")) == "read:*"


@pytest.mark.parametrize(
    ("own", "given", "namespace", "covered"),
    [
        (access("admin"), "worker", "", True),
        (access("admin"), "admin", "acme.", True),
        (access("admin", namespace="acme."), "admin", "", False),
        (access("admin", namespace="acme."), "read", "acme.eu.", True),
        (access("admin:acme.*"), "read", "", False),
        (access("admin:acme.*"), "read:acme.*", "", True),
        (access("admin:acme.*"), "read:acme.x*y", "", True),
        (access("admin:acme.*"), "read:ac*", "", False),
        (access("read"), "admin", "", False),
    ],
)
def test_nobody_gives_more_than_it_has(
    own: Access, given: str, namespace: str, covered: bool
) -> None:
    assert own.covers([Grant.parse(given)], namespace) == covered


@given(own=NAMES, given_pattern=NAMES, name=st.text("ab.", min_size=1, max_size=6))
def test_what_is_covered_permits_nothing_new(own: str, given_pattern: str, name: str) -> None:
    if access(f"admin:{own}").covers([Grant(Scope.READ, given_pattern)], ""):
        new = access(f"read:{given_pattern}")
        assert not new.may([Scope.READ], name) or access(f"read:{own}").may([Scope.READ], name)


@given(pattern=NAMES, name=st.text("ab.", min_size=1, max_size=6))
def test_a_pattern_matches_as_in_a_shell(pattern: str, name: str) -> None:
    expected = re.fullmatch(fnmatch.translate(pattern), name) is not None
    assert access(f"read:{pattern}").may([Scope.READ], name) == expected


def test_without_authentication_everything_is_permitted() -> None:
    assert EVERYTHING.everywhere([Scope.ADMIN])
    assert EVERYTHING.may([Scope.WORKER], "any")
