"""API tokens without I/O: their text, what is kept of it, and when they are valid."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_server.access.access import Grant, Scope
from durable_server.access.tokens import (
    BOOTSTRAP_NAME,
    KEPT_MS,
    Token,
    TokenNameError,
    TokenText,
    TokenTextError,
    check_token_name,
    new_token,
)

INVOKE = (Grant(Scope.INVOKE),)


def made(name: str = "ci", **fields: int) -> tuple[TokenText, Token]:
    text = TokenText.new()
    return text, new_token(text, name, INVOKE, now_ms=1000, **fields)  # type: ignore[arg-type]  # each test names its fields


def test_a_text_is_read_as_it_was_written() -> None:
    text = TokenText.new()
    assert TokenText.parse(str(text)) == text
    assert len(text.secret) == 32
    assert TokenText.new() != text


def test_a_scanner_of_source_code_finds_a_text() -> None:
    found = re.search(r"\bdurable_[a-z0-9]{12}_[A-Za-z0-9_-]{43}\b", f'x = "{TokenText.new()}"')
    # A dash at the end is no part of a word, which `\b` would need.
    assert found or str(TokenText.new()).endswith("-")
    assert re.search(r"durable_[a-z0-9]{12}_[A-Za-z0-9_-]{43}", f'x = "{TokenText.new()}"')


@given(st.text() | st.from_regex(r"durable_[a-z0-9]{10,13}_[A-Za-z0-9_+-]{40,45}", fullmatch=True))
def test_any_other_text_is_refused_and_not_repeated(text: str) -> None:
    if re.fullmatch(r"durable_[a-z0-9]{12}_[A-Za-z0-9_-]{43}", text):
        assert str(TokenText.parse(text)).startswith(text[:-1])
        return
    with pytest.raises(TokenTextError) as raised:
        TokenText.parse(text)
    assert len(text) < 20 or text not in str(raised.value)


def test_nothing_shows_the_secret() -> None:
    text, token = made()
    secret = str(text).rpartition("_")[2]
    for shown in (repr(text), repr(token), repr(token.access())):
        assert secret not in shown
        assert repr(text.secret) not in shown
    assert repr(token.digest) not in repr(token)


def test_only_the_secret_matches() -> None:
    text, token = made()
    assert token.matches(text.secret)
    assert not token.matches(TokenText.new().secret)
    assert not token.matches(b"")
    again = new_token(text, "ci", INVOKE, now_ms=1000)
    assert again.digest != token.digest, "the salt is random"
    assert again.matches(text.secret)


def test_a_token_ends_when_it_expires_or_is_revoked() -> None:
    _, token = made(expire_ms=2000)
    assert token.ended_ms(1999) == 0
    assert token.ended_ms(2000) == 2000
    assert token.access().expires == 2.0
    assert made()[1].ended_ms(1 << 60) == 0


def test_an_ended_token_is_kept_for_a_while_and_the_first_one_for_ever() -> None:
    _, token = made(expire_ms=2000)
    assert not token.removable(1999 + KEPT_MS)
    assert token.removable(2000 + KEPT_MS)
    assert not made()[1].removable(1 << 60)
    assert not made(BOOTSTRAP_NAME, expire_ms=2000)[1].removable(1 << 60)


@pytest.mark.parametrize("name", ["a", "ci-2", "A.b_c", "x" * 64, ".."])
def test_names(name: str) -> None:
    assert check_token_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a\n", "ä", "a~", "a*", "a>"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(TokenNameError, match="1 to 64 letters, digits"):
        check_token_name(name)
